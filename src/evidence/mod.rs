//! What happened, and the proof that it was not rewritten.
#![doc = include_str!("README.md")]

mod canonical;
mod chain;
mod digest;
mod event;
mod fields;
mod read;
mod record;
mod source;
mod traceparent;
mod tree;
mod verify;
mod words;

pub use chain::{Chain, Sealed};
pub use digest::argument_digest;
pub use event::{CLAUSES_MAX, FAULTS_MAX, OBSERVED_MAX, RECORD_BYTES_MAX, TEXT_BYTES_MAX, WITHHELD_MAX};
pub use read::{Event, Unsound, read};
pub use record::{
    ActionSeen, ApprovalUse, Coverage, Gap, Latency, Observed, Outcome, PactRef, Record, TierSeen,
};
pub use source::{LogId, Source};
pub use traceparent::Traceparent;
pub use verify::{Broken, Verifier};
pub use words::{ApprovalAnswer, CutCause, Effect, Kind, Proof, Seen, UpstreamFailure};

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
