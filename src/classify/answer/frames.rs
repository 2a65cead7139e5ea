//! Frames of `application/vnd.amazon.eventstream`: a prelude with lengths and a checksum, headers, a payload, and a
//! checksum over all of it.
//!
//! <https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html>, and smithy.io, "Amazon Event Stream".

use bytes::{Bytes, BytesMut};

use crate::classify::Problem;
use crate::classify::answer::sse::Event;
use crate::classify::fault::Fault;

/// Both lengths and their checksum.
const PRELUDE: usize = 12;

/// The prelude, and the checksum at the end.
const FRAMING: usize = PRELUDE + 4;

/// Bytes of the headers of one frame.
const HEADERS_MAX: usize = 128 << 10;

/// What stands before the name of an event that ends a stream before its own end.
pub(super) const EXCEPTION: &str = "exception:";

/// Takes the next frame off the front, once it is whole. Its event has the name in its headers, behind
/// [`EXCEPTION`] where it is none of the API's events.
pub(super) fn read(held: &mut BytesMut, bytes_max: usize) -> Result<Option<Event>, Fault> {
    let (Some(total), Some(headers), Some(checksum)) = (u32_at(held, 0), u32_at(held, 4), u32_at(held, 8))
    else {
        return Ok(None);
    };
    if sum(held, 8) != Some(checksum) {
        return Err(broken("the checksum of a frame's lengths is wrong"));
    }
    let (total, headers) = (length(total), length(headers));
    if total > bytes_max || headers > HEADERS_MAX {
        let what = format!("one event is larger than {bytes_max} bytes, or its headers than {HEADERS_MAX}");
        return Err(Fault::new(Problem::TooLarge, what));
    }
    let payload_end = total.checked_sub(4).filter(|end| PRELUDE + headers <= *end);
    let payload_end = payload_end.ok_or_else(|| broken("a frame is shorter than its headers"))?;
    if held.len() < total {
        return Ok(None);
    }
    let raw = held.split_to(total).freeze();
    if sum(&raw, payload_end) != u32_at(&raw, payload_end) {
        return Err(broken("the checksum of a frame is wrong"));
    }
    let name = name_in(raw.get(PRELUDE..PRELUDE + headers).unwrap_or_default())?;
    let data = raw.slice(PRELUDE + headers..payload_end);
    Ok(Some(Event { raw, name: Some(name), data: Some(data) }))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

fn sum(bytes: &[u8], end: usize) -> Option<u32> {
    Some(crc32fast::hash(bytes.get(..end)?))
}

fn length(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn broken(what: &'static str) -> Fault {
    Fault::new(Problem::Syntax, what)
}

/// Headers of one frame. The API sends three.
const HEADERS_COUNT_MAX: usize = 32;

/// The name of the event, out of headers of which those that name it are strings and stand once.
fn name_in(mut rest: &[u8]) -> Result<String, Fault> {
    let mut seen: Vec<&[u8]> = Vec::new();
    let (mut kind, mut event, mut exception) = (None, None, None);
    while !rest.is_empty() {
        let (name, value, behind) = header(rest).ok_or_else(|| broken("a header of a frame is broken"))?;
        if seen.contains(&name) {
            return Err(Fault::new(Problem::DuplicateKey, "a header of a frame stands twice"));
        }
        if seen.len() == HEADERS_COUNT_MAX {
            return Err(Fault::new(Problem::TooLarge, "more headers in a frame than are read"));
        }
        seen.push(name);
        match name {
            b":message-type" => kind = value,
            b":event-type" => event = value,
            b":exception-type" | b":error-code" => exception = value,
            _ => {}
        }
        rest = behind;
    }
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let name = match (kind, event, exception) {
        (Some("event"), Some(event), None) if is_name(event) => Some(event.to_owned()),
        (Some("exception" | "error"), None, Some(exception)) if is_name(exception) => {
            Some(format!("{EXCEPTION}{exception}"))
        }
        _ => None,
    };
    name.ok_or_else(|| Fault::new(Problem::MissingField, "a frame does not say in one way what it is"))
}

/// The first header: its name, its value where that is a string, and what follows.
fn header(bytes: &[u8]) -> Option<(&[u8], Option<&str>, &[u8])> {
    let (width, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*width))?;
    let (kind, rest) = rest.split_first()?;
    let width = match kind {
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        9 => 16,
        6 | 7 => {
            let width = usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?));
            let (value, behind) = rest.get(2..)?.split_at_checked(width)?;
            let text = if *kind == 7 { Some(std::str::from_utf8(value).ok()?) } else { None };
            return Some((name, text, behind));
        }
        _ => return None,
    };
    let (_, behind) = rest.split_at_checked(width)?;
    Some((name, None, behind))
}

