//! Agents: who is known, and by what.

use crate::config::check::{Names, Tokens};
use crate::config::notes::Notes;
use crate::config::sidecar::Agent;
use crate::config::source::{AgentFile, ListenerFile, SidecarFile};
use crate::pact::reader::At;

pub(super) const AGENT_REMEDY: &str = "use letters, digits and `-_.:/@`, at most 255";

pub(super) fn agents(file: &SidecarFile, notes: &mut Notes<'_>) -> Vec<Agent> {
    let mut names = Names::new("agent");
    let mut tokens = Tokens::default();
    let written = file.agents.as_ref().and_then(At::get).map(Vec::as_slice).unwrap_or_default();
    written.iter().filter_map(|entry| agent(entry, &mut names, &mut tokens, notes)).collect()
}

fn agent(
    entry: &At<AgentFile>,
    names: &mut Names,
    tokens: &mut Tokens,
    notes: &mut Notes<'_>,
) -> Option<Agent> {
    let (place, file) = entry.read()?;
    notes.required(&file.id, place, "id", "write `id: NAME`, as pacts name the agent");
    let token = file.token.as_ref().and_then(|token| notes.secret(token));
    let written = file.id.as_ref()?;
    let id = notes.parsed::<crate::domain::AgentId>(written, AGENT_REMEDY)?;
    names.check(&written.place, id.as_str(), notes);
    if let Some((token, at)) = token.as_ref().zip(file.token.as_ref()) {
        tokens.check(&at.place, token, format!("agent `{id}`"), notes);
    }
    Some(Agent { id, token })
}

/// An agent that nothing can prove will never be served.
pub(super) fn rules(file: &SidecarFile, notes: &mut Notes<'_>) {
    let listeners = file.listeners.as_ref().and_then(At::get).map(Vec::as_slice).unwrap_or_default();
    let stood_for: Vec<_> = listeners
        .iter()
        .filter_map(At::get)
        .filter_map(|ListenerFile { agent, .. }| agent.as_ref().and_then(At::get))
        .collect();
    let agents = file.agents.as_ref().and_then(At::get).map(Vec::as_slice).unwrap_or_default();
    for AgentFile { id, token } in agents.iter().filter_map(At::get) {
        let Some((place, name)) = id.as_ref().and_then(At::read) else { continue };
        if token.is_none() && !stood_for.contains(&name) {
            let said =
                format!("agent `{name}` has no token, and no listener stands for it: nothing can prove it");
            notes.error(place, said, "add `token: {env: NAME}`, or a listener with `agent:` and this id");
        }
    }
}
