//! Strict reading: canonical JSON of bounded size and depth, and nothing else.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::domain::{Decimal, Json};

/// An event is three objects deep; some room for what later versions add.
const DEPTH_MAX: usize = 8;
/// The largest integer that every JSON reader keeps exact (RFC 7493, section 2.2).
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Reads a value whose bytes are its own canonical form (RFC 8785), which also rules out duplicate members,
/// members out of order, white space and needless escapes. Numbers are integers.
pub(super) fn read_canonical(bytes: &[u8]) -> Result<Json, String> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Depth(0)
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|problem| problem.to_string())?;
    if value.canonical().as_bytes() != bytes {
        return Err("is not in canonical form (RFC 8785)".to_owned());
    }
    Ok(value)
}

#[derive(Clone, Copy)]
struct Depth(usize);

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Json;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Json, D::Error> {
        reader.deserialize_any(self)
    }
}

impl Depth {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.0 >= DEPTH_MAX { Err(E::custom("is nested too deep")) } else { Ok(Self(self.0 + 1)) }
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("canonical JSON with integers only")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        match i64::try_from(value) {
            Ok(exact) if value <= INTEGER_MAX => Ok(Json::Number(Decimal::from(exact))),
            _ => Err(E::custom("has an integer that is too large to be exact")),
        }
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Json, E> {
        Err(E::custom("has a negative number"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json, E> {
        Err(E::custom("has a number that is not an integer"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let inside = self.deeper()?;
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            all.push(item);
        }
        Ok(Json::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let inside = self.deeper()?;
        let mut all: Vec<(String, Json)> = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            if all.last().is_some_and(|(before, _)| before.encode_utf16().ge(name.encode_utf16())) {
                return Err(A::Error::custom("has members twice or out of order"));
            }
            all.push((name, members.next_value_seed(inside)?));
        }
        Ok(Json::Object(all))
    }
}
