//! Blocks of a message, and what becomes of each.

use std::collections::BTreeMap;

use crate::classify::answer::anthropic::{text, wrong};
use crate::classify::answer::script::{Made, Question};
use crate::classify::answer::{Expected, made};
use crate::classify::fault::{Fault, shown};
use crate::classify::strict_json::known_spelling;
use crate::classify::{Bounds, Problem};
use crate::domain::{Action, Dialect, Json, Target};

/// Calls of tools that the provider ran, in one answer.
const CALLS_MAX: usize = 1024;

/// Said in place of the result of a call that was refused.
pub(super) const WITHHELD: &str = "The result of the refused call was withheld.";

/// Members that decide what a block is.
const BLOCK: [&str; 8] =
    ["type", "id", "name", "input", "server_name", "tool_use_id", "file_id", "toolset_name"];

/// Results of tools that the provider ran, and what it calls the tool.
const RESULTS: [(&str, &str); 8] = [
    ("web_search_tool_result", "web_search"),
    ("web_fetch_tool_result", "web_fetch"),
    ("advisor_tool_result", "advisor"),
    ("code_execution_tool_result", "code_execution"),
    ("bash_code_execution_tool_result", "bash_code_execution"),
    ("text_editor_code_execution_tool_result", "text_editor_code_execution"),
    ("tool_search_tool_result", "tool_search"),
    ("mcp_tool_result", "mcp"),
];

/// What a block is to the one who judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It says something, and asks for nothing.
    Text,
    Thinking,
    Summary,
    Plain,
    /// Another model goes on from here.
    Handover,
    /// A call that the caller is to run.
    Call,
    /// A call that the provider has run.
    HostedCall,
    /// What came of it; the tool's name where the call is not in this answer.
    Result(&'static str),
}

/// One block, as far as it is judged.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) role: Role,
    kind: String,
    id: String,
    name: String,
    server: String,
    /// The call that it is the result of.
    answers: String,
    input: Option<Json>,
    /// The model that goes on.
    model: Option<String>,
}

impl Block {
    pub(super) fn of(block: &Json) -> Result<Self, Fault> {
        let Json::Object(members) = block else { return Err(wrong("content")) };
        members.iter().try_for_each(|(name, _)| known_spelling(name, &BLOCK))?;
        let kind = text(block, "type")?;
        let role = match kind.as_str() {
            "text" => Role::Text,
            "thinking" => Role::Thinking,
            "compaction" => Role::Summary,
            "redacted_thinking" | "mcp_tool_listing" => Role::Plain,
            "fallback" => Role::Handover,
            "tool_use" => Role::Call,
            "server_tool_use" | "mcp_tool_use" | "container_upload" => Role::HostedCall,
            kind => match RESULTS.iter().find(|(result, _)| *result == kind) {
                Some((_, tool)) => Role::Result(tool),
                None => {
                    let what = format!("a block of a type that is not read: `{}`", shown(kind));
                    return Err(Fault::new(Problem::Conflict, what));
                }
            },
        };
        let mut name = text(block, "name")?;
        let mut input = block.member("input").filter(|input| **input != Json::Null).cloned();
        if kind == "container_upload" {
            name.clone_from(&kind);
            input = Some(Json::object([("file_id", Json::String(text(block, "file_id")?))]));
        }
        let model = block.at(&["to", "model"]).and_then(Json::as_str).map(str::to_owned);
        if role == Role::Handover && model.is_none() {
            return Err(Fault::new(Problem::MissingField, "another model goes on, and it is not named"));
        }
        let [id, server, answers] = ["id", "server_name", "tool_use_id"].map(|name| text(block, name));
        Ok(Self { role, kind, id: id?, name, server: server?, answers: answers?, input, model })
    }

    /// Whether a piece of that type can belong to it.
    pub(super) fn takes(&self, delta: &str) -> bool {
        match self.role {
            Role::Text => matches!(delta, "text_delta" | "citations_delta"),
            Role::Thinking => matches!(delta, "thinking_delta" | "signature_delta"),
            Role::Summary => delta == "compaction_delta",
            Role::Call | Role::HostedCall => delta == "input_json_delta",
            Role::Plain | Role::Handover | Role::Result(_) => false,
        }
    }

    /// What the judge is asked. `pieces` is the input as it came in a stream.
    pub(super) fn question(&self, expected: &Expected, pieces: &str, bounds: &Bounds) -> Question {
        if let Some(model) = &self.model
            && self.role == Role::Handover
        {
            return Question::Model { provider: expected.provider.clone(), model: model.clone() };
        }
        match self.role {
            Role::Call => self.call(&self.name, pieces, bounds),
            Role::Result(tool) => self.hosted(expected, tool, pieces, bounds),
            _ => self.hosted(expected, &self.name, pieces, bounds),
        }
    }

