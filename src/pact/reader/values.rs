//! What the reader yields beside plain values: places, one or many, tables, exact constants.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::domain::{Decimal, Json};
use crate::pact::document::Place;
use crate::pact::reader::{AT, CONSTANT, MANY, NUMBER};

/// A value with its place. Holds nothing where what stood there could not be read; that has been reported.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// Where it stands.
    pub place: Place,
    /// What stands there.
    pub value: Option<T>,
}

/// One value or a list of values: `"orders.get"` and `["orders.get", "orders.search"]`.
#[derive(Clone, Debug)]
pub struct Many<T>(pub Vec<At<T>>);

/// A mapping whose keys the author chooses, in the order written.
#[derive(Clone, Debug)]
pub struct Table<T>(pub Vec<(At<String>, At<T>)>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A constant as JSON knows it; numbers exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constant(pub Json);

/// A number, exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(pub Decimal);

/// Reads a value, or nothing where it cannot be read: the reader has noted why.
struct Lenient<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Lenient<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        Ok(T::deserialize(deserializer).ok())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(AT, AtVisitor(PhantomData))
    }
}

struct AtVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AtVisitor<T> {
    type Value = At<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its place")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<At<T>, A::Error> {
        let start = parts.next_element::<usize>()?.unwrap_or_default();
        let end = parts.next_element::<usize>()?.unwrap_or_default();
        let value = parts.next_element_seed(Lenient(PhantomData))?.flatten();
        Ok(At { place: start..end, value })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(MANY, ManyVisitor(PhantomData))
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a list of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Many<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Many(items))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TableVisitor(PhantomData))
    }
}

struct TableVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TableVisitor<T> {
    type Value = Table<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table<T>, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = map.next_entry()? {
            rows.push(row);
        }
        Ok(Table(rows))
    }
}

impl<'de> Deserialize<'de> for Constant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(CONSTANT, ConstantVisitor)
    }
}

struct ConstantVisitor;

impl<'de> Visitor<'de> for ConstantVisitor {
    type Value = Constant;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a single value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Constant, A::Error> {
        let kind = parts.next_element::<String>()?.unwrap_or_default();
        let text = parts.next_element::<String>()?.unwrap_or_default();
        Ok(Constant(match kind.as_str() {
            "number" => Decimal::parse(&text).map_or(Json::Null, Json::Number),
            "boolean" => Json::Bool(text == "true"),
            _ => Json::String(text),
        }))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_newtype_struct(NUMBER, ConstantVisitor)? {
            Constant(Json::Number(number)) => Ok(Self(number)),
            // Not reached: the reader hands over numbers only.
            Constant(other) => Err(de::Error::custom(format_args!("found a {}", other.kind()))),
        }
    }
}

impl<T> At<T> {
    /// The value, where it could be read.
    pub fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// Place and value, where it could be read.
    pub fn read(&self) -> Option<(&Place, &T)> {
        self.value.as_ref().map(|value| (&self.place, value))
    }
}
