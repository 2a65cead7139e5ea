//! Disk: the few file operations a spool needs, each durable when it returns, except a plain append.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::spool::note::Note;
use crate::spool::segment;

/// What the writing thread asks of the disk. Tests put a failing one in its place.
pub(super) trait Disk: Send {
    /// Makes the segment that starts with `first`, durably, and directs appends to it. A segment of that name is
    /// replaced.
    fn begin_segment(&mut self, first: u64, header: &[u8]) -> io::Result<()>;
    /// Appends to the segment. After an error any part of the bytes may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes all appended bytes durable. After an error nobody knows which are.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the segment to `bytes`.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;
    /// Replaces a note, durably.
    fn write_note(&mut self, name: &str, note: Note) -> io::Result<()>;
    /// Removes a note, durably; it need not be there.
    fn remove_note(&mut self, name: &str) -> io::Result<()>;
    /// Removes the segment that starts with `first`.
    fn remove_segment(&mut self, first: u64) -> io::Result<()>;
}

/// A folder on a real disk.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    /// Syncing the folder makes new and renamed files durable.
    handle: File,
    segment: Option<File>,
}

impl Folder {
    /// Opens the folder, and makes it when it is absent. Nobody but the sidecar's user may look inside.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        if !dir.is_dir() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                File::open(parent)?.sync_all()?;
            }
        }
        Ok(Self { dir: dir.to_owned(), handle: File::open(dir)?, segment: None })
    }

    /// Directs appends to the end of a segment that exists.
    pub(super) fn continue_segment(&mut self, first: u64) -> io::Result<()> {
        let path = self.dir.join(segment::file_name(first));
        self.segment = Some(OpenOptions::new().append(true).open(path)?);
        Ok(())
    }

    /// Removes a file, if it is there, durably.
    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.dir.join(name)) {
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.and_then(|()| self.handle.sync_all()),
        }
    }

    /// Writes a file under a passing name, syncs it, renames it, syncs the folder: a crash leaves the old file or
    /// the new one, whole.
    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<File> {
        let passing = self.dir.join(format!("{name}.new"));
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&passing)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&passing, self.dir.join(name))?;
        self.handle.sync_all()?;
        Ok(file)
    }

    fn segment(&mut self) -> io::Result<&mut File> {
        self.segment.as_mut().ok_or_else(|| io::Error::other("no segment is open"))
    }
}

impl Disk for Folder {
    fn begin_segment(&mut self, first: u64, header: &[u8]) -> io::Result<()> {
        self.segment = Some(self.replace(&segment::file_name(first), header)?);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.segment()?.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.segment()?.sync_data()
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        let file = self.segment()?;
        file.set_len(bytes)?;
        file.sync_data()
    }

    fn write_note(&mut self, name: &str, note: Note) -> io::Result<()> {
        self.replace(name, note.print().as_bytes()).map(|_| ())
    }

    fn remove_note(&mut self, name: &str) -> io::Result<()> {
        self.remove(name)
    }

    fn remove_segment(&mut self, first: u64) -> io::Result<()> {
        self.remove(&segment::file_name(first))
    }
}
