//! Tool news: tells the collector of tools whose definition has changed.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::link::Settings;
use crate::link::backoff::Backoff;
use crate::link::delivery::{JSON, SIGNALS};
use crate::link::session::Session;
use crate::link::trouble::{Teller, Trouble};
use crate::pins::{Notice, Pins};
use crate::wire::{self, Severity, SignalKind, SignalRequest};

/// The most changes told of between two looks at the pins.
const AT_ONCE: usize = 32;
/// Characters of a tool's name that a signal repeats; what it may say is bounded.
const NAME_CHARS_MAX: usize = 256;

/// Carries news of changed tools to the collector, each until it has it.
pub(super) struct ToolNews {
    pub(super) session: Arc<Session>,
    pub(super) settings: Arc<Settings>,
    pub(super) pins: Arc<Pins>,
}

impl ToolNews {
    /// Tells until `shutdown`. What is not told by then is told after the next start.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        let mut backoff = Backoff::new(self.settings.pause_max);
        let mut teller = Teller::new("the news of changed tools");
        while !shutdown.is_cancelled() {
            let carried = tokio::select! {
                carried = self.carry() => carried,
                () = shutdown.cancelled() => break,
            };
            match carried {
                Ok(()) => {
                    backoff.reset();
                    teller.works();
                }
                Err(trouble) => {
                    teller.trouble(&trouble);
                    tokio::select! {
                        () = tokio::time::sleep(backoff.pause(trouble.retry_after())) => {}
                        () = shutdown.cancelled() => {}
                    }
                }
            }
        }
    }

    async fn carry(&self) -> Result<(), Trouble> {
        let notices = self.pins.untold(AT_ONCE);
        if notices.is_empty() {
            self.pins.wait_untold().await;
            return Ok(());
        }
        for notice in notices {
            match self.session.post(SIGNALS, JSON, wire::write(&signal(&notice))).await {
                Ok(_) => {}
                // It would be refused again, and hold up the ones behind it.
                Err(trouble @ Trouble::Status { status, .. })
                    if matches!(status.as_u16(), 400 | 413 | 422) =>
                {
                    tracing::error!(error = %trouble, "the collector does not take the news of a changed tool");
                }
                Err(trouble) => return Err(trouble),
            }
            self.pins.told(&notice);
        }
        Ok(())
    }
}

fn signal(notice: &Notice) -> SignalRequest {
    let Notice { agent, server, tool, pinned, seen } = notice;
    let tool: String = tool.chars().take(NAME_CHARS_MAX).collect();
    SignalRequest {
        kind: SignalKind::ToolChanged,
        severity: Severity::Warning,
        agent: Some(agent.clone()),
        detail: format!(
            "the definition of tool `{server}/{tool}` changed since it was first seen: from {pinned} to {seen}"
        ),
        gap: None,
    }
}
