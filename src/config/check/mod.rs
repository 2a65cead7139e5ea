//! Check: from the file as written to the settings as meant, with the rules between sections.

mod agents;
#[cfg(feature = "plane")]
mod collector;
mod listeners;
mod sections;
mod upstreams;

use std::collections::HashMap;

#[cfg(feature = "plane")]
pub(super) use collector::collector;

use crate::config::notes::Notes;
use crate::config::secret::Provided;
use crate::config::sidecar::{Sidecar, Trust};
use crate::config::source::SidecarFile;
use crate::domain::{Digest, SidecarId};
use crate::pact::document::Place;

/// Where something is missed that has no place of its own: the head of the file.
const HEAD: Place = 0..0;
/// A token shorter than this can be guessed by trying.
const TOKEN_CHARACTERS_MIN: usize = 16;
const VERSION_REMEDY: &str = "write `apiVersion: pactgate.dev/v1`";

/// Checks a sidecar's file. `None` when something is missing without which there is no sidecar; that is noted.
pub(super) fn sidecar(file: &SidecarFile, notes: &mut Notes<'_>) -> Option<Sidecar> {
    notes.required(&file.api_version, &HEAD, "apiVersion", VERSION_REMEDY);
    notes.required(&file.kind, &HEAD, "kind", "write `kind: Sidecar`");
    let id = sidecar_id(file, notes);
    let data =
        notes.path(file.data.as_ref().and_then(|at| at.get()).map_or("/var/lib/pactgate", String::as_str));
    let pacts = sections::pacts(file, notes);
    let admin = sections::admin(file, &data, notes);
    let listeners = listeners::listeners(file, &admin, notes);
    let agents = agents::agents(file, notes);
    let own: Vec<_> = listeners.iter().map(|listener| listener.address).chain([admin.address]).collect();
    let upstreams = upstreams::upstreams(file, &own, notes);
    let interception = sections::interception(file, notes);
    let collector = sections::link(file, &own, notes);
    let trust = sections::trust(file, notes);
    listeners::rules(file, notes);
    agents::rules(file, notes);
    let evidence = sections::evidence(file, notes);
    let approvals = sections::approvals(file, notes);
    let bounds = sections::bounds(file, notes);
    let log = sections::log(file.log.as_ref());
    Some(Sidecar {
        id: id?,
        data,
        pacts,
        agents,
        listeners,
        upstreams,
        interception,
        collector,
        trust: trust.unwrap_or(Trust::Fed(crate::trust::Staleness::default())),
        evidence,
        approvals,
        bounds,
        admin,
        log,
    })
}

fn sidecar_id(file: &SidecarFile, notes: &mut Notes<'_>) -> Option<SidecarId> {
    let remedy = "use letters, digits, `-`, `_` and `.`, at most 128";
    if let Some(id) = &file.id {
        return notes.parsed(id, remedy);
    }
    let Some(name) = (notes.env)("HOSTNAME").filter(|name| !name.is_empty()) else {
        let said = "`id` is missing, and the environment variable `HOSTNAME` is not set";
        notes.error(&HEAD, said, "write `id: NAME`, unique in the fleet");
        return None;
    };
    match SidecarId::new(&name) {
        Ok(id) => Some(id),
        Err(error) => {
            notes.error(
                &HEAD,
                format!("`HOSTNAME` is no id: {error}"),
                "write `id: NAME`, unique in the fleet",
            );
            None
        }
    }
}

/// Tokens seen so far, by digest, with whose they are.
#[derive(Default)]
struct Tokens(HashMap<Digest, String>);

impl Tokens {
    /// Notes a token that proves two, or that can be guessed.
    fn check(&mut self, place: &Place, token: &Provided, whose: String, notes: &mut Notes<'_>) {
        let text = token.secret.expose();
        if text.chars().count() < TOKEN_CHARACTERS_MIN {
            let said = format!("the token of {whose} has fewer than {TOKEN_CHARACTERS_MIN} characters");
            notes.warning(place, said, "take 32 random characters, such as `openssl rand -hex 16` prints");
        }
        if let Some(other) = self.0.insert(Digest::of(text.as_bytes()), whose.clone()) {
            let said = format!("{whose} has the same token as {other}, so that neither is proved by it");
            notes.error(place, said, "give each a token of its own");
        }
    }
}

/// Notes a name that stands twice.
struct Names(HashMap<String, ()>, &'static str);

impl Names {
    fn new(what: &'static str) -> Self {
        Self(HashMap::new(), what)
    }

    fn check(&mut self, place: &Place, name: &str, notes: &mut Notes<'_>) {
        if self.0.insert(name.to_owned(), ()).is_some() {
            let said = format!("{} `{name}` stands twice", self.1);
            notes.error(place, said, "keep one of the two, or rename one");
        }
    }
}
