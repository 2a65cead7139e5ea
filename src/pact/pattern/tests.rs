//! Globs, by example and against their definition.

use super::*;
use proptest::prelude::*;

fn name(text: &str) -> Glob {
    Glob::parse(text, b'.').unwrap()
}

#[test]
fn a_star_stays_within_a_segment_and_two_cross_it() {
    for (pattern, text, expected) in [
        ("payments.*", "payments.refund", true),
        ("payments.*", "payments.refund.void", false),
        ("payments.**", "payments.refund.void", true),
        ("*", "payments.refund", true),
        ("*.refund", "payments.refund", true),
        ("*.refund", "eu.payments.refund", false),
        ("**.refund", "eu.payments.refund", true),
        ("pay*.re*d", "payments.refund", true),
        ("payments.refund", "payments.Refund", false),
        ("a.**.z", "a.z", false),
        ("a.**", "a", false),
    ] {
        assert_eq!(name(pattern).matches(text), expected, "{pattern} {text}");
    }
}

#[test]
fn one_pattern_covers_or_overlaps_another() {
    for (a, b, covers, overlaps) in [
        ("payments.*", "payments.refund", true, true),
        ("payments.refund", "payments.*", false, true),
        ("payments.**", "payments.*", true, true),
        ("payments.*", "payments.**", false, true),
        ("*", "a.b.c", true, true),
        ("a.*", "*.b", false, true),
        ("a.*", "b.*", false, false),
        ("refunds-*", "refunds-eu-*", true, true),
        ("*-eu", "refunds-*", false, true),
        ("a*", "*.b", false, false),
        ("a", "a.b", false, false),
    ] {
        assert_eq!(name(a).covers(&name(b)), covers, "{a} covers {b}");
        assert_eq!(name(a).overlaps(&name(b)), overlaps, "{a} overlaps {b}");
        assert_eq!(name(b).overlaps(&name(a)), overlaps, "{b} overlaps {a}");
    }
}

#[test]
fn what_can_never_match_is_no_pattern() {
    assert_eq!(Glob::parse("", b'.'), Err(GlobError::Empty));
    assert_eq!(Glob::parse("a b", b'.'), Err(GlobError::Blank));
    assert_eq!(Glob::parse("a.***", b'.'), Err(GlobError::Stars));
}

/// The definition, without regard to time.
fn plainly(tokens: &[Token], text: &[u8]) -> bool {
    match (tokens.split_first(), text.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((Token::Byte(a), tokens)), Some((b, text))) => a == b && plainly(tokens, text),
        (Some((Token::Byte(_), _)), None) => false,
        (Some((token, rest)), first) => {
            plainly(rest, text)
                || first.is_some_and(|(byte, text)| takes(*token, *byte, b'.') && plainly(tokens, text))
        }
    }
}

proptest! {
    #[test]
    fn matching_follows_its_definition(pattern in "[ab.*]{1,8}", text in "[ab.]{0,8}") {
        if let Ok(glob) = Glob::parse(&pattern, b'.') {
            prop_assert_eq!(glob.matches(&text), plainly(&glob.tokens, text.as_bytes()));
        }
    }

    #[test]
    fn covering_and_overlapping_agree_with_matching(a in "[ab.*]{1,6}", b in "[ab.*]{1,6}", text in "[ab.]{0,6}") {
        if let (Ok(a), Ok(b)) = (Glob::parse(&a, b'.'), Glob::parse(&b, b'.')) {
            if a.matches(&text) && b.matches(&text) {
                prop_assert!(a.overlaps(&b));
            }
            if a.covers(&b) && b.matches(&text) {
                prop_assert!(a.matches(&text));
            }
            prop_assert_eq!(a.overlaps(&b), b.overlaps(&a));
        }
    }
}
