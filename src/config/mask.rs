//! Mask: keeps secrets that were written into a config out of what is said about it.

use crate::config::secret::is_variable;
use crate::pact::document::{Node, Place, Value};

/// Fields that hold the way to a secret. Text that stands there itself is taken for the secret.
const HOLDERS: [&str; 7] = ["token", "key", "credential", "password", "secret", "api_key", "apikey"];
/// Fields in them that hold none.
const HARMLESS: [&str; 4] = ["env", "file", "header", "prefix"];
const STAR: u8 = b'*';

/// The text with the same places, in which secrets in URLs are stars: user names, passwords and queries.
pub(super) fn mask_urls(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (start, _) in text.match_indices("://") {
        let start = start + "://".len();
        let rest = text.get(start..).unwrap_or_default();
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | '}' | ']');
        let url = rest.split(ends).next().unwrap_or_default();
        if let Some(at) = url.rfind('@') {
            star(&mut bytes, start..start + at);
        }
        if let Some(query) = url.find('?') {
            star(&mut bytes, start + query + 1..start + url.len());
        }
    }
    readable(bytes)
}

/// The text with the same places, in which lines that name a secret are stars behind its name: for a text whose
/// structure cannot be read.
pub(super) fn mask_lines(text: &str) -> String {
    let mut bytes = mask_urls(text).into_bytes();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let lower = line.to_ascii_lowercase();
        let names = HOLDERS.iter().filter_map(|name| lower.find(name).map(|at| at + name.len()));
        if let Some(from) = names.min() {
            star(&mut bytes, start + from..start + line.trim_end().len());
        }
        start += line.len();
    }
    readable(bytes)
}

/// Replaces secrets in the tree by `***`, and returns the text with the same places in which they are stars.
pub(super) fn mask_tree(text: &str, node: &mut Node) -> String {
    let mut places = Vec::new();
    walk(node, false, &mut places);
    let mut bytes = mask_urls(text).into_bytes();
    for place in places {
        star(&mut bytes, place);
    }
    readable(bytes)
}

fn walk(node: &mut Node, is_held: bool, places: &mut Vec<Place>) {
    match &mut node.value {
        Value::Plain(text) | Value::Text(text) if is_held => {
            places.push(node.place.clone());
            *text = "***".to_owned();
        }
        Value::Plain(_) | Value::Text(_) => {}
        Value::List(items) => items.iter_mut().for_each(|item| walk(item, is_held, places)),
        Value::Map(members) => {
            for (name, value) in members {
                let name = name.text().unwrap_or_default().to_ascii_lowercase();
                let is_secret_env = name == "env" && value.text().is_some_and(|text| !is_variable(text));
                let is_harmless = is_held && HARMLESS.contains(&name.as_str()) && !is_secret_env;
                walk(value, !is_harmless && (is_held || HOLDERS.contains(&name.as_str())), places);
            }
        }
    }
}

fn star(bytes: &mut [u8], place: Place) {
    if let Some(part) = bytes.get_mut(place) {
        for byte in part.iter_mut().filter(|byte| **byte != b'\n') {
            *byte = STAR;
        }
    }
}

/// Places never cut a character in two, so that nothing is lost here.
fn readable(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pact::diagnostics::File;
    use crate::pact::document;

    #[test]
    fn urls_lose_what_may_be_secret_and_keep_their_length() {
        let cases = [
            ("url: https://user:hünter2@a.example/x", "url: https://*************@a.example/x"),
            ("'https://a.example/?key=hunter2', b", "'https://a.example/?***********', b"),
            ("https://a@b@c", "https://***@c"),
            ("https://a.example https://u:p@b", "https://a.example https://***@b"),
            ("mail me@example", "mail me@example"),
        ];
        for (text, expected) in cases {
            assert_eq!(mask_urls(text), expected);
            assert_eq!(mask_urls(text).len(), text.len());
        }
    }

    #[test]
    fn text_in_the_place_of_a_secret_is_hidden_in_tree_and_text() {
        let cases = [
            ("token: hunter2", "token: *******"),
            ("agents: [{id: a, token: \"hunter2\"}]", "agents: [{id: a, token: *********}]"),
            ("token: {env: NAME}", "token: {env: NAME}"),
            ("token: {env: sk-hunter2}", "token: {env: **********}"),
            ("token: {value: hunter2, file: a}", "token: {value: *******, file: a}"),
            (
                "credential: {header: x, prefix: y, Bearer: hunter2}",
                "credential: {header: x, prefix: y, Bearer: *******}",
            ),
            ("password: [hunter2, b]", "password: [*******, *]"),
            ("public_key: abc", "public_key: abc"),
        ];
        for (text, expected) in cases {
            let mut node = document::read(&File::new("f", text)).unwrap();
            assert_eq!(mask_tree(text, &mut node), expected);
            assert!(!format!("{node:?}").contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn lines_of_a_broken_file_are_hidden_behind_the_name() {
        let text = "a: [\n  token: hunter2\n  url: https://u:hunter2@b\nb: c\n";
        assert_eq!(mask_lines(text), "a: [\n  token*********\n  url: https://*********@b\nb: c\n");
    }
}
