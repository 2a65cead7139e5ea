//! Names of models, tools and prompts: what in them a person or a program could take for something else.

use icu_normalizer::ComposingNormalizerBorrowed;
use unicode_security::mixed_script::AugmentedScriptSet;
use unicode_security::skeleton;

/// Characters that show nothing, or nothing certain: Unicode's `Default_Ignorable_Code_Point`, the line separators,
/// the blank of Braille, the private-use areas.
const HIDDEN: [(u32, u32); 21] = [
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
    (0xE000, 0xF8FF),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
    (0xF0000, 0xFFFFD),
    (0x100000, 0x10FFFD),
];

/// Why a name could be taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// Nothing stands there.
    Empty,
    /// White space at an end, which some programs cut off.
    Blank,
    /// A control character, or one that cannot be seen.
    Hidden,
    /// Characters that have another spelling with the same meaning (Unicode normal form C).
    NotComposed,
    /// Forms of other characters: full-width letters, ligatures, superscripts (Unicode normal form KC).
    Compatibility,
    /// Letters of scripts that no writing system uses together (UTS #39, beyond "highly restrictive").
    MixedScripts,
    /// Looks like a name in ASCII, and is another (UTS #39, confusable).
    LooksAscii,
    /// Segments that programs which read it as a path drop or merge.
    Path,
    /// An escape that programs which decode it turn into another character.
    Escape,
}

impl NameFault {
    /// What is wrong, to stand after "the name", and what to write instead.
    #[must_use]
    pub const fn explain(self) -> (&'static str, &'static str) {
        match self {
            Self::Empty => ("is empty", "write a name"),
            Self::Blank => ("starts or ends with a blank", "write it without"),
            Self::Hidden => ("has a control character or one that cannot be seen", "write it without"),
            Self::NotComposed => ("is not in Unicode normal form C", "write it in that form"),
            Self::Compatibility => (
                "has full-width or other compatibility characters",
                "write the plain characters they stand for",
            ),
            Self::MixedScripts => (
                "mixes letters of several scripts, which look alike",
                "write it in the letters of one script",
            ),
            Self::LooksAscii => (
                "looks like a name in ASCII letters and is another",
                "write the ASCII letters, or a name that cannot be taken for them",
            ),
            Self::Path => (
                "has dots, slashes or a backslash that programs drop or merge, as in a path",
                "write it without `.` and `..` between slashes, doubled slashes, and either at its ends",
            ),
            Self::Escape => ("has a percent-escape", "write the character that it stands for"),
        }
    }
}

/// Checks a name: not empty, no blank at its ends, nothing hidden, one spelling, and no look-alike of another. A
/// server may drop or fold any of these, and a person may overlook it, and so act on what the pact did not name.
///
/// # Errors
/// The first fault found.
pub fn check_name(name: &str) -> Result<(), NameFault> {
    check_text(name)?;
    // A first slash alone is a name that some model servers give: the folder of the model.
    let mut segments = name.strip_prefix('/').unwrap_or(name).split('/');
    if name.contains('\\') || segments.any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(NameFault::Path);
    }
    if has_escape(name) {
        return Err(NameFault::Escape);
    }
    if name.is_ascii() {
        return Ok(());
    }
    if !ComposingNormalizerBorrowed::new_nfkc().is_normalized(name) {
        return Err(NameFault::Compatibility);
    }
    if mixes_scripts(name) {
        return Err(NameFault::MixedScripts);
    }
    if skeleton(name).all(|c| c.is_ascii()) {
        return Err(NameFault::LooksAscii);
    }
    Ok(())
}

/// Checks the name of a tool or a prompt at its server. Beyond [`check_name`], it neither starts nor ends with a dot
/// or a slash: joined to the server's name, such a one reads like another.
///
/// # Errors
/// The first fault found.
pub fn check_member_name(name: &str) -> Result<(), NameFault> {
    check_name(name)?;
    match name.starts_with(['.', '/']) || name.ends_with('.') {
        true => Err(NameFault::Path),
        false => Ok(()),
    }
}

/// Checks what every text that names something has to be: not empty, no blank at its ends, nothing hidden, in normal
/// form C.
///
/// # Errors
/// The first fault found.
pub fn check_text(text: &str) -> Result<(), NameFault> {
    if text.is_empty() {
        return Err(NameFault::Empty);
    }
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        return Err(NameFault::Blank);
    }
    if text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Ok(());
    }
    if text.chars().any(is_hidden) {
        return Err(NameFault::Hidden);
    }
    if !ComposingNormalizerBorrowed::new_nfc().is_normalized(text) {
        return Err(NameFault::NotComposed);
    }
    Ok(())
}

