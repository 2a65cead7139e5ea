//! OpenAI's Responses API: a call to a model whose tools, and whose state at the provider, may stand in many places.

mod input;
mod references;
mod tools;

use crate::classify::fault::Fault;
use crate::classify::model::{self, Form, Settings};
use crate::classify::strict_json::{Kind, Reader};
use crate::classify::{
    Bounds, Coverage, JsonPath, Offer, Part, PathStep, Peer, Problem, Reading, Reply, Speech,
};
use crate::domain::{Action, Dialect, Json, Target};

const FORM: Form = Form {
    dialect: Dialect::OpenAi,
    reply: Reply::OpenAi,
    speech: Speech::Responses(String::new()),
    judged: &[
        "model",
        "models",
        "fallbacks",
        "stream",
        "max_output_tokens",
        "max_tokens",
        "max_completion_tokens",
        "max_tool_calls",
        "temperature",
        "top_p",
        "background",
        "store",
        "tools",
        "input",
        "previous_response_id",
        "conversation",
        "prompt",
    ],
    conversation: &["instructions"],
    hosted: &[],
    is_run_by_caller: |kind| matches!(kind, "function" | "custom"),
    own: |_, _, _, _, _| Ok(false),
    finish: |_| {},
    settle: settle_token_bound,
};

/// Members that hold more than a scalar, and that no tool, no state and no other model can stand in. A container of
/// any other name is an offer of the provider's, judged by that name.
const PLAIN: [&str; 11] = [
    "access_programs",
    "context_management",
    "image",
    "include",
    "metadata",
    "moderation",
    "prompt_cache_options",
    "reasoning",
    "stream_options",
    "text",
    "tool_choice",
];

/// What is found beside the model and its settings.
struct Found<'b> {
    bounds: &'b Bounds,
    provider: String,
    /// Tools that it puts before the model.
    offers: Vec<Offer>,
    /// State at the provider that it makes use of, and approvals that it gives.
    further: Vec<(Target, Json)>,
}

/// Reads a call. `counts` where only its tokens are counted, so that no model answers.
pub(super) fn read(peer: &Peer, counts: bool, body: &[u8], bounds: &Bounds) -> Result<Reading, Fault> {
    let mut found = Found::new(peer, bounds);
    let reading =
        model::read_with(&FORM, peer, None, body, bounds, &mut |reader, name| found.member(reader, name));
    let mut reading = found.join(reading?);
    reading.expected.speech = Speech::Responses(peer.provider.clone());
    if counts {
        reading.expected.model = None;
    }
    Ok(reading)
}

/// Reads a call to chat completions, whose messages may refer to state at the provider as well.
pub(super) fn read_chat(form: &Form, peer: &Peer, body: &[u8], bounds: &Bounds) -> Result<Reading, Fault> {
    let mut found = Found::new(peer, bounds);
    let reading = model::read_with(form, peer, None, body, bounds, &mut |reader, name| {
        if (name, reader.kind()?) != ("messages", Kind::Array) {
            return Ok(false);
        }
        found.messages(reader)?;
        Ok(true)
    });
    Ok(found.join(reading?))
}

impl<'b> Found<'b> {
    fn new(peer: &Peer, bounds: &'b Bounds) -> Self {
        Self { bounds, provider: peer.provider.clone(), offers: Vec::new(), further: Vec::new() }
    }

    /// Adds what was found to what was read.
    fn join(self, mut reading: Reading) -> Reading {
        reading.offers.extend(self.offers);
        for (target, fields) in self.further {
            let action = Action { target, fields, dialect: FORM.dialect };
            if reading.parts.iter().all(|known| known.action != action) {
                let (reply, coverage) = (FORM.reply, Coverage::Envelope);
                reading.parts.push(Part { action, reply, coverage, withheld: Vec::new(), refers: None });
            }
        }
        reading
    }

    /// Reads a member at the top that is no setting; `false` where it is one.
    fn member(&mut self, reader: &mut Reader<'_>, name: &str) -> Result<bool, Fault> {
        let kind = reader.kind()?;
        match (name, kind) {
            (_, Kind::Null) => return Ok(false),
            ("input", _) => self.input(reader)?,
            ("tools", _) => self.tools(reader, &[PathStep::Member(name.to_owned())])?,
            ("previous_response_id", _) => self.reference_named(reader, "previous_response_id")?,
            ("conversation", Kind::Object) | ("prompt", _) => self.reference_object(reader, name)?,
            ("conversation", _) => self.reference_named(reader, "conversation")?,
            ("model" | "models" | "fallbacks" | "stream" | "instructions", _) => return Ok(false),
            (_, Kind::Array | Kind::Object) if !PLAIN.contains(&name) => {
                let at = vec![PathStep::Member(name.to_owned())];
                self.offer(reader, self.hosted(name.to_owned()), Json::Object(Vec::new()), Some(at))?;
                reader.skip()?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn hosted(&self, name: String) -> Target {
        Target::HostedTool { provider: self.provider.clone(), name }
    }

    fn offer(
        &mut self,
        reader: &Reader<'_>,
        target: Target,
        args: Json,
        at: Option<JsonPath>,
    ) -> Result<(), Fault> {
        if self.offers.len() == model::OFFERS_MAX {
            return Err(reader.fault(Problem::TooLarge, "more tools than are judged in one call; send fewer"));
        }
        let is_plain = matches!(&args, Json::Object(members) if members.is_empty());
        let fields = if is_plain { args } else { Json::object([("args", args)]) };
        self.offers.push(Offer { action: Action { target, fields, dialect: FORM.dialect }, at });
        Ok(())
    }
}

/// `max_output_tokens` bounds what `max_tokens` and `max_completion_tokens` bound in chat. A pact may speak of any of
/// them. One of the others alone bounds nothing here, so it is not taken for a bound.
fn settle_token_bound(settings: &mut Settings) -> Result<(), Fault> {
    let bound = settings.value("max_output_tokens").cloned();
    for name in ["max_tokens", "max_completion_tokens"] {
        if settings.value(name).is_some_and(|other| Some(other) != bound.as_ref()) {
            let what = "this API bounds its answers by `max_output_tokens`; send that alone";
            return Err(Fault::new(Problem::Conflict, what).under_member(name));
        }
        if let Some(bound) = &bound {
            settings.set(name, bound.clone());
        }
    }
    Ok(())
}

/// `<namespace>.<name>`. A top-level function that is loaded late has its own name for a namespace.
pub(super) fn qualified(namespace: Option<&str>, name: &str) -> Result<String, Fault> {
    match namespace {
        None | Some("") => Ok(name.to_owned()),
        Some(namespace) if namespace == name => Ok(name.to_owned()),
        Some(namespace) if namespace.contains('.') => {
            Err(Fault::new(Problem::Name, "a namespace has a dot in its name, which parts names here"))
        }
        Some(namespace) => Ok([namespace, ".", name].concat()),
    }
}

/// How pacts name a tool of the API's own that the provider runs: the same in the request and in the answer.
pub(super) fn hosted_name(kind: &str) -> &str {
    match kind {
        _ if kind.starts_with("web_search") => "web_search",
        _ => kind,
    }
}

/// How pacts name the tools of one MCP server that the provider calls.
pub(super) fn server_name(label: &str) -> Result<String, Fault> {
    match label.contains('/') {
        true => Err(Fault::new(Problem::Name, "a server label has a slash, which parts names here")),
        false => Ok(["mcp/", label].concat()),
    }
}
