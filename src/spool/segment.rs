//! Segment: the one place that knows the bytes of a segment file.
//!
//! All integers are little-endian. A file is a header of 72 bytes and then frames, without gaps:
//!
//! | header | bytes | |
//! | --- | --- | --- |
//! | magic | 8 | `PACTSPL\n` |
//! | format | 4 | 1 |
//! | log | 8 | which log of the sidecar it belongs to |
//! | source tag | 8 | first bytes of SHA-256 of the log's `source` |
//! | first | 8 | sequence of the first record |
//! | prevhash | 32 | SHA-256 of the record before the first |
//! | checksum | 4 | CRC-32 of all of the header before it |
//!
//! | frame | bytes | |
//! | --- | --- | --- |
//! | length | 4 | of the record, 1 to [`RECORD_BYTES_MAX`] |
//! | checksum | 4 | CRC-32 of length and record, so that zeros are no frame |
//! | record | length | the event's exact bytes |

use std::io::{self, Read};

use crate::domain::Digest;
use crate::evidence::{LogId, RECORD_BYTES_MAX, Source};

/// Bytes of a header.
pub(super) const HEADER_BYTES: usize = 72;
/// Bytes of a frame beside its record.
pub(super) const FRAME_BYTES: usize = 8;
/// The format written here, and the latest one read.
pub(super) const FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"PACTSPL\n";
const EXTENSION: &str = ".segment";

/// What a segment says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) log: LogId,
    pub(super) source_tag: [u8; 8],
    pub(super) first: u64,
    pub(super) prevhash: Digest,
}

/// Why bytes are not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// Not a segment at all.
    Magic,
    /// A format that is not known here.
    Format(u32),
    /// Cut short or changed.
    Damaged,
}

/// The tag of a source in a header.
pub(super) fn source_tag(source: &Source) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *Digest::of(source.to_string().as_bytes()).as_bytes();
    [a, b, c, d, e, f, g, h]
}

/// The name of the segment that starts with this sequence.
pub(super) fn file_name(first: u64) -> String {
    format!("{first:020}{EXTENSION}")
}

/// The first sequence of the segment of that name; `None` for other files.
pub(super) fn parse_file_name(name: &str) -> Option<u64> {
    let first = name.strip_suffix(EXTENSION)?.parse().ok()?;
    (file_name(first) == name).then_some(first)
}

impl Header {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(self.log.as_bytes());
        out.extend_from_slice(&self.source_tag);
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(self.prevhash.as_bytes());
        let sum = crc32fast::hash(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    pub(super) fn read(from: &mut impl Read) -> io::Result<Result<Self, HeaderFault>> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        from.take(HEADER_BYTES as u64).read_to_end(&mut bytes)?;
        Ok(Self::parse(&bytes))
    }

    fn parse(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let mut rest = Rest(bytes);
        if rest.take::<8>().ok_or(HeaderFault::Magic)? != *MAGIC {
            return Err(HeaderFault::Magic);
        }
        let damaged = || HeaderFault::Damaged;
        let format = u32::from_le_bytes(rest.take().ok_or_else(damaged)?);
        if format != FORMAT {
            return Err(HeaderFault::Format(format));
        }
        let header = Self {
            log: LogId::from_bytes(rest.take().ok_or_else(damaged)?),
            source_tag: rest.take().ok_or_else(damaged)?,
            first: u64::from_le_bytes(rest.take().ok_or_else(damaged)?),
            prevhash: Digest::from_bytes(rest.take().ok_or_else(damaged)?),
        };
        if header.write() == bytes { Ok(header) } else { Err(HeaderFault::Damaged) }
    }
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }
}

/// Appends a frame whose record `write` appends.
pub(super) fn frame(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_BYTES]);
    write(out);
    let Some((head, record)) = out.get_mut(start..).and_then(|all| all.split_at_mut_checked(FRAME_BYTES))
    else {
        return;
    };
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes();
    let sum = checksum(length, record).to_le_bytes();
    head.copy_from_slice([length, sum].as_flattened());
}

fn checksum(length: [u8; 4], record: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&length);
    sum.update(record);
    sum.finalize()
}

/// What stands at a place in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A whole record.
    Record(Vec<u8>),
    /// The end of the file, right after a frame.
    End,
    /// The file ends inside the frame.
    Cut,
    /// A frame that cannot be: no such length, or another checksum.
    Wrong,
}

/// Reads the frame at the reader's place.
pub(super) fn read_frame(from: &mut impl Read) -> io::Result<Frame> {
    let mut head = Vec::with_capacity(FRAME_BYTES);
    from.take(FRAME_BYTES as u64).read_to_end(&mut head)?;
    let mut rest = Rest(&head);
    let (Some(length), Some(sum)) = (rest.take::<4>(), rest.take::<4>()) else {
        return Ok(if head.is_empty() { Frame::End } else { Frame::Cut });
    };
    let bytes = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if bytes == 0 || bytes > RECORD_BYTES_MAX {
        return Ok(Frame::Wrong);
    }
    let mut record = Vec::with_capacity(bytes);
    from.take(bytes as u64).read_to_end(&mut record)?;
    if record.len() < bytes {
        return Ok(Frame::Cut);
    }
    let right = checksum(length, &record) == u32::from_le_bytes(sum);
    Ok(if right { Frame::Record(record) } else { Frame::Wrong })
}
