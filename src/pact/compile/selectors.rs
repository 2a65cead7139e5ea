//! Selectors: one kind of action, and patterns that can match some of it.

use crate::domain::ActionKind;
use crate::pact::address::{HttpPattern, OpaquePattern, normal_uri};
use crate::pact::compile::{Notes, names};
use crate::pact::document::Place;
use crate::pact::pattern::Glob;
use crate::pact::reader::{At, Many};
use crate::pact::selector::{Patterns, Selector};
use crate::pact::source;

pub(super) fn compile(at: &At<source::Selector>, notes: &mut Notes<'_>) -> Option<Selector> {
    let (place, selector) = at.read()?;
    let kinds = [
        (ActionKind::Model, &selector.model),
        (ActionKind::Tool, &selector.tool),
        (ActionKind::HostedTool, &selector.hosted_tool),
        (ActionKind::Resource, &selector.resource),
        (ActionKind::Prompt, &selector.prompt),
        (ActionKind::Agent, &selector.agent),
        (ActionKind::Http, &selector.http),
        (ActionKind::Opaque, &selector.opaque),
    ];
    let mut given = kinds.into_iter().filter_map(|(kind, value)| value.as_ref().map(|value| (kind, value)));
    let Some((kind, patterns)) = given.next() else {
        // An unknown kind has been reported as an unknown field.
        let remedy =
            "write one of `model`, `tool`, `hosted_tool`, `resource`, `prompt`, `agent`, `http`, `opaque`";
        notes.error(place, "nothing is selected", remedy);
        return None;
    };
    if let Some((_, second)) = given.next() {
        notes.error(&second.place, "a clause speaks of one kind of action", "write one clause for each kind");
    }
    let (place, Many(patterns)) = patterns.read()?;
    if patterns.is_empty() {
        notes.error(place, "an empty list can never match", "name what is meant, or `*` for all");
        return None;
    }
    let mut places = Vec::new();
    let patterns: Vec<_> = patterns.iter().filter_map(At::read).collect();
    let patterns = match kind {
        ActionKind::Http => Patterns::Http(each(&patterns, &mut places, notes, |text| {
            HttpPattern::parse(text).map_err(|error| (error.message, error.remedy))
        })),
        ActionKind::Opaque => Patterns::Endpoints(each(&patterns, &mut places, notes, |text| {
            OpaquePattern::parse(text).map_err(|error| (error.message, error.remedy))
        })),
        _ => Patterns::Names(each(&patterns, &mut places, notes, |text| name(kind, text))),
    };
    Some(Selector { kind, patterns, places })
}

type Wrong = (String, String);

fn each<P>(
    texts: &[(&Place, &String)],
    places: &mut Vec<Place>,
    notes: &mut Notes<'_>,
    parse: impl Fn(&str) -> Result<P, Wrong>,
) -> Vec<P> {
    let mut patterns = Vec::new();
    for (place, text) in texts {
        match parse(text) {
            Ok(pattern) => {
                patterns.push(pattern);
                places.push((*place).clone());
            }
            Err((message, remedy)) => notes.error(place, message, remedy),
        }
    }
    patterns
}

/// A name pattern. One of too few segments for its kind can never match.
fn name(kind: ActionKind, text: &str) -> Result<Glob, Wrong> {
    let (separator, form) = match kind {
        ActionKind::Tool => (b'.', None),
        ActionKind::Model => (b'/', Some("provider/model")),
        ActionKind::HostedTool => (b'/', Some("provider/name")),
        ActionKind::Resource => (b'/', Some("server/uri")),
        ActionKind::Prompt => (b'/', Some("server/name")),
        _ => (b'/', None),
    };
    let glob = Glob::parse(text, separator).map_err(|error| {
        let (message, remedy) = error.explain();
        (message.to_owned(), remedy.to_owned())
    })?;
    plain(separator, kind, text)?;
    match form {
        Some(form) if !text.contains('/') && !text.contains("**") && !glob.is_any() => {
            let message = format!("`{text}` can never match: the name of a {} is `{form}`", kind.name());
            Err((message, format!("write `{form}` in full, or `*/{text}`")))
        }
        _ => Ok(glob),
    }
}

/// Refuses a pattern in a spelling that no name has once it is read, and one that could be taken for another.
fn plain(separator: u8, kind: ActionKind, text: &str) -> Result<(), Wrong> {
    // Each part is a name of its own: the script of a server's name is not that of its tools.
    let (first, rest) = text.split_once(char::from(separator)).unwrap_or((text, ""));
    names::check(first, text)?;
    match kind {
        _ if rest.is_empty() && first.len() == text.len() => Ok(()),
        ActionKind::Resource => uri(first, rest),
        _ => names::check(rest, text),
    }
}

/// A resource's URI is judged in one spelling, so a pattern in another one matches nothing.
fn uri(server: &str, uri: &str) -> Result<(), Wrong> {
    if uri.split(['/', '?', '#', '=', '&']).any(|piece| matches!(piece, "." | "..")) {
        let message = format!("`{}` can never match: a uri with dot segments is refused", names::shown(uri));
        return Err((message, "write the uri without `.` and `..`".to_owned()));
    }
    match normal_uri(uri) {
        Some(normal) if normal == uri => Ok(()),
        Some(normal) => {
            let message =
                format!("`{}` can never match: uris are compared in one spelling", names::shown(uri));
            Err((message, format!("write `{server}/{normal}`")))
        }
        None => {
            let message = format!("`{}` can never match: its escapes are not whole", names::shown(uri));
            Err((message, "write `%` and two hexadecimal digits".to_owned()))
        }
    }
}
