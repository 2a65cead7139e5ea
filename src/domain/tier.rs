//! Trust tiers and their order.

use std::fmt;

/// How far an agent is trusted now. Ordered: a higher tier may do what a lower one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrustTier {
    /// May do nothing.
    Suspended,
    /// Under suspicion.
    Restricted,
    /// Not yet known; where every new agent starts.
    Probation,
    /// Has a record that supports ordinary work.
    Standard,
    /// Has a long clean record.
    Trusted,
}

impl TrustTier {
    /// Every tier, lowest first.
    pub const ALL: [Self; 5] =
        [Self::Suspended, Self::Restricted, Self::Probation, Self::Standard, Self::Trusted];

    /// The name used in pacts, records, metrics and APIs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::Restricted => "restricted",
            Self::Probation => "probation",
            Self::Standard => "standard",
            Self::Trusted => "trusted",
        }
    }

    /// The tier of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }

    /// Position from 0 (`suspended`) to 4 (`trusted`): the value of the `pactgate_trust_tier` gauge.
    #[must_use]
    pub const fn rank(self) -> u8 {
        self as u8
    }

    /// The next lower tier; `suspended` has none below it.
    #[must_use]
    pub const fn below(self) -> Self {
        match self {
            Self::Suspended | Self::Restricted => Self::Suspended,
            Self::Probation => Self::Restricted,
            Self::Standard => Self::Probation,
            Self::Trusted => Self::Standard,
        }
    }

    /// The next higher tier; `trusted` has none above it.
    #[must_use]
    pub const fn above(self) -> Self {
        match self {
            Self::Suspended => Self::Restricted,
            Self::Restricted => Self::Probation,
            Self::Probation => Self::Standard,
            Self::Standard | Self::Trusted => Self::Trusted,
        }
    }
}

impl fmt::Display for TrustTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
