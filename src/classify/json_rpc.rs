//! JSON-RPC 2.0 messages: requests, notifications, responses.

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

/// What was read of a message so far. It outlives a fault, so that the refusal can be addressed.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) id: Option<Id>,
    pub(super) method: Option<String>,
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// With a method; it has an id where an answer is due.
    Call,
    /// An answer to a request of the other side.
    Response,
}

/// Reads one message; `read_params` reads its `params`, which are an object.
pub(super) fn read_message<P: Default>(
    reader: &mut Reader<'_>,
    bounds: &Bounds,
    heard: &mut Heard,
    mut read_params: impl FnMut(&mut Reader<'_>) -> Result<P, Fault>,
) -> Result<(Shape, P), Fault> {
    let mut params = P::default();
    let mut is_versioned = false;
    let mut answers = 0;
    reader.object(Distinct::InAnyCase, |reader, name| {
        known_spelling(name, &MEMBERS)?;
        match name {
            "jsonrpc" => {
                is_versioned = reader.kind()? == Kind::String && reader.string()? == "2.0";
                if is_versioned { Ok(()) } else { Err(reader.fault(Problem::WrongType, "`2.0` is due here")) }
            }
            "id" => {
                heard.id = Some(read_id(reader, bounds)?);
                Ok(())
            }
            "method" if reader.kind()? == Kind::String => {
                heard.method = Some(reader.string()?.into_owned());
                Ok(())
            }
            "method" => Err(reader.fault(Problem::WrongType, "the method is a string")),
            "params" if reader.kind()? == Kind::Object => {
                params = read_params(reader)?;
                Ok(())
            }
            "params" => Err(reader.fault(Problem::WrongType, "the parameters are an object; leave them out if none")),
            "result" | "error" => {
                answers += 1;
                reader.skip()
            }
            _ => reader.skip(),
        }
    })?;
    if !is_versioned {
        return Err(Fault::new(Problem::MissingField, "`jsonrpc` is missing; send `\"jsonrpc\": \"2.0\"`"));
    }
    match (&heard.method, answers) {
        (Some(_), 0) => Ok((Shape::Call, params)),
        (None, 1) if heard.id.is_some() => Ok((Shape::Response, params)),
        (None, 0) => Err(Fault::new(Problem::MissingField, "the message has no `method`")),
        (None, 1) => Err(Fault::new(Problem::MissingField, "the response has no `id`")),
        _ => Err(Fault::new(Problem::Conflict, "a message is a request or a response, not both")),
    }
}

/// `null` is no id: some servers take it for a notification, others for a request.
fn read_id(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<Id, Fault> {
    let start = reader.offset();
    let wrong = |reader: &Reader<'_>| reader.fault(Problem::WrongType, "an id is a short string or a whole number");
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
