//! What can go wrong with a spool: at its opening, while it is read, and when a place in it is asked for.

use std::io;
use std::path::{Path, PathBuf};

/// Why a record cannot be taken now. Heals by itself: the writing thread tries again until the disk does its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unavailable {
    /// As many records as may be under way are under way.
    #[error("the evidence queue is full")]
    QueueFull,
    /// The spool has reached its size because the collector has not taken its records.
    #[error("the evidence spool has reached its size, and the collector has not taken its records")]
    SpoolFull,
    /// The disk has no room.
    #[error("the disk of the evidence spool is full")]
    DiskFull,
    /// The disk refuses to write for another reason, which the log tells.
    #[error("the disk of the evidence spool is failing")]
    DiskFailing,
    /// The spool is closed.
    #[error("the evidence spool is closed")]
    Closed,
}

impl Unavailable {
    /// The name used in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue-full",
            Self::SpoolFull => "spool-full",
            Self::DiskFull => "disk-full",
            Self::DiskFailing => "disk-failing",
            Self::Closed => "closed",
        }
    }
}

/// Why a spool cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// A setting that cannot work.
    #[error("{problem}")]
    Settings {
        /// Which, and what would.
        problem: &'static str,
    },
    /// The operating system refused.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What it said.
        #[source]
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("the spool `{}` is in use by another process; give each sidecar a folder of its own", dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// A file that is not a segment, or whose bytes have changed since they were written.
    #[error("`{}` is damaged at byte {offset}: {what}; move the folder away to begin a new log", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where the first wrong byte stands, or the frame that holds it.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A segment of a later format.
    #[error("`{}` has format {found}, and this program knows format {known} at most; use the newer program",
        path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest known here.
        known: u32,
    },
    /// Written under another sidecar id.
    #[error("`{}` was written under another sidecar id than `{id}`; restore that id, or use another folder",
        path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The id of this sidecar.
        id: String,
    },
    /// Records that were there are there no more.
    #[error("record {sequence} is gone from the spool `{}`; \
        restore it, or move the folder away to begin a new log", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
        /// The first record that is missed.
        sequence: u64,
    },
}

impl SpoolError {
    /// For `map_err`: the operating system refused this.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    /// Whether a file is not there.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// A damaged file.
    pub(super) fn corrupt(path: &Path, offset: u64, what: &'static str) -> Self {
        Self::Corrupt { path: path.to_owned(), offset, what }
    }
}
