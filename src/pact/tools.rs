//! One name for each capability, whatever form a call of it arrives in.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::{Target, ToolRef};
use crate::pact::address::HttpPattern;
use crate::pact::index::Index;
use crate::pact::selector::{http_name, http_rows};

/// The `tools` table of a pact.
#[derive(Debug, Default)]
pub struct ToolTable {
    capabilities: Vec<Arc<str>>,
    /// Server, tool, and the row they stand for.
    mcp: HashMap<Box<str>, HashMap<Box<str>, Row>>,
    functions: HashMap<Box<str>, Row>,
    /// `peer/skill`.
    agents: HashMap<Box<str>, Row>,
    http: Index<HttpPattern>,
    maps_http: bool,
    /// The names of all forms but plain calls without the case of their letters. Some servers and clients compare so.
    folded: HashMap<Box<str>, u32>,
}

#[derive(Clone, Debug)]
struct Row {
    capability: u32,
    /// The name the form has by itself, where it is another one than the capability's.
    natural: Option<Arc<str>>,
}

/// One row of the table as written.
#[derive(Clone, Debug, Default)]
pub struct Forms {
    /// The pact's name for it.
    pub capability: String,
    /// MCP server and tool.
    pub mcp: Vec<(String, String)>,
    /// Function names.
    pub functions: Vec<String>,
    /// Peers and their skills.
    pub agents: Vec<(String, String)>,
    /// Plain HTTP calls.
    pub http: Vec<HttpPattern>,
}

/// The names of an action, as far as it is a tool.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    /// The name that allow clauses know it by, and that records tell.
    pub capability: Option<Arc<str>>,
    /// Another name, which ask and deny clauses know it by as well.
    pub natural: Option<Arc<str>>,
    /// Whether the action is no tool by nature, as a plain HTTP call or the skill of an agent, and the table makes it
    /// one: then no clause of its own kind allows it.
    pub is_mapped: bool,
}

impl Naming {
    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.capability.as_deref().into_iter().chain(self.natural.as_deref())
    }
}

impl ToolTable {
    /// Builds the table.
    #[must_use]
    pub fn build(rows: &[Forms]) -> Self {
        let mut table = Self::default();
        let mut http = Vec::new();
        for (number, forms) in (0..).zip(rows) {
            table.capabilities.push(forms.capability.as_str().into());
            let row = |name: &str| Row {
                capability: number,
                natural: Some(name).filter(|name| *name != forms.capability).map(Arc::from),
            };
            for (server, tool) in &forms.mcp {
                let tools = table.mcp.entry(server.as_str().into()).or_default();
                tools.insert(tool.as_str().into(), row(&format!("{server}.{tool}")));
            }
            for function in &forms.functions {
                table.functions.insert(function.as_str().into(), row(function));
            }
            for (peer, skill) in &forms.agents {
                table.agents.insert(format!("{peer}/{skill}").into(), Row { natural: None, ..row("") });
            }
            let mcp = forms.mcp.iter().map(|(server, tool)| format!("{server}.{tool}"));
            let agents = forms.agents.iter().map(|(peer, skill)| format!("{peer}/{skill}"));
            for name in mcp.chain(agents).chain(forms.functions.iter().cloned()) {
                table.folded.insert(name.to_lowercase().into(), number);
            }
            http.extend(http_rows(&forms.http, number));
        }
        table.maps_http = !http.is_empty();
        table.http = Index::build(http);
        table
    }

    /// The names by which clauses know an action.
    #[must_use]
    pub fn naming(&self, target: &Target) -> Naming {
        match target {
            Target::Tool(ToolRef::Mcp { server, tool }) => {
                let row = self.mcp.get(server.as_str()).and_then(|tools| tools.get(tool.as_str()));
                row.map_or_else(|| self.unmapped([server.as_str(), ".", tool].concat()), |row| self.row(row))
            }
            Target::Tool(ToolRef::Function(name)) => {
                self.functions.get(name.as_str()).map_or_else(|| self.unmapped(name), |row| self.row(row))
            }
            Target::Tool(ToolRef::Capability(name)) => Self::natural(name),
            Target::Agent { peer, skill: Some(skill) } if !self.agents.is_empty() => {
                let row = self.agents.get(format!("{peer}/{skill}").as_str());
                let capability = row.and_then(|row| self.capability(row.capability));
                Naming { is_mapped: capability.is_some(), capability, natural: None }
            }
            Target::Http(http) if self.maps_http => {
                let mut capability = None;
                let keep = |number: u32| capability = capability.max(Some(number));
                self.http.look_up(http_name(http), |pattern| pattern.matches(http), keep);
                let capability = capability.and_then(|number| self.capability(number));
                Naming { is_mapped: capability.is_some(), capability, natural: None }
            }
            _ => Naming::default(),
        }
    }

    /// The MCP tools, as server and tool, that are the same capability as the action.
    #[must_use]
    pub fn mcp_forms(&self, target: &Target) -> Vec<(String, String)> {
        let capability = self.naming(target).capability;
        let number = |row: &Row| self.capability(row.capability);
        let is_same = |row: &Row| capability.is_some() && number(row) == capability;
        let all = self.mcp.iter().flat_map(|(server, tools)| tools.iter().map(move |row| (server, row)));
        let same = all.filter(|(_, (_, row))| is_same(row));
        same.map(|(server, (tool, _))| (server.to_string(), tool.to_string())).collect()
    }

    /// Whether a plain call is mapped by a pattern that leaves nothing of its address open.
    #[must_use]
    pub fn is_one_call(&self, target: &Target) -> bool {
        let Target::Http(http) = target else { return false };
        let mut found = false;
        self.http.look_up(
            http_name(http),
            |pattern| pattern.is_exact() && pattern.matches(http),
            |_| found = true,
        );
        found
    }

    /// Whether some plain HTTP call is a tool.
    #[must_use]
    pub const fn maps_http(&self) -> bool {
        self.maps_http
    }

    /// A name that the table does not know. One that differs from a form in the case of its letters alone is none of its
    /// capability, but what restrains that restrains it too: a prohibition cannot be dodged by a capital letter.
    fn unmapped(&self, name: impl AsRef<str>) -> Naming {
        let name = name.as_ref();
        let near = match self.folded.is_empty() {
            true => None,
            false => self.folded.get(name.to_lowercase().as_str()),
        };
        let natural = near.and_then(|number| self.capability(*number)).filter(|near| **near != *name);
        Naming { natural, ..Self::natural(name) }
    }

    fn natural(name: impl AsRef<str>) -> Naming {
        Naming { capability: Some(name.as_ref().into()), ..Naming::default() }
    }

    fn row(&self, row: &Row) -> Naming {
        Naming { capability: self.capability(row.capability), natural: row.natural.clone(), is_mapped: false }
    }

    fn capability(&self, number: u32) -> Option<Arc<str>> {
        self.capabilities.get(usize::try_from(number).ok()?).cloned()
    }
}
