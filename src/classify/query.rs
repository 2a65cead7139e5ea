//! The query of a plain HTTP call, as names and values.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::classify::address::{AddressError, check_escapes};
use crate::domain::Json;

/// Parameters of one query.
const PARAMETERS_MAX: usize = 256;

/// Makes sure that a query can be forwarded as it is: printable ASCII, whole escapes, parameters that all programs
/// part alike.
pub(super) fn check_query(query: &str) -> Result<(), AddressError> {
    if !query.bytes().all(|b| b.is_ascii_graphic()) || query.contains(['#', '\\']) {
        return Err(AddressError::Query);
    }
    // Some programs part parameters at `;` as they do at `&`; forms write it as an escape.
    if query.contains(';') {
        return Err(AddressError::QueryNames);
    }
    check_escapes(query)
}

/// Names and values as an HTML form writes them (`+` is a space). A name that stands more than once has an array,
/// so that no condition on a single value holds for it. Names that differ in case alone are refused: some programs
/// take them for one.
pub(super) fn read_query(query: &str) -> Result<Json, AddressError> {
    let mut members: Vec<(String, Json)> = Vec::new();
    let mut in_lower_case: Vec<String> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, Json::String(decode(value)?));
        if name.contains('\0') {
            return Err(AddressError::Query);
        }
        let count = members.len();
        match members.iter_mut().find(|(known, _)| *known == name).map(|(_, held)| held) {
            None if count == PARAMETERS_MAX => return Err(AddressError::QueryLength),
            None => {
                let lower = name.to_lowercase();
                if in_lower_case.contains(&lower) {
                    return Err(AddressError::QueryNames);
                }
                in_lower_case.push(lower);
                members.push((name, value));
            }
            Some(Json::Array(values)) if values.len() == PARAMETERS_MAX => {
                return Err(AddressError::QueryLength);
            }
            Some(Json::Array(values)) => values.push(value),
            Some(single) => *single = Json::Array(vec![std::mem::take(single), value]),
        }
    }
    Ok(Json::Object(members))
}

fn decode(text: &str) -> Result<String, AddressError> {
    let spaced: Cow<'_, str> =
        if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    percent_decode(spaced.as_bytes()).decode_utf8().map(Cow::into_owned).map_err(|_| AddressError::Query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_name_is_an_array() {
        let read = |query: &str| read_query(query).map(|json| json.canonical());
        assert_eq!(read("a=1&b=x+y%26&c&&%61=2").as_deref(), Ok(r#"{"a":["1","2"],"b":"x y&","c":""}"#));
        assert_eq!(read("").as_deref(), Ok("{}"));
        assert_eq!(read("a=%ff"), Err(AddressError::Query));
        for query in ["limit=5&LIMIT=500", "a=1&%41=2", "%C3%A4=1&%C3%84=2"] {
            assert_eq!(read(query), Err(AddressError::QueryNames), "{query}");
        }
        assert_eq!(read("admin%00=1"), Err(AddressError::Query));
        let many = |count| (0..count).map(|i| format!("p{i}=1")).collect::<Vec<_>>().join("&");
        assert!(read(&many(256)).is_ok());
        assert_eq!(read(&many(257)), Err(AddressError::QueryLength));
    }

    #[test]
    fn a_query_is_printable() {
        assert_eq!(check_query("a=%20[]{}|\"<>^`"), Ok(()));
        assert_eq!(check_query("a=1;b=2"), Err(AddressError::QueryNames));
        for query in ["a b", "a=\u{e9}", "a=%", "a=%g0", "a#b", "a\\b", "a\0"] {
            assert!(check_query(query).is_err(), "{query}");
        }
    }
}
