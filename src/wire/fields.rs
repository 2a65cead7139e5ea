//! The judged fields of an action, as a person who is asked sees them.

use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::Json;
use crate::wire::WireError;

/// A JSON object, kept as it was written so that no number is rounded on its way to the person who decides.
/// At most 16 KiB, 32 deep, no member name twice.
#[derive(Clone, Debug)]
pub struct Fields(Box<RawValue>);

const BYTES_MAX: usize = 16 * 1024;
const DEPTH_MAX: u8 = 32;

impl Fields {
    /// Takes the fields of an action. What is too large to show is replaced by a note that says so: the question
    /// is still bound to the digest of the true arguments.
    #[must_use]
    pub fn of(fields: &Json) -> Self {
        Self::parse(&fields.canonical()).unwrap_or_else(|_| {
            Self::parse(r#"{"omitted":"the fields are too large to be shown"}"#).unwrap_or_default()
        })
    }

    /// Reads an object from JSON text.
    ///
    /// # Errors
    /// When it is no object, too large, too deep, or has a member twice.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        if text.len() > BYTES_MAX {
            return Err(WireError::new(format!("`fields` has at most {BYTES_MAX} bytes")));
        }
        if !text.trim_start().starts_with('{') {
            return Err(WireError::new("`fields` is an object"));
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let walked = serde::de::DeserializeSeed::deserialize(Walk(DEPTH_MAX), &mut reader);
        walked.and_then(|()| reader.end()).map_err(|error| WireError::new(error.to_string()))?;
        let raw =
            RawValue::from_string(text.to_owned()).map_err(|error| WireError::new(error.to_string()))?;
        Ok(Self(raw))
    }

    /// The object as JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self(RawValue::from_string("{}".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Fields {}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get()).map_err(D::Error::custom)
    }
}

/// Walks a value without keeping it: no duplicate members, no more than so many levels.
struct Walk(u8);

impl<'de> serde::de::DeserializeSeed<'de> for Walk {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        while items.next_element_seed(Walk(deeper))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        let mut names = std::collections::BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value_seed(Walk(deeper))?;
            if !names.insert(name) {
                return Err(A::Error::custom("a member stands twice in `fields`"));
            }
        }
        Ok(())
    }
}

impl Walk {
    fn deeper<E: serde::de::Error>(&self) -> Result<u8, E> {
        self.0
            .checked_sub(1)
            .ok_or_else(|| E::custom(format_args!("`fields` is deeper than {DEPTH_MAX} levels")))
    }
}
