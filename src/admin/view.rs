//! View: what the two doors show, given by whoever joins the rooms.

use serde_json::Value;

use crate::admin::readiness::Readiness;
use crate::domain::Digest;

/// The running sidecar, as far as it is shown. Called on a thread that may wait for locks and disks, once at a time
/// per door. What it returns must be bounded in size and free of secrets.
pub trait View: Send + Sync + 'static {
    /// All metrics in the Prometheus text format.
    fn metrics(&self) -> String;
    /// Whether calls can be served, and why not. Everybody may read the reasons, the agent too.
    fn readiness(&self) -> Readiness;
    /// One page of the admin socket. `pages` holds the parts that it is put together from.
    fn page(&self, page: Page) -> Value;
    /// Takes the newest definition of a tool for the one that counts. Returns what the socket answers.
    ///
    /// # Errors
    /// When it does not count, and why.
    fn accept_tool(&self, tool: &ToolName) -> Result<Value, Declined>;
}

/// A tool whose definition is to be accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolName {
    /// The MCP server.
    pub server: String,
    /// The tool.
    pub tool: String,
    /// Digest of the definition that somebody has looked at; without it, the newest one is meant.
    pub definition: Option<Digest>,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declined {
    /// There is no such thing.
    Absent(String),
    /// It is not as the caller believes.
    Conflict(String),
    /// It failed.
    Failed(String),
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
    /// What MCP tools said of themselves first, and whether they say something else.
    Tools,
}

impl Page {
    /// Every page.
    pub const ALL: [Self; 7] =
        [Self::Status, Self::Pacts, Self::Trust, Self::Limits, Self::Config, Self::Approvals, Self::Tools];

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
            Self::Tools => "/tools",
        }
    }

    /// The page at a path; `None` when there is none.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|page| page.path() == path)
    }
}
