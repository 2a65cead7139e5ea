//! Constraints, by example.

use super::*;

fn value(text: &str) -> Json {
    match text {
        "null" => Json::Null,
        "true" | "false" => Json::Bool(text == "true"),
        _ if text.starts_with('[') => {
            let inner = text.trim_matches(['[', ']']);
            Json::Array(inner.split(',').filter(|item| !item.is_empty()).map(value).collect())
        }
        _ => Decimal::parse(text).map_or_else(|| Json::String(text.to_owned()), Json::Number),
    }
}

fn number(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn glob(text: &str) -> Test {
    Test::Glob(vec![Glob::parse_value(text).unwrap()])
}

#[test]
fn tests_are_typed_and_exact() {
    use Outcome::{Met, Unknown as Cannot, Unmet};
    let mistyped = |found, due| Cannot(Unknown::Type { found, due });
    let list = |text| match value(text) {
        Json::Array(items) => items,
        _ => vec![],
    };
    let regex = |text: &str| Test::Regex { text: text.into(), regex: Regex::new(text).unwrap() };
    for (test, given, expected) in [
        (Test::Eq(value("EUR")), "EUR", Met),
        (Test::Eq(value("EUR")), "eur", Unmet),
        (Test::Eq(value("5")), "5.0", Met),
        (Test::Eq(value("EUR")), "5", mistyped("number", "string")),
        (Test::In(list("[EUR,USD]")), "USD", Met),
        (Test::In(list("[EUR,USD]")), "true", mistyped("boolean", "string")),
        (Test::In(list("[EUR,5]")), "6", Unmet),
        (Test::NotIn(list("[EUR,USD]")), "GBP", Met),
        (Test::NotIn(list("[EUR,USD]")), "EUR", Unmet),
        (Test::NotIn(list("[EUR,USD]")), "1", mistyped("number", "string")),
        (Test::Max(number("100")), "100", Met),
        (Test::Max(number("100")), "100.00000000000000000001", Unmet),
        (Test::Below(number("100")), "100", Unmet),
        (Test::Above(number("100")), "1e2", Unmet),
        (Test::Min(number("-1")), "-1.0", Met),
        (Test::Max(number("100")), "null", Cannot(Unknown::Null)),
        (Test::Present(true), "x", Met),
        (Test::Present(false), "x", Unmet),
        (Test::Present(false), "null", Cannot(Unknown::Null)),
        (Test::LengthMax(3), "äöü", Met),
        (Test::LengthMax(3), "abcd", Unmet),
        (Test::LengthMax(1), "[a,b]", Unmet),
        (Test::LengthMax(3), "5", mistyped("number", "string or array")),
        (Test::SubsetOf(list("[a,b]")), "[b,a,a]", Met),
        (Test::SubsetOf(list("[a,b]")), "[]", Met),
        (Test::SubsetOf(list("[a,b]")), "[a,c]", Unmet),
        (Test::SubsetOf(list("[a,b]")), "[a,5]", mistyped("number", "string")),
        (Test::SubsetOf(list("[a,b]")), "a", mistyped("string", "array")),
        (regex(r"\A(?:[a-z]+)\z"), "abc", Met),
        (regex(r"\A(?:[a-z]+)\z"), "abc\nDROP", Unmet),
    ] {
        assert_eq!(test.outcome(Some(&value(given))), expected, "{test} of {given}");
    }
    assert_eq!(Test::Max(number("1")).outcome(None), Cannot(Unknown::Missing));
    assert_eq!(Test::Present(false).outcome(None), Met);
    assert_eq!(Test::Present(true).outcome(None), Unmet);
}

#[test]
fn a_glob_reads_paths_and_trusts_no_odd_one() {
    for (path, expected) in [
        ("/docs/a.md", Outcome::Met),
        ("/docs/deep/a.md", Outcome::Met),
        ("/etc/passwd", Outcome::Unmet),
        ("/docs/../etc/passwd", Outcome::Unknown(Unknown::Path)),
        ("/docs/./a.md", Outcome::Unknown(Unknown::Path)),
        ("/docs//a.md", Outcome::Unknown(Unknown::Path)),
        ("/docs/", Outcome::Unknown(Unknown::Path)),
        ("/docs/%2E%2e/a", Outcome::Unknown(Unknown::Path)),
        ("/docs\\..\\a", Outcome::Unknown(Unknown::Path)),
    ] {
        assert_eq!(glob("/docs/**").outcome(Some(&value(path))), expected, "{path}");
    }
}

#[test]
fn what_is_unmet_stays_so_beside_what_cannot_be_told() {
    let unknown = Outcome::Unknown(Unknown::Missing);
    assert_eq!(unknown.and(Outcome::Unmet), Outcome::Unmet);
    assert_eq!(Outcome::Unmet.and(unknown), Outcome::Unmet);
    assert_eq!(Outcome::Met.and(unknown), unknown);
}
