//! A look at a message without building it: most ask for nothing, and some are of megabytes.

use crate::classify::answer::mcp::Exchange;
use crate::classify::answer::mcp::message::{MESSAGE, RESULT, other};
use crate::classify::fault::Fault;
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{Bounds, Problem};
use crate::domain::Decimal;

/// Members of a result that may have to be judged, or that the agent may refer to later.
const CARRIERS: [&str; 9] = [
    "tools",
    "resources",
    "resourceTemplates",
    "prompts",
    "tasks",
    "inputRequests",
    "requestState",
    "task",
    "taskId",
];

/// What one message has.
#[derive(Default)]
struct Seen {
    id: Option<String>,
    method: bool,
    result: bool,
    error: bool,
    carries: bool,
}

/// Whether anything in it may have to be judged. What cannot be read without doubt is a fault, also where nothing
/// has to be judged.
pub(super) fn carries(exchange: &Exchange, data: &[u8], bounds: &Bounds) -> Result<bool, Fault> {
    let mut reader = Reader::new(data, bounds)?;
    let mut carries = false;
    if reader.kind()? == Kind::Array && (exchange.batch || exchange.open) {
        reader.array(|reader, index| {
            if index == bounds.batch {
                return Err(reader.fault(Problem::BatchTooLong, "more messages in one array than are read"));
            }
            carries |= look(exchange, reader, bounds)?;
            Ok(())
        })?;
    } else {
        carries = look(exchange, &mut reader, bounds)?;
    }
    reader.end()?;
    Ok(carries)
}

fn look(exchange: &Exchange, reader: &mut Reader<'_>, bounds: &Bounds) -> Result<bool, Fault> {
    let mut seen = Seen::default();
    reader.object(Distinct::InAnyCase, |reader, name| {
        known_spelling(name, &MESSAGE)?;
        match (name, reader.kind()?) {
            ("id", _) => seen.id = id(reader, bounds)?,
            ("method", kind) => {
                if kind != Kind::String {
                    return Err(reader.fault(Problem::WrongType, "the method is a string"));
                }
                seen.method = true;
                reader.skip()?;
            }
            ("result", kind) => {
                seen.result = true;
                if kind != Kind::Object {
                    return reader.skip();
                }
                seen.carries |= result(reader)?;
            }
            ("error", kind) => {
                seen.error = true;
                if kind != Kind::Object {
                    return reader.skip();
                }
                reader.object(Distinct::InAnyCase, |reader, name| {
                    known_spelling(name, &["data"])?;
                    seen.carries |= name == "data" && reader.kind()? == Kind::Object;
                    reader.skip()
                })?;
            }
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    if [seen.method, seen.result, seen.error].into_iter().filter(|is| *is).count() > 1 {
        return Err(Fault::new(Problem::Conflict, "a message is a request, a result or an error"));
    }
    if seen.result && !exchange.open {
        let id =
            seen.id.as_deref().ok_or_else(|| Fault::new(Problem::MissingField, "the result has no id"))?;
        exchange.method_of(id).ok_or_else(other)?;
    }
    Ok(seen.carries || (seen.method && seen.id.is_some()))
}

fn result(reader: &mut Reader<'_>) -> Result<bool, Fault> {
    let mut carries = false;
    reader.object(Distinct::Exactly, |reader, name| {
        known_spelling(name, &RESULT)?;
        match (name, reader.kind()?) {
            ("resultType", Kind::String) => carries |= reader.string()? != "complete",
            _ => {
                carries |= CARRIERS.contains(&name);
                reader.skip()?;
            }
        }
        Ok(())
    })?;
    Ok(carries)
}

/// What an id means, spelled as for a request.
fn id(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<Option<String>, Fault> {
    let start = reader.offset();
    let wrong =
        |reader: &Reader<'_>| reader.fault(Problem::WrongType, "an id is a short string or a whole number");
    match reader.kind()? {
        Kind::Null => reader.skip().map(|()| None),
        Kind::String => {
            let text = reader.string()?;
            if text.len() > bounds.name_bytes {
                return Err(wrong(reader));
            }
            Ok(Some(format!("\"{text}")))
        }
        Kind::Number => {
            reader.skip()?;
            let number = Decimal::parse(reader.since(start)).ok_or_else(|| wrong(reader))?;
            Ok(Some(number.to_string()))
        }
        _ => Err(wrong(reader)),
    }
}
