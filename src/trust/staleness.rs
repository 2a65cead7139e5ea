//! Staleness: how the age of the news bounds a tier. Pure.

use std::time::Duration;

use crate::domain::TrustTier;

/// Two ages at which news from the collector counts for less. Must hold: `sink_after <= restrict_after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staleness {
    /// News older than this supports `standard` at most.
    pub sink_after: Duration,
    /// News older than this supports `restricted` at most.
    pub restrict_after: Duration,
}

/// How old the newest word of the collector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Heard, and this old.
    Aged(Duration),
    /// Not heard yet; this process has waited so long for it.
    Never(Duration),
    /// Heard in an earlier run at a time that lies ahead of the wall clock, so nobody can say how old it is.
    Undatable,
}

impl Staleness {
    /// The highest tier that news of this age supports.
    ///
    /// Never rises as news grows older, so that losing the collector never widens what an agent may do.
    #[must_use]
    pub fn ceiling(&self, news: News) -> TrustTier {
        match news {
            News::Aged(age) if age > self.restrict_after => TrustTier::Restricted,
            News::Aged(age) if age > self.sink_after => TrustTier::Standard,
            News::Aged(_) => TrustTier::Trusted,
            News::Never(waited) if waited > self.restrict_after => TrustTier::Restricted,
            News::Never(_) => TrustTier::Probation,
            News::Undatable => TrustTier::Restricted,
        }
    }

    /// The tier that counts: what was stated, or the ceiling where that is lower.
    #[must_use]
    pub fn sink(&self, stated: TrustTier, news: News) -> TrustTier {
        stated.min(self.ceiling(news))
    }
}

impl Default for Staleness {
    /// `standard` at most after one minute, `restricted` at most after ten.
    fn default() -> Self {
        Self { sink_after: Duration::from_secs(60), restrict_after: Duration::from_secs(600) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::TrustTier::{Probation, Restricted, Standard, Suspended, Trusted};

    fn aged(seconds: u64) -> News {
        News::Aged(Duration::from_secs(seconds))
    }

    fn never(seconds: u64) -> News {
        News::Never(Duration::from_secs(seconds))
    }

    #[test]
    fn stale_news_sinks_a_tier_by_the_table() {
        let rule = Staleness::default();
        let table = [
            (Trusted, aged(0), Trusted),
            (Trusted, aged(60), Trusted),
            (Trusted, aged(61), Standard),
            (Standard, aged(61), Standard),
            (Trusted, aged(600), Standard),
            (Trusted, aged(601), Restricted),
            (Probation, aged(61), Probation),
            (Probation, aged(601), Restricted),
            (Restricted, aged(0), Restricted),
            (Suspended, aged(0), Suspended),
            (Suspended, aged(9_999), Suspended),
            (Trusted, never(0), Probation),
            (Probation, never(600), Probation),
            (Probation, never(601), Restricted),
            (Suspended, never(601), Suspended),
            (Trusted, News::Undatable, Restricted),
            (Suspended, News::Undatable, Suspended),
        ];
        for (stated, news, expected) in table {
            assert_eq!(rule.sink(stated, news), expected, "{stated} with {news:?}");
        }
    }

    proptest! {
        #[test]
        fn older_news_never_raises_a_tier(rank in 0_usize..5, sink in 0_u64..1_000, more in 0_u64..1_000,
                                          age in 0_u64..3_000, older in 0_u64..3_000) {
            let rule = Staleness {
                sink_after: Duration::from_secs(sink),
                restrict_after: Duration::from_secs(sink + more),
            };
            let stated = TrustTier::ALL[rank];
            prop_assert!(rule.sink(stated, aged(age + older)) <= rule.sink(stated, aged(age)));
            prop_assert!(rule.sink(stated, never(age + older)) <= rule.sink(stated, never(age)));
            prop_assert!(rule.sink(stated, never(age)) <= rule.sink(stated, aged(age)));
            prop_assert!(rule.sink(stated, aged(age)) <= stated);
        }
    }
}
