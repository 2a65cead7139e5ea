//! Amazon Bedrock's Converse API, whole and streamed. All other endpoints are opaque.
//!
//! A request may be signed (AWS Signature Version 4). The signature covers the path as it is written, the body and
//! some header fields, so of a signed request nothing can be changed: what would have to be is refused.

use http::header::{AUTHORIZATION, CONTENT_ENCODING};
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use crate::classify::asked::{self, Asked};
use crate::classify::fault::{Fault, shown};
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{
    Bounds, JsonPath, Part, PathStep, Peer, Problem, Reading, Reply, RequestView, Speech, betas, content,
};
use crate::domain::{Dialect, HttpTarget, Json};

/// A call to the model of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    model: String,
    streamed: bool,
}

/// Members at the top of a call.
const CALL: [&str; 12] = [
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "promptVariables",
    "additionalModelResponseFieldPaths",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
];

/// Blocks of a conversation that say something and ask for nothing.
const SAYING: [&str; 8] = [
    "text",
    "toolUse",
    "guardContent",
    "cachePoint",
    "reasoningContent",
    "citationsContent",
    "searchResult",
    "json",
];

/// Blocks that may lead to an object in a bucket.
const MEDIA: [&str; 4] = ["image", "document", "video", "audio"];

/// Fields that some model takes beside Converse's own, and that ask for nothing but another manner of answering.
const MANNERS: [&str; 7] = [
    "top_k",
    "topK",
    "thinking",
    "reasoning_config",
    "reasoningConfig",
    "reasoning_effort",
    "inferenceConfig",
];

/// The endpoint of that method and judged path.
pub(super) fn recognizes(method: &Method, path: &str) -> Option<Endpoint> {
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let (model, streamed) = match segments[..] {
        ["model", model, "converse"] if *method == Method::POST => (model, false),
        ["model", model, "converse-stream"] if *method == Method::POST => (model, true),
        _ => return None,
    };
    let model = percent_decode_str(model).decode_utf8().ok()?.into_owned();
    Some(Endpoint { model, streamed })
}

/// The path as it is judged, where the received one is forwarded as it is, because a signature may cover it: the
/// model's id with its colons, and of an ARN also with its slashes, written as escapes.
pub(super) fn judged_path(path: &str) -> Option<String> {
    let inside = path.strip_prefix("/model/")?;
    let (id, action) = inside.split_once('/')?;
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if action.is_empty() || !action.bytes().all(is_plain) || action.starts_with('.') {
        return None;
    }
    let id = id.replace("%3A", ":").replace("%3a", ":").replace("%2f", "%2F");
    let is_arn = id.starts_with("arn:");
    let mut steps = id.split("%2F");
    let is_step =
        |step: &str| !matches!(step, "" | "." | "..") && step.bytes().all(|b| is_plain(b) || b == b':');
    let is_one = steps.clone().count() == 1;
    (steps.all(is_step) && (is_one || is_arn)).then(|| format!("/model/{id}/{action}"))
}

/// The names of the header fields that a signature covers, in lower case; `None` where the request is not signed.
#[must_use]
pub fn signed_headers(headers: &HeaderMap) -> Option<Vec<String>> {
    let values = headers.get_all(AUTHORIZATION).iter().filter_map(|value| value.to_str().ok());
    let credentials = values.filter_map(|value| value.trim().strip_prefix("AWS4-"));
    let mut names: Option<Vec<String>> = None;
    for credential in credentials {
        let listed = credential
            .split([',', ' '])
            .filter_map(|piece| piece.trim().strip_prefix("SignedHeaders="))
            .flat_map(|list| list.split(';'))
            .map(|name| name.trim().to_ascii_lowercase());
        names.get_or_insert_default().extend(listed);
    }
    names
}

/// Reads a request.
pub(super) fn read(
    peer: &Peer,
    view: &RequestView<'_>,
    target: &HttpTarget,
    forwarded: &str,
    body: &[u8],
    bounds: &Bounds,
) -> Result<Reading, Fault> {
    let is_signed = check_signature(view, forwarded)?;
    let Some(Endpoint { model, streamed }) = recognizes(view.method, &target.path) else {
        return Ok(Reading::plain(Part::opaque(Dialect::Bedrock, target, Reply::of(Dialect::Bedrock))));
    };
    content::demand_json(view.headers)?;
    let mut call = Asked::new(Dialect::Bedrock, peer, model, bounds)?;
    if call.model().contains(":prompt/") {
        let prompt = call.model().to_owned();
        call.refer("prompt", &prompt)?;
    }
    let mut reader = Reader::new(body, bounds)?;
    reader.object(Distinct::InAnyCase, |reader, name| member(&mut call, reader, name, is_signed))?;
    reader.end()?;
    Ok(call.reading(Speech::Bedrock(peer.provider.clone()), streamed))
}

