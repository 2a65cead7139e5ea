//! From the file as written to the pact as executed; every problem on the way is noted.

mod clauses;
mod constraints;
mod fields;
mod limits;
mod names;
mod selectors;
mod tools;

use std::collections::HashMap;

use crate::domain::{ActionKind, Digest, PactName, Ruling};
use crate::pact::diagnostics::{Diagnostic, Diagnostics, File};
use crate::pact::document::Place;
use crate::pact::limit::parse_duration;
use crate::pact::pattern::Glob;
use crate::pact::reader::{At, Many};
use crate::pact::selector::SelectorIndex;
use crate::pact::source::{self, Mode as SourceMode, PactFile, Risk as SourceRisk, Spec};
use crate::pact::terms::{Clause, Mode, Openings, Pact, Risk};
use crate::pact::tools::{Forms, ToolTable};

/// What is found on the way.
#[derive(Debug)]
pub(crate) struct Notes<'a> {
    pub(crate) file: &'a File,
    pub(crate) found: Diagnostics,
}

impl Notes<'_> {
    pub(crate) fn error(&mut self, at: &Place, message: impl Into<String>, remedy: impl Into<String>) {
        self.found.push(Diagnostic::error(self.file, at.clone(), message).remedy(remedy));
    }

    pub(crate) fn warn(&mut self, at: &Place, message: impl Into<String>, remedy: impl Into<String>) {
        self.found.push(Diagnostic::warning(self.file, at.clone(), message).remedy(remedy));
    }

    /// A field that must be there. One that could not be read has been reported already.
    pub(crate) fn required<'v, T>(
        &mut self,
        owner: &Place,
        name: &str,
        value: Option<&'v At<T>>,
    ) -> Option<(&'v Place, &'v T)> {
        if value.is_none() {
            // A mapping's place is its first character; the report points there, not at all of it.
            let place = owner.start..owner.start.saturating_add(1);
            self.error(&place, format!("`{name}` is missing"), format!("add `{name}: …` here"));
        }
        value?.read()
    }

    pub(crate) fn duration(&mut self, value: Option<&At<String>>) -> Option<std::time::Duration> {
        let (place, text) = value?.read()?;
        let duration = parse_duration(text);
        if duration.is_none() {
            self.error(
                place,
                format!("`{text}` is no length of time"),
                "write one such as `30s`, `15m`, `4h`, `7d`",
            );
        }
        duration
    }

    /// Reports ids that stand twice.
    pub(crate) fn unique<'v>(&mut self, what: &str, ids: impl Iterator<Item = (&'v Place, &'v str)>) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (place, id) in ids {
            match seen.get(id) {
                Some(first) => {
                    let (line, _) = self.file.position(*first);
                    let message = format!("{what} id `{id}` stands twice; first on line {line}");
                    self.error(place, message, "give each its own id: it stands in refusals and records");
                }
                None => {
                    seen.insert(id, place.start);
                }
            }
        }
    }
}

/// Compiles a pact, and hands back the rows of its tools table. `None` only when something was noted as an error.
pub(crate) fn compile(source: &PactFile, notes: &mut Notes<'_>) -> Option<(Pact, Vec<Forms>)> {
    let top = 0..1;
    notes.required(&top, "apiVersion", source.api_version.as_ref());
    notes.required(&top, "kind", source.kind.as_ref());
    let metadata = notes.required(&top, "metadata", source.metadata.as_ref());
    let name = metadata.and_then(|(place, metadata)| {
        let (place, name) = notes.required(place, "name", metadata.name.as_ref())?;
        let name = PactName::new(name);
        let _ = name.as_ref().map_err(|error| {
            notes.error(place, error.to_string(), "use letters, digits, `-`, `_` and `.`, at most 100");
        });
        name.ok()
    });
    let version = metadata.and_then(|(_, m)| m.version.as_ref()?.get().copied()).unwrap_or(1);
    let (spec_place, spec) = notes.required(&top, "spec", source.spec.as_ref())?;
    let agents = agents(spec_place, spec.agents.as_ref(), notes);
    let rows = tools::compile(spec, notes);
    let clauses = clauses::compile(spec, notes);
    let limits = limits::compile(spec, notes);
    if let Some((_, escalation)) = spec.escalation.as_ref().and_then(At::read) {
        notes.duration(escalation.within.as_ref());
    }
    let tools = ToolTable::build(&rows);
    let pact = Pact {
        file: notes.file.clone(),
        name: name?,
        version,
        digest: Digest::of(notes.file.text().as_bytes()),
        risk: risk(spec),
        mode: mode(spec),
        refuses_unpermitted: matches!(
            spec.unpermitted_tools.as_ref().and_then(At::get),
            Some(source::Unpermitted::Refuse)
        ),
        refuses_changed: matches!(
            spec.changed_tools.as_ref().and_then(At::get),
            Some(source::Changed::Refuse)
        ),
        owner: spec.owner.as_ref().and_then(|owner| owner.get().cloned()),
        agents,
        index: SelectorIndex::build(clauses.iter().map(|clause| &clause.selector).zip(0..)),
        openings: Openings::build(&clauses, &rows),
        reads_http_bodies: reads_http_bodies(&tools, &clauses),
        tools,
        clauses,
        limits,
    };
    Some((pact, rows))
}

fn agents(owner: &Place, agents: Option<&At<Many<String>>>, notes: &mut Notes<'_>) -> Vec<(Place, Glob)> {
    let Some((place, Many(patterns))) = notes.required(owner, "agents", agents) else { return vec![] };
    if patterns.is_empty() {
        notes.error(place, "a pact that governs no agent says nothing", "name its agents, or `*` for any");
    }
    let mut globs = Vec::new();
    for (place, text) in patterns.iter().filter_map(At::read) {
        match Glob::parse(text, b'/') {
            Ok(glob) => globs.push((place.clone(), glob)),
            Err(error) => notes.error(place, error.explain().0, error.explain().1),
        }
    }
    globs
}

fn risk(spec: &Spec) -> Risk {
    match spec.risk.as_ref().and_then(At::get) {
        Some(SourceRisk::Low) => Risk::Low,
        Some(SourceRisk::Medium) | None => Risk::Medium,
        Some(SourceRisk::High) => Risk::High,
        Some(SourceRisk::Critical) => Risk::Critical,
    }
}

fn mode(spec: &Spec) -> Mode {
    match spec.mode.as_ref().and_then(At::get) {
        Some(SourceMode::Observe) => Mode::Observe,
        Some(SourceMode::Enforce) | None => Mode::Enforce,
    }
}

/// Whether the body of a plain HTTP call may decide: where the table makes calls tools, their arguments always may.
fn reads_http_bodies(tools: &ToolTable, clauses: &[Clause]) -> bool {
    let reads = |clause: &Clause| clause.selector.kind == ActionKind::Http && clause.reads_fields();
    tools.maps_http() || clauses.iter().any(reads)
}

/// Whether a ruling lets something through, now or after a question.
pub(crate) fn permits(ruling: Ruling) -> bool {
    ruling != Ruling::Deny
}
