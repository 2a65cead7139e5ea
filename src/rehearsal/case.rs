//! A pact test as written.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::domain::{AgentId, Reason, Ruling, Timestamp, TrustTier};
use crate::pact::Diagnostics;
use crate::pact::diagnostics::{Diagnostic, File};
use crate::pact::document::{self, Node, Place, Value};
use crate::pact::reader::{self, At};
use crate::rehearsal::call::read_call;

/// When a case plays that names no time: a Wednesday, noon in UTC.
const ANY_TIME: &str = "2026-01-07T12:00:00Z";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct TestFile {
    api_version: Option<At<ApiVersion>>,
    kind: Option<At<Kind>>,
    spec: Option<At<Spec>>,
}

#[derive(Debug, Deserialize)]
enum ApiVersion {
    #[serde(rename = "pactgate.dev/v1")]
    V1,
}

#[derive(Debug, Deserialize)]
enum Kind {
    PactTest,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Spec {
    pact: Option<At<String>>,
    agent: Option<At<String>>,
    tier: Option<At<Tier>>,
    at: Option<At<String>>,
    cases: Option<At<Vec<At<SourceCase>>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SourceCase {
    name: Option<At<String>>,
    agent: Option<At<String>>,
    tier: Option<At<Tier>>,
    at: Option<At<String>>,
    call: Option<At<IgnoredAny>>,
    expect: Option<At<Expect>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tier {
    Suspended,
    Restricted,
    Probation,
    Standard,
    Trusted,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Allow,
    Ask,
    Deny,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expect {
    verdict: Option<At<Word>>,
    clauses: Option<At<Vec<At<String>>>>,
    reason: Option<At<String>>,
}

/// The tests of one pact.
#[derive(Debug)]
pub(super) struct Suite {
    /// The pact's name, and where it stands.
    pub(super) pact: (Place, String),
    pub(super) cases: Vec<Case>,
}

/// One call, and what is expected of it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) agent: AgentId,
    pub(super) tier: TrustTier,
    pub(super) at: Timestamp,
    pub(super) action: crate::domain::Action,
    pub(super) expected: Expected,
}

/// What is expected of a verdict; nothing is said of what is `None`.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) verdict: Ruling,
    pub(super) clauses: Option<Vec<String>>,
    pub(super) reason: Option<Reason>,
}

/// Reads a test file.
pub(super) fn read(file: &File) -> Result<Suite, Diagnostics> {
    let document = document::read(file)?;
    let mut found = Diagnostics::default();
    let source = reader::read::<TestFile>(file, &document, &mut found).unwrap_or_default();
    let mut notes = Notes { file, found };
    notes.required("apiVersion", 0..1, source.api_version.as_ref());
    notes.required("kind", 0..1, source.kind.as_ref());
    let suite = notes.required("spec", 0..1, source.spec.as_ref()).and_then(|(place, spec)| {
        let pact = notes.required("pact", place.clone(), spec.pact.as_ref());
        let cases = notes.required("cases", place, spec.cases.as_ref());
        let nodes = document.member("spec").and_then(|spec| spec.member("cases"));
        let cases = cases.map(|(_, cases)| cases_of(spec, cases, nodes, &mut notes));
        Some(Suite { pact: pact.map(|(place, name)| (place, name.clone()))?, cases: cases? })
    });
    match suite {
        Some(suite) if !notes.found.has_errors() => Ok(suite),
        _ => Err(notes.found.sorted()),
    }
}

struct Notes<'a> {
    file: &'a File,
    found: Diagnostics,
}

impl Notes<'_> {
    fn error(&mut self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        self.found.push(Diagnostic::error(self.file, place, message).remedy(remedy));
    }

    fn required<'v, T>(
        &mut self,
        name: &str,
        owner: Place,
        value: Option<&'v At<T>>,
    ) -> Option<(Place, &'v T)> {
        if value.is_none() {
            let place = owner.start..owner.start.saturating_add(1);
            self.error(place, format!("`{name}` is missing"), format!("add `{name}: …` here"));
        }
        value?.read().map(|(place, value)| (place.clone(), value))
    }
}

