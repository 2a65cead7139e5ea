//! Tools as Anthropic's API writes them: those that the caller runs, those that the provider runs, and MCP servers
//! that the provider calls.

use crate::classify::fault::Fault;
use crate::classify::model::{Envelope, Form, Named, Settings, read_name, read_setting};
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{Bounds, Hosted, JsonPath, Offer, Problem};
use crate::domain::{Action, Json, Target, ToolRef};

/// Types of tools that the API defines and the caller runs. Every other type, also one not known here, is taken for
/// a tool that the provider runs.
const CALLER_RUN: [&str; 4] = ["bash_2", "text_editor_2", "memory_2", "computer_2"];

/// Tools that answers call by other names than the request does.
const OTHER_NAMES: [(&str, &[&str]); 2] = [
    ("code_execution_", &["code_execution", "bash_code_execution", "text_editor_code_execution"]),
    ("tool_search_tool_", &["tool_search"]),
];

/// Lists in a definition that say how far the tool may reach. What else is no scalar is not judged.
const REACH: [&str; 3] = ["allowed_callers", "allowed_domains", "blocked_domains"];

const TOOL: [&str; 11] = [
    "type",
    "name",
    "model",
    "mcp_server_name",
    "max_tokens",
    "max_uses",
    "max_content_tokens",
    "function",
    "allowed_callers",
    "allowed_domains",
    "blocked_domains",
];

pub(super) fn is_run_by_caller(kind: &str) -> bool {
    kind == "custom" || CALLER_RUN.iter().any(|prefix| kind.starts_with(prefix))
}

/// What one definition says.
#[derive(Default)]
struct Tool {
    kind: Option<String>,
    name: Option<String>,
    /// The MCP server whose tools they are.
    server: Option<String>,
    /// The model that the tool asks.
    model: Option<String>,
    settings: Settings,
}

impl Tool {
    fn member(&mut self, reader: &mut Reader<'_>, name: &str, bounds: &Bounds) -> Result<(), Fault> {
        known_spelling(name, &TOOL)?;
        let kind = reader.kind()?;
        let slot = match name {
            "type" => &mut self.kind,
            "name" => &mut self.name,
            "mcp_server_name" => &mut self.server,
            "model" => &mut self.model,
            "description" | "input_schema" | "cache_control" => return reader.skip(),
            _ if REACH.contains(&name) && kind == Kind::Array => {
                let list = reader.tree()?;
                self.settings.set(name, list);
                return Ok(());
            }
            _ => return read_setting(reader, &mut self.settings, name, bounds),
        };
        match kind {
            Kind::Null => reader.skip(),
            Kind::String => {
                *slot = Some(read_name(reader, bounds)?);
                Ok(())
            }
            _ => Err(reader.fault(Problem::WrongType, "this is not how the API names a tool")),
        }
    }
}

/// Reads a definition, in the list of tools or wherever else one stands.
pub(super) fn read_tool(
    envelope: &mut Envelope,
    form: &Form,
    reader: &mut Reader<'_>,
    at: Option<JsonPath>,
    bounds: &Bounds,
) -> Result<(), Fault> {
    let mut tool = Tool::default();
    reader.object(Distinct::InAnyCase, |reader, name| tool.member(reader, name, bounds))?;
    let Tool { kind, name, server, model, settings } = tool;
    let missing = |what: &'static str| reader.fault(Problem::MissingField, what);
    if let Some(model) = model {
        let own = settings.value("max_tokens").map(|bound| ("max_tokens".to_owned(), bound.clone()));
        envelope.beside.push(Named { model, own: Settings(own.into_iter().collect()) });
        if envelope.beside.len() > bounds.batch {
            return Err(reader.fault(Problem::TooLarge, "more models than are judged in one call"));
        }
    }
    let action = |target: Target, fields: Json| Action { target, fields, dialect: form.dialect };
    match kind {
        Some(kind) if kind == "mcp_toolset" => {
            let server = server.ok_or_else(|| missing("the toolset names no `mcp_server_name`"))?;
            let name = server_name(reader, &server)?;
            let action = action(envelope.hosted(name), Json::Object(Vec::new()));
            envelope.offer(reader, Offer { action, at })
        }
        Some(kind) if !is_run_by_caller(&kind) => {
            let names = names_in_answers(&kind, name);
            let fields = Json::object([("definition", Json::Object(settings.0))]);
            let action = action(envelope.hosted(kind), fields);
            envelope.hosted.extend(names.into_iter().map(|name| Hosted { name, action: action.clone() }));
            envelope.offer(reader, Offer { action, at })
        }
        _ => {
            let name = name.ok_or_else(|| missing("the tool has no name"))?;
            let action = action(Target::Tool(ToolRef::Function(name)), Json::Object(Vec::new()));
            envelope.offer(reader, Offer { action, at })
        }
    }
}

