//! Recovery: what a spool can look like when it is opened, and what each look means.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::domain::{Digest, Timestamp};
use crate::evidence::{LogId, Source, read};
use crate::spool::disk::{Disk, Folder};
use crate::spool::note::{ACKNOWLEDGED, CLOSED, Note};
use crate::spool::segment::{self, FORMAT, FRAME_BYTES, Frame, HEADER_BYTES, Header, HeaderFault};
use crate::spool::shared::SegmentFile;
use crate::spool::writer::UNSYNCED_BYTES_MAX;
use crate::spool::{Settings, SpoolError};

/// A spool as it was found, repaired where that loses nothing that was ever durable.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) source: Source,
    pub(super) segments: Vec<SegmentFile>,
    pub(super) last: u64,
    pub(super) head: Digest,
    pub(super) acknowledged: u64,
    pub(super) torn_bytes: u64,
    pub(super) after_crash: bool,
}

/// How the last segment ends. Only there can a write have been under way: a segment is synced before the next
/// one is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// Right after a frame. Nothing was under way, or it had all arrived.
    Whole,
    /// Inside a frame: the process or the machine stopped while it was written.
    Unfinished,
    /// In zeros: the machine stopped when the file had grown and its bytes had not arrived.
    Zeros,
    /// In a wrong frame that lies no further back than unsynced bytes can: the machine stopped, and pages of the
    /// last write had reached the disk in any order.
    Scattered,
    /// In a wrong frame with more behind it than was ever unsynced: bytes that were durable have changed.
    Rotten,
}

/// The last segment, read to its end.
#[derive(Debug)]
struct Scan {
    frames: u64,
    /// Where the last whole frame ends.
    end: u64,
    file_bytes: u64,
    last: Option<Vec<u8>>,
    tail: Tail,
}

/// Opens what is in the folder, or begins a log where there is none. Leaves the folder ready for appends to the
/// last segment. The caller holds the lock.
pub(super) fn recover(
    settings: &Settings,
    folder: &mut Folder,
    now: Timestamp,
) -> Result<Recovered, SpoolError> {
    let dir = &settings.dir;
    let found = Found::list(dir)?;
    for name in &found.unfinished {
        folder.remove(name).map_err(SpoolError::io("remove", &dir.join(name)))?;
    }
    let Some((last_first, last_path)) = found.segments.last() else {
        return match found.acknowledged.or(found.closed) {
            None => begin(settings, folder, now),
            Some(note) if note.sequence == 0 => begin(settings, folder, now),
            Some(note) => Err(SpoolError::Missing { dir: dir.clone(), sequence: note.sequence }),
        };
    };
    let headers = found.headers()?;
    let newest = headers.last().ok_or_else(|| SpoolError::corrupt(last_path, 0, "it has no header"))?;
    let source = Source::new(settings.source.clone(), newest.log);
    check_headers(settings, &source, &found, &headers)?;

    let scan = scan(last_path)?;
    let torn_bytes = match (found.closed.is_some(), scan.tail) {
        (_, Tail::Whole) => 0,
        (true, _) => {
            return Err(SpoolError::corrupt(last_path, scan.end, "it has changed since it was closed"));
        }
        (false, Tail::Rotten) => {
            return Err(SpoolError::corrupt(last_path, scan.end, "a frame does not match its checksum"));
        }
        (false, Tail::Unfinished | Tail::Zeros | Tail::Scattered) => scan.file_bytes - scan.end,
    };
    let last = last_first.saturating_add(scan.frames).saturating_sub(1);
    let head = match &scan.last {
        Some(bytes) => check_last(last_path, &scan, bytes, &source, last)?,
        None => newest.prevhash,
    };
    let acknowledged = check_notes(dir, &found, &source, last)?;

    folder.continue_segment(*last_first).map_err(SpoolError::io("open", last_path))?;
    if torn_bytes > 0 {
        folder.cut(scan.end).map_err(SpoolError::io("cut the unfinished write off", last_path))?;
    }
    folder.remove(CLOSED).map_err(SpoolError::io("remove", &dir.join(CLOSED)))?;
    let mut segments = found.sizes()?;
    if let Some(active) = segments.last_mut() {
        active.bytes = scan.end;
    }
    let after_crash = found.closed.is_none();
    Ok(Recovered { source, segments, last, head, acknowledged, torn_bytes, after_crash })
}

