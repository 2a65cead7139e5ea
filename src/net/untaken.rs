//! Untaken: a response on an HTTP/2 stream whose peer opens no window for it. HTTP/2 has no bound for that, and a
//! stream held so keeps its upstream too; under HTTP/1.1 the system gives the connection up.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    /// Since when the piece of the response that was handed out last waits to be taken. Empty while the response
    /// itself is waited for. One cell for each stream, which is a task of its own.
    static HANDED_OUT: Cell<Option<Instant>>;
}

/// Runs the task of a stream, and drops it when a piece of its response was not taken for so long. The peer hears of
/// it as of any stream that is dropped: by a reset.
pub(super) async fn while_taken<F: Future>(task: F, patience: Duration) {
    let watched = async move {
        let mut task = pin!(task);
        let mut timer = pin!(tokio::time::sleep(patience));
        poll_fn(|cx| {
            if task.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            loop {
                let Some(since) = HANDED_OUT.with(Cell::get) else { return Poll::Pending };
                let deadline = since + patience;
                // Set back only when it is over, so that a stream that flows leaves it alone.
                if timer.is_elapsed() || deadline < timer.deadline() {
                    timer.as_mut().reset(deadline);
                }
                ready!(timer.as_mut().poll(cx));
                if Instant::now() >= deadline {
                    return Poll::Ready(());
                }
            }
        })
        .await;
    };
    HANDED_OUT.scope(Cell::new(None), watched).await;
}

/// A piece of the response was handed out: the next is asked for once the peer has taken it.
pub(super) fn handed_out() {
    // Outside of HTTP/2 nobody watches.
    let _ = HANDED_OUT.try_with(|since| since.set(Some(Instant::now())));
}

/// The response is waited for.
pub(super) fn awaited() {
    let _ = HANDED_OUT.try_with(|since| since.set(None));
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(120);

    /// Whether a task comes to its end.
    async fn ends(task: impl Future<Output = ()>) -> bool {
        let ended = Cell::new(false);
        let watched = async {
            task.await;
            ended.set(true);
        };
        while_taken(watched, PATIENCE).await;
        ended.get()
    }

    #[tokio::test(start_paused = true)]
    async fn a_piece_that_is_not_taken_ends_the_stream() {
        let began = Instant::now();
        let stuck = async {
            handed_out();
            tokio::time::sleep(PATIENCE / 2).await;
            handed_out();
            tokio::time::sleep(PATIENCE * 9).await;
        };
        assert!(!ends(stuck).await);
        let after = began.elapsed();
        assert!(after >= PATIENCE * 3 / 2 && after < PATIENCE * 2, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_is_waited_for_may_take_its_time() {
        assert!(ends(tokio::time::sleep(PATIENCE * 9)).await);
        let slow = async {
            for _ in 0..5 {
                handed_out();
                tokio::time::sleep(PATIENCE / 2).await;
                awaited();
                tokio::time::sleep(PATIENCE * 9).await;
            }
        };
        assert!(ends(slow).await);
    }
}
