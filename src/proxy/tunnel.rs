//! Bytes that nobody reads, both ways: only with a permit, counted, and bounded in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::domain::Usage;
use crate::enforce::{Permit, Settlement};
use crate::evidence::{CutCause, Outcome, Seen, UpstreamFailure};
use crate::net::{DialError, Dialer, Failure, Reach};
use crate::proxy::exchange::Answer;
use crate::proxy::upstream;

const CHUNK_BYTES: usize = 16 * 1024;

/// Opens the way that the permit allows.
///
/// # Errors
/// What the agent is told instead. The permit is settled then.
pub(super) async fn open(
    dialer: &Dialer,
    mut permit: Permit,
    reach: Reach,
    within: Duration,
) -> Result<(Permit, TcpStream), Answer> {
    let outbound = permit.open();
    let target = outbound.request.uri().authority().cloned();
    let (host, port) = target.as_ref().map_or(("", 0), |a| (a.host(), a.port_u16().unwrap_or(0)));
    permit.departed();
    let connected: Result<TcpStream, DialError> = dialer.connect(host, port, reach, within).await;
    match connected {
        Ok(stream) => Ok((permit, stream)),
        Err(error) => Err(upstream::unanswered(permit, Failure::from(&error), false)),
    }
}

/// Carries bytes until both sides have ended, or nothing moves for `idle`. Settles the permit.
pub(super) async fn run<A, U>(permit: Permit, agent: A, upstream: U, idle: Duration)
where
    A: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let carried = Arc::new(Carried::default());
    let held = Held { permit: Some(permit), carried: Arc::clone(&carried) };
    let (agent_in, agent_out) = tokio::io::split(agent);
    let (upstream_in, upstream_out) = tokio::io::split(upstream);
    let both = async {
        tokio::try_join!(
            carry(agent_in, upstream_out, &carried.up, [AGENT_BROKE, UPSTREAM_BROKE]),
            carry(upstream_in, agent_out, &carried.down, [UPSTREAM_BROKE, AGENT_BROKE])
        )
    };
    let outcome = tokio::select! {
        ended = both => match ended {
            Ok(_) => Outcome::Completed { status: 200 },
            Err(broke) => broke,
        },
        () = carried.stands_still(idle) => Outcome::Cut { why: CutCause::Idle },
    };
    held.settle(outcome);
}

/// Bytes carried so far.
#[derive(Default)]
struct Carried {
    up: AtomicU64,
    down: AtomicU64,
}

impl Carried {
    fn usage(&self) -> Usage {
        let (up, down) = (self.up.load(Ordering::Relaxed), self.down.load(Ordering::Relaxed));
        Usage { bytes_sent: up, bytes_received: down, ..Usage::default() }
    }

    /// Resolves once nothing has moved, in either direction, for `idle`.
    async fn stands_still(&self, idle: Duration) {
        let mut before = self.usage();
        loop {
            tokio::time::sleep(idle).await;
            let now = self.usage();
            if now == before {
                return;
            }
            before = now;
        }
    }
}

/// Settles the permit with what was carried, even if the task is dropped.
struct Held {
    permit: Option<Permit>,
    carried: Arc<Carried>,
}

impl Held {
    fn settle(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        let usage = self.carried.usage();
        if let Some(permit) = self.permit.take() {
            permit.settle(Settlement { outcome, usage, response: Some(Seen::Unread) });
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end(Outcome::Cut { why: CutCause::Drain });
    }
}

const AGENT_BROKE: Outcome = Outcome::ClientGone;
const UPSTREAM_BROKE: Outcome = Outcome::UpstreamFailed { what: UpstreamFailure::Reset };

/// Copies one direction, and passes its end on. `reading` and `writing` say what it means
/// when either fails.
async fn carry<R, W>(
    mut from: R,
    mut to: W,
    carried: &AtomicU64,
    [reading, writing]: [Outcome; 2],
) -> Result<(), Outcome>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut buffer).await.map_err(|_| reading)?;
        let Some(data) = buffer.get(..count).filter(|data| !data.is_empty()) else {
            return to.shutdown().await.map_err(|_| writing);
        };
        to.write_all(data).await.map_err(|_| writing)?;
        carried.fetch_add(count as u64, Ordering::Relaxed);
    }
}
