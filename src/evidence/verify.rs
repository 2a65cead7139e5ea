//! Verifier: walks a log from its beginning and names the first broken link.

use crate::domain::Digest;
use crate::evidence::{Event, Source, Unsound, read};

/// A walk along one source's log. It has seen a valid *prefix*; whether that is all there is, only a head learned
/// from elsewhere can tell, see [`Verifier::ends_at`].
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    source: Option<Source>,
    sequence: u64,
    head: Digest,
}

/// The first place where a log is not what it claims to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A record cannot be read.
    #[error("the record after {after} cannot be read")]
    Unsound {
        /// The last good sequence.
        after: u64,
        /// What is wrong with it.
        #[source]
        problem: Unsound,
    },
    /// A record of another log.
    #[error("the record after {after} belongs to another log, `{found}`")]
    Source {
        /// The last good sequence.
        after: u64,
        /// The log it names.
        found: Source,
    },
    /// Records are missing, doubled or out of order.
    #[error("after record {after} comes record {found}")]
    Order {
        /// The last good sequence.
        after: u64,
        /// The sequence found.
        found: u64,
    },
    /// The record does not name the hash of the one before.
    #[error("record {sequence} does not name the hash of the record before it")]
    Link {
        /// The record.
        sequence: u64,
    },
    /// The log is sound as far as it goes, and does not end where it should.
    #[error("the log ends at record {found}, and should end at record {expected}")]
    End {
        /// Where it ends.
        found: u64,
        /// Where it should end.
        expected: u64,
    },
    /// The log ends at the right place with another record.
    #[error("record {sequence} is sound, and is not the one that was expected at the end")]
    Head {
        /// The last record.
        sequence: u64,
    },
}

impl Verifier {
    /// A walk that starts before the first record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A walk that goes on after a record already verified.
    #[must_use]
    pub const fn after(source: Source, sequence: u64, head: Digest) -> Self {
        Self { source: Some(source), sequence, head }
    }

    /// Takes the next record's exact bytes.
    ///
    /// # Errors
    /// At the first record that does not continue the log; the walk stays where it was.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Event, Broken> {
        let after = self.sequence;
        let event = read(bytes).map_err(|problem| Broken::Unsound { after, problem })?;
        if self.source.as_ref().is_some_and(|source| *source != event.source) {
            return Err(Broken::Source { after, found: event.source });
        }
        if after.checked_add(1) != Some(event.sequence) {
            return Err(Broken::Order { after, found: event.sequence });
        }
        if event.prevhash != self.head {
            return Err(Broken::Link { sequence: event.sequence });
        }
        self.source.get_or_insert_with(|| event.source.clone());
        self.sequence = event.sequence;
        self.head = event.hash;
        Ok(event)
    }

    /// The last verified sequence; 0 before the first.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The hash of the last verified record.
    #[must_use]
    pub const fn head(&self) -> &Digest {
        &self.head
    }

    /// Compares the end of the walk with a head learned from elsewhere. Only then is the log whole.
    ///
    /// # Errors
    /// When the log ends elsewhere, or with another record.
    pub fn ends_at(&self, sequence: u64, head: &Digest) -> Result<(), Broken> {
        if self.sequence != sequence {
            return Err(Broken::End { found: self.sequence, expected: sequence });
        }
        if self.head != *head {
            return Err(Broken::Head { sequence });
        }
        Ok(())
    }
}