/// Makes sure that a signed request can go on as it came. Whether it is signed.
fn check_signature(view: &RequestView<'_>, forwarded: &str) -> Result<bool, Fault> {
    let Some(signed) = signed_headers(view.headers) else { return Ok(false) };
    if forwarded != view.path {
        let what = "the path is signed as it is written, and is not written plainly; write it without needless escapes and dot segments";
        return Err(Fault::new(Problem::Address, what));
    }
    if view.headers.contains_key(CONTENT_ENCODING) {
        let what = "the body is signed with its content-encoding, which is taken off here; send it without";
        return Err(Fault::new(Problem::ContentEncoding, what));
    }
    match signed.iter().find(|name| *name != "host" && !view.headers.contains_key(name.as_str())) {
        Some(name) => {
            let what = format!(
                "header `{}` is signed and did not come, or ends at a proxy; sign without it",
                shown(name)
            );
            Err(Fault::new(Problem::HeaderMismatch, what))
        }
        None => Ok(true),
    }
}

fn member(call: &mut Asked, reader: &mut Reader<'_>, name: &str, is_signed: bool) -> Result<(), Fault> {
    known_spelling(name, &CALL)?;
    match (name, reader.kind()?) {
        (_, Kind::Null) => reader.skip(),
        ("messages", _) => reader.array(|reader, _| message(call, reader)),
        ("system", _) => reader.array(|reader, _| block(call, reader)),
        ("inferenceConfig", _) => inference(call, reader),
        ("toolConfig", _) => tool_config(call, reader, is_signed),
        ("guardrailConfig", _) => guardrail(call, reader),
        ("additionalModelRequestFields", _) => additional(call, reader),
        ("serviceTier", _) => object(reader, &["type"], |reader, name| match name {
            "type" => call.setting(reader, "service_tier"),
            _ => reader.skip(),
        }),
        _ if CALL.contains(&name) => reader.skip(),
        _ => asked::pass_unknown(reader),
    }
}

/// Reads an object whose members are judged.
fn object(
    reader: &mut Reader<'_>,
    known: &[&'static str],
    mut each: impl FnMut(&mut Reader<'_>, &str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    reader.object(Distinct::InAnyCase, |reader, name| {
        known_spelling(name, known)?;
        match reader.kind()? {
            Kind::Null => reader.skip(),
            _ => each(reader, name),
        }
    })
}

fn inference(call: &mut Asked, reader: &mut Reader<'_>) -> Result<(), Fault> {
    object(reader, &["maxTokens", "temperature", "topP", "stopSequences"], |reader, name| match name {
        "maxTokens" => call.setting(reader, "max_tokens"),
        "temperature" => call.setting(reader, "temperature"),
        "topP" => call.setting(reader, "top_p"),
        "stopSequences" => reader.skip(),
        _ => asked::pass_unknown(reader),
    })
}

fn guardrail(call: &mut Asked, reader: &mut Reader<'_>) -> Result<(), Fault> {
    object(reader, &["guardrailIdentifier", "guardrailVersion"], |reader, name| match name {
        "guardrailIdentifier" => call.setting(reader, "guardrail_identifier"),
        "guardrailVersion" => call.setting(reader, "guardrail_version"),
        _ => reader.skip(),
    })
}

/// What goes to the model past Converse. A model may take tools or servers there, so all but a few names are refused.
fn additional(call: &mut Asked, reader: &mut Reader<'_>) -> Result<(), Fault> {
    reader.object(Distinct::InAnyCase, |reader, name| match (name, reader.kind()?) {
        (_, Kind::Null) => reader.skip(),
        ("top_k" | "topK", Kind::Number) => call.setting(reader, "top_k"),
        // The betas of Anthropic's models, under the name that pacts know.
        ("anthropic_beta", Kind::Array) => {
            let (listed, mut names) = (call.betas.clone(), Vec::new());
            reader.array(|reader, _| {
                if reader.kind()? != Kind::String {
                    return Err(reader.fault(Problem::WrongType, "the name of a beta is a string"));
                }
                betas::admit(&listed, &mut names, &reader.string()?)
            })?;
            call.set("anthropic_beta", Json::Array(names.into_iter().map(Json::String).collect()));
            Ok(())
        }
        ("inferenceConfig", Kind::Object) => object(reader, &["topK"], |reader, name| match name {
            "topK" => call.setting(reader, "top_k"),
            _ => Err(unjudged(reader)),
        }),
        (name, _) if MANNERS.contains(&name) => reader.skip(),
        _ => Err(unjudged(reader)),
    })
}

fn unjudged(reader: &Reader<'_>) -> Fault {
    let what = "what goes to the model past Converse is not read, so it cannot be judged; leave it out";
    reader.fault(Problem::Conflict, what)
}