fn is_hidden(c: char) -> bool {
    let code = u32::from(c);
    c.is_control() || HIDDEN.iter().any(|(first, last)| (*first..=*last).contains(&code))
}

fn has_escape(name: &str) -> bool {
    let starts_with_hex =
        |part: &[u8]| matches!(part, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    name.contains('%') && name.as_bytes().split(|b| *b == b'%').skip(1).any(starts_with_hex)
}

/// Whether no one script has all letters, and neither has Latin together with Chinese, Japanese or Korean: "highly
/// restrictive" of UTS #39, section 5.2, without its list of characters for identifiers.
fn mixes_scripts(name: &str) -> bool {
    let latin = AugmentedScriptSet::from('a');
    let mut all = AugmentedScriptSet::default();
    let mut without_latin = AugmentedScriptSet::default();
    for own in name.chars().map(AugmentedScriptSet::from) {
        all.intersect_with(own);
        let mut shared = own;
        shared.intersect_with(latin);
        if shared.is_empty() {
            without_latin.intersect_with(own);
        }
    }
    all.is_empty() && !(without_latin.kore || without_latin.hanb || without_latin.jpan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_honest_name_passes() {
        for name in [
            "refund",
            "gpt-4o-mini",
            "meta-llama/Llama-3.1-8B",
            "/models/llama",
            "anthropic.claude-3-5-sonnet-20241022-v2:0",
            "arn:aws:bedrock:us-east-1::foundation-model/x",
            "two words",
            "100%",
            "Überweisung",
            "été",
            "返金",
            "返金する",
            "返金refund",
            "환불_refund",
            "возврат",
            "возврат средств",
            "επιστροφή",
            "استرداد",
            "החזר",
            "คืนเงิน",
            "वापसी",
        ] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_name_that_could_be_another_is_refused() {
        for (name, fault) in [
            ("", NameFault::Empty),
            (" refund", NameFault::Blank),
            ("refund ", NameFault::Blank),
            ("refund\u{a0}", NameFault::Blank),
            ("re\u{200b}fund", NameFault::Hidden),
            ("\u{202e}dnufer", NameFault::Hidden),
            ("\u{2066}refund", NameFault::Hidden),
            ("re\nfund", NameFault::Hidden),
            ("re\0fund", NameFault::Hidden),
            ("refund\u{fe0f}", NameFault::Hidden),
            ("refund\u{e0041}", NameFault::Hidden),
            ("re\u{ad}fund", NameFault::Hidden),
            ("re\u{e000}fund", NameFault::Hidden),
            ("e\u{301}te\u{301}", NameFault::NotComposed),
            ("\u{212a}ey", NameFault::NotComposed),
            ("ｒｅｆｕｎｄ", NameFault::Compatibility),
            ("reﬁne", NameFault::Compatibility),
            ("refund²", NameFault::Compatibility),
            ("𝐫efund", NameFault::Compatibility),
            ("two\u{a0}words", NameFault::Compatibility),
            ("two\u{3000}words", NameFault::Compatibility),
            // Cyrillic `е`, Greek `ο`, Cherokee `Ꭱ`.
            ("r\u{435}fund", NameFault::MixedScripts),
            ("gpt-4\u{3bf}", NameFault::MixedScripts),
            ("\u{13a1}efund", NameFault::MixedScripts),
            ("возвратο", NameFault::MixedScripts),
            ("возврат-x", NameFault::MixedScripts),
            ("返金е", NameFault::MixedScripts),
            // Cyrillic throughout; Latin without a dot; a hyphen that is another.
            ("\u{455}\u{441}\u{43e}\u{440}\u{435}", NameFault::LooksAscii),
            ("ref\u{131}nd", NameFault::LooksAscii),
            ("gpt\u{2010}4o", NameFault::LooksAscii),
            ("a\u{2044}b", NameFault::LooksAscii),
            ("small/../big", NameFault::Path),
            ("small/./big", NameFault::Path),
            ("small//big", NameFault::Path),
            ("small/", NameFault::Path),
            ("..", NameFault::Path),
            ("/", NameFault::Path),
            ("a\\b", NameFault::Path),
            ("re%66und", NameFault::Escape),
            ("a%2fb", NameFault::Escape),
        ] {
            assert_eq!(check_name(name), Err(fault), "{name:?}");
        }
    }

    #[test]
    fn a_member_keeps_apart_from_its_server() {
        for name in ["refund", "orders.get", "orders/get", "返金"] {
            assert_eq!(check_member_name(name), Ok(()), "{name}");
        }
        for name in [".refund", "refund.", "/refund", "refund/", "..", "."] {
            assert_eq!(check_member_name(name), Err(NameFault::Path), "{name}");
        }
    }
}
