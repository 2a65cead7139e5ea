//! Google's Gemini API, at `generativelanguage.googleapis.com` and at Vertex AI: `generateContent`, its streamed
//! form, counting tokens, embedding, and the list of models.
//!
//! Google reads protobuf's JSON: every member may be written in lower camel case or as the `.proto` file has it.
//! Settings are named here as that file names them, which is also how pacts write them.

use http::header::HeaderName;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use crate::classify::asked::{self, Asked};
use crate::classify::fault::Fault;
use crate::classify::query::read_query;
use crate::classify::strict_json::{Kind, Reader, snake};
use crate::classify::{
    Bounds, JsonPath, Part, PathStep, Peer, Problem, Reading, Reply, RequestView, Speech, content,
};
use crate::domain::{Dialect, HttpTarget, Json};

/// The endpoints that are read. All others are opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A call to the model of that name.
    Call { model: String, action: Action },
    /// The list of models, or one of them.
    Models,
}

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Generate,
    Stream,
    Count,
    Embed,
}

/// Members at the top of a call.
const CALL: [&str; 17] = [
    "contents",
    "systemInstruction",
    "generationConfig",
    "tools",
    "toolConfig",
    "cachedContent",
    "continuationToken",
    "safetySettings",
    "labels",
    "modelArmorConfig",
    "serviceTier",
    "store",
    "model",
    "generateContentRequest",
    "requests",
    "content",
    "embedContentConfig",
];

/// Members of `generationConfig` that a pact may judge: plain values.
const SETTINGS: [&str; 12] = [
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseMimeType",
    "mediaResolution",
    "responseLogprobs",
    "logprobs",
];

/// Its members that shape the answer and nothing else.
const SHAPES: [&str; 10] = [
    "stopSequences",
    "responseSchema",
    "responseJsonSchema",
    "responseModalities",
    "responseFormat",
    "thinkingConfig",
    "speechConfig",
    "imageConfig",
    "audioTranscriptionConfig",
    "translationConfig",
];

/// Its members that hand the call to another model than the URL names.
const ROUTES: [&str; 2] = ["routingConfig", "modelSelectionConfig"];

/// Members of a tool. All but the first are tools that Google runs, as is every member that is not known here.
const TOOL: [&str; 13] = [
    "functionDeclarations",
    "googleSearch",
    "googleSearchRetrieval",
    "codeExecution",
    "urlContext",
    "computerUse",
    "fileSearch",
    "mcpServers",
    "googleMaps",
    "enterpriseWebSearch",
    "retrieval",
    "parallelAiSearch",
    "exaAiSearch",
];

/// Members of a part of a conversation.
const PART: [&str; 20] = [
    "text",
    "thought",
    "thoughtSignature",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
    "videoMetadata",
    "mediaResolution",
    "partMetadata",
    "audioTranscription",
    "mediaProcessing",
    "speechMetadata",
    "documentMetadata",
    "spreadsheetMetadata",
    "audioMetadata",
];

/// Parameters of the query that change no call: its credential, and how the answer is laid out.
const PARAMETERS: [&str; 5] = ["alt", "key", "access_token", "oauth_token", "prettyPrint"];

/// Asks for parts of the answer alone, which would hide what it used.
static FIELD_MASK: HeaderName = HeaderName::from_static("x-goog-fieldmask");

/// The endpoint of that method and normalized path.
pub(super) fn recognizes(method: &Method, path: &str) -> Option<Endpoint> {
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let (version, mut rest) = segments.split_first()?;
    if !matches!(*version, "v1" | "v1beta" | "v1beta1" | "v1alpha") {
        return None;
    }
    if let ["projects", _, "locations", _, inner @ ..] = rest {
        rest = inner;
    }
    match (method, rest) {
        (&Method::POST, ["models", call]) => asked_of("", call),
        (&Method::POST, ["publishers", "google", "models", call]) => asked_of("", call),
        (&Method::POST, ["publishers", publisher, "models", call]) => {
            asked_of(&format!("{publisher}/"), call)
        }
        (&Method::POST, ["tunedModels", call]) => asked_of("tunedModels/", call),
        (&Method::POST, ["endpoints", call]) => asked_of("endpoints/", call),
        (
            &Method::GET,
            ["models"] | ["models", _] | ["publishers", _, "models"] | ["publishers", _, "models", _],
        ) => Some(Endpoint::Models),
        _ => None,
    }
}

/// `gemini-2.5-flash:generateContent`.
fn asked_of(owner: &str, call: &str) -> Option<Endpoint> {
    let (model, action) = call.rsplit_once(':')?;
    let action = match action {
        "generateContent" => Action::Generate,
        "streamGenerateContent" => Action::Stream,
        "countTokens" => Action::Count,
        "embedContent" | "batchEmbedContents" => Action::Embed,
        _ => return None,
    };
    let model = format!("{owner}{model}");
    let model = percent_decode_str(&model).decode_utf8().ok()?.into_owned();
    Some(Endpoint::Call { model, action })
}

