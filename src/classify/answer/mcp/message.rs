//! One message of a server: what in it has to be judged, and how it is told without what was refused.

use crate::classify::answer::mcp::listing::List;
use crate::classify::answer::mcp::{Asked, Exchange};
use crate::classify::answer::script::{Made, Question};
use crate::classify::answer::whole::Edit;
use crate::classify::fault::{Fault, shown};
use crate::classify::names::check_member_name;
use crate::classify::strict_json::known_spelling;
use crate::classify::{Bounds, Problem, Reference};
use crate::domain::{Action, Decimal, Dialect, Digest, Json, Target};

/// Members of a message, and of a result as far as anything is judged by them.
pub(super) const MESSAGE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
pub(super) const RESULT: [&str; 12] = [
    "tools",
    "resources",
    "resourceTemplates",
    "prompts",
    "tasks",
    "nextCursor",
    "cacheScope",
    "resultType",
    "inputRequests",
    "requestState",
    "task",
    "taskId",
];
const ASK: [&str; 2] = ["method", "params"];

/// Asks of the client in one result.
const ASKS_MAX: usize = 32;

/// A refused ask, as a JSON-RPC error: the code of what the pact forbids.
const REFUSED: i64 = 403_001;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stays,
    /// It is taken out whole.
    Goes,
}

