//! Listeners: where agents connect, and what that opens.

use std::net::SocketAddr;

use crate::config::check::HEAD;
use crate::config::check::agents::AGENT_REMEDY;
use crate::config::notes::Notes;
use crate::config::place::collide;
use crate::config::sidecar::{Admin, Listener, ListenerMode};
use crate::config::source::{ListenerFile, ModeFile, SidecarFile};
use crate::pact::document::Place;
use crate::pact::reader::At;

const ADDRESS_REMEDY: &str = "write an IP address and a port: `127.0.0.1:8080`";

/// Reads an address to listen at.
pub(super) fn address(field: &At<String>, notes: &mut Notes<'_>) -> Option<SocketAddr> {
    let (place, text) = field.read()?;
    match text.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            notes.error(place, format!("`{text}` is not an IP address and a port"), ADDRESS_REMEDY);
            None
        }
    }
}

pub(super) fn listeners(file: &SidecarFile, admin: &Admin, notes: &mut Notes<'_>) -> Vec<Listener> {
    let remedy = "write a list: `- {mode: reverse, address: 127.0.0.1:8080}`";
    let Some((place, written)) = notes.required(&file.listeners, &HEAD, "listeners", remedy) else {
        return Vec::new();
    };
    if written.is_empty() {
        notes.error(place, "there is no listener, so no agent can connect", remedy);
    }
    let mut listeners: Vec<Listener> = Vec::new();
    for (place, entry) in written.iter().filter_map(At::read) {
        let Some((at, listener)) = listener(place, entry, notes) else { continue };
        if listeners.iter().any(|other| collide(other.address, listener.address)) {
            let said = format!("another listener is at `{}` already", listener.address);
            notes.error(at, said, "give each listener a port of its own");
        }
        if collide(admin.address, listener.address) {
            let said =
                format!("the port for machines (`admin.address`) is at `{}` already", listener.address);
            notes.error(at, said, "give the listener another port, or write another `admin.address`");
        }
        listeners.push(listener);
    }
    listeners
}

fn listener<'f>(
    place: &Place,
    file: &'f ListenerFile,
    notes: &mut Notes<'_>,
) -> Option<(&'f Place, Listener)> {
    notes.required(&file.mode, place, "mode", "write `mode: reverse` or `mode: forward`");
    notes.required(&file.address, place, "address", ADDRESS_REMEDY);
    let agent = file.agent.as_ref().map(|agent| notes.parsed(agent, AGENT_REMEDY));
    let written = file.address.as_ref()?;
    let address = address(written, notes)?;
    let exposed = file.exposed.as_ref().and_then(At::get).copied().unwrap_or(false);
    let is_loopback = address.ip().to_canonical().is_loopback();
    if agent.is_some() && !is_loopback && !exposed {
        let said = format!(
            "whoever reaches `{address}` from another machine acts as this agent, without a credential"
        );
        let remedy =
            "listen on 127.0.0.1, or leave `agent` out and give the agent a token, or write `exposed: true`";
        notes.error(&written.place, said, remedy);
    }
    if exposed && (is_loopback || agent.is_none()) {
        let place = file.exposed.as_ref().map_or(place, |at| &at.place);
        let said = "`exposed` changes nothing here: it is for listeners with `agent` beyond loopback";
        notes.warning(place, said, "leave it out");
    }
    let mode = match file.mode.as_ref().and_then(At::get)? {
        ModeFile::Reverse => ListenerMode::Reverse,
        ModeFile::Forward => ListenerMode::Forward,
    };
    let agent = match agent {
        None => None,
        Some(agent) => Some(agent?),
    };
    Some((&written.place, Listener { mode, address, agent, exposed }))
}

/// Listeners against the other sections.
pub(super) fn rules(file: &SidecarFile, notes: &mut Notes<'_>) {
    let written = file.listeners.as_ref().and_then(At::get).map(Vec::as_slice).unwrap_or_default();
    let agents = file.agents.as_ref().and_then(At::get).map(Vec::as_slice).unwrap_or_default();
    let has_tokens = agents.iter().filter_map(At::get).any(|agent| agent.token.is_some());
    let has_upstreams =
        file.upstreams.as_ref().and_then(At::get).is_some_and(|upstreams| !upstreams.is_empty());
    let mut has_forward = false;
    for (place, listener) in written.iter().filter_map(At::read) {
        if listener.agent.is_none() && !has_tokens {
            let said = "no agent has a token, so nobody can prove anything to this listener";
            notes.error(place, said, "add `agent: ID` here, or agents with tokens");
        }
        let mode = listener.mode.as_ref();
        let at = mode.map_or(place, |mode| &mode.place);
        match mode.and_then(At::get) {
            Some(ModeFile::Reverse) if !has_upstreams => {
                let said = "a reverse listener leads to upstreams, and there is none";
                notes.error(at, said, "add `upstreams`, or make the listener `forward`");
            }
            Some(ModeFile::Forward) if file.interception.is_none() => {
                let said = "without interception every HTTPS call through this listener is opaque";
                let remedy = "run `pactgate ca init` and add `interception: {authority: FOLDER}`, or allow hosts by \
                              `opaque` clauses";
                notes.warning(at, said, remedy);
                has_forward = true;
            }
            Some(ModeFile::Forward) => has_forward = true,
            Some(ModeFile::Reverse) | None => {}
        }
    }
    if let Some(interception) = file.interception.as_ref().filter(|_| !has_forward) {
        let said = "interception is for forward listeners, and there is none";
        notes.warning(
            &interception.place,
            said,
            "add a listener with `mode: forward`, or leave `interception` out",
        );
    }
}
