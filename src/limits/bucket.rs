//! Bucket: the state of one quota, which `governor` decides on and we can set back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

/// A number that the limiter and its bucket share. The lock of the agent's meters guards it, so that it needs
/// no ordering of its own.
#[derive(Clone, Debug, Default)]
struct Register(Arc<AtomicU64>);

impl Register {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// The time that `governor` sees: whatever the caller read from its own clock.
impl Clock for Register {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.get())
    }
}

/// The state that `governor` keeps: the moment at which the bucket will be full again. Zero is as good as no
/// state, since it lies in the past.
impl StateStore for Register {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _key: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (outcome, next) = decide(Some(Nanos::new(self.get())))?;
        self.set(next.as_u64());
        Ok(outcome)
    }
}

/// One quota of one agent. All times are nanoseconds of the monotonic clock.
#[derive(Debug)]
pub(super) struct Bucket {
    quota: Quota,
    full_at: Register,
    now: Register,
    governor: RateLimiter<NotKeyed, Register, Register, NoOpMiddleware<Nanos>>,
    /// How much of a call may be given back without admitting more than the quota over any stretch of time: the
    /// least that was still missing when a later call came in. A moment at which the bucket was full wipes out
    /// what was spent before, so that giving it back again would count it twice.
    refundable: u64,
}

/// What a bucket was before a call was taken from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    full_at: u64,
    refundable: u64,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(quota: Quota) -> Self {
        let (full_at, now) = (Register::default(), Register::default());
        // `governor` counts from the time at which it is made, which is zero on our register.
        let governor = RateLimiter::new(quota, full_at.clone(), now.clone());
        Self { quota, full_at, now, governor, refundable: u64::MAX }
    }

    pub(super) fn quota(&self) -> Quota {
        self.quota
    }

    /// What must be restored to undo whatever comes next.
    pub(super) fn before(&self) -> Before {
        Before { full_at: self.full_at.get(), refundable: self.refundable }
    }

    pub(super) fn restore(&mut self, before: Before) {
        self.full_at.set(before.full_at);
        self.refundable = before.refundable;
    }

    /// Takes one call out, if the quota has one; otherwise tells how long until it has.
    pub(super) fn take(&mut self, now: u64, others_open: bool) -> Result<(), Duration> {
        let missing = self.missing(now);
        self.now.set(now);
        match self.governor.check() {
            Ok(()) => {
                self.refundable = if others_open { self.refundable.min(missing) } else { u64::MAX };
                Ok(())
            }
            Err(until) => Err(until.wait_time_from(Nanos::new(now))),
        }
    }

    /// Takes one call out whether or not it is there, down to empty: the call was admitted by another quota of
    /// the same limit.
    pub(super) fn charge(&mut self, now: u64, others_open: bool) {
        let missing = self.missing(now);
        let after = missing.saturating_add(self.spacing());
        let refundable = if others_open { self.refundable.min(missing) } else { u64::MAX };
        self.refundable = if after > self.refill() { 0 } else { refundable };
        self.full_at.set(now.saturating_add(after.min(self.refill())));
    }

    /// Gives back the call of a reservation that is still open.
    pub(super) fn refund(&mut self) {
        let back = self.spacing().min(self.refundable);
        self.full_at.set(self.full_at.get().saturating_sub(back));
        self.refundable = self.refundable.saturating_sub(back);
    }

    /// Starts where another quota of the same limit stands: as many calls count as made.
    pub(super) fn copy_from(&mut self, other: &Bucket, now: u64) {
        let spent = u128::from(other.missing(now)) * u128::from(self.spacing());
        let spent = u64::try_from(spent.div_ceil(u128::from(other.spacing()))).unwrap_or(u64::MAX);
        self.full_at.set(now.saturating_add(spent.min(self.refill())));
        self.refundable = 0;
    }

    /// Calls that could be made at once now.
    pub(super) fn remaining(&self, now: u64) -> u32 {
        let left = self.refill().saturating_sub(self.missing(now));
        u32::try_from(left / self.spacing()).unwrap_or(u32::MAX).min(self.quota.burst_size().get())
    }

    pub(super) fn is_full(&self, now: u64) -> bool {
        self.missing(now) == 0
    }

    /// How long until the bucket is full.
    fn missing(&self, now: u64) -> u64 {
        self.full_at.get().saturating_sub(now)
    }

    /// How long one call takes to come back. Never zero.
    fn spacing(&self) -> u64 {
        nanos(self.quota.replenish_interval()).max(1)
    }

    /// How long an empty bucket takes to fill.
    fn refill(&self) -> u64 {
        self.spacing().saturating_mul(u64::from(self.quota.burst_size().get()))
    }
}

/// A time in nanoseconds; the end of time where it does not fit.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