    /// The call with its input; a block of a whole message, and of some streams, has that at its start.
    fn call(&self, name: &str, pieces: &str, bounds: &Bounds) -> Question {
        let dialect = Dialect::Anthropic;
        match (&self.input, pieces.trim()) {
            (Some(input), "") => made::question(dialect, name, Ok(input.clone()), bounds),
            (None, pieces) => made::from_text(dialect, name, pieces, bounds),
            (Some(Json::Object(members)), pieces) if members.is_empty() => {
                made::from_text(dialect, name, pieces, bounds)
            }
            _ => {
                let what = "the input comes twice, and clients take the one or the other";
                made::question(dialect, name, Err(Fault::new(Problem::Conflict, what)), bounds)
            }
        }
    }

    /// A tool that the provider ran: judged as it was offered, where it was.
    fn hosted(&self, expected: &Expected, name: &str, pieces: &str, bounds: &Bounds) -> Question {
        let of_server = (self.kind == "mcp_tool_use").then(|| format!("mcp/{}", self.server));
        let known = of_server.as_deref().unwrap_or(name);
        let offered = expected.hosted.iter().find(|offered| offered.name == known);
        let mut fields = offered.map_or_else(|| Json::Object(Vec::new()), |o| o.action.fields.clone());
        let offered = offered.map(|offered| offered.action.target.clone());
        let target = match (of_server, offered) {
            (None, Some(target)) => target,
            (Some(server), _) if !self.server.contains('/') && !self.name.contains('/') => {
                Target::HostedTool { provider: expected.provider.clone(), name: format!("{server}/{name}") }
            }
            (Some(_), _) => {
                let detail = "a `/` in a name that a pact reads as one segment of a path".to_owned();
                return Question::Call(Made::Unreadable { attempted: self.attempted(name), detail });
            }
            (None, None) => Target::HostedTool { provider: expected.provider.clone(), name: name.to_owned() },
        };
        match self.call(name, pieces, bounds) {
            Question::Call(Made::Call(call)) => {
                if let Some(args) = call.fields.member("args") {
                    fields.set("args", args.clone());
                }
                Question::Call(Made::Call(Action { target, fields, dialect: Dialect::Anthropic }))
            }
            unreadable => unreadable,
        }
    }

    fn attempted(&self, name: &str) -> String {
        format!("{} `{}`", shown(&self.kind), shown(name))
    }
}

/// What became of the blocks so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Calls that the provider ran, by their ids.
    hosted: BTreeMap<String, Run>,
    kept: usize,
    refused: usize,
    refused_hosted: usize,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    is_refused: bool,
    is_answered: bool,
}

/// What becomes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It goes on.
    Flows,
    /// The judge is asked.
    Asked,
    /// It is the result of a call that was refused, and goes with it.
    Withheld,
}

impl Ledger {
    /// What becomes of the next block.
    pub(super) fn turn(&mut self, block: &Block, expected: &Expected) -> Result<Turn, Fault> {
        Ok(match block.role {
            Role::Text | Role::Thinking | Role::Summary | Role::Plain => Turn::Flows,
            Role::Handover if block.model.as_deref().is_some_and(|model| expected.names(model)) => {
                Turn::Flows
            }
            Role::Call | Role::Handover => Turn::Asked,
            Role::HostedCall if block.kind == "container_upload" => Turn::Asked,
            Role::HostedCall => {
                if self.hosted.len() == CALLS_MAX {
                    return Err(Fault::new(
                        Problem::TooLarge,
                        "more tool calls than are judged in one answer",
                    ));
                }
                let run = Run { is_refused: false, is_answered: false };
                if block.id.is_empty() || self.hosted.insert(block.id.clone(), run).is_some() {
                    return Err(Fault::new(Problem::Conflict, "a tool call without an id of its own"));
                }
                Turn::Asked
            }
            Role::Result(_) => match self.hosted.get_mut(&block.answers) {
                Some(run) => {
                    run.is_answered = true;
                    if run.is_refused { Turn::Withheld } else { Turn::Flows }
                }
                None => Turn::Asked,
            },
        })
    }

    /// Notes what the judge said of a block.
    pub(super) fn judged(&mut self, block: &Block, is_refused: bool) {
        match (block.role, is_refused) {
            (Role::Call, false) => self.kept += 1,
            (Role::Call, true) => self.refused += 1,
            (_, false) => {}
            (_, true) => {
                self.refused_hosted += 1;
                if let Some(run) = self.hosted.get_mut(&block.id) {
                    run.is_refused = true;
                }
            }
        }
    }

    /// Why the message ends, where that is no longer what the model said: nothing is left to run.
    pub(super) fn stop_reason(&self, said: &str) -> Option<&'static str> {
        let is_pending = || self.hosted.values().any(|run| !run.is_refused && !run.is_answered);
        let ends = match said {
            "tool_use" => self.refused > 0 && self.kept == 0,
            "pause_turn" => self.refused_hosted > 0 && !is_pending(),
            _ => false,
        };
        ends.then_some("end_turn")
    }
}