fn names_in_answers(kind: &str, name: Option<String>) -> Vec<String> {
    let more = OTHER_NAMES.iter().filter(|(prefix, _)| kind.starts_with(prefix));
    let more = more.flat_map(|(_, names)| names.iter().map(|name| (*name).to_owned()));
    name.into_iter().chain(more).collect()
}

/// Reads an MCP server that the provider is to call.
pub(super) fn read_server(
    envelope: &mut Envelope,
    form: &Form,
    reader: &mut Reader<'_>,
    at: JsonPath,
    bounds: &Bounds,
) -> Result<(), Fault> {
    let mut server = None;
    let mut said = Vec::new();
    reader.object(Distinct::InAnyCase, |reader, name| {
        known_spelling(name, &["type", "name", "url"])?;
        match name {
            "name" => server = Some(read_name(reader, bounds)?),
            // A pact has to see the address whole.
            "type" | "url" if reader.kind()? == Kind::String => {
                let value = reader.string()?;
                if value.len() > bounds.uri_bytes {
                    return Err(reader.fault(Problem::TooLarge, "longer than the address of a server may be"));
                }
                said.push((name.to_owned(), Json::String(value.into_owned())));
            }
            "type" | "url" => return Err(reader.fault(Problem::WrongType, "a string is due here")),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    let server = server.ok_or_else(|| reader.fault(Problem::MissingField, "the MCP server has no name"))?;
    let name = server_name(reader, &server)?;
    if envelope.hosted.iter().any(|known| known.name == name) {
        return Err(reader.fault(Problem::Conflict, "two MCP servers of one name"));
    }
    let target = envelope.hosted(name.clone());
    let fields = Json::object([("definition", Json::Object(said))]);
    let action = Action { target, fields, dialect: form.dialect };
    envelope.hosted.push(Hosted { name, action: action.clone() });
    envelope.offer(reader, Offer { action, at: Some(at) })
}

/// What pacts call an MCP server that the provider calls, and, with a tool behind it, a tool there.
pub(super) fn server_name(reader: &Reader<'_>, server: &str) -> Result<String, Fault> {
    match server.contains('/') {
        true => {
            Err(reader.fault(Problem::Name, "a `/` in a name that a pact reads as one segment of a path"))
        }
        false => Ok(format!("mcp/{server}")),
    }
}

/// Completes offers by what stands elsewhere in the body: what an MCP server is, and which tool a name means.
pub(super) fn finish(envelope: &mut Envelope) {
    let Envelope { offers, hosted, named, provider, .. } = envelope;
    let defined = |name: &str, offers: &[Offer]| {
        let is_it = |offer: &Offer| matches!(&offer.action.target, Target::Tool(ToolRef::Function(known)) if known == name);
        offers.iter().any(is_it)
    };
    for (name, at) in std::mem::take(named) {
        let known = hosted.iter().find(|known| known.name == name).map(|known| known.action.clone());
        let action = known.filter(|_| !defined(&name, offers)).unwrap_or_else(|| Action {
            target: Target::Tool(ToolRef::Function(name)),
            fields: Json::Object(Vec::new()),
            dialect: crate::domain::Dialect::Anthropic,
        });
        offers.push(Offer { action, at });
    }
    for offer in offers {
        let Target::HostedTool { provider: of, name } = &offer.action.target else { continue };
        let server = hosted.iter().find(|server| {
            let is_within = |rest: &str| rest.is_empty() || rest.starts_with('/');
            server.name.starts_with("mcp/") && name.strip_prefix(&server.name).is_some_and(is_within)
        });
        if let Some(server) = server.filter(|_| of == provider) {
            offer.action.fields = server.action.fields.clone();
        }
    }
}
