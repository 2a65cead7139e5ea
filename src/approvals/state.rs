//! State: what can become of a question. Pure.

use std::time::Duration;

/// Where a question stands. Times are readings of the monotonic clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody has answered.
    Pending,
    /// Somebody said yes, and no call has used it.
    Granted { by: String, until: Duration },
    /// Somebody said no. Stays until the question ends, so that asking again does not wear people out.
    Refused { by: String, why: String },
    /// Its time is over.
    Expired,
    /// One call has used the grant.
    Spent,
}

/// What can happen to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Grant { by: String, until: Duration },
    Refuse { by: String, why: String },
    Expire,
    Spend,
}

impl State {
    /// The state after an event; `None` when the event cannot happen in this one, which then stays.
    pub(super) fn after(&self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Pending, Event::Grant { by, until }) => Some(Self::Granted { by, until }),
            (Self::Pending | Self::Granted { .. }, Event::Refuse { by, why }) => {
                Some(Self::Refused { by, why })
            }
            (Self::Pending | Self::Granted { .. } | Self::Refused { .. }, Event::Expire) => {
                Some(Self::Expired)
            }
            (Self::Granted { .. }, Event::Spend) => Some(Self::Spent),
            (Self::Pending | Self::Refused { .. }, Event::Spend)
            | (Self::Granted { .. } | Self::Refused { .. }, Event::Grant { .. })
            | (Self::Refused { .. }, Event::Refuse { .. })
            | (Self::Expired | Self::Spent, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_grant_can_be_spent_and_nothing_follows_the_end() {
        let by = || "ann".to_owned();
        let until = Duration::ZERO;
        let states = [
            State::Pending,
            State::Granted { by: by(), until },
            State::Refused { by: by(), why: by() },
            State::Expired,
            State::Spent,
        ];
        let events = || {
            [
                Event::Grant { by: by(), until },
                Event::Refuse { by: by(), why: by() },
                Event::Expire,
                Event::Spend,
            ]
        };
        let [pending, granted, refused, expired, spent] = states.clone();
        let expected = [
            [Some(granted), Some(refused.clone()), Some(expired.clone()), None],
            [None, Some(refused), Some(expired.clone()), Some(spent)],
            [None, None, Some(expired), None],
            [None, None, None, None],
            [None, None, None, None],
        ];
        assert_eq!(pending, states[0]);
        for (state, row) in states.iter().zip(expected) {
            for (event, after) in events().into_iter().zip(row) {
                assert_eq!(state.after(event.clone()), after, "{state:?} and {event:?}");
            }
        }
    }
}
