//! How the words of the domain are spelled on the wire: as the strings they print as.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::{
    AgentId, ApprovalId, ClauseId, Digest, PactName, Reason, Ruling, SidecarId, Timestamp, TrustTier,
};

/// A word of the domain that is one string on the wire.
pub trait Word: Display + Sized {
    /// What it is called in an error.
    const WHAT: &'static str;
    /// Reads it back from its spelling.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! word {
    ($($name:ident, $what:literal, $read:expr;)*) => {
        $(impl Word for $name {
            const WHAT: &'static str = $what;
            fn read(text: &str) -> Option<Self> {
                $read(text)
            }
        })*
    };
}

word! {
    AgentId, "an agent id", |text| Self::from_str(text).ok();
    ApprovalId, "an approval id", |text| Self::from_str(text).ok();
    ClauseId, "a clause id", |text| Self::from_str(text).ok();
    PactName, "a pact name", |text| Self::from_str(text).ok();
    SidecarId, "a sidecar id", |text| Self::from_str(text).ok();
    Digest, "a SHA-256 digest in hexadecimal", Self::parse_hex;
    Timestamp, "an RFC 3339 date-time", Self::parse_rfc3339;
    TrustTier, "a trust tier", Self::parse;
    Reason, "a reason", Self::parse;
    Ruling, "a ruling", |text| [Self::Allow, Self::Ask, Self::Deny].into_iter().find(|r| r.name() == text);
}

fn parse<'de, D: Deserializer<'de>, T: Word>(text: &str) -> Result<T, D::Error> {
    T::read(text).ok_or_else(|| {
        let shown: String = text.chars().take(64).collect();
        D::Error::custom(format_args!("`{shown}` is not {}", T::WHAT))
    })
}

/// For `#[serde(with = "word")]`: one word.
pub mod word {
    use super::{Deserialize, Deserializer, Serializer, Word, parse};

    /// Writes the word.
    pub fn serialize<S: Serializer, T: Word>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads the word.
    pub fn deserialize<'de, D: Deserializer<'de>, T: Word>(deserializer: D) -> Result<T, D::Error> {
        parse::<D, T>(&String::deserialize(deserializer)?)
    }
}

/// For `#[serde(with = "optional")]`: a word, or nothing.
pub mod optional {
    use super::{Deserialize, Deserializer, Serializer, Word, parse};

    /// Writes the word or null.
    pub fn serialize<S: Serializer, T: Word>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    /// Reads the word or null.
    pub fn deserialize<'de, D: Deserializer<'de>, T: Word>(deserializer: D) -> Result<Option<T>, D::Error> {
        Option::<String>::deserialize(deserializer)?.map(|text| parse::<D, T>(&text)).transpose()
    }
}

/// For `#[serde(with = "words")]`: at most a hundred words.
pub mod words {
    use serde::de::Error as _;

    use super::{Deserialize, Deserializer, Serializer, Word, parse};

    /// Writes the list.
    pub fn serialize<S: Serializer, T: Word>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(ToString::to_string))
    }

    /// Reads the list.
    pub fn deserialize<'de, D: Deserializer<'de>, T: Word>(deserializer: D) -> Result<Vec<T>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        if texts.len() > 100 {
            return Err(D::Error::custom("a list has at most 100 entries"));
        }
        texts.iter().map(|text| parse::<D, T>(text)).collect()
    }
}

/// For `#[serde(deserialize_with = "bounded::<_, 1024>")]`: a text of at most so many bytes, without control
/// characters, so that it is safe to log and to show on a terminal.
pub fn bounded<'de, D: Deserializer<'de>, const MAX: usize>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > MAX {
        return Err(D::Error::custom(format_args!("a text here has at most {MAX} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(D::Error::custom("a text here has no control characters"));
    }
    Ok(text)
}

/// For `#[serde(deserialize_with = "bounded_list::<_, 255>")]`: at most a hundred such texts.
pub fn bounded_list<'de, D: Deserializer<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    if texts.len() > 100 {
        return Err(D::Error::custom("a list has at most 100 entries"));
    }
    if texts.iter().any(|text| text.len() > MAX || text.chars().any(char::is_control)) {
        return Err(D::Error::custom(format_args!(
            "a text here has at most {MAX} bytes and no control characters"
        )));
    }
    Ok(texts)
}

/// For `#[serde(serialize_with = "rounded")]`: a share, rounded to six decimals, as scores are compared.
pub fn rounded<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    ((value * 1e6).round() / 1e6).serialize(serializer)
}