fn tool_config(call: &mut Asked, reader: &mut Reader<'_>, is_signed: bool) -> Result<(), Fault> {
    object(reader, &["tools", "toolChoice"], |reader, name| match name {
        "tools" => reader.array(|reader, index| {
            let member = |name: &str| PathStep::Member(name.to_owned());
            let at = vec![member("toolConfig"), member("tools"), PathStep::Item(index)];
            tool(call, reader, (!is_signed).then_some(at))
        }),
        "toolChoice" => reader.skip(),
        _ => asked::pass_unknown(reader),
    })
}

/// One tool: a union of one member.
fn tool(call: &mut Asked, reader: &mut Reader<'_>, at: Option<JsonPath>) -> Result<(), Fault> {
    let mut is_read = false;
    object(reader, &["toolSpec", "systemTool", "cachePoint"], |reader, kind| {
        if std::mem::replace(&mut is_read, true) {
            return Err(reader.fault(Problem::Conflict, "a tool is of one kind; send one member"));
        }
        match kind {
            "cachePoint" => reader.skip(),
            "toolSpec" => {
                let name = named(call, reader)?;
                call.offer(reader, name, at.clone())
            }
            "systemTool" => {
                let name = named(call, reader)?;
                call.offer_hosted(reader, name, at.clone())
            }
            _ => {
                call.offer_hosted(reader, kind.to_owned(), at.clone())?;
                reader.skip()
            }
        }
    })
}

/// The member `name` of an object.
fn named(call: &Asked, reader: &mut Reader<'_>) -> Result<String, Fault> {
    let mut found = None;
    object(reader, &["name"], |reader, name| match name {
        "name" => {
            found = Some(asked::name(reader, call.bounds())?);
            Ok(())
        }
        _ => reader.skip(),
    })?;
    found.ok_or_else(|| reader.fault(Problem::MissingField, "the tool has no name"))
}

fn message(call: &mut Asked, reader: &mut Reader<'_>) -> Result<(), Fault> {
    object(reader, &["role", "content"], |reader, name| match name {
        "content" => reader.array(|reader, _| block(call, reader)),
        _ => asked::pass_unknown(reader),
    })
}

/// One block of the conversation. What it says is not judged; the tools it adds and what it fetches are.
fn block(call: &mut Asked, reader: &mut Reader<'_>) -> Result<(), Fault> {
    let known: Vec<&'static str> =
        SAYING.into_iter().chain(MEDIA).chain(["toolResult", "toolAddition", "toolRemoval"]).collect();
    object(reader, &known, |reader, name| match name {
        "toolResult" => object(reader, &["content"], |reader, name| match name {
            "content" => reader.array(|reader, _| block(call, reader)),
            _ => asked::pass_unknown(reader),
        }),
        "toolAddition" => object(reader, &["tool"], |reader, name| match name {
            "tool" => added(call, reader),
            _ => asked::pass_unknown(reader),
        }),
        "toolRemoval" => reader.skip(),
        _ if SAYING.contains(&name) => reader.skip(),
        _ if MEDIA.contains(&name) => media(call, reader),
        _ => asked::pass_unknown(reader),
    })
}

/// A tool that the conversation adds. It stays where it stands: a message without it would be another message.
fn added(call: &mut Asked, reader: &mut Reader<'_>) -> Result<(), Fault> {
    let (mut tool, mut server) = (None, None);
    let bounds = *call.bounds();
    object(reader, &["type", "name", "serverName"], |reader, name| {
        let held = match name {
            "name" => &mut tool,
            "serverName" => &mut server,
            _ => return asked::pass_unknown(reader),
        };
        *held = Some(asked::name(reader, &bounds)?);
        Ok(())
    })?;
    match (tool, server) {
        (Some(name), None) => call.offer(reader, name, None),
        (Some(name), Some(server)) => call.offer_hosted(reader, format!("{server}/{name}"), None),
        (None, Some(server)) => call.offer_hosted(reader, server, None),
        (None, None) => Err(reader.fault(Problem::MissingField, "the tool has no name")),
    }
}

fn media(call: &mut Asked, reader: &mut Reader<'_>) -> Result<(), Fault> {
    object(reader, &["source"], |reader, name| {
        if name != "source" {
            return reader.skip();
        }
        object(reader, &["bytes", "s3Location", "text", "content"], |reader, name| match name {
            "s3Location" => object(reader, &["uri"], |reader, name| {
                if name != "uri" {
                    return reader.skip();
                }
                let (start, uri) = (reader.offset(), asked::text(reader)?);
                call.refer_to_uri("s3Location", &uri).map_err(|fault| fault.at(start))
            }),
            "bytes" | "text" | "content" => reader.skip(),
            _ => asked::pass_unknown(reader),
        })
    })
}
