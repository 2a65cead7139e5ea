//! Backoff: how long to wait before the next attempt, so that a fleet does not come back all at once.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);

/// Pauses that double from attempt to attempt, each shortened at random by up to a half.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    most: Duration,
}

impl Backoff {
    pub(super) fn new(most: Duration) -> Self {
        Self { next: FIRST.min(most), most }
    }

    /// It has worked again.
    pub(super) fn reset(&mut self) {
        self.next = FIRST.min(self.most);
    }

    /// The pause before the next attempt; at least what the other side asked for, within the bound.
    pub(super) fn pause(&mut self, asked: Option<Duration>) -> Duration {
        let step = self.next;
        self.next = step.saturating_mul(2).min(self.most);
        jittered(step, random()).max(asked.unwrap_or_default().min(self.most))
    }
}

/// Between a half and all of `step`.
fn jittered(step: Duration, random: u16) -> Duration {
    let half = step / 2;
    half.saturating_add(half.saturating_mul(u32::from(random)) / (u32::from(u16::MAX) + 1))
}

fn random() -> u16 {
    let mut bytes = [0; 2];
    // Without randomness the pause is only less spread out.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u16::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_bound_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        for step in [100, 200, 400, 800, 1000, 1000] {
            let pause = backoff.pause(None);
            let step = Duration::from_millis(step);
            assert!(step / 2 <= pause && pause <= step, "{pause:?} for {step:?}");
        }
        backoff.reset();
        assert!(backoff.pause(None) <= FIRST);
    }

    #[test]
    fn the_other_side_may_ask_for_a_longer_pause_and_not_for_an_endless_one() {
        let mut backoff = Backoff::new(Duration::from_secs(30));
        assert_eq!(backoff.pause(Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(backoff.pause(Some(Duration::from_secs(86_400))), Duration::from_secs(30));
    }

    #[test]
    fn jitter_keeps_between_a_half_and_the_whole() {
        let step = Duration::from_millis(100);
        assert_eq!(jittered(step, 0), step / 2);
        assert!(jittered(step, u16::MAX) < step);
    }
}
