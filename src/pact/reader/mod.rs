//! From a document to typed values, without stopping at the first problem.
//!
//! The types derive `Deserialize` as usual. This deserializer reads them from a [`Node`], notes every problem with
//! its place, and lets [`At`] go on where a plain deserializer would give up.

mod nearest;
mod values;

use std::cell::RefCell;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

use crate::domain::Json;
use crate::pact::diagnostics::{Diagnostic, Diagnostics, File};
use crate::pact::document::{Node, Place, Value, shorten};
use crate::pact::reader::nearest::listed;

pub use nearest::nearest;
pub use values::{At, Constant, Many, Number, Table};

// What the types in `values` ask the reader for; no struct of a file can have such a name.
const AT: &str = "\0at";
const MANY: &str = "\0many";
const CONSTANT: &str = "\0constant";
const NUMBER: &str = "\0number";

/// Reads a value of type `T`; every problem is added to `found`.
pub fn read<T: for<'de> Deserialize<'de>>(file: &File, node: &Node, found: &mut Diagnostics) -> Option<T> {
    let notes = RefCell::new(Diagnostics::default());
    let value = T::deserialize(Reader { file, node, notes: &notes }).ok();
    found.extend(notes.into_inner());
    value
}

/// A problem that has been noted, or is about to be.
#[derive(Debug)]
struct Problem {
    message: String,
    noted: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    fn custom<M: fmt::Display>(message: M) -> Self {
        Self { message: message.to_string(), noted: false }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("`{field}` is missing"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let shown = expected.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        Self::custom(format_args!("`{}` is none of {shown}", shorten(variant)))
    }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    file: &'a File,
    node: &'a Node,
    notes: &'a RefCell<Diagnostics>,
}

impl<'a> Reader<'a> {
    fn at(self, node: &'a Node) -> Self {
        Self { node, ..self }
    }

    fn note(self, place: &Place, message: &str, remedy: Option<String>) -> Problem {
        let found = Diagnostic::error(self.file, place.clone(), message);
        self.notes.borrow_mut().push(Diagnostic { remedy, ..found });
        Problem { message: message.to_owned(), noted: true }
    }

    /// Notes a problem here, unless a deeper place has done so.
    fn locate<T>(self, result: Result<T, Problem>) -> Result<T, Problem> {
        result.map_err(|problem| match problem.noted {
            true => problem,
            false => {
                self.note(&self.node.place, &problem.message, Some("correct what stands here".to_owned()))
            }
        })
    }

    fn wrong(self, expected: &str, remedy: &str) -> Problem {
        let message = format!("expected {expected}, found {}", self.node.kind());
        self.note(&self.node.place, &message, Some(remedy.to_owned()))
    }

    fn members(self) -> Result<&'a [(Node, Node)], Problem> {
        match &self.node.value {
            Value::Map(members) => Ok(members),
            _ => Err(self.wrong("a mapping", "write `name: value` pairs here")),
        }
    }

    /// Hands a scalar over as its kind and its text.
    fn constant<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Problem> {
        let text = self.node.text().unwrap_or_default();
        let kind = match self.node.json() {
            Ok(Json::Number(_)) => "number",
            Ok(Json::Bool(_)) => "boolean",
            Ok(Json::String(_)) => "string",
            Ok(Json::Null) => return Err(self.wrong("a value", "to ask for absence write `present: false`")),
            Ok(_) => return Err(self.wrong("a single value", "write text, a number, `true` or `false`")),
            Err(_) => {
                let remedy = "write a number as JSON does, or put the text in quotes";
                return Err(self.wrong("a value that all YAML readers read alike", remedy));
            }
        };
        self.locate(visitor.visit_seq(de::value::SeqDeserializer::new([kind, text].into_iter())))
    }

