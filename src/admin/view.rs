//! View: what the two doors show, given by whoever joins the rooms.

use serde_json::Value;

use crate::admin::readiness::Readiness;

/// The running sidecar, as far as it is shown. Called on a thread that may wait for locks and disks, once at a time
/// per door. What it returns must be bounded in size and free of secrets.
pub trait View: Send + Sync + 'static {
    /// All metrics in the Prometheus text format.
    fn metrics(&self) -> String;
    /// Whether calls can be served, and why not. Everybody may read the reasons, the agent too.
    fn readiness(&self) -> Readiness;
    /// One page of the admin socket. `pages` holds the parts that it is put together from.
    fn page(&self, page: Page) -> Value;
}

/// A page of the admin socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Everything in one screen.
    Status,
    /// The pacts in force and in observation.
    Pacts,
    /// The agents' tiers, and how old the news of them is.
    Trust,
    /// What is left of every limit.
    Limits,
    /// The effective configuration, secrets masked.
    Config,
    /// The questions that people have not settled yet.
    Approvals,
}

impl Page {
    /// Every page.
    pub const ALL: [Self; 6] =
        [Self::Status, Self::Pacts, Self::Trust, Self::Limits, Self::Config, Self::Approvals];

    /// Where it is found.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Status => "/status",
            Self::Pacts => "/pacts",
            Self::Trust => "/trust",
            Self::Limits => "/limits",
            Self::Config => "/config",
            Self::Approvals => "/approvals",
        }
    }

    /// The page at a path; `None` when there is none.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|page| page.path() == path)
    }
}