/// Writes an event of the API.
pub(super) fn write(event: &str, payload: &str) -> Bytes {
    frame(
        &[(":event-type", event), (":content-type", "application/json"), (":message-type", "event")],
        payload,
    )
}

/// Writes an exception, at which the API's clients give up the stream.
pub(super) fn write_exception(exception: &str, payload: &str) -> Bytes {
    let headers = [
        (":exception-type", exception),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    frame(&headers, payload)
}

fn frame(headers: &[(&str, &str)], payload: &str) -> Bytes {
    let mut lines = Vec::new();
    for (name, value) in headers {
        // Both are short names of our own.
        lines.push(u8::try_from(name.len()).unwrap_or_default());
        lines.extend_from_slice(name.as_bytes());
        lines.push(7);
        lines.extend_from_slice(&u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        lines.extend_from_slice(value.as_bytes());
    }
    let total = FRAMING + lines.len() + payload.len();
    let mut out = Vec::with_capacity(total);
    for length in [total, lines.len()] {
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&lines);
    out.extend_from_slice(payload.as_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One frame of another writer, checksums and all, which botocore reads.
    const WRITTEN_ELSEWHERE: &[u8] = include_bytes!("../../../tests/corpus/answers/bedrock/frame.bin");

    fn read_all(bytes: &[u8]) -> Result<Option<Event>, Problem> {
        read(&mut BytesMut::from(bytes), 1 << 16).map_err(|fault| fault.problem())
    }

    #[test]
    fn a_frame_of_another_writer_is_read() {
        let event = read_all(WRITTEN_ELSEWHERE).unwrap().unwrap();
        assert_eq!(event.name.as_deref(), Some("messageStart"));
        assert_eq!(event.data.as_deref(), Some(&br#"{"role":"assistant"}"#[..]));
        assert_eq!(&event.raw[..], WRITTEN_ELSEWHERE);
        assert_eq!(write("messageStart", r#"{"role":"assistant"}"#), WRITTEN_ELSEWHERE);
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let frame = write("messageStop", r#"{"stopReason":"end_turn"}"#);
        for at in 0..frame.len() {
            let mut changed = frame.to_vec();
            changed[at] ^= 1;
            assert!(read_all(&changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn what_says_what_it_is_in_two_ways_is_refused() {
        let event = (":event-type", "messageStart");
        let kind = (":message-type", "event");
        assert!(read_all(&frame(&[event, kind], "{}")).is_ok());
        for headers in [
            &[event][..],
            &[kind],
            &[event, kind, kind],
            &[event, event, kind],
            &[event, kind, (":exception-type", "x")],
            &[(":event-type", "a b"), kind],
            &[event, (":message-type", "Event")],
            &[(":exception-type", "x"), (":message-type", "event")],
        ] {
            assert!(read_all(&frame(headers, "{}")).is_err(), "{headers:?}");
        }
        let exception = read_all(&write_exception("throttlingException", "{}")).unwrap().unwrap();
        assert_eq!(exception.name.as_deref(), Some("exception:throttlingException"));
    }

    #[test]
    fn an_endless_frame_is_refused_before_it_comes() {
        let mut prelude = Vec::from((1_u32 << 20).to_be_bytes());
        prelude.extend_from_slice(&0_u32.to_be_bytes());
        prelude.extend_from_slice(&crc32fast::hash(&prelude).to_be_bytes());
        assert_eq!(read_all(&prelude), Err(Problem::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(name in "[a-zA-Z]{1,20}", payload in ".{0,200}", cut in any::<prop::sample::Index>()) {
            let frame = write(&name, &payload);
            let mut held = BytesMut::from(&frame[..cut.index(frame.len())]);
            prop_assert_eq!(read(&mut held, 1 << 16).unwrap(), None);
            let mut held = BytesMut::from([&frame[..], b"more"].concat().as_slice());
            let event = read(&mut held, 1 << 16).unwrap().unwrap();
            prop_assert_eq!(event.name.as_deref(), Some(name.as_str()));
            prop_assert_eq!(event.data.as_deref(), Some(payload.as_bytes()));
            prop_assert_eq!(&held[..], b"more");
        }

        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = read_all(&bytes);
            let _ = name_in(&bytes);
        }
    }
}
