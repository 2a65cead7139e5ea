//! Reader: records in order, from the segments.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use crate::spool::segment::{self, FRAME_BYTES, Frame, HEADER_BYTES};
use crate::spool::shared::Shared;
use crate::spool::{SpoolError, recovery};

/// One record, as it was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the log.
    pub sequence: u64,
    /// The event's exact bytes.
    pub bytes: Vec<u8>,
}

/// Reads a log from any place. Remembers where it was, so that reading on costs no search.
#[derive(Debug)]
pub(super) struct Reader {
    dir: PathBuf,
    /// Owned by whoever reads; one reader at a time.
    cursor: Mutex<Option<Cursor>>,
}

#[derive(Debug)]
struct Cursor {
    /// The segment, by its first sequence.
    first: u64,
    path: PathBuf,
    file: BufReader<File>,
    /// The sequence at the reader's place.
    next: u64,
    offset: u64,
    /// A record that was read and did not fit any more: the one at `next`.
    ahead: Option<Vec<u8>>,
}

impl Reader {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), cursor: Mutex::new(None) }
    }

    /// Records after `after`, durable ones only, as long as neither bound is passed; at least one if there is one.
    /// Where records before the first segment are asked for, it starts there: they are delivered and gone.
    pub(super) fn read_after(
        &self,
        shared: &Shared,
        after: u64,
        entries_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Entry>, SpoolError> {
        let durable = shared.durable();
        let mut kept = self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries: Vec<Entry> = Vec::new();
        let mut bytes = 0_usize;
        let mut want = after.saturating_add(1);
        while want <= durable && entries.len() < entries_max {
            let Some(mut cursor) = self.cursor_at(kept.take(), shared, want)? else { break };
            let record = cursor.read()?;
            bytes = bytes.saturating_add(record.len());
            if bytes > bytes_max && !entries.is_empty() {
                cursor.ahead = Some(record);
                *kept = Some(cursor);
                break;
            }
            entries.push(Entry { sequence: cursor.next, bytes: record });
            cursor.next = cursor.next.saturating_add(1);
            want = cursor.next;
            *kept = Some(cursor);
        }
        Ok(entries)
    }

    /// A cursor at `want`, or at the first record there is if that comes later. Which segment holds a record is
    /// asked anew each time: a segment ends where the next one begins, whatever a failed write has left behind.
    ///
    /// The writing thread removes a delivered segment's file before it takes the segment off the list, so one that
    /// is listed and missing is delivered and gone too.
    fn cursor_at(
        &self,
        mut kept: Option<Cursor>,
        shared: &Shared,
        mut want: u64,
    ) -> Result<Option<Cursor>, SpoolError> {
        let mut cursor = loop {
            let (holder, next) = {
                let segments = shared.segments();
                let after = segments.partition_point(|segment| segment.first <= want);
                let first = |at: usize| segments.get(at).map(|segment| segment.first);
                (first(after.saturating_sub(1)), first(after.max(1)))
            };
            let Some(first) = holder else { return Ok(None) };
            match kept.take() {
                Some(cursor) if cursor.first == first && cursor.next <= want => break cursor,
                _ => {}
            }
            let delivered = shared.acknowledged.load(Ordering::Acquire).saturating_add(1);
            match (Cursor::open(&self.dir, first), next) {
                (Err(missing), Some(next)) if missing.is_absence() && next <= delivered => want = next,
                (opened, _) => break opened?,
            }
        };
        while cursor.next < want {
            cursor.read()?;
            cursor.next = cursor.next.saturating_add(1);
        }
        Ok(Some(cursor))
    }
}

impl Cursor {
    fn open(dir: &Path, first: u64) -> Result<Self, SpoolError> {
        let path = dir.join(segment::file_name(first));
        recovery::read_header(&path)?;
        let offset = HEADER_BYTES as u64;
        let mut file = File::open(&path).map_err(SpoolError::io("open", &path))?;
        file.seek(SeekFrom::Start(offset)).map_err(SpoolError::io("read", &path))?;
        Ok(Self {
            first,
            path,
            file: BufReader::with_capacity(1 << 16, file),
            next: first,
            offset,
            ahead: None,
        })
    }

    /// The record at the cursor's place, which the caller knows to be durable.
    fn read(&mut self) -> Result<Vec<u8>, SpoolError> {
        if let Some(record) = self.ahead.take() {
            return Ok(record);
        }
        let frame = segment::read_frame(&mut self.file).map_err(SpoolError::io("read", &self.path))?;
        match frame {
            Frame::Record(bytes) => {
                self.offset += (bytes.len() + FRAME_BYTES) as u64;
                Ok(bytes)
            }
            Frame::End | Frame::Cut => {
                Err(SpoolError::corrupt(&self.path, self.offset, "it ends before its last record"))
            }
            Frame::Wrong => {
                Err(SpoolError::corrupt(&self.path, self.offset, "a frame does not match its checksum"))
            }
        }
    }
}
