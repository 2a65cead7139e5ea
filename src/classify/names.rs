//! Names of models, tools and prompts: nothing in them that a person or a program could overlook.

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::classify::Problem;
use crate::classify::fault::Fault;

/// Characters that show nothing: Unicode's `Default_Ignorable_Code_Point`, the line separators, the blank of Braille.
const INVISIBLE: [(u32, u32); 18] = [
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x2028, 0x202E),
    (0x2060, 0x206F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
];

/// Checks a name: not empty, bounded, in normal form C, no blank at its ends, no control, invisible or
/// direction-changing character. A server may drop or fold any of these and run what the pact did not name.
pub(super) fn check_name(name: &str, bytes_max: usize) -> Result<(), Fault> {
    let wrong = |what: &'static str| Err(Fault::new(Problem::Name, what));
    if name.is_empty() {
        return wrong("the name is empty");
    }
    if name.len() > bytes_max {
        return Err(Fault::new(Problem::Name, format!("the name is longer than {bytes_max} bytes")));
    }
    if name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace) {
        return wrong("the name starts or ends with a blank; send it without");
    }
    if name.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Ok(());
    }
    if name.chars().any(is_hidden) {
        return wrong("the name has a control character or one that cannot be seen; send it without");
    }
    if !ComposingNormalizerBorrowed::new_nfc().is_normalized(name) {
        return wrong("the name is not in Unicode normal form C; send it in that form");
    }
    Ok(())
}

fn is_hidden(c: char) -> bool {
    let code = u32::from(c);
    c.is_control() || INVISIBLE.iter().any(|(first, last)| (*first..=*last).contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_hides_nothing() {
        for name in ["refund", "gpt-4o-mini", "meta-llama/Llama-3", "Überweisung", "返金", "two words", "été"]
        {
            assert!(check_name(name, 64).is_ok(), "{name}");
        }
        for name in [
            "",
            " refund",
            "refund ",
            "refund\u{a0}",
            "re\u{200b}fund",
            "\u{202e}dnufer",
            "re\nfund",
            "re\0fund",
            "e\u{301}te\u{301}",
            "refund\u{fe0f}",
            "refund\u{e0041}",
            "re\u{ad}fund",
            "\u{2066}refund",
        ] {
            assert_eq!(check_name(name, 64).unwrap_err().problem(), Problem::Name, "{name:?}");
        }
        assert!(check_name(&"a".repeat(65), 64).is_err());
    }
}