/// An empty folder: a log that begins now.
fn begin(settings: &Settings, folder: &mut Folder, now: Timestamp) -> Result<Recovered, SpoolError> {
    let mut random = [0; 2];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| {
        SpoolError::io("draw a log id for", &settings.dir)(io::Error::other("no random bytes"))
    })?;
    let source = Source::new(settings.source.clone(), LogId::new(now, random));
    let header = Header {
        log: source.log(),
        source_tag: segment::source_tag(&source),
        first: 1,
        prevhash: Digest::default(),
    };
    folder.begin_segment(1, &header.write()).map_err(SpoolError::io("make a segment in", &settings.dir))?;
    folder.remove(CLOSED).map_err(SpoolError::io("remove", &settings.dir.join(CLOSED)))?;
    Ok(Recovered {
        source,
        segments: vec![SegmentFile { first: 1, bytes: HEADER_BYTES as u64 }],
        last: 0,
        head: Digest::default(),
        acknowledged: 0,
        torn_bytes: 0,
        after_crash: false,
    })
}

/// What lies in the folder.
#[derive(Debug, Default)]
struct Found {
    /// In order of their first sequence.
    segments: Vec<(u64, PathBuf)>,
    /// Files that were being made.
    unfinished: Vec<String>,
    acknowledged: Option<Note>,
    closed: Option<Note>,
}

impl Found {
    fn list(dir: &Path) -> Result<Self, SpoolError> {
        let mut found = Self::default();
        for entry in fs::read_dir(dir).map_err(SpoolError::io("read the folder", dir))? {
            let entry = entry.map_err(SpoolError::io("read the folder", dir))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(first) = segment::parse_file_name(&name) {
                found.segments.push((first, entry.path()));
            } else if is_unfinished(&name) {
                found.unfinished.push(name);
            }
        }
        found.segments.sort();
        found.acknowledged = note(&dir.join(ACKNOWLEDGED))?;
        found.closed = note(&dir.join(CLOSED))?;
        Ok(found)
    }

    fn headers(&self) -> Result<Vec<Header>, SpoolError> {
        self.segments.iter().map(|(_, path)| read_header(path)).collect()
    }

    fn sizes(&self) -> Result<Vec<SegmentFile>, SpoolError> {
        let size = |(first, path): &(u64, PathBuf)| {
            let bytes = fs::metadata(path).map_err(SpoolError::io("look at", path))?.len();
            Ok(SegmentFile { first: *first, bytes })
        };
        self.segments.iter().map(size).collect()
    }
}

fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(".new").is_some_and(|base| {
        base == ACKNOWLEDGED || base == CLOSED || segment::parse_file_name(base).is_some()
    })
}

/// A note that cannot be read counts as none: what it says is known better by the collector, and by the segments.
fn note(path: &Path) -> Result<Option<Note>, SpoolError> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8(bytes).ok().and_then(|text| Note::parse(&text))),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(SpoolError::io("read", path)(problem)),
    }
}

/// Reads the header of a segment file.
pub(super) fn read_header(path: &Path) -> Result<Header, SpoolError> {
    let mut file = File::open(path).map_err(SpoolError::io("open", path))?;
    match Header::read(&mut file).map_err(SpoolError::io("read", path))? {
        Ok(header) => Ok(header),
        Err(HeaderFault::Magic) => Err(SpoolError::corrupt(path, 0, "it is not a segment of a spool")),
        Err(HeaderFault::Damaged) => {
            Err(SpoolError::corrupt(path, 0, "its header does not match its checksum"))
        }
        Err(HeaderFault::Format(found)) => {
            Err(SpoolError::Newer { path: path.to_owned(), found, known: FORMAT })
        }
    }
}

