//! Member names as protobuf's JSON takes them: in lower camel case, or as the `.proto` file has them.
//!
//! <https://protobuf.dev/programming-guides/json/>: "Parsers accept both the lowerCamelCase name and the original
//! proto field name." Both are read here as one name; whatever else looks like it is refused.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::classify::Problem;
use crate::classify::fault::Fault;
use crate::classify::strict_json::{Distinct, Reader, known_spelling};
use crate::domain::Json;

/// A name in lower camel case, where it is written in one of its two spellings.
///
/// # Errors
/// When it could be taken for one of `known` and is in neither spelling.
pub(in crate::classify) fn proto_name<'a>(
    name: &'a str,
    known: &[&'static str],
) -> Result<Cow<'a, str>, Fault> {
    let camel = camel(name);
    let is_written_so = camel == name || snake(&camel) == name;
    if is_written_so && known.contains(&camel.as_ref()) {
        return Ok(camel);
    }
    known_spelling(name, known)?;
    Ok(if is_written_so { camel } else { Cow::Borrowed(name) })
}

/// `maxOutputTokens` of `max_output_tokens`.
fn camel(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    let mut is_raised = false;
    for c in name.chars() {
        match c {
            '_' => is_raised = true,
            c => {
                out.push(if is_raised { c.to_ascii_uppercase() } else { c });
                is_raised = false;
            }
        }
    }
    Cow::Owned(out)
}

/// `max_output_tokens` of `maxOutputTokens`.
pub(in crate::classify) fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

impl Reader<'_> {
    /// Reads an object; `each` reads the value of every member, and sees its name in lower camel case and as it is
    /// written. No member stands twice, in whichever spelling.
    pub(in crate::classify) fn proto_object(
        &mut self,
        known: &[&'static str],
        mut each: impl FnMut(&mut Self, &str, &str) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut seen = BTreeSet::new();
        self.object(Distinct::InAnyCase, |reader, written| {
            let name = proto_name(written, known)?;
            if !seen.insert(name.clone().into_owned()) {
                return Err(twice());
            }
            each(reader, &name, written)
        })
    }
}

/// Checks the names of an object as [`Reader::proto_object`] does. Anything else than an object has none.
pub(in crate::classify) fn check_proto(object: &Json, known: &[&'static str]) -> Result<(), Fault> {
    let Json::Object(members) = object else { return Ok(()) };
    let mut seen = BTreeSet::new();
    for (written, _) in members {
        let name = proto_name(written, known)?;
        if !seen.insert(name.to_ascii_lowercase()) {
            return Err(twice().under_member(written));
        }
    }
    Ok(())
}

/// The member of that name, in either spelling.
pub(in crate::classify) fn proto_member<'a>(object: &'a Json, name: &str) -> Option<&'a Json> {
    object.member(name).or_else(|| object.member(&snake(name)))
}

/// The member of that name, in either spelling, to be changed.
pub(in crate::classify) fn proto_member_mut<'a>(object: &'a mut Json, name: &str) -> Option<&'a mut Json> {
    let written = if object.member(name).is_some() { name.to_owned() } else { snake(name) };
    object.member_mut(&written)
}

/// Takes the member of that name out, in either spelling.
pub(in crate::classify) fn proto_remove(object: &mut Json, name: &str) -> Option<Json> {
    object.remove(name).or_else(|| object.remove(&snake(name)))
}

fn twice() -> Fault {
    Fault::new(Problem::DuplicateKey, "a member stands in two spellings; send one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::Bounds;

    const KNOWN: [&str; 3] = ["functionDeclarations", "tools", "maxOutputTokens"];

    #[test]
    fn two_spellings_are_one_name() {
        for name in ["functionDeclarations", "function_declarations"] {
            assert_eq!(proto_name(name, &KNOWN).unwrap(), "functionDeclarations");
        }
        assert_eq!(proto_name("google_search", &KNOWN).unwrap(), "googleSearch");
        assert_eq!(proto_name("odd__name", &KNOWN).unwrap(), "odd__name");
        assert_eq!(snake("maxOutputTokens"), "max_output_tokens");
    }

    #[test]
    fn every_other_spelling_is_refused() {
        for name in [
            "FunctionDeclarations",
            "function_Declarations",
            "function__declarations",
            "function-declarations",
            "TOOLS",
            "tools_",
        ] {
            assert_eq!(proto_name(name, &KNOWN).unwrap_err().problem(), Problem::DuplicateKey, "{name}");
        }
    }

    #[test]
    fn a_member_stands_once() {
        let read = |text: &str| {
            let mut reader = Reader::new(text.as_bytes(), &Bounds::default()).unwrap();
            reader.proto_object(&KNOWN, |reader, _, _| reader.skip())
        };
        assert!(read(r#"{"tools":1,"max_output_tokens":2,"other":3}"#).is_ok());
        for text in [
            r#"{"maxOutputTokens":1,"max_output_tokens":2}"#,
            r#"{"googleSearch":1,"google_search":2}"#,
            r#"{"tools":1,"tools":2}"#,
        ] {
            assert_eq!(read(text).unwrap_err().problem(), Problem::DuplicateKey, "{text}");
            let tree = Reader::new(text.as_bytes(), &Bounds::default()).unwrap().whole();
            assert!(tree.is_err() || check_proto(&tree.unwrap(), &KNOWN).is_err(), "{text}");
        }
    }
}
