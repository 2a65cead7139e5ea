//! What a clause or a limit speaks of, and the index over many of them.

use crate::domain::{ActionKind, HttpTarget, Target};
use crate::pact::address::{HttpPattern, OpaquePattern};
use crate::pact::document::Place;
use crate::pact::index::{Index, Literal, Name};
use crate::pact::pattern::Glob;
use crate::pact::tools::Naming;

/// One kind of action, and the patterns that pick some of it.
#[derive(Clone, Debug)]
pub struct Selector {
    /// The kind.
    pub kind: ActionKind,
    /// The patterns; one must match.
    pub patterns: Patterns,
    /// Where each pattern stands in its file.
    pub places: Vec<Place>,
}

/// Patterns of one form.
#[derive(Clone, Debug)]
pub enum Patterns {
    /// Names with segments.
    Names(Vec<Glob>),
    /// Plain HTTP calls.
    Http(Vec<HttpPattern>),
    /// Connections and endpoints that are not read.
    Endpoints(Vec<OpaquePattern>),
}

/// How a pact spells the name of an action of that kind, as one text or two.
fn spelled(target: &Target) -> Option<String> {
    match target {
        Target::Model { .. }
        | Target::HostedTool { .. }
        | Target::Resource { .. }
        | Target::Prompt { .. }
        | Target::Agent { .. } => Some(target.to_string()),
        Target::Tool(_) | Target::Http(_) | Target::Opaque { .. } | Target::Protocol { .. } => None,
    }
}

impl Selector {
    /// Whether a clause that permits what it selects speaks of the action. As [`Selector::selects`], but an endpoint
    /// of an API that is not read has to be named by its path.
    #[must_use]
    pub fn permits(&self, target: &Target, naming: &Naming) -> bool {
        match (&self.patterns, target) {
            (Patterns::Endpoints(patterns), Target::Opaque { host, port, path }) => {
                patterns.iter().any(|pattern| pattern.names(host, *port, path.as_deref()))
            }
            _ => self.selects(target, naming),
        }
    }

    /// Whether it speaks of the action, by any of its names.
    #[must_use]
    pub fn selects(&self, target: &Target, naming: &Naming) -> bool {
        match (&self.patterns, target) {
            (Patterns::Names(globs), _) if self.kind == ActionKind::Tool => {
                naming.names().any(|name| globs.iter().any(|glob| glob.matches(name)))
            }
            (Patterns::Names(globs), _) if self.kind == target.kind() => {
                let peer = match target {
                    Target::Agent { peer, .. } => Some(peer.as_str()),
                    _ => None,
                };
                let whole = spelled(target);
                whole
                    .as_deref()
                    .into_iter()
                    .chain(peer)
                    .any(|name| globs.iter().any(|glob| glob.matches(name)))
            }
            (Patterns::Http(patterns), Target::Http(http)) => {
                patterns.iter().any(|pattern| pattern.matches(http))
            }
            (Patterns::Endpoints(patterns), Target::Opaque { host, port, path }) => {
                patterns.iter().any(|pattern| pattern.concerns(host, *port, path.as_deref()))
            }
            _ => false,
        }
    }
}

/// Many selectors, looked up by the action.
#[derive(Debug, Default)]
pub struct SelectorIndex {
    models: Index<Glob>,
    tools: Index<Glob>,
    hosted_tools: Index<Glob>,
    resources: Index<Glob>,
    prompts: Index<Glob>,
    agents: Index<Glob>,
    http: Index<HttpPattern>,
    endpoints: Index<OpaquePattern>,
}

impl SelectorIndex {
    /// Builds the index; each selector stands for the number beside it.
    pub fn build<'a>(selectors: impl Iterator<Item = (&'a Selector, u32)> + Clone) -> Self {
        let names = |kind: ActionKind| {
            let of_kind = selectors.clone().filter(move |(selector, _)| selector.kind == kind);
            Index::build(of_kind.flat_map(|(selector, number)| match &selector.patterns {
                Patterns::Names(globs) => {
                    globs.iter().map(|glob| (Literal::of(glob), glob.clone(), number)).collect()
                }
                Patterns::Http(_) | Patterns::Endpoints(_) => vec![],
            }))
        };
        let http = selectors.clone().flat_map(|(selector, number)| match &selector.patterns {
            Patterns::Http(patterns) => http_rows(patterns, number),
            Patterns::Names(_) | Patterns::Endpoints(_) => vec![],
        });
        let endpoints = selectors.clone().flat_map(|(selector, number)| match &selector.patterns {
            Patterns::Endpoints(patterns) => patterns
                .iter()
                .map(|pattern| (host_literal(pattern.host()), pattern.clone(), number))
                .collect(),
            Patterns::Names(_) | Patterns::Http(_) => vec![],
        });
        Self {
            models: names(ActionKind::Model),
            tools: names(ActionKind::Tool),
            hosted_tools: names(ActionKind::HostedTool),
            resources: names(ActionKind::Resource),
            prompts: names(ActionKind::Prompt),
            agents: names(ActionKind::Agent),
            http: Index::build(http),
            endpoints: Index::build(endpoints),
        }
    }

    /// Finds those that speak of a tool by this name.
    pub fn tools(&self, name: &str, found: impl FnMut(u32)) {
        self.tools.look_up_name(name, found);
    }

    /// Finds those that speak of the action by its natural name; of a tool, see [`SelectorIndex::tools`].
    pub fn others(&self, target: &Target, mut found: impl FnMut(u32)) {
        let index = match target {
            Target::Model { .. } => &self.models,
            Target::HostedTool { .. } => &self.hosted_tools,
            Target::Resource { .. } => &self.resources,
            Target::Prompt { .. } => &self.prompts,
            Target::Agent { peer, skill } => {
                // A clause that names the peer alone speaks of all its skills.
                if skill.is_some() {
                    self.agents.look_up_name(peer, &mut found);
                }
                &self.agents
            }
            Target::Http(http) => return self.http.look_up(http_name(http), |p| p.matches(http), found),
            Target::Opaque { host, port, path } => {
                let concerns = |p: &OpaquePattern| p.concerns(host, *port, path.as_deref());
                return self.endpoints.look_up(host_name(host), concerns, found);
            }
            Target::Tool(_) | Target::Protocol { .. } => return,
        };
        if let Some(name) = spelled(target) {
            index.look_up_name(&name, found);
        }
    }
}

/// Rows of an HTTP index: by host and beginning of the path where the host is written out, else by the host's ending.
pub(crate) fn http_rows(patterns: &[HttpPattern], number: u32) -> Vec<(Literal, HttpPattern, u32)> {
    let row = |pattern: &HttpPattern| {
        let literal = match pattern.host() {
            host if host.is_exact() => Literal::Head([host.text(), pattern.path().prefix()].concat()),
            host => host_literal(host),
        };
        (literal, pattern.clone(), number)
    };
    patterns.iter().map(row).collect()
}

/// The name under which [`http_rows`] are looked up.
pub(crate) fn http_name(target: &HttpTarget) -> Name<'_> {
    Name { head: &target.host, more: &target.path, tail: &target.host }
}

fn host_name(host: &str) -> Name<'_> {
    Name { head: host, more: "", tail: host }
}

/// What is literal in a host, never as a whole name: the port decides as well.
fn host_literal(host: &Glob) -> Literal {
    match Literal::of(host) {
        Literal::Whole(text) => Literal::Head(text),
        other => other,
    }
}
