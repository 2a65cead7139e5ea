//! A queue on disk: append, read in order, acknowledge.
//!
//! One thread owns the chain and the files. Callers reserve a place, then move a [`crate::evidence::Record`] into
//! it; the thread seals what has gathered, writes it in one piece and syncs once for all of it. What a reader gets
//! is always durable here first, so a collector never knows a record that this disk could still lose.
//!
//! Files of a spool, all in one folder that belongs to one process at a time:
//!
//! | file | what it is | written |
//! | --- | --- | --- |
//! | `<sequence>.segment` | records from that sequence on, see `segment.rs` | appended by the one thread |
//! | `acknowledged` | how far the collector has it | replaced whole, at most once a second |
//! | `closed` | the last record of a log that was closed in order; absent while it is open | at the end |
//! | `lock` | held while a process has the spool open | never |
//! | `*.new` | a file being made, not yet renamed to its name | removed when the spool is opened |

mod disk;
mod error;
mod note;
mod queue;
mod reader;
mod recorder;
mod recovery;
mod segment;
mod settings;
mod shared;
mod slot;
mod stats;
mod writer;

pub use error::{SpoolError, Unavailable};
pub use reader::Entry;
pub use recorder::{Opened, Recorder};
pub use settings::{Settings, Sync, WhenFull};
pub use slot::Slot;
pub use stats::Stats;

#[cfg(test)]
mod tests;
