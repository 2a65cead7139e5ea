//! `/trust`: the agents' tiers, what they rest on, and how old the news of them is.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::admin::pages::Listed;
use crate::domain::AgentId;
use crate::trust::{Freshness, News, Standing, TierCache};

/// The tiers of all agents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrustPage {
    /// Where the tiers come from.
    pub news: NewsPart,
    /// The agents of the configuration first, then all that the collector spoke of.
    pub agents: Listed<AgentLine>,
}

/// How old the collector's newest word is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewsPart {
    /// `fixed` by the configuration, `heard`, `never` heard, or heard at a time that is `undatable`.
    pub state: String,
    /// `heard`: how long ago; `never`: how long since the start. In seconds.
    pub age_s: Option<u64>,
    /// The highest tier that counts while the news is that old.
    pub ceiling: String,
    /// Number of the newest statement taken.
    pub serial: u64,
    /// Statements refused since the start.
    pub refused: u64,
}

/// One agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentLine {
    /// Its id.
    pub agent: String,
    /// The tier that counts.
    pub tier: String,
    /// The tier as last stated.
    pub stated: String,
    /// Whether old or missing news holds the one below the other.
    pub sunk: bool,
    /// Mean of its score, 0 to 1.
    pub score: Option<f64>,
    /// Lower bound of it.
    pub lower: Option<f64>,
    /// Confidence in it.
    pub confidence: Option<f64>,
    /// When the collector computed it; RFC 3339, UTC.
    pub computed_at: Option<String>,
    /// The collector's reason.
    pub why: String,
}

/// The page as it is now. `configured`: the agents that the configuration names, of whom the collector may not
/// have spoken yet.
#[must_use]
pub fn trust(cache: &TierCache, configured: &[AgentId]) -> TrustPage {
    let standings = cache.standings();
    let named: BTreeSet<&AgentId> = configured.iter().collect();
    let stated = |agent: &AgentId| standings.binary_search_by(|s| s.agent.cmp(agent)).ok();
    let first = named.iter().map(|agent| line(cache, agent, stated(agent).and_then(|i| standings.get(i))));
    let others = standings.iter().filter(|standing| !named.contains(&standing.agent));
    let others = others.map(|standing| line(cache, &standing.agent, Some(standing)));
    TrustPage { news: news(cache), agents: Listed::of(first.chain(others)) }
}

fn news(cache: &TierCache) -> NewsPart {
    let stats = cache.stats();
    let (state, age, ceiling) = match cache.freshness() {
        Freshness::Fixed(tier) => ("fixed", None, tier),
        Freshness::Fed { news: News::Aged(age), ceiling } => ("heard", Some(age), ceiling),
        Freshness::Fed { news: News::Never(waited), ceiling } => ("never", Some(waited), ceiling),
        Freshness::Fed { news: News::Undatable, ceiling } => ("undatable", None, ceiling),
    };
    NewsPart {
        state: state.to_owned(),
        age_s: age.map(|age| age.as_secs()),
        ceiling: ceiling.to_string(),
        serial: stats.serial,
        refused: stats.refused,
    }
}

fn line(cache: &TierCache, agent: &AgentId, standing: Option<&Standing>) -> AgentLine {
    let view = cache.view(agent);
    AgentLine {
        agent: agent.to_string(),
        tier: view.tier.to_string(),
        stated: view.stated.to_string(),
        sunk: view.sunk,
        score: standing.and_then(|s| s.score),
        lower: standing.and_then(|s| s.lower),
        confidence: standing.and_then(|s| s.confidence),
        computed_at: standing.and_then(|s| s.computed_at).map(|at| at.to_string()),
        why: standing.map(|s| s.why.clone()).unwrap_or_default(),
    }
}
