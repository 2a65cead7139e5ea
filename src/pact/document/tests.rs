//! Texts and the trees they are read into.

use super::*;

fn json(text: &str) -> Result<String, String> {
    let file = File::new("test", text);
    let node = read(&file).map_err(|wrong| wrong.message)?;
    node.json().map(|json| json.canonical()).map_err(|place| text.get(place).unwrap_or("?").to_owned())
}

#[test]
fn scalars_are_what_they_are_written_as() {
    for (text, expected) in [
        ("5", Ok("5")),
        ("'5'", Ok("\"5\"")),
        ("\"5\"", Ok("\"5\"")),
        ("a: |-\n  5\n", Ok("{\"a\":\"5\"}")),
        ("a: >-\n  5\n", Ok("{\"a\":\"5\"}")),
        ("a: !!str 5", Ok("{\"a\":\"5\"}")),
        ("0.1000000000000000000001", Ok("0.1000000000000000000001")),
        ("123456789012345678901234567890", Ok("1.2345678901234567890123456789e29")),
        ("1e400", Ok("1e400")),
        ("[NO, yes, on, true, ~, null]", Ok("[\"NO\",\"yes\",\"on\",true,null,null]")),
        ("2026-11-18", Ok("\"2026-11-18\"")),
        ("2026-11-18T10:00:00Z", Ok("\"2026-11-18T10:00:00Z\"")),
        ("10.0.0.1", Ok("\"10.0.0.1\"")),
        ("0x1F", Err("0x1F")),
        ("0o17", Err("0o17")),
        ("012", Err("012")),
        ("1_000", Err("1_000")),
        ("+5", Err("+5")),
        (".5", Err(".5")),
        (".inf", Err(".inf")),
        ("-.Inf", Err("-.Inf")),
        ("{a: 1, a: 2}", Err("`a` stands twice")),
        ("{a: 1, \"a\": 2}", Err("`a` stands twice")),
        ("{a: &x 1, b: *x}", Err("anchors, aliases and merge keys are not read")),
        ("{<<: {a: 1}}", Err("anchors, aliases and merge keys are not read")),
        ("a: !mine 5", Err("tags are not read")),
        ("a: 1\n---\nb: 2\n", Err("the file holds more than one document")),
        ("", Ok("null")),
    ] {
        assert_eq!(json(text), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
    }
}

#[test]
fn every_value_knows_its_place() {
    let text = "ä: [one, 'two']\nb:\n  - c: 5.0 # five\n";
    let file = File::new("test", text);
    let node = read(&file).unwrap();
    let at = |node: &Node| text.get(node.place.clone()).unwrap_or_default().to_owned();
    let Some(Value::List(items)) = node.member("ä").map(|node| &node.value) else { panic!("a list") };
    assert_eq!(items.iter().map(at).collect::<Vec<_>>(), ["one", "'two'"]);
    let Some(Value::List(items)) = node.member("b").map(|node| &node.value) else { panic!("a list") };
    assert_eq!(items.first().and_then(|item| item.member("c")).map(at).as_deref(), Some("5.0"));
}

#[test]
fn what_is_too_large_or_too_deep_is_refused_fast() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(json(&deep).is_err());
    assert!(json(&"a".repeat(FILE_BYTES_MAX + 1)).is_err());
    assert!(json(&"- a\n".repeat(FILE_BYTES_MAX / 4)).is_err());
}