fn cases_of(spec: &Spec, cases: &[At<SourceCase>], nodes: Option<&Node>, notes: &mut Notes<'_>) -> Vec<Case> {
    let nodes = match nodes.map(|node| &node.value) {
        Some(Value::List(nodes)) => nodes.as_slice(),
        _ => &[],
    };
    let pairs = cases.iter().zip(nodes);
    pairs.filter_map(|(case, node)| case_of(spec, &case.place, case.get()?, node, notes)).collect()
}

fn case_of(spec: &Spec, at: &Place, case: &SourceCase, node: &Node, notes: &mut Notes<'_>) -> Option<Case> {
    let name = notes.required("name", at.clone(), case.name.as_ref());
    let agent = notes.required("agent", at.clone(), case.agent.as_ref().or(spec.agent.as_ref()));
    let agent = agent.and_then(|(place, text)| match AgentId::new(text) {
        Ok(agent) => Some(agent),
        Err(error) => {
            notes.error(place, error.to_string(), "write the id of an agent");
            None
        }
    });
    let tier = notes.required("tier", at.clone(), case.tier.as_ref().or(spec.tier.as_ref()));
    let moment = moment(case.at.as_ref().or(spec.at.as_ref()), notes);
    notes.required("call", at.clone(), case.call.as_ref());
    let action = node.member("call").and_then(|call| match read_call(notes.file, call) {
        Ok(action) => Some(action),
        Err(found) => {
            notes.found.push(found);
            None
        }
    });
    let expect = notes.required("expect", at.clone(), case.expect.as_ref());
    let expected = expect.and_then(|(place, expect)| expected(place, expect, notes));
    let (place, name) = name?;
    Some(Case {
        name: name.clone(),
        place,
        agent: agent?,
        tier: tier.map(|(_, tier)| tier_of(*tier))?,
        at: moment?,
        action: action?,
        expected: expected?,
    })
}

fn moment(text: Option<&At<String>>, notes: &mut Notes<'_>) -> Option<Timestamp> {
    let Some(at) = text else { return Timestamp::parse_rfc3339(ANY_TIME) };
    let (place, text) = at.read()?;
    let moment = Timestamp::parse_rfc3339(text);
    if moment.is_none() {
        notes.error(
            place.clone(),
            format!("`{text}` is no time"),
            "write one such as `2026-11-18T10:00:00Z`",
        );
    }
    moment
}

fn expected(place: Place, expect: &Expect, notes: &mut Notes<'_>) -> Option<Expected> {
    let verdict = notes.required("verdict", place, expect.verdict.as_ref()).map(|(_, word)| match word {
        Word::Allow => Ruling::Allow,
        Word::Ask => Ruling::Ask,
        Word::Deny => Ruling::Deny,
    });
    let clauses = expect.clauses.as_ref().and_then(At::get);
    let clauses = clauses.map(|ids| ids.iter().filter_map(|id| id.get().cloned()).collect());
    let reason = expect.reason.as_ref().and_then(At::read).and_then(|(place, text)| {
        let reason = Reason::parse(text);
        if reason.is_none() {
            let names = Reason::ALL.map(Reason::name);
            notes.error(place.clone(), format!("unknown reason `{text}`"), reader::nearest(text, &names));
        }
        reason
    });
    Some(Expected { verdict: verdict?, clauses, reason })
}

const fn tier_of(tier: Tier) -> TrustTier {
    match tier {
        Tier::Suspended => TrustTier::Suspended,
        Tier::Restricted => TrustTier::Restricted,
        Tier::Probation => TrustTier::Probation,
        Tier::Standard => TrustTier::Standard,
        Tier::Trusted => TrustTier::Trusted,
    }
}