/// What a message is, as far as anything is judged by it.
enum Holds<'x, 'm> {
    Nothing,
    /// The server asks something of the client.
    Ask {
        id: String,
        method: &'m str,
        params: Option<&'m Json>,
    },
    /// The server answers.
    Result {
        of: Option<&'x Asked>,
        result: &'m Json,
    },
    /// The server answers that the client has to do something first.
    Demands(&'m [Json]),
}

/// What has to be judged in a message, in order.
pub(super) fn questions(
    exchange: &Exchange,
    message: &Json,
    bounds: &Bounds,
) -> Result<Vec<Question>, Fault> {
    match holds(exchange, message, bounds)? {
        Holds::Nothing => Ok(Vec::new()),
        Holds::Ask { id, method, params } => {
            let note = Question::Note(Reference::Ask { server: exchange.server.clone(), id });
            // It asks whether somebody is there, and nothing else.
            let asks = (method != "ping").then(|| ask(exchange, Some(method), params, bounds));
            Ok(asks.into_iter().chain([note]).collect())
        }
        Holds::Demands(demands) => {
            bounded(demands.len())?;
            let each = |demand| ask(exchange, Some("elicitation/create"), Some(demand), bounds);
            Ok(demands.iter().map(each).collect())
        }
        Holds::Result { of, result } => of_result(exchange, of, result, bounds),
    }
}

fn of_result(
    exchange: &Exchange,
    of: Option<&Asked>,
    result: &Json,
    bounds: &Bounds,
) -> Result<Vec<Question>, Fault> {
    let Json::Object(members) = result else { return Ok(Vec::new()) };
    for (name, _) in members {
        known_spelling(name, &RESULT).map_err(|fault| fault.under_member("result"))?;
    }
    let mut questions = Vec::new();
    if let Some(list) = list(exchange, of, result) {
        let entries = list.entries(&exchange.server, result, bounds);
        questions.push(Question::Listing(entries.map_err(|fault| fault.under_member("result"))?));
    }
    let requests = match result.member("inputRequests") {
        None | Some(Json::Null) => &[][..],
        Some(Json::Object(requests)) => requests,
        Some(_) => {
            let fault = Fault::new(Problem::WrongType, "the asks of a server are an object");
            return Err(fault.under_member("inputRequests").under_member("result"));
        }
    };
    bounded(requests.len())?;
    for (_, request) in requests {
        let Json::Object(members) = request else {
            return Err(Fault::new(Problem::WrongType, "what a server asks is an object"));
        };
        for (name, _) in members {
            known_spelling(name, &ASK).map_err(|fault| fault.under_member("inputRequests"))?;
        }
        let method = request.member("method").and_then(Json::as_str);
        questions.push(ask(exchange, method, request.member("params"), bounds));
    }
    questions.extend(notes(exchange, of, result).map(Question::Note));
    Ok(questions)
}

/// What the agent may refer to later because of this result.
fn notes(exchange: &Exchange, of: Option<&Asked>, result: &Json) -> impl Iterator<Item = Reference> {
    let server = &exchange.server;
    let wants = matches!(result.member("resultType").and_then(Json::as_str), Some("input_required"))
        || result.member("inputRequests").is_some();
    let retry = of.filter(|_| wants).map(|asked| Reference::Retry {
        server: server.clone(),
        state: result.member("requestState").and_then(Json::as_str).map(|state| Digest::of(state.as_bytes())),
        of: asked.of,
    });
    let named = |value: &Json| value.member("taskId").and_then(Json::as_str).map(str::to_owned);
    // What is known of tasks is not made from what is told of them: a server could hand out those of others.
    let makes = of.is_some_and(|asked| !asked.method.starts_with("tasks/"));
    let task = named(result).or_else(|| result.member("task").and_then(named)).filter(|_| makes);
    let task = task.map(|id| Reference::Task { server: server.clone(), id });
    retry.into_iter().chain(task)
}

fn list(exchange: &Exchange, of: Option<&Asked>, result: &Json) -> Option<List> {
    match of {
        Some(asked) => List::of_method(&asked.method),
        None if exchange.open => List::of_look(result),
        None => None,
    }
}

/// What it would be to do what the server asks: a prompt of the server's by the name of the method.
fn ask(exchange: &Exchange, method: Option<&str>, params: Option<&Json>, bounds: &Bounds) -> Question {
    let method = method.unwrap_or_default();
    let made = match check_member_name(method, bounds.name_bytes) {
        Ok(()) => Made::Call(Action {
            target: Target::Prompt { server: exchange.server.clone(), name: method.to_owned() },
            fields: Json::object([("args", params.cloned().unwrap_or_else(|| Json::Object(Vec::new())))]),
            dialect: Dialect::Mcp,
        }),
        Err(fault) => Made::Unreadable {
            attempted: format!("ask of the server `{}`: `{}`", exchange.server, shown(method)),
            detail: format!("{} ({})", fault.detail(), fault.problem().name()),
        },
    };
    Question::Call(made)
}

fn bounded(count: usize) -> Result<(), Fault> {
    if count > ASKS_MAX {
        let what = format!("a server that asks more than {ASKS_MAX} things of the client at once");
        return Err(Fault::new(Problem::TooLarge, what));
    }
    Ok(())
}

fn holds<'x, 'm>(exchange: &'x Exchange, message: &'m Json, bounds: &Bounds) -> Result<Holds<'x, 'm>, Fault> {
    let Json::Object(members) = message else {
        return Err(Fault::new(Problem::WrongType, "a message is a JSON object"));
    };
    for (name, _) in members {
        known_spelling(name, &MESSAGE)?;
    }
    let id = id(message.member("id"), bounds)?;
    match (message.member("method"), message.member("result"), message.member("error")) {
        (None, None, None) => Ok(Holds::Nothing),
        (None, None, Some(error)) => {
            let demands = error.at(&["data", "elicitations"]).map(Json::items).unwrap_or_default();
            Ok(if demands.is_empty() { Holds::Nothing } else { Holds::Demands(demands) })
        }
        (Some(Json::String(method)), None, None) => Ok(match id {
            Some(id) => Holds::Ask { id, method, params: message.member("params") },
            None => Holds::Nothing,
        }),
        (None, Some(result), None) => {
            let id = id.ok_or_else(|| Fault::new(Problem::MissingField, "the result has no id"))?;
            let of = exchange.method_of(&id);
            if of.is_none() && !exchange.open {
                return Err(other());
            }
            Ok(Holds::Result { of, result })
        }
        (Some(_), None, None) => Err(Fault::new(Problem::WrongType, "the method is a string")),
        _ => Err(Fault::new(Problem::Conflict, "a message is a request, a result or an error")),
    }
}

/// An answer to something that was not asked for here: the client would take it for that of another call.
pub(super) fn other() -> Fault {
    Fault::new(Problem::Conflict, "it answers a message that was not sent with it")
}

/// What an id means, spelled as for a request.
fn id(given: Option<&Json>, bounds: &Bounds) -> Result<Option<String>, Fault> {
    match given {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) if text.len() <= bounds.name_bytes => Ok(Some(format!("\"{text}"))),
        Some(Json::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(Fault::new(Problem::WrongType, "an id is a short string or a whole number")),
    }
}

/// Tells a message without what was refused; takes from `edits` as many as it has questions.
pub(super) fn rewrite<'e>(
    exchange: &Exchange,
    message: &mut Json,
    edits: &mut impl Iterator<Item = &'e Edit>,
) -> Result<Fate, Fault> {
    // What is judged here was read before, within the bounds of then.
    let bounds = Bounds { name_bytes: usize::MAX, uri_bytes: usize::MAX, ..Bounds::default() };
    let count = questions(exchange, message, &bounds)?.len();
    let own: Vec<&Edit> = edits.take(count).collect();
    let refused = own.iter().find_map(|edit| match edit {
        Edit::Replace(text) => Some(text.as_str()),
        _ => None,
    });
    let shown = own.iter().find_map(|edit| match edit {
        Edit::Show(shown) => Some(shown.as_slice()),
        _ => None,
    });
    let (is_ask, of) = match holds(exchange, message, &bounds)? {
        Holds::Ask { .. } => (true, None),
        Holds::Result { of, .. } => (false, of),
        _ => (false, None),
    };
    match refused {
        Some(_) if is_ask => return Ok(Fate::Goes),
        Some(text) => refuse(exchange, of, message, text),
        None => {}
    }
    if let (Some(shown), Some(result)) = (shown, message.member_mut("result"))
        && let Some(list) = list(exchange, of, result)
    {
        shorten(exchange, result, list, shown);
    }
    Ok(Fate::Stays)
}

/// Says in the place of a result that the client may not be asked that.
fn refuse(exchange: &Exchange, of: Option<&Asked>, message: &mut Json, text: &str) {
    if of.is_some_and(|asked| asked.method == "tools/call") {
        let said = Json::object([("type", Json::text_of("text")), ("text", Json::text_of(text))]);
        let mut result = Json::object([("isError", Json::Bool(true)), ("content", Json::Array(vec![said]))]);
        if exchange.stateless {
            result.set("resultType", Json::text_of("complete"));
        }
        message.set("result", result);
        return;
    }
    message.remove("result");
    let code = Json::Number(Decimal::from(REFUSED));
    message.set("error", Json::object([("code", code), ("message", Json::text_of(text))]));
}

fn shorten(exchange: &Exchange, result: &mut Json, list: List, shown: &[bool]) {
    if shown.iter().all(|shown| *shown) {
        return;
    }
    if let Some(Json::Array(entries)) = result.member_mut(list.member()) {
        let mut shown = shown.iter();
        entries.retain(|_| shown.next().copied().unwrap_or(false));
    }
    // What one agent may see is not what another one may.
    if exchange.stateless {
        result.set("cacheScope", Json::text_of("private"));
    }
}
