//! Source: which sidecar wrote a log, and which of its logs.

use std::fmt;

use crate::domain::{SidecarId, Timestamp};

const PREFIX: &str = "pactgate://sidecar/";

/// One unbroken log of a sidecar. A sidecar that lost its disk begins a new one, so that its first record is not
/// taken for the first record of the log before, and so that everybody sees that a log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId([u8; 8]);

impl LogId {
    /// An id for a log that begins now: sorts by time, and the random part keeps apart what a wrong clock would not.
    #[must_use]
    pub fn new(begun: Timestamp, random: [u8; 2]) -> Self {
        let millis = u64::try_from(begun.as_micros().max(0) / 1000).unwrap_or(0);
        Self(((millis << 16) | u64::from(u16::from_be_bytes(random))).to_be_bytes())
    }

    /// The id from its eight bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The eight bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// Reads sixteen lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 8];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        let id = Self(bytes);
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// The CloudEvents `source` of a record: `pactgate://sidecar/<sidecar>/<log>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    sidecar: SidecarId,
    log: LogId,
}

impl Source {
    /// The source of one log of one sidecar.
    #[must_use]
    pub const fn new(sidecar: SidecarId, log: LogId) -> Self {
        Self { sidecar, log }
    }

    /// Reads the written form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (sidecar, log) = text.strip_prefix(PREFIX)?.split_once('/')?;
        Some(Self { sidecar: SidecarId::new(sidecar).ok()?, log: LogId::parse(log)? })
    }

    /// The sidecar.
    #[must_use]
    pub const fn sidecar(&self) -> &SidecarId {
        &self.sidecar
    }

    /// Which of its logs.
    #[must_use]
    pub const fn log(&self) -> LogId {
        self.log
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}/{}", self.sidecar, self.log)
    }
}
