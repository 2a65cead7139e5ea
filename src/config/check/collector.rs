//! Collector: the rules of a collector's file.

use std::net::SocketAddr;

use crate::config::check::listeners::address;
use crate::config::check::sections::log;
use crate::config::check::{HEAD, Names, Tokens, VERSION_REMEDY};
use crate::config::collector::{Collector, Operator, SidecarAccess};
use crate::config::notes::Notes;
use crate::config::source::{CollectorFile, OperatorFile, SidecarAccessFile};
use crate::domain::SidecarId;
use crate::pact::document::Place;
use crate::pact::reader::{At, Table};
use crate::scoring::Weights;

/// The longest name of an operator, in bytes.
const OPERATOR_BYTES_MAX: usize = 100;

/// Checks a collector's file.
pub(in crate::config) fn collector(file: &CollectorFile, notes: &mut Notes<'_>) -> Option<Collector> {
    notes.required(&file.api_version, &HEAD, "apiVersion", VERSION_REMEDY);
    notes.required(&file.kind, &HEAD, "kind", "write `kind: Collector`");
    let default = SocketAddr::from(([127, 0, 0, 1], 7_070));
    let address = file.address.as_ref().and_then(|at| address(at, notes)).unwrap_or(default);
    if let (Some(at), false) = (&file.address, address.ip().to_canonical().is_loopback()) {
        let said = "tokens and records travel unencrypted to this port from other machines";
        notes.warning(&at.place, said, "listen on loopback behind something that speaks TLS");
    }
    let data = file.data.as_ref().and_then(At::get).map_or("/var/lib/pactgate-collector", String::as_str);
    let data = notes.path(data);
    let mut tokens = Tokens::default();
    let sidecars = sidecars(file, &mut tokens, notes);
    let operators = operators(file, &mut tokens, notes);
    let weights = weights(file, notes);
    Some(Collector { address, data, sidecars, operators, weights, log: log(file.log.as_ref()) })
}

fn sidecars(file: &CollectorFile, tokens: &mut Tokens, notes: &mut Notes<'_>) -> Vec<SidecarAccess> {
    let remedy = "write a list: `- {id: NAME, token: {env: NAME}}`";
    let Some((place, written)) = notes.required(&file.sidecars, &HEAD, "sidecars", remedy) else {
        return Vec::new();
    };
    if written.is_empty() {
        notes.error(place, "there is no sidecar, so nobody can send records", remedy);
    }
    let mut names = Names::new("sidecar");
    let entries = written.iter().filter_map(At::read);
    entries.filter_map(|(place, entry)| sidecar(place, entry, &mut names, tokens, notes)).collect()
}

fn sidecar(
    place: &Place,
    file: &SidecarAccessFile,
    names: &mut Names,
    tokens: &mut Tokens,
    notes: &mut Notes<'_>,
) -> Option<SidecarAccess> {
    notes.required(&file.id, place, "id", "write the `id` of the sidecar's own config");
    notes.required(&file.token, place, "token", "write `token: {env: NAME}`");
    let id = file.id.as_ref().and_then(|id| {
        let parsed = notes.parsed::<SidecarId>(id, "use letters, digits, `-`, `_` and `.`, at most 128")?;
        names.check(&id.place, parsed.as_str(), notes);
        Some(parsed)
    });
    let token = file.token.as_ref().and_then(|token| notes.secret(token));
    let (id, token) = (id?, token?);
    tokens.check(file.token.as_ref().map_or(place, |at| &at.place), &token, format!("sidecar `{id}`"), notes);
    Some(SidecarAccess { id, token })
}

fn operators(file: &CollectorFile, tokens: &mut Tokens, notes: &mut Notes<'_>) -> Vec<Operator> {
    let written = file.operators.as_ref().and_then(At::get).map(Vec::as_slice).unwrap_or_default();
    if written.is_empty() {
        let place = file.operators.as_ref().map_or(HEAD, |at| at.place.clone());
        let said = "there is no operator: nobody can look, approve or suspend";
        notes.warning(&place, said, "add `operators: [{name: NAME, token: {env: NAME}}]`");
    }
    let mut names = Names::new("operator");
    let entries = written.iter().filter_map(At::read);
    entries.filter_map(|(place, entry)| operator(place, entry, &mut names, tokens, notes)).collect()
}

fn operator(
    place: &Place,
    file: &OperatorFile,
    names: &mut Names,
    tokens: &mut Tokens,
    notes: &mut Notes<'_>,
) -> Option<Operator> {
    let name = notes.required(&file.name, place, "name", "write the name that decisions are recorded under");
    notes.required(&file.token, place, "token", "write `token: {env: NAME}`");
    let name = name.and_then(|(place, name)| {
        names.check(place, name, notes);
        let is_sound =
            !name.is_empty() && name.len() <= OPERATOR_BYTES_MAX && !name.chars().any(char::is_control);
        if !is_sound {
            let said = "an operator's name has 1 to 100 bytes and no control characters";
            notes.error(place, said, "write a name that people know");
        }
        is_sound.then(|| name.clone())
    });
    let token = file.token.as_ref().and_then(|token| notes.secret(token));
    let (name, token) = (name?, token?);
    tokens.check(
        file.token.as_ref().map_or(place, |at| &at.place),
        &token,
        format!("operator `{name}`"),
        notes,
    );
    Some(Operator { name, token })
}

fn weights(file: &CollectorFile, notes: &mut Notes<'_>) -> Weights {
    let mut weights = Weights::default();
    let Some((place, Table(written))) = file.scoring.as_ref().and_then(At::read) else { return weights };
    let mut is_sound = true;
    for (name, value) in written {
        let (Some((at, name)), Some((value_at, number))) = (name.read(), value.read()) else {
            is_sound = false;
            continue;
        };
        let is_known = Weights::TABLE.iter().any(|row| row.name == name.as_str());
        if !is_known {
            let known: Vec<_> = Weights::TABLE.iter().map(|row| row.name).collect();
            notes.error(
                at,
                format!("there is no weight `{name}`"),
                crate::pact::reader::nearest(name, &known),
            );
            continue;
        }
        let value = number.0.to_string().parse().unwrap_or(f64::NAN);
        if let Err(problem) = weights.set(name, value) {
            is_sound = false;
            notes.error(value_at, problem, "write a number within these bounds");
        }
    }
    if is_sound {
        for problem in weights.problems() {
            notes.error(place, problem, "correct one of the two");
        }
    }
    weights
}
