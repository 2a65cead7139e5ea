//! What the strict reader refuses, and that it reads the rest as everyone does.

use proptest::prelude::*;

use super::*;
use crate::domain::{Decimal, Json};

fn read(text: &str) -> Result<Json, Problem> {
    read_json(text.as_bytes(), &Bounds::default()).map_err(|refused| refused.problem)
}

fn skim(text: &[u8]) -> Result<(), Fault> {
    let mut reader = Reader::new(text, &Bounds::default())?;
    reader.skip()?;
    reader.end()
}

fn detail(text: &str) -> String {
    read_json(text.as_bytes(), &Bounds::default()).unwrap_err().detail
}

/// The strict reader's value, as `serde_json` would hold it.
fn as_serde(value: &Json) -> serde_json::Value {
    serde_json::from_str(&value.canonical()).unwrap()
}

#[test]
fn what_two_parsers_could_read_differently_is_refused() {
    let cases: &[(&str, Problem)] = &[
        ("", Problem::Syntax),
        ("  ", Problem::Syntax),
        ("{", Problem::Syntax),
        ("[1,]", Problem::Syntax),
        (r#"{"a":1,}"#, Problem::Syntax),
        (r#"{"a" 1}"#, Problem::Syntax),
        ("{a:1}", Problem::Syntax),
        ("{'a':1}", Problem::Syntax),
        ("// note\n{}", Problem::Syntax),
        ("{} {}", Problem::Syntax),
        ("{}\0", Problem::Syntax),
        ("\u{feff}{}", Problem::Syntax),
        ("NaN", Problem::Syntax),
        ("nul", Problem::Syntax),
        ("+1", Problem::Syntax),
        ("01", Problem::Syntax),
        ("1.", Problem::Syntax),
        (".5", Problem::Syntax),
        ("1e", Problem::Syntax),
        ("0x1", Problem::Syntax),
        ("-", Problem::Syntax),
        ("\"a\nb\"", Problem::Syntax),
        (r#""\x41""#, Problem::Syntax),
        (r#""\u12g4""#, Problem::Syntax),
        (r#"{"a\u0000b":1}"#, Problem::Syntax),
        ("\u{a0}1", Problem::Syntax),
        (r#"{"a":1,"a":1}"#, Problem::DuplicateKey),
        (r#"{"a":1,"\u0061":1}"#, Problem::DuplicateKey),
        (r#"{"a":1,"A":1}"#, Problem::DuplicateKey),
        ("{\"size\":1,\"\u{17f}ize\":1}", Problem::DuplicateKey),
        (r#"[{"b":{"a":1,"c":2,"a":1}}]"#, Problem::DuplicateKey),
        (r#""\ud800""#, Problem::NotUtf8),
        (r#""\udc00""#, Problem::NotUtf8),
        (r#""\ud800\ud800""#, Problem::NotUtf8),
        (r#""\ud800A""#, Problem::NotUtf8),
        ("9007199254740993", Problem::Number),
        ("1e400", Problem::Number),
        ("1e-400", Problem::Number),
        ("1e9999999999", Problem::Number),
        ("100.00000000000000001", Problem::Number),
    ];
    for (text, problem) in cases {
        assert_eq!(read(text), Err(*problem), "{text}");
    }
}

#[test]
fn what_is_skipped_is_held_to_the_same_form() {
    for text in
        [r#"{"a":1,"a":1}"#, r#"[{"x":{"\u0061":1,"a":2}}]"#, r#"["\ud800"]"#, "[1,]", "[01]", "[\"\n\"]"]
    {
        assert!(skim(text.as_bytes()).is_err(), "{text}");
    }
    assert!(skim(b"[\"\xff\"]").is_err());
    // Names that differ by case alone stand in many harmless conversations, and nothing there is judged.
    assert!(skim(br#"{"Path":1,"PATH":2}"#).is_ok());
    assert!(skim(br#"[9007199254740993,1e400]"#).is_ok());
}

#[test]
fn numbers_keep_their_value() {
    for text in
        ["0", "-0", "1e2", "0.1", "3.141592653589793", "9007199254740992", "1.7976931348623157e308", "5e-324"]
    {
        assert_eq!(read(text), Ok(Json::Number(Decimal::parse(text).unwrap())), "{text}");
    }
}

#[test]
fn bounds_hold() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(64)).is_ok());
    assert_eq!(read(&nested(65)), Err(Problem::TooDeep));
    assert_eq!(skim(nested(65).as_bytes()).unwrap_err().problem(), Problem::TooDeep);
    assert_eq!(skim("[".repeat(1_000_000).as_bytes()).unwrap_err().problem(), Problem::TooDeep);
    let few = Bounds { values: 3, ..Bounds::default() };
    assert!(read_json(b"[1,2]", &few).is_ok());
    assert_eq!(read_json(b"[1,2,3]", &few).unwrap_err().problem, Problem::TooLarge);
}

#[test]
fn names_are_compared_in_wide_objects_too() {
    let wide = |extra: &str| {
        let members: Vec<_> = (0..500).map(|i| format!("\"m{i}\":{i}")).collect();
        format!("{{{},{extra}}}", members.join(","))
    };
    assert!(read(&wide(r#""other":1"#)).is_ok());
    assert_eq!(read(&wide(r#""m7":1"#)), Err(Problem::DuplicateKey));
    assert_eq!(read(&wide(r#""M7":1"#)), Err(Problem::DuplicateKey));
    assert!(skim(wide(r#""m7":1"#).as_bytes()).is_err());
    assert!(skim(wide(r#""M7":1"#).as_bytes()).is_ok());
}

#[test]
fn a_refusal_names_the_place() {
    assert_eq!(
        detail(r#"{"a":[0,{"b":1,"b":2}]}"#),
        "`a[1].b`, byte 15: a member stands twice, perhaps in another case; send it once"
    );
    assert_eq!(detail("[1,2"), "byte 4: a comma or the closing bracket is due here");
    assert_eq!(detail("[1,\u{1}]"), "`[1]`, byte 3: no JSON value starts here");
}

#[test]
fn look_alikes_of_judged_names_are_refused() {
    let known = &["model", "max_tokens", "_meta"];
    for name in ["MODEL", "Model", "maxTokens", "max-tokens", "MAX_TOKENS", "max_to\u{212A}ens", "_META"] {
        assert!(known_spelling(name, known).is_err(), "{name}");
    }
    for name in ["model", "models", "max_tokens", "meta", "tokens_max", ""] {
        assert!(known_spelling(name, known).is_ok(), "{name}");
    }
}

/// JSON texts, most of them well-formed, some a byte away from it.
fn texts() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,17})?([eE][+-]?[0-9]{1,3})?",
        "\"([a-c]|\\\\n|\\\\u00e9|\\\\ud83d\\\\ude00|\\\\ud83d|é|😀){0,6}\"",
    ];
    let name = "\"([a-d]|\\\\u0061|A){1,2}\"";
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(" , "))),
            prop::collection::vec((name, inner), 0..5).prop_map(|members| {
                let members: Vec<_> = members.into_iter().map(|(n, v)| format!("{n}:{v}")).collect();
                format!("{{ {}\n}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_accepted_serde_json_reads_to_the_same_value(text in texts()) {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match read(&text) {
            Ok(ours) => prop_assert_eq!(as_serde(&ours), as_serde(&lossless(&theirs.unwrap()))),
            Err(Problem::Syntax | Problem::NotUtf8) => prop_assert!(theirs.is_err(), "{}", text),
            Err(_) => {}
        }
        prop_assert!(skim(text.as_bytes()).is_ok() || read(&text).is_err());
    }

    #[test]
    fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let read = read_json(&bytes, &Bounds::default());
        let skimmed = skim(&bytes);
        if read.is_ok() {
            prop_assert!(skimmed.is_ok());
        }
        if serde_json::from_slice::<serde_json::Value>(&bytes).is_err() {
            prop_assert!(skimmed.is_err());
        }
    }

    #[test]
    fn almost_json_is_safe(text in texts(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if serde_json::from_slice::<serde_json::Value>(&bytes).is_err() && skim(&bytes).is_ok() {
            // A number that overflows a double is well-formed, and only `serde_json` says it is not.
            prop_assert!(serde_json::from_slice::<Box<serde_json::value::RawValue>>(&bytes).is_ok());
        }
    }
}

/// `serde_json`'s value in our own form, so that both sides print numbers alike.
fn lossless(value: &serde_json::Value) -> Json {
    match value {
        serde_json::Value::Null => Json::Null,
        serde_json::Value::Bool(b) => Json::Bool(*b),
        serde_json::Value::Number(n) => Json::Number(Decimal::parse(&n.to_string()).unwrap()),
        serde_json::Value::String(s) => Json::String(s.clone()),
        serde_json::Value::Array(items) => Json::Array(items.iter().map(lossless).collect()),
        serde_json::Value::Object(members) => {
            Json::object(members.iter().map(|(n, v)| (n.as_str(), lossless(v))))
        }
    }
}
