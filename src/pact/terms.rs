//! The pact as executed: compiled once, shared by every call.

use crate::domain::{Action, ActionKind, AgentId, ClauseId, Digest, PactName, Ruling, Target, TrustTier};
use crate::pact::condition::Condition;
use crate::pact::constraint::Constraint;
use crate::pact::diagnostics::File;
use crate::pact::document::Place;
use crate::pact::index::Index;
use crate::pact::limit::Limit;
use crate::pact::pattern::Glob;
use crate::pact::selector::{Selector, SelectorIndex};
use crate::pact::tools::{Forms, Naming, ToolTable};

/// The behavioral contract of one or more agents, checked and ready to decide. Made by [`crate::pact::load`].
#[derive(Debug)]
pub struct Pact {
    pub(crate) file: File,
    pub(crate) name: PactName,
    pub(crate) version: u64,
    pub(crate) digest: Digest,
    pub(crate) risk: Risk,
    pub(crate) mode: Mode,
    pub(crate) owner: Option<String>,
    pub(crate) refuses_unpermitted: bool,
    pub(crate) refuses_changed: bool,
    pub(crate) agents: Vec<(Place, Glob)>,
    pub(crate) tools: ToolTable,
    /// In the order of the file, which is the order of verdicts.
    pub(crate) clauses: Vec<Clause>,
    pub(crate) index: SelectorIndex,
    pub(crate) openings: Openings,
    pub(crate) limits: Vec<Limit>,
    pub(crate) reads_http_bodies: bool,
}

/// One permission, question or prohibition.
#[derive(Debug)]
pub struct Clause {
    /// Its name, unique in the pact.
    pub id: ClauseId,
    /// What it says.
    pub ruling: Ruling,
    /// Of what it says so.
    pub selector: Selector,
    /// Constraints on the action's fields; all must hold.
    pub constraints: Vec<Constraint>,
    /// A condition that must hold.
    pub condition: Option<Condition>,
    /// The lowest tier at which it says so.
    pub floor: Option<TrustTier>,
    /// Whether an allow clause asks under its floor instead of saying nothing.
    pub asks_below: bool,
    /// Who may say yes.
    pub approvers: Vec<String>,
    /// Whether it has no `where`, no `when` and no `tier`.
    pub is_unconditional: bool,
}

/// What an allow or ask clause opens for the messages a protocol needs.
#[derive(Debug, Default)]
pub(crate) struct Openings {
    pub(crate) mcp_servers: Index<Glob>,
    pub(crate) model_providers: Index<Glob>,
    pub(crate) agents: Index<Glob>,
}

/// How much harm a wrong action can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// Most.
    Critical,
}

impl Risk {
    /// Whether calls are recorded before they are sent.
    #[must_use]
    pub fn at_least_high(self) -> bool {
        self >= Self::High
    }

    /// The name used in pacts, records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Whether verdicts are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// What is denied does not happen.
    Enforce,
    /// Verdicts are recorded, and calls go on.
    Observe,
}

impl Mode {
    /// The name used in pacts, records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}

impl Clause {
    /// What the clause says at a tier, once its constraints and its condition hold.
    #[must_use]
    pub fn says_at(&self, tier: TrustTier) -> Option<Ruling> {
        match self.floor {
            Some(floor) if tier < floor => self.asks_below.then_some(Ruling::Ask),
            _ => Some(self.ruling),
        }
    }

    /// Whether it reads arguments or other fields of the action.
    #[must_use]
    pub fn reads_fields(&self) -> bool {
        let in_condition = self.condition.as_ref().is_some_and(Condition::reads_fields);
        let in_body = |c: &Constraint| c.field.names().first().is_some_and(|name| **name == *"args");
        in_condition || self.constraints.iter().any(in_body)
    }
}

impl Pact {
    /// `metadata.name`: unique among the pacts loaded together.
    #[must_use]
    pub const fn name(&self) -> &PactName {
        &self.name
    }

    /// `metadata.version`: a number for people.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// SHA-256 of the file's text: what is recorded and compared.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The agent's consequence tier.
    #[must_use]
    pub const fn risk(&self) -> Risk {
        self.risk
    }

    /// Whether its verdicts are carried out.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The accountable steward, where one is named.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Whether a request that offers a model a tool which the agent may never call is refused, instead of going on
    /// without it.
    #[must_use]
    pub const fn refuses_unpermitted(&self) -> bool {
        self.refuses_unpermitted
    }

    /// Whether calls of a tool are refused whose definition has changed since it was first seen.
    #[must_use]
    pub const fn refuses_changed(&self) -> bool {
        self.refuses_changed
    }

