//! Link: the door. Starts the tasks, counts for them, and waits for their end.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::approvals::Desk;
use crate::link::approval_relay::ApprovalRelay;
use crate::link::delivery::Delivery;
use crate::link::session::Session;
use crate::link::stats::Counters;
use crate::link::tier_feed::TierFeed;
use crate::link::tool_news::ToolNews;
use crate::link::{Settings, Stats};
use crate::net::RootsError;
use crate::pins::Pins;
use crate::spool::Recorder;
use crate::trust::TierCache;

/// Why a line cannot be set up. Whether the collector can be reached is another matter.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The collector's URL is not `http` or `https`, or names no host.
    #[error("`{url}` is not the URL of a collector; write `https://host:port`")]
    Url {
        /// The URL.
        url: String,
    },
    /// The token cannot stand in a header.
    #[error("the collector's token has characters that no header can carry")]
    Token,
    /// TLS cannot be set up.
    #[error("the line to the collector cannot be set up")]
    Tls(#[source] RootsError),
}

/// The running line to the collector.
#[derive(Clone, Debug)]
pub struct Link {
    counters: Arc<Counters>,
    tasks: TaskTracker,
}

impl Link {
    /// Starts the line. It keeps trying until `shutdown`, and then delivers what it can within the farewell.
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the settings cannot work.
    pub fn start(
        settings: Settings,
        recorder: Arc<Recorder>,
        tiers: Arc<TierCache>,
        desk: Desk,
        pins: Arc<Pins>,
        shutdown: CancellationToken,
    ) -> Result<Self, LinkError> {
        let settings = Arc::new(settings.bounded());
        let session = Arc::new(Session::new(&settings)?);
        let counters = Arc::<Counters>::default();
        let tasks = TaskTracker::new();
        let feed = TierFeed {
            session: Arc::clone(&session),
            settings: Arc::clone(&settings),
            tiers,
            desk: desk.clone(),
            counters: Arc::clone(&counters),
        };
        let relay = ApprovalRelay {
            session: Arc::clone(&session),
            settings: Arc::clone(&settings),
            desk,
            counters: Arc::clone(&counters),
        };
        let news = ToolNews { session: Arc::clone(&session), settings: Arc::clone(&settings), pins };
        let delivery = Delivery { session, settings, recorder, counters: Arc::clone(&counters) };
        tasks.spawn(delivery.run(shutdown.clone()));
        tasks.spawn(relay.run(shutdown.clone()));
        tasks.spawn(news.run(shutdown.clone()));
        tasks.spawn(feed.run(shutdown));
        tasks.close();
        Ok(Self { counters, tasks })
    }

    /// What the line has carried.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.counters.snapshot()
    }

    /// Waits until all tasks have ended, after `shutdown`.
    pub async fn ended(&self) {
        self.tasks.wait().await;
    }
}
