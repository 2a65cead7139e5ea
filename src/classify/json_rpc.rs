//! JSON-RPC 2.0 messages: requests, notifications, responses.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::classify::fault::Fault;
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{Bounds, Problem};

const MEMBERS: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

/// Digits of a numeric id, its sign included: what fits a signed 64-bit integer.
const ID_DIGITS_MAX: usize = 20;

/// The id of a request: a string or a whole number.
#[derive(Clone, Debug)]
pub(super) struct Id {
    /// As the caller spelled it.
    pub(super) raw: Box<RawValue>,
    /// What it means: two ids are the same when this is.
    pub(super) value: String,
}

/// A message.
pub(super) struct Message<P> {
    /// Its id; a call without one is a notification.
    pub(super) id: Option<Id>,
    /// Its method; a message without one is a response to a request of the other side.
    pub(super) method: Option<String>,
    pub(super) params: P,
}

/// Reads one message; `read_params` reads its `params`, which are an object.
pub(super) fn read_message<P: Default>(
    reader: &mut Reader<'_>,
    bounds: &Bounds,
    mut read_params: impl FnMut(&mut Reader<'_>) -> Result<P, Fault>,
) -> Result<Message<P>, Fault> {
    let mut message = Message { id: None, method: None, params: P::default() };
    let mut is_versioned = false;
    let mut answers = 0;
    reader.object(Distinct::InAnyCase, |reader, name| {
        known_spelling(name, &MEMBERS)?;
        match (name, reader.kind()?) {
            ("jsonrpc", Kind::String) => is_versioned = reader.string()? == "2.0",
            ("id", _) => message.id = Some(read_id(reader, bounds)?),
            ("method", Kind::String) => message.method = Some(reader.string()?.into_owned()),
            ("params", Kind::Object) => message.params = read_params(reader)?,
            ("method", _) => return Err(reader.fault(Problem::WrongType, "the method is a string")),
            ("params", _) => {
                let what = "the parameters are an object; leave them out if there are none";
                return Err(reader.fault(Problem::WrongType, what));
            }
            ("result" | "error", _) => {
                answers += 1;
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    if !is_versioned {
        return Err(Fault::new(Problem::MissingField, "`jsonrpc` is not there or not `2.0`; send `\"2.0\"`"));
    }
    match (&message.method, answers) {
        (Some(_), 0) => Ok(message),
        (None, 1) if message.id.is_some() => Ok(message),
        (None, 0) => Err(Fault::new(Problem::MissingField, "the message has no `method`")),
        (None, 1) => Err(Fault::new(Problem::MissingField, "the response has no `id`")),
        _ => Err(Fault::new(Problem::Conflict, "a message is a request or a response, not both")),
    }
}

/// Who waits for an answer to a message that is refused. Nothing is judged by it: it only addresses the refusal.
#[derive(Deserialize)]
pub(super) struct Sender<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    method: Option<Cow<'a, str>>,
}

/// Any id that stands there, `null` included.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl<'a> Sender<'a> {
    /// Looks for the sender in a message that need not be well-formed; `None` where nobody can be made out.
    pub(super) fn of(body: &'a [u8]) -> Option<Self> {
        // A derived reader would take an array for an object without names.
        let is_object = body.trim_ascii_start().starts_with(b"{");
        if is_object { serde_json::from_slice(body).ok() } else { None }
    }

    pub(super) fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// The id, where it is one that may be repeated.
    pub(super) fn id(&self, bounds: &Bounds) -> Option<Box<RawValue>> {
        let mut reader = Reader::new(self.id?.get().as_bytes(), bounds).ok()?;
        read_id(&mut reader, bounds).ok().map(|id| id.raw)
    }

    pub(super) fn has_id(&self) -> bool {
        self.id.is_some()
    }
}

/// `null` is no id: some servers take it for a notification, others for a request.
fn read_id(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<Id, Fault> {
    let start = reader.offset();
    let wrong =
        |reader: &Reader<'_>| reader.fault(Problem::WrongType, "an id is a short string or a whole number");
    let value = match reader.kind()? {
        Kind::String => {
            let text = reader.string()?;
            if text.len() > bounds.name_bytes {
                return Err(wrong(reader));
            }
            format!("\"{text}")
        }
        Kind::Number => {
            reader.skip()?;
            let text = reader.since(start);
            let is_whole = text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
            if !is_whole || text.len() > ID_DIGITS_MAX || text == "-0" {
                return Err(wrong(reader));
            }
            text.to_owned()
        }
        _ => return Err(wrong(reader)),
    };
    let raw = RawValue::from_string(reader.since(start).to_owned()).map_err(|_| wrong(reader))?;
    Ok(Id { raw, value })
}