/// Reads a request.
pub(super) fn read(
    peer: &Peer,
    view: &RequestView<'_>,
    target: &HttpTarget,
    body: &[u8],
    bounds: &Bounds,
) -> Result<Reading, Fault> {
    let part = match recognizes(view.method, &target.path) {
        Some(Endpoint::Call { model, action }) => {
            content::demand_json(view.headers)?;
            demand_readable_answer(view.query, view.headers, action)?;
            return read_call(peer, model, action, body, bounds);
        }
        Some(Endpoint::Models) => asked::listing(Dialect::Gemini, peer, body)?,
        None => None,
    };
    let reply = Reply::of(Dialect::Gemini);
    Ok(Reading::plain(part.unwrap_or_else(|| Part::opaque(Dialect::Gemini, target, reply))))
}

/// Refuses parameters that would change the answer, or the call, in a way that is not read.
fn demand_readable_answer(query: Option<&str>, headers: &HeaderMap, action: Action) -> Result<(), Fault> {
    if headers.contains_key(&FIELD_MASK) {
        let what = "header `x-goog-fieldmask` hides parts of the answer; leave it out";
        return Err(Fault::new(Problem::HeaderMismatch, what));
    }
    let parameters = read_query(query.unwrap_or_default())?;
    if let Json::Object(members) = &parameters {
        for (name, _) in members {
            if !PARAMETERS.contains(&name.as_str()) {
                let what = "this parameter of the query changes the call or its answer unread; leave it out";
                return Err(Fault::new(Problem::Conflict, what).under_member(name));
            }
        }
    }
    let alt = parameters.member("alt");
    let is = |due: &str| alt.and_then(Json::as_str) == Some(due);
    match action {
        Action::Stream if is("sse") => Ok(()),
        Action::Stream => {
            let what = "a stream is read as server-sent events alone; send `?alt=sse`";
            Err(Fault::new(Problem::MissingField, what).under_member("alt"))
        }
        _ if alt.is_none() || is("json") => Ok(()),
        _ => {
            let what = "this answer is read as JSON alone; leave `alt` out";
            Err(Fault::new(Problem::Conflict, what).under_member("alt"))
        }
    }
}

fn read_call(
    peer: &Peer,
    model: String,
    action: Action,
    body: &[u8],
    bounds: &Bounds,
) -> Result<Reading, Fault> {
    let mut call = Asked::new(Dialect::Gemini, peer, model, bounds)?;
    let mut reader = Reader::new(body, bounds)?;
    members(&mut call, &mut reader, Some(action), &Vec::new())?;
    reader.end()?;
    call.also("max_output_tokens", "max_tokens");
    call.also("candidate_count", "n");
    let speech = Speech::Gemini(peer.provider.clone());
    Ok(match action {
        Action::Generate => call.reading(speech, false),
        Action::Stream => call.reading(speech, true),
        Action::Count | Action::Embed => call.reading(Speech::Unread, false),
    })
}

/// The members of a call; without an action, of a call that stands inside another one. `above` leads to it.
fn members(
    call: &mut Asked,
    reader: &mut Reader<'_>,
    action: Option<Action>,
    above: &JsonPath,
) -> Result<(), Fault> {
    reader.proto_object(&CALL, |reader, name, written| {
        let at = step(above, PathStep::Member(written.to_owned()));
        match (name, reader.kind()?) {
            (_, Kind::Null) => reader.skip(),
            ("contents", Kind::Object) => conversation(call, reader),
            ("contents", _) => reader.array(|reader, _| conversation(call, reader)),
            ("systemInstruction" | "content", _) => conversation(call, reader),
            ("generationConfig" | "embedContentConfig", _) => generation_config(call, reader),
            ("tools", _) => {
                reader.array(|reader, index| tool(call, reader, &step(&at, PathStep::Item(index))))
            }
            ("toolConfig", _) => tool_config(reader),
            ("cachedContent" | "continuationToken", _) => {
                let (start, held) = (reader.offset(), asked::text(reader)?);
                call.refer(name, &held).map_err(|fault| fault.at(start))
            }
            ("safetySettings" | "labels" | "modelArmorConfig", _) => reader.skip(),
            ("serviceTier" | "store", _) => call.setting(reader, &snake(name)),
            ("model", _) => same_model(call, reader),
            ("generateContentRequest", _) if action == Some(Action::Count) => {
                members(call, reader, None, &at)
            }
            ("requests", _) if action == Some(Action::Embed) => {
                reader.array(|reader, index| members(call, reader, None, &step(&at, PathStep::Item(index))))
            }
            _ => asked::pass_unknown(reader),
        }
    })
}

fn step(above: &[PathStep], step: PathStep) -> JsonPath {
    [above, &[step]].concat()
}

