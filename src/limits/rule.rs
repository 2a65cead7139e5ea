//! Rule: one limit as it applies to one call.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::Quota;

use crate::domain::{LimitId, PactName};

/// The longest time one call may take to come back. Longer ones are cut to it, so that arithmetic on
/// nanoseconds cannot overflow.
const SPACING_NS_MAX: u128 = 366 * 24 * 3600 * 1_000_000_000;
/// The longest time a whole burst may take to come back: far beyond any process's life.
const REFILL_NS_MAX: u64 = 1 << 62;

/// So many calls in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Calls. Zero allows none.
    pub count: u32,
    /// The time in which they may be made. Zero counts as one nanosecond.
    pub per: Duration,
}

/// One limit as it applies to one call: the pact's limit, at the agent's tier.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// The pact that holds the limit.
    pub pact: &'a PactName,
    /// The limit, unique in its pact.
    pub id: &'a LimitId,
    /// The rate at the agent's tier; `None` when the limit has none there, which allows nothing.
    pub rate: Option<Rate>,
    /// How many calls may be made at once. `None`: as many as the rate counts.
    pub burst: Option<u32>,
}

impl Rule<'_> {
    /// The rule in the terms of `governor`; `None` when it allows nothing.
    pub(super) fn quota(&self) -> Option<Quota> {
        let Rate { count, per } = self.rate?;
        let count = NonZeroU32::new(count)?;
        let burst = NonZeroU32::new(self.burst.unwrap_or(count.get()))?;
        // Rounded up, so that no stretch of time lets through more than the rate says.
        let spacing_ns = per.as_nanos().div_ceil(u128::from(count.get())).clamp(1, SPACING_NS_MAX);
        let spacing_ns = u64::try_from(spacing_ns).ok()?;
        let burst_max = u32::try_from(REFILL_NS_MAX / spacing_ns).unwrap_or(u32::MAX);
        let burst = burst.min(NonZeroU32::new(burst_max)?);
        Quota::with_period(Duration::from_nanos(spacing_ns)).map(|quota| quota.allow_burst(burst))
    }
}
