//! The inside of a JSON string: where it stops, and what its escapes mean.

use crate::classify::Problem;
use crate::classify::fault::Fault;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The offset of the first quote, backslash or control character at or after `from`; the length if there is none.
pub(super) fn stop(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let (words, tail) = rest.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let hits = stops_in(u64::from_le_bytes(*word));
        if hits != 0 {
            return from + index * 8 + (hits.trailing_zeros() / 8) as usize;
        }
    }
    let tail_start = bytes.len() - tail.len();
    tail.iter().position(|b| is_stop(*b)).map_or(bytes.len(), |index| tail_start + index)
}

fn is_stop(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

/// Eight bytes at once: the high bit of the lowest stopping byte is set, and of none below it.
fn stops_in(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let zero_in = |x: u64| x.wrapping_sub(ONES) & !x;
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    (zero_in(quote) | zero_in(backslash) | below_space) & HIGHS
}

/// One escape sequence: the character it means, and the offset behind it. `at` is the offset of its backslash.
pub(super) fn escape(bytes: &[u8], at: usize) -> Result<(char, usize), Fault> {
    let plain = |c: char| Ok((c, at + 2));
    match bytes.get(at + 1) {
        Some(b'"') => plain('"'),
        Some(b'\\') => plain('\\'),
        Some(b'/') => plain('/'),
        Some(b'b') => plain('\u{8}'),
        Some(b'f') => plain('\u{c}'),
        Some(b'n') => plain('\n'),
        Some(b'r') => plain('\r'),
        Some(b't') => plain('\t'),
        Some(b'u') => unicode_escape(bytes, at),
        _ => Err(Fault::new(Problem::Syntax, "this escape is not one of JSON's").at(at)),
    }
}

fn unicode_escape(bytes: &[u8], at: usize) -> Result<(char, usize), Fault> {
    let first = code_unit(bytes, at + 2)?;
    if let Some(c) = char::from_u32(first) {
        return Ok((c, at + 6));
    }
    let lone = || Fault::new(Problem::NotUtf8, "half a surrogate pair; send the whole character").at(at);
    let is_high = (0xD800..0xDC00).contains(&first);
    if !is_high || bytes.get(at + 6) != Some(&b'\\') || bytes.get(at + 7) != Some(&b'u') {
        return Err(lone());
    }
    let second = code_unit(bytes, at + 8)?;
    if !(0xDC00..0xE000).contains(&second) {
        return Err(lone());
    }
    let scalar = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    char::from_u32(scalar).map(|c| (c, at + 12)).ok_or_else(lone)
}

fn code_unit(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    let mut unit = 0;
    for offset in at..at + 4 {
        let digit = bytes.get(offset).and_then(|b| char::from(*b).to_digit(16));
        let Some(digit) = digit else {
            return Err(Fault::new(Problem::Syntax, "`\\u` needs four hexadecimal digits").at(at));
        };
        unit = unit * 16 + digit;
    }
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_offset_stops_or_does_not() {
        for byte in 0..=255 {
            for offset in 0..20 {
                let mut bytes = [b'a'; 20];
                bytes[offset] = byte;
                let expected = if is_stop(byte) { offset } else { 20 };
                assert_eq!(stop(&bytes, 0), expected, "{byte} at {offset}");
                assert_eq!(stop(&bytes, offset), expected);
            }
        }
    }

    #[test]
    fn bytes_behind_the_first_stop_do_not_hide_it() {
        for first in [b'"', b'\\', 0, 0x1f] {
            for second in 0..=255 {
                let bytes = [b'a', 0x80, first, second, second, b'a', 0xff, b'a'];
                assert_eq!(stop(&bytes, 0), 2);
            }
        }
    }
}