/// The body may repeat the model that the URL names, and name no other.
fn same_model(call: &Asked, reader: &mut Reader<'_>) -> Result<(), Fault> {
    let named = asked::name(reader, call.bounds())?;
    let short = named.rsplit_once("models/").map_or(named.as_str(), |(_, short)| short);
    match named == call.model() || short == call.model() {
        true => Ok(()),
        false => Err(reader.fault(Problem::Conflict, "this is not the model that the URL names")),
    }
}

fn generation_config(call: &mut Asked, reader: &mut Reader<'_>) -> Result<(), Fault> {
    let known: Vec<&'static str> = SETTINGS.into_iter().chain(SHAPES).chain(ROUTES).collect();
    reader.proto_object(&known, |reader, name, _| {
        if reader.kind()? == Kind::Null || SHAPES.contains(&name) {
            return reader.skip();
        }
        if ROUTES.contains(&name) {
            let what =
                "another model than the URL names could answer; leave this out and name the model there";
            return Err(reader.fault(Problem::Conflict, what));
        }
        match SETTINGS.contains(&name) {
            true => call.setting(reader, &snake(name)),
            false => asked::pass_unknown(reader),
        }
    })
}

/// One member of `tools`: declarations of functions, and any number of tools that Google runs.
fn tool(call: &mut Asked, reader: &mut Reader<'_>, at: &JsonPath) -> Result<(), Fault> {
    reader.proto_object(&TOOL, |reader, name, written| {
        let at = step(at, PathStep::Member(written.to_owned()));
        match (name, reader.kind()?) {
            (_, Kind::Null) => reader.skip(),
            ("functionDeclarations", _) => {
                reader.array(|reader, index| declaration(call, reader, step(&at, PathStep::Item(index))))
            }
            _ => {
                call.offer_hosted(reader, name.to_owned(), Some(at))?;
                reader.skip()
            }
        }
    })
}

fn declaration(call: &mut Asked, reader: &mut Reader<'_>, at: JsonPath) -> Result<(), Fault> {
    let mut found = None;
    let bounds = *call.bounds();
    reader.proto_object(&["name"], |reader, name, _| match name {
        "name" => {
            found = Some(asked::name(reader, &bounds)?);
            Ok(())
        }
        _ => reader.skip(),
    })?;
    let name = found.ok_or_else(|| reader.fault(Problem::MissingField, "the function has no name"))?;
    call.offer(reader, name, Some(at))
}

fn tool_config(reader: &mut Reader<'_>) -> Result<(), Fault> {
    reader.proto_object(&["functionCallingConfig"], |reader, name, _| {
        if name != "functionCallingConfig" || reader.kind()? == Kind::Null {
            return reader.skip();
        }
        let known = ["mode", "allowedFunctionNames", "streamFunctionCallArguments"];
        reader.proto_object(&known, |reader, name, _| match (name, reader.kind()?) {
            ("streamFunctionCallArguments", Kind::Bool) if !reader.bool()? => Ok(()),
            ("streamFunctionCallArguments", kind) if kind != Kind::Null => {
                let what =
                    "a call is judged on its whole arguments, which would come in pieces; leave this out";
                Err(reader.fault(Problem::Conflict, what))
            }
            _ => reader.skip(),
        })
    })
}

/// One turn of the conversation. What it says is not judged; what the provider would fetch for it is.
fn conversation(call: &mut Asked, reader: &mut Reader<'_>) -> Result<(), Fault> {
    reader.proto_object(&["role", "parts"], |reader, name, _| match (name, reader.kind()?) {
        ("parts", Kind::Array) => reader.array(|reader, _| conversation_part(call, reader)),
        ("parts", Kind::Object) => conversation_part(call, reader),
        ("role", _) => reader.skip(),
        _ => asked::pass_unknown(reader),
    })
}

fn conversation_part(call: &mut Asked, reader: &mut Reader<'_>) -> Result<(), Fault> {
    reader.proto_object(&PART, |reader, name, _| match (name, reader.kind()?) {
        ("fileData", Kind::Object) => file(call, reader),
        ("functionResponse", Kind::Object) => reader.proto_object(&["parts"], |reader, name, _| {
            if name != "parts" || reader.kind()? != Kind::Array {
                return reader.skip();
            }
            reader.array(|reader, _| {
                reader.proto_object(&["inlineData", "fileData"], |reader, name, _| {
                    match (name, reader.kind()?) {
                        ("fileData", Kind::Object) => file(call, reader),
                        ("inlineData", _) => reader.skip(),
                        _ => asked::pass_unknown(reader),
                    }
                })
            })
        }),
        _ if PART.contains(&name) => reader.skip(),
        _ => asked::pass_unknown(reader),
    })
}

fn file(call: &mut Asked, reader: &mut Reader<'_>) -> Result<(), Fault> {
    reader.proto_object(&["fileUri"], |reader, name, _| {
        if name != "fileUri" || reader.kind()? == Kind::Null {
            return reader.skip();
        }
        let (start, uri) = (reader.offset(), asked::text(reader)?);
        call.refer_to_uri("fileData", &uri).map_err(|fault| fault.at(start))
    })
}