    fn number<T: std::str::FromStr>(self) -> Result<T, Problem> {
        let plain = match &self.node.value {
            Value::Plain(text) => text.as_str(),
            _ => "",
        };
        let remedy = "write digits, without quotes, sign or separators";
        plain.parse().map_err(|_| self.wrong("a whole number", remedy))
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.node.value {
            Value::Plain(_) | Value::Text(_) => self.deserialize_str(visitor),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.node.value {
            Value::Plain(text) if text == "true" => self.locate(visitor.visit_bool(true)),
            Value::Plain(text) if text == "false" => self.locate(visitor.visit_bool(false)),
            _ => Err(self.wrong("`true` or `false`", "write `true` or `false`, without quotes")),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.locate(self.number().and_then(|n| visitor.visit_u64(n)))
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.locate(self.number().and_then(|n| visitor.visit_u32(n)))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.node.value {
            Value::Text(text) => self.locate(visitor.visit_borrowed_str(text)),
            Value::Plain(text) => match self.node.json() {
                Ok(Json::String(_)) => self.locate(visitor.visit_borrowed_str(text)),
                Ok(Json::Null) => Err(self.wrong("text", "write a value here, or leave the field out")),
                _ => Err(self.wrong("text", &format!("put it in quotes: \"{}\"", shorten(text)))),
            },
            _ => Err(self.wrong("text", "write a single value here")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match (name, &self.node.value) {
            (AT, _) => visitor.visit_seq(Placed { reader: self, next: 0 }),
            (CONSTANT, _) => self.constant(visitor),
            (NUMBER, _) => match self.node.json() {
                Ok(Json::Number(_)) | Err(_) => self.constant(visitor),
                Ok(_) => Err(self.wrong("a number", "write digits without quotes, such as `100` or `0.5`")),
            },
            (MANY, Value::List(items)) => visitor.visit_seq(Items { reader: self, rest: items.iter() }),
            (MANY, _) => {
                visitor.visit_seq(Items { reader: self, rest: std::slice::from_ref(self.node).iter() })
            }
            _ => self.locate(visitor.visit_newtype_struct(self)),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match &self.node.value {
            Value::List(items) => visitor.visit_seq(Items { reader: self, rest: items.iter() }),
            _ => Err(self.wrong("a list", "write a list: `[first, second]`")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let members = self.members()?;
        visitor.visit_map(Members { reader: self, known: None, rest: members.iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let members = self.members()?;
        let members = Members { reader: self, known: Some(fields), rest: members.iter(), value: None };
        self.locate(visitor.visit_map(members))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match self.node.text() {
            Some(text) if variants.contains(&text) => {
                let name: StrDeserializer<'_, Problem> = text.into_deserializer();
                self.locate(visitor.visit_enum(name))
            }
            _ => {
                let remedy = nearest(self.node.text().unwrap_or_default(), variants);
                Err(self.wrong(&format!("one of {}", listed(variants)), &remedy))
            }
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
    }
}

struct Items<'a> {
    reader: Reader<'a>,
    rest: std::slice::Iter<'a, Node>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        self.rest.next().map(|node| seed.deserialize(self.reader.at(node))).transpose()
    }
}

struct Members<'a> {
    reader: Reader<'a>,
    /// The fields of a struct; a table takes any name.
    known: Option<&'static [&'static str]>,
    rest: std::slice::Iter<'a, (Node, Node)>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        for (name, value) in self.rest.by_ref() {
            let text = name.text().unwrap_or_default();
            if let Some(known) = self.known.filter(|known| !known.contains(&text)) {
                let message = format!("unknown field `{}`", shorten(text));
                self.reader.note(&name.place, &message, Some(nearest(text, known)));
                continue;
            }
            self.value = Some(value);
            return seed.deserialize(self.reader.at(name)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Problem> {
        match self.value.take() {
            Some(node) => seed.deserialize(self.reader.at(node)),
            None => Err(de::Error::custom("a name without a value")),
        }
    }
}

/// A node as place and value: start, end, and the value last.
struct Placed<'a> {
    reader: Reader<'a>,
    next: u8,
}

impl<'de> SeqAccess<'de> for Placed<'de> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        self.next += 1;
        let place = &self.reader.node.place;
        match self.next {
            1 => seed.deserialize(place.start.into_deserializer()).map(Some),
            2 => seed.deserialize(place.end.into_deserializer()).map(Some),
            3 => seed.deserialize(self.reader).map(Some),
            _ => Ok(None),
        }
    }
}