/// All segments belong to one log, of this sidecar, and stand under their own names.
fn check_headers(
    settings: &Settings,
    source: &Source,
    found: &Found,
    headers: &[Header],
) -> Result<(), SpoolError> {
    for ((first, path), header) in found.segments.iter().zip(headers) {
        if header.first != *first {
            return Err(SpoolError::corrupt(path, 0, "its header names another first record than its name"));
        }
        if header.log != source.log() {
            return Err(SpoolError::corrupt(path, 0, "it belongs to another log than the newest segment"));
        }
        if header.source_tag != segment::source_tag(source) {
            return Err(SpoolError::Foreign { path: path.clone(), id: settings.source.to_string() });
        }
    }
    Ok(())
}

/// The last record is an event of this log, at this place. Returns its hash.
fn check_last(
    path: &Path,
    scan: &Scan,
    bytes: &[u8],
    source: &Source,
    last: u64,
) -> Result<Digest, SpoolError> {
    let offset = scan.end.saturating_sub((bytes.len() + FRAME_BYTES) as u64);
    let event =
        read(bytes).map_err(|_| SpoolError::corrupt(path, offset, "its last frame is not a record"))?;
    if event.source != *source || event.sequence != last {
        return Err(SpoolError::corrupt(path, offset, "its last record belongs elsewhere"));
    }
    Ok(event.hash)
}

/// Compares what was once there with what is. Returns how far the collector has the log.
fn check_notes(dir: &Path, found: &Found, source: &Source, last: u64) -> Result<u64, SpoolError> {
    let ours = |note: &Note| note.log == source.log();
    let missing = |sequence| Err(SpoolError::Missing { dir: dir.to_owned(), sequence });
    if let Some(closed) = found.closed.filter(ours).filter(|closed| closed.sequence > last) {
        return missing(closed.sequence);
    }
    let before_first = found.segments.first().map_or(0, |(first, _)| first.saturating_sub(1));
    match found.acknowledged.filter(ours) {
        // It is written before the segments that it frees are removed, so what lies before them is delivered.
        None => Ok(before_first),
        Some(note) if note.sequence > last => missing(note.sequence),
        Some(note) if note.sequence < before_first => missing(note.sequence.saturating_add(1)),
        Some(note) => Ok(note.sequence),
    }
}

/// Reads a segment to its end.
fn scan(path: &Path) -> Result<Scan, SpoolError> {
    let failed = || SpoolError::io("read", path);
    let mut file = File::open(path).map_err(failed())?;
    let file_bytes = file.metadata().map_err(failed())?.len();
    file.seek(SeekFrom::Start(HEADER_BYTES as u64)).map_err(failed())?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut scan = Scan { frames: 0, end: HEADER_BYTES as u64, file_bytes, last: None, tail: Tail::Whole };
    loop {
        match segment::read_frame(&mut reader).map_err(failed())? {
            Frame::Record(bytes) => {
                scan.frames += 1;
                scan.end += (bytes.len() + FRAME_BYTES) as u64;
                scan.last = Some(bytes);
            }
            Frame::End => break,
            Frame::Cut => {
                scan.tail = Tail::Unfinished;
                break;
            }
            Frame::Wrong => {
                scan.tail = wrong_tail(path, scan.end, file_bytes).map_err(failed())?;
                break;
            }
        }
    }
    Ok(scan)
}

/// What a wrong frame means depends on how much stands from there to the end.
fn wrong_tail(path: &Path, from: u64, file_bytes: u64) -> io::Result<Tail> {
    if file_bytes.saturating_sub(from) > UNSYNCED_BYTES_MAX as u64 {
        return Ok(Tail::Rotten);
    }
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut rest = Vec::new();
    file.take(UNSYNCED_BYTES_MAX as u64).read_to_end(&mut rest)?;
    Ok(if rest.iter().all(|byte| *byte == 0) { Tail::Zeros } else { Tail::Scattered })
}