    /// The MCP tools, as server and tool, that the table of tools takes for the same capability as an action.
    pub fn mcp_forms(&self, target: &Target) -> impl Iterator<Item = (String, String)> + use<> {
        self.tools.mcp_forms(target).into_iter()
    }

    /// The name of the file it was read from.
    #[must_use]
    pub fn file(&self) -> &str {
        self.file.name()
    }

    /// The agents it governs, as written.
    pub fn agents(&self) -> impl Iterator<Item = &str> {
        self.agents.iter().map(|(_, glob)| glob.text())
    }

    /// Whether it governs an agent.
    #[must_use]
    pub fn governs(&self, agent: &AgentId) -> bool {
        self.agents.iter().any(|(_, glob)| glob.matches(agent.as_str()))
    }

    /// Its clauses, in the order of the file.
    #[must_use]
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// Its limits, in the order of the file.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Whether a decision on a plain HTTP call may depend on its body.
    #[must_use]
    pub const fn reads_http_bodies(&self) -> bool {
        self.reads_http_bodies
    }

    /// Whether the tools table maps this plain call by a pattern that leaves nothing of its address open.
    #[must_use]
    pub fn is_one_call(&self, target: &Target) -> bool {
        self.tools.is_one_call(target)
    }

    /// The limits with a rate that count an action, in the order of the file. A tool is counted by its capability and
    /// by its natural name.
    pub fn limits_on<'a>(&'a self, action: &'a Action) -> impl Iterator<Item = &'a Limit> {
        let naming =
            if self.limits.is_empty() { Naming::default() } else { self.tools.naming(&action.target) };
        let counts = move |limit: &&Limit| limit.has_rate && limit.selector.selects(&action.target, &naming);
        self.limits.iter().filter(counts)
    }

    pub(crate) fn clause(&self, number: u32) -> Option<&Clause> {
        self.clauses.get(usize::try_from(number).ok()?)
    }
}

impl Openings {
    /// What the allow and ask clauses open, given the servers and agents that stand behind each capability.
    pub(crate) fn build(clauses: &[Clause], table: &[Forms]) -> Self {
        use crate::pact::index::Literal;
        use crate::pact::selector::Patterns;

        let (mut mcp, mut models, mut agents) = (Vec::new(), Vec::new(), Vec::new());
        for (number, clause) in (0..).zip(clauses).filter(|(_, clause)| clause.ruling != Ruling::Deny) {
            let Patterns::Names(globs) = &clause.selector.patterns else { continue };
            for glob in globs {
                let (rows, separator) = match clause.selector.kind {
                    ActionKind::Tool => (&mut mcp, b'.'),
                    ActionKind::Resource | ActionKind::Prompt => (&mut mcp, b'/'),
                    ActionKind::Model => (&mut models, b'/'),
                    ActionKind::Agent => (&mut agents, b'/'),
                    _ => continue,
                };
                let mut open = |glob: Glob| rows.push((Literal::of(&glob), glob, number));
                first_segment(glob, separator).into_iter().for_each(&mut open);
                if clause.selector.kind == ActionKind::Agent {
                    open(glob.clone());
                }
                if clause.selector.kind != ActionKind::Tool {
                    continue;
                }
                for row in table.iter().filter(|row| glob.matches(&row.capability)) {
                    let open = |rows: &mut Vec<_>, name: &str, separator| {
                        let exact = Glob::parse(name, separator).ok();
                        rows.extend(exact.map(|glob| (Literal::of(&glob), glob, number)));
                    };
                    row.mcp.iter().for_each(|(server, _)| open(&mut mcp, server, b'.'));
                    row.agents.iter().for_each(|(peer, _)| open(&mut agents, peer, b'/'));
                }
            }
        }
        Self {
            mcp_servers: Index::build(mcp),
            model_providers: Index::build(models),
            agents: Index::build(agents),
        }
    }
}

/// The pattern that the first segment of a matching name matches; `None` when no name of two segments matches.
fn first_segment(glob: &Glob, separator: u8) -> Option<Glob> {
    if glob.is_any() {
        return Some(glob.clone());
    }
    let text = glob.text();
    let first = match (text.find("**"), text.find(char::from(separator))) {
        (Some(deep), end) if end.is_none_or(|end| deep < end) => format!("{}**", text.get(..deep)?),
        (_, Some(end)) => text.get(..end)?.to_owned(),
        (_, None) => return None,
    };
    Glob::parse(&first, separator).ok()
}
