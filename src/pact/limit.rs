//! Limits: how often an agent may do what the pact lets it do.

use std::time::Duration;

use crate::domain::{LimitId, TrustTier};
use crate::pact::selector::Selector;

/// One limit of a pact.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Its name, unique in the pact.
    pub id: LimitId,
    /// The actions it counts.
    pub selector: Selector,
    /// Calls that may come at once, before the rate binds; at least 1. `None` leaves the choice to the limiter.
    pub burst: Option<u32>,
    /// By [`TrustTier::rank`].
    pub(crate) rates: [Option<Rate>; 5],
    /// Whether the pact gives it a rate at all; a budget alone is not enforced yet.
    pub(crate) has_rate: bool,
}

/// Calls in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many; zero lets nothing through.
    pub count: u32,
    /// In what time; never zero.
    pub per: Duration,
}

impl Limit {
    /// The rate at a tier; `None` gives that tier nothing.
    #[must_use]
    pub fn rate_at(&self, tier: TrustTier) -> Option<Rate> {
        self.rates.get(usize::from(tier.rank())).copied().flatten()
    }

    /// Whether it limits how often calls come. One that has only a budget binds nothing yet.
    #[must_use]
    pub const fn has_rate(&self) -> bool {
        self.has_rate
    }
}

impl Rate {
    /// Reads `120/min`; units are `s`, `min`, `h` and `day`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (count, unit) = text.split_once('/')?;
        let seconds = match unit.trim() {
            "s" | "sec" | "second" => 1,
            "min" | "minute" => 60,
            "h" | "hour" => 3_600,
            "d" | "day" => 86_400,
            _ => return None,
        };
        Some(Self { count: whole(count.trim())?, per: Duration::from_secs(seconds) })
    }
}

/// Reads `30s`, `15m`, `4h`, `7d`, `2w`; never zero.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let number: u32 = whole(number)?;
    Some(Duration::from_secs(u64::from(number) * seconds)).filter(|d| !d.is_zero())
}

fn whole(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_durations_have_a_unit() {
        let rate = |count, seconds| Some(Rate { count, per: Duration::from_secs(seconds) });
        for (text, expected) in [
            ("120/min", rate(120, 60)),
            ("5/s", rate(5, 1)),
            ("0/h", rate(0, 3600)),
            ("10/day", rate(10, 86_400)),
            ("10", None),
            ("-1/s", None),
            ("+1/s", None),
            ("1/fortnight", None),
            ("99999999999/s", None),
        ] {
            assert_eq!(Rate::parse(text), expected, "{text}");
        }
        assert_eq!(parse_duration("15m"), Some(Duration::from_secs(900)));
        assert_eq!(parse_duration("30d"), Some(Duration::from_secs(2_592_000)));
        for text in ["", "m", "0s", "15", "1.5h", "é"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
