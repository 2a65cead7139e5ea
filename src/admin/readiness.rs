//! Readiness: whether the sidecar can serve calls now, and what keeps it from that.

use serde::{Deserialize, Serialize};

use crate::domain::TrustTier;
use crate::spool::Unavailable;
use crate::trust::{Freshness, News};

/// Whether the sidecar can serve calls. Every part of it is shown to everybody on the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Readiness {
    /// Whether every check is fine.
    pub ready: bool,
    /// The checks, in the order they were given.
    pub checks: Vec<Check>,
}

/// One condition of readiness.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Check {
    /// Its name: one word.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// What was found, in a sentence.
    pub detail: String,
}

impl Readiness {
    /// Ready when all checks are fine.
    #[must_use]
    pub fn of(checks: Vec<Check>) -> Self {
        Self { ready: checks.iter().all(|check| check.ok), checks }
    }
}

impl Check {
    /// Any other condition: fine, or not, with the reason.
    #[must_use]
    pub fn new(name: &str, ok: bool, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), ok, detail: detail.into() }
    }

    /// `config`: always fine, because without a config there is no sidecar; tells whether it is the newest. Why it
    /// is not stands in the log and on the admin socket, where the agent does not read it.
    #[must_use]
    pub fn config(is_newest: bool) -> Self {
        let detail = if is_newest {
            "the newest config is in force"
        } else {
            "the newest config is wrong, so the last good one stays in force"
        };
        Self::new("config", true, detail)
    }

    /// `pacts`: at least one is loaded. Without any, every call is refused.
    #[must_use]
    pub fn pacts(loaded: usize, are_newest: bool) -> Self {
        let mut detail = match loaded {
            0 => "no pact is loaded, so every call is refused".to_owned(),
            1 => "1 pact is loaded".to_owned(),
            _ => format!("{loaded} pacts are loaded"),
        };
        if !are_newest {
            detail.push_str("; newer files are wrong and not in force");
        }
        Self::new("pacts", loaded > 0, detail)
    }

    /// `trust`: the news of the agents' tiers is young enough that it does not hold everybody at `restricted`.
    #[must_use]
    pub fn trust(freshness: Freshness) -> Self {
        let (news, ceiling) = match freshness {
            Freshness::Fixed(tier) => {
                return Self::new("trust", true, format!("the configuration fixes every tier at {tier}"));
            }
            Freshness::Fed { news, ceiling } => (news, ceiling),
        };
        let found = match news {
            News::Aged(age) => format!("the collector was last heard {} s ago", age.as_secs()),
            News::Never(waited) => {
                format!("the collector has not been heard in {} s since the start", waited.as_secs())
            }
            News::Undatable => "nobody can say when the collector was last heard".to_owned(),
        };
        let detail = match ceiling {
            TrustTier::Trusted => found,
            lower => format!("{found}, so no tier counts for more than {lower}"),
        };
        Self::new("trust", ceiling > TrustTier::Restricted, detail)
    }

    /// `spool`: records of calls can be taken.
    #[must_use]
    pub fn spool(health: Result<(), Unavailable>) -> Self {
        match health {
            Ok(()) => Self::new("spool", true, "records can be taken"),
            Err(why) => Self::new("spool", false, why.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::trust::Staleness;

    #[test]
    fn one_failing_check_is_enough() {
        let fine = || Check::new("a", true, "");
        assert!(Readiness::of(vec![fine(), fine()]).ready);
        assert!(!Readiness::of(vec![fine(), Check::pacts(0, true)]).ready);
        assert!(!Check::spool(Err(Unavailable::DiskFull)).ok);
        assert!(Check::spool(Ok(())).ok);
    }

    #[test]
    fn news_is_too_old_when_it_restricts_everybody() {
        let rule = Staleness::default();
        let s = Duration::from_secs;
        let table = [
            (News::Aged(s(1)), true, "the collector was last heard 1 s ago"),
            (
                News::Aged(s(61)),
                true,
                "the collector was last heard 61 s ago, so no tier counts for more than standard",
            ),
            (
                News::Aged(s(601)),
                false,
                "the collector was last heard 601 s ago, so no tier counts for more than restricted",
            ),
            (
                News::Never(s(5)),
                true,
                "the collector has not been heard in 5 s since the start, \
                 so no tier counts for more than probation",
            ),
            (
                News::Undatable,
                false,
                "nobody can say when the collector was last heard, so no tier counts for more than restricted",
            ),
        ];
        for (news, ok, detail) in table {
            let check = Check::trust(Freshness::Fed { news, ceiling: rule.ceiling(news) });
            assert_eq!((check.ok, check.detail.as_str()), (ok, detail));
        }
        assert!(Check::trust(Freshness::Fixed(TrustTier::Standard)).ok);
    }
}
