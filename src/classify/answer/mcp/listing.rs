//! Lists that a server gives: what each entry would be to use.

use crate::classify::address::judged_uri;
use crate::classify::answer::script::Listed;
use crate::classify::fault::Fault;
use crate::classify::names::{check_member_name, check_text};
use crate::classify::strict_json::known_spelling;
use crate::classify::{Bounds, Problem};
use crate::domain::{Action, Dialect, Digest, Json, Target, ToolRef, UpstreamName};

/// Entries of one page of a list.
const ENTRIES_MAX: usize = 10_000;

/// Members that name an entry.
const ENTRY: [&str; 4] = ["name", "uri", "uriTemplate", "taskId"];

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Tools,
    Resources,
    Templates,
    Prompts,
    Tasks,
}

impl List {
    const ALL: [Self; 5] = [Self::Tools, Self::Resources, Self::Templates, Self::Prompts, Self::Tasks];

    /// The list that a method asks for.
    pub(super) fn of_method(method: &str) -> Option<Self> {
        match method {
            "tools/list" => Some(Self::Tools),
            "resources/list" => Some(Self::Resources),
            "resources/templates/list" => Some(Self::Templates),
            "prompts/list" => Some(Self::Prompts),
            "tasks/list" => Some(Self::Tasks),
            _ => None,
        }
    }

    /// The list that a result holds by its look, where nobody knows what was asked.
    pub(super) fn of_look(result: &Json) -> Option<Self> {
        Self::ALL.into_iter().find(|list| matches!(result.member(list.member()), Some(Json::Array(_))))
    }

    /// The member of the result that holds it.
    pub(super) const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Prompts => "prompts",
            Self::Tasks => "tasks",
        }
    }

    /// Its entries, in their order.
    pub(super) fn entries(
        self,
        server: &UpstreamName,
        result: &Json,
        bounds: &Bounds,
    ) -> Result<Vec<Listed>, Fault> {
        let entries = match result.member(self.member()) {
            None => return Ok(Vec::new()),
            Some(Json::Array(entries)) => entries,
            Some(_) => {
                let fault = Fault::new(Problem::WrongType, "a list is an array");
                return Err(fault.under_member(self.member()));
            }
        };
        if entries.len() > ENTRIES_MAX {
            let what = format!("a list of more than {ENTRIES_MAX} entries; let the server give it in pages");
            return Err(Fault::new(Problem::TooLarge, what).under_member(self.member()));
        }
        let mut seen = std::collections::HashSet::new();
        let read = entries.iter().map(|entry| {
            // Of two with one name, clients take the one or the other.
            let name = self.name(entry).filter(|name| seen.insert(name.to_owned()));
            name.map_or(Listed::Unnamed, |name| self.entry(server, name, entry, bounds))
        });
        Ok(read.collect())
    }

    fn name(self, entry: &Json) -> Option<&str> {
        let Json::Object(members) = entry else { return None };
        if members.iter().any(|(name, _)| known_spelling(name, &ENTRY).is_err()) {
            return None;
        }
        let member = match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
            Self::Tasks => "taskId",
        };
        entry.member(member)?.as_str()
    }

    fn entry(self, server: &UpstreamName, name: &str, entry: &Json, bounds: &Bounds) -> Listed {
        let server = server.clone();
        let checked = match self {
            Self::Tools | Self::Prompts => check_member_name(name, bounds.name_bytes),
            Self::Resources | Self::Templates => check_text(name, bounds.uri_bytes),
            Self::Tasks => check_text(name, bounds.name_bytes),
        };
        if checked.is_err() {
            return Listed::Unnamed;
        }
        let target = match self {
            Self::Tools => Target::Tool(ToolRef::Mcp { server, tool: name.to_owned() }),
            Self::Prompts => Target::Prompt { server, name: name.to_owned() },
            Self::Tasks => return Listed::Task { server, id: name.to_owned() },
            Self::Resources | Self::Templates => {
                let uri = if self == Self::Templates { filled(name) } else { name.to_owned() };
                let Ok(uri) = judged_uri(&uri) else { return Listed::Unnamed };
                Target::Resource { server, uri }
            }
        };
        let definition = (self == Self::Tools).then(|| definition(entry));
        let action = Action { target, fields: Json::Object(Vec::new()), dialect: Dialect::Mcp };
        Listed::Entry { action, definition }
    }
}

/// Digest of what a tool says of itself. Its `_meta` is left out: servers put there what differs from one answer to
/// the next, and no model reads it. Everything else counts, icons included, by which people know a tool.
fn definition(tool: &Json) -> Digest {
    let mut tool = tool.clone();
    tool.remove("_meta");
    Digest::of(tool.canonical().as_bytes())
}

/// A template with something in the place of each variable (RFC 6570): what a resource of it looks like.
fn filled(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, variable)) = rest.split_once('{') {
        out.push_str(before);
        out.push('x');
        rest = variable.split_once('}').map_or("", |(_, behind)| behind);
    }
    out.push_str(rest);
    out
}
