//! Many streams at once, each at the pace of a model that writes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep_until};

use crate::figures::Crowd;
use crate::subjects::Subject;
use crate::workload::{Streamed, Workload};
use crate::{Outcome, generator};

/// What each stream is: two seconds of twenty chunks a second.
pub const STREAM: Streamed = Streamed::paced(40, 50);

/// Keeps so many streams open, and looks at the subject for that long. Streams begin spread over the time that one
/// lasts, and the look begins once all are there.
pub async fn measure(subject: &Subject, streams: u32, long: Duration) -> Outcome<Crowd> {
    subject.quiet().await?;
    let target = &subject.target(Workload::Streamed(STREAM));
    let mut connections = generator::connect(target, streams).await?;
    let begun = Instant::now();
    let from = begun + STREAM.lasts();
    let until = from + long;
    let runs = connections.iter_mut().zip(0_u32..).map(|(connection, index)| async move {
        sleep_until(begun + STREAM.lasts() * index / streams).await;
        while Instant::now() < until {
            connection.exchange(target).await?;
        }
        Outcome::Ok(())
    });
    let look = async {
        sleep_until(from).await;
        let (cpu, chunks) = (subject.cpu()?, target.events.load(Ordering::Relaxed));
        sleep_until(until).await;
        let chunks = target.events.load(Ordering::Relaxed) - chunks;
        let spent = subject.cpu()?.saturating_sub(cpu);
        Ok(Crowd::new(chunks, from.elapsed(), spent, subject.memory_kib()?))
    };
    let (_, crowd) = tokio::try_join!(try_join_all(runs), look)?;
    subject.quiet().await?;
    Ok(crowd)
}
