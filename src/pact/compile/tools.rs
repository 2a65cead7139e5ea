//! The `tools` table: each form stands for one capability.

use crate::domain::UpstreamName;
use crate::pact::address::HttpPattern;
use crate::pact::compile::{Notes, names};
use crate::pact::document::Place;
use crate::pact::reader::{At, Many, Table};
use crate::pact::source::{self, ToolForms};
use crate::pact::tools::Forms;

pub(super) fn compile(spec: &source::Spec, notes: &mut Notes<'_>) -> Vec<Forms> {
    let Some((_, Table(rows))) = spec.tools.as_ref().and_then(At::read) else { return vec![] };
    let mut all = Vec::new();
    let mut claims = Claims::default();
    for (name, forms) in rows {
        let (Some((place, capability)), Some((_, written))) = (name.read(), forms.read()) else { continue };
        capability_name(place, capability, notes);
        let mut forms = Forms { capability: capability.clone(), ..Forms::default() };
        let none = written.mcp.is_none() && written.function.is_none();
        if none && written.agent.is_none() && written.http.is_none() {
            let remedy = "add `mcp`, `function`, `agent` or `http`, or remove the entry";
            notes.error(place, format!("no form of `{capability}` is named"), remedy);
        }
        for (place, text) in texts(written, |forms| &forms.mcp) {
            if let Some(tool) = mcp_tool(place, text, notes) {
                claims.claim("`mcp`", place, text, notes);
                forms.mcp.push(tool);
            }
        }
        for (place, text) in texts(written, |forms| &forms.function) {
            if let Err((message, remedy)) = names::check(text, text) {
                notes.error(place, message, remedy);
                continue;
            }
            claims.claim("`function`", place, text, notes);
            forms.functions.push(text.clone());
        }
        for (place, text) in texts(written, |forms| &forms.agent) {
            if let Some(skill) = agent_skill(place, text, notes) {
                claims.claim("`agent`", place, text, notes);
                forms.agents.push(skill);
            }
        }
        for (place, text) in texts(written, |forms| &forms.http) {
            match HttpPattern::parse(text) {
                Ok(pattern) => {
                    claims.claim_http(capability, place, &pattern, notes);
                    forms.http.push(pattern);
                }
                Err(error) => notes.error(place, error.message, error.remedy),
            }
        }
        all.push(forms);
    }
    all
}

fn texts(
    forms: &ToolForms,
    form: impl Fn(&ToolForms) -> &Option<At<Many<String>>>,
) -> impl Iterator<Item = (&Place, &String)> {
    let many = form(forms).as_ref().and_then(At::get);
    many.into_iter().flat_map(|Many(texts)| texts.iter().filter_map(At::read))
}

fn capability_name(place: &Place, name: &str, notes: &mut Notes<'_>) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | ':');
    if name.is_empty() || name.len() > 128 || !name.chars().all(allowed) {
        let remedy = "use letters, digits, `.`, `-`, `_`, `/` and `:`, at most 128";
        notes.error(place, format!("`{name}` is no name for a capability"), remedy);
    }
}

fn mcp_tool(place: &Place, text: &str, notes: &mut Notes<'_>) -> Option<(String, String)> {
    let remedy = "write `server/tool`, the server as the config names its upstream";
    let Some((server, tool)) = text.split_once('/').filter(|(_, tool)| !tool.is_empty()) else {
        notes.error(place, format!("`{text}` names no tool of an MCP server"), remedy);
        return None;
    };
    if text.contains('*') {
        notes.error(place, format!("`{text}`: a capability stands for tools that are named in full"), remedy);
        return None;
    }
    if let Err(error) = UpstreamName::new(server) {
        notes.error(place, format!("`{text}` can never match: {error}"), remedy);
        return None;
    }
    if let Err((message, remedy)) = names::check_tool(tool, text) {
        notes.error(place, message, remedy);
        return None;
    }
    Some((server.to_owned(), tool.to_owned()))
}

fn agent_skill(place: &Place, text: &str, notes: &mut Notes<'_>) -> Option<(String, String)> {
    let remedy = "write `peer/skill`, the peer as the config names its upstream, both in full";
    let named = text.split_once('/').filter(|(peer, skill)| !peer.is_empty() && !skill.is_empty());
    let Some((peer, skill)) = named.filter(|_| !text.contains('*')) else {
        notes.error(place, format!("`{text}` names no skill of another agent"), remedy);
        return None;
    };
    if let Err((message, remedy)) = names::check(peer, text).and_then(|()| names::check(skill, text)) {
        notes.error(place, message, remedy);
        return None;
    }
    Some((peer.to_owned(), skill.to_owned()))
}

/// The forms that are taken.
#[derive(Default)]
struct Claims<'a> {
    names: std::collections::HashSet<(&'static str, &'a str)>,
    http: Vec<(String, HttpPattern)>,
}

impl<'a> Claims<'a> {
    fn claim(&mut self, what: &'static str, place: &Place, text: &'a str, notes: &mut Notes<'_>) {
        if !self.names.insert((what, text)) {
            let message = format!("{what} form `{text}` stands in the table twice");
            notes.error(place, message, "let it stand for one capability");
        }
    }

    fn claim_http(&mut self, capability: &str, place: &Place, pattern: &HttpPattern, notes: &mut Notes<'_>) {
        let other = self.http.iter().find(|(own, taken)| own != capability && taken.overlaps(pattern));
        if let Some((other, taken)) = other {
            let message = format!("`{pattern}` and `{taken}` of `{other}` match the same call");
            notes.error(place, message, "write the patterns so that each call is one capability");
        }
        self.http.push((capability.to_owned(), pattern.clone()));
    }
}
