//! Limits: how many calls an agent may make in a time, reserved before the call and exact under concurrency.

mod bucket;
mod ledger;
mod meter;
mod rule;

pub use ledger::{Bounds, Exceeded, Limits, Remaining, Reservation, Stats};
pub use rule::{Rate, Rule};

#[cfg(test)]
mod tests;
