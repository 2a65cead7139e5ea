//! What is known of agents.

use crate::domain::{AgentId, Timestamp, TrustTier};
use crate::scoring;
use crate::store::fold::load;
use crate::store::rows::{id, moment, signed, tier, unsigned};
use crate::store::{PAGE_MAX, Store, StoreError};
use crate::wire::{AgentPage, AgentSummary, AgentTier, Recent, Share, TierChange, TrustView};

/// An agent's tier as news for sidecars, and the revision at which it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentNews {
    /// The revision; no two agents share one.
    pub revision: u64,
    /// What to tell.
    pub tier: AgentTier,
}

/// How many agents have a tier.
pub type TierCount = (TrustTier, u64);

/// Most characters of a sentence that sidecars are told; a page of them stays within one statement.
const WHY_TOLD_MAX: usize = 200;
/// Tier changes shown with an agent.
const HISTORY_MAX: u32 = 100;

type SummaryRow = (String, String, i64, f64, f64, i64, i64);
type NewsRow = (i64, String, String, f64, f64, f64, i64, String);

impl Store {
    /// Agents by id, those after `after` if given, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agents(&self, after: Option<&str>, limit: u32) -> Result<AgentPage, StoreError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let sql = "SELECT agent, tier, since, mean, lower, suspended, seen_at FROM agents \
                   WHERE agent > $1 ORDER BY agent LIMIT $2";
        let rows: Vec<SummaryRow> =
            sqlx::query_as(sql).bind(after.unwrap_or_default()).bind(limit).fetch_all(&self.reader).await?;
        let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let agents = rows.into_iter().map(summary).collect::<Result<Vec<_>, _>>()?;
        let next = agents.last().filter(|_| full).map(|agent| agent.agent.to_string());
        Ok(AgentPage { agents, next })
    }

    /// Everything known of one agent's trust as of `now`; `None` when nothing is known of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trust(&self, agent: &AgentId, now: Timestamp) -> Result<Option<TrustView>, StoreError> {
        // Reviews that are due are held first, so that what is shown here is what the feed says.
        self.review_if_due(agent, now).await?;
        let kept = load(&mut *self.reader.acquire().await?, &self.weights, agent).await?;
        let Some(mut kept) = kept else { return Ok(None) };
        kept.state.advance_to(&self.weights, now);
        let standing = kept.state.standing(&self.weights);
        let overridden = match kept.state.is_suspended_by_operator() {
            true => self.holding(agent).await?,
            false => None,
        };
        let score = standing.score;
        Ok(Some(TrustView {
            agent: agent.clone(),
            tier: standing.tier,
            since: standing.since,
            evidence_tier: standing.evidence_tier,
            score: score.mean,
            lower: score.lower,
            upper: score.upper,
            confidence: score.confidence(),
            effective: score.effective,
            in_scope: share(&score),
            freshness_seconds: score.freshness.map(|age| age.as_secs()),
            fresh: score.fresh,
            recent: recent(&standing.recent),
            reasons: standing.reasons,
            overridden,
            history: self.history(agent).await?,
            algorithm: self.weights.name(),
            position: kept.position,
            computed_at: kept.state.clock(),
        }))
    }

    /// Agents whose tier changed after a revision, in the order of change, at most a page.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agents_since(&self, revision: u64) -> Result<Vec<AgentNews>, StoreError> {
        let sql = "SELECT revision, agent, tier, mean, lower, confidence, computed_at, why FROM agents \
                   WHERE revision > $1 ORDER BY revision LIMIT $2";
        let rows: Vec<NewsRow> =
            sqlx::query_as(sql).bind(signed(revision)).bind(PAGE_MAX).fetch_all(&self.reader).await?;
        rows.into_iter().map(news).collect()
    }

    /// Agents of one tier by id, after one of them, at most a page: what a full statement is made of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agents_of_tier(
        &self,
        of: TrustTier,
        after: &str,
        limit: u32,
    ) -> Result<Vec<AgentTier>, StoreError> {
        let sql = "SELECT revision, agent, tier, mean, lower, confidence, computed_at, why FROM agents \
                   WHERE tier = $1 AND agent > $2 ORDER BY agent LIMIT $3";
        let rows: Vec<NewsRow> =
            sqlx::query_as(sql).bind(of.name()).bind(after).bind(limit).fetch_all(&self.reader).await?;
        rows.into_iter().map(|row| news(row).map(|news| news.tier)).collect()
    }

    /// How many agents have each tier.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tier_counts(&self) -> Result<Vec<TierCount>, StoreError> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT tier, COUNT(*) FROM agents GROUP BY tier").fetch_all(&self.reader).await?;
        rows.into_iter().map(|(name, count)| Ok((tier(&name)?, unsigned(count)))).collect()
    }

    async fn history(&self, agent: &AgentId) -> Result<Vec<TierChange>, StoreError> {
        let sql =
            "SELECT at, from_tier, to_tier, why FROM tier_changes WHERE agent = $1 ORDER BY id DESC LIMIT $2";
        let rows: Vec<(i64, String, String, String)> =
            sqlx::query_as(sql).bind(agent.as_str()).bind(HISTORY_MAX).fetch_all(&self.reader).await?;
        rows.into_iter()
            .map(|(at, from, to, why)| {
                Ok(TierChange { at: moment(at), from: tier(&from)?, to: tier(&to)?, why })
            })
            .collect()
    }
}

fn summary(row: SummaryRow) -> Result<AgentSummary, StoreError> {
    let (agent, name, since, score, lower, suspended, seen_at) = row;
    Ok(AgentSummary {
        agent: id(&agent)?,
        tier: tier(&name)?,
        since: moment(since),
        score,
        lower,
        overridden: suspended != 0,
        seen_at: moment(seen_at),
    })
}

fn news(row: NewsRow) -> Result<AgentNews, StoreError> {
    let (revision, agent, name, score, lower, confidence, computed_at, why) = row;
    let tier = AgentTier {
        agent: id(&agent)?,
        tier: tier(&name)?,
        score,
        lower,
        confidence,
        computed_at: moment(computed_at),
        why: why.chars().take(WHY_TOLD_MAX).collect(),
    };
    Ok(AgentNews { revision: unsigned(revision), tier })
}

fn share(score: &scoring::Score) -> Share {
    Share { k: score.good, n: score.good + score.bad }
}

fn recent(score: &scoring::Score) -> Recent {
    Recent { score: score.mean, lower: score.lower, upper: score.upper, in_scope: share(score) }
}
