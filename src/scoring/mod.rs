//! From an agent's history to a score, a tier and a consequence.
//!
//! The score is a pure fold over observations: the same records, weights and moment give the same score to
//! anybody. What counts and why stands in [`mark`], every number in [`Weights`], what follows in `tiering.rs`.
//!
//! # How to recompute a score
//!
//! Read the agent's records in the order of their `position`, make an [`Attempt`] of each, mark it, and
//! [`State::observe`] it at its `received_at`; apply operators' overrides where they stand in that order; finally
//! [`State::advance_to`] the moment of interest. Nothing else goes in.

mod algorithm;
mod explain;
mod posterior;
mod signals;
mod snapshot;
mod standing;
mod state;
mod tally;
mod tiering;

pub use algorithm::{ALGORITHM, VERSION, WeightRow, Weights};
pub use posterior::Posterior;
pub use signals::{Attempt, Ending, Mark, Weight, mark};
pub use snapshot::SnapshotError;
pub use standing::{Score, Standing};
pub use state::{Cause, Change, Observation, State};

#[cfg(test)]
mod tests;
