//! Letting time pass for agents that send nothing: rises, fading and staleness.

use std::time::Duration;

use crate::domain::{AgentId, Timestamp};
use crate::store::fold::{Effects, load};
use crate::store::rows::id;
use crate::store::{PAGE_MAX, Store, StoreError};

impl Store {
    /// Holds the reviews that are due for every agent, and returns how many tiers changed. Cheap to call often:
    /// only agents whose last review lies before the latest moment of reviews are touched.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn review(&self, now: Timestamp) -> Result<u64, StoreError> {
        let due = self.latest_review(now);
        let mut changed = 0;
        loop {
            let agents = self.due(due).await?;
            let ended = agents.len() < usize::try_from(PAGE_MAX).unwrap_or(usize::MAX);
            for agent in &agents {
                changed += self.review_agent(agent, now).await?;
            }
            if ended {
                return Ok(changed);
            }
        }
    }

    /// Holds the reviews that are due for one agent.
    pub(in crate::store) async fn review_if_due(
        &self,
        agent: &AgentId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "SELECT computed_at FROM agents WHERE agent = $1";
        let computed_at: Option<i64> =
            sqlx::query_scalar(sql).bind(agent.as_str()).fetch_optional(&self.reader).await?;
        if computed_at.is_some_and(|at| at < self.latest_review(now).as_micros()) {
            self.review_agent(agent, now).await?;
        }
        Ok(())
    }

    fn latest_review(&self, now: Timestamp) -> Timestamp {
        let step = Duration::from_secs_f64(self.weights.review_every_s.trunc().max(1.0)).as_micros();
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        Timestamp::from_micros(now.as_micros().div_euclid(step).saturating_mul(step))
    }

    async fn due(&self, due: Timestamp) -> Result<Vec<AgentId>, StoreError> {
        let sql = "SELECT agent FROM agents WHERE computed_at < $1 ORDER BY computed_at LIMIT $2";
        let rows: Vec<String> =
            sqlx::query_scalar(sql).bind(due.as_micros()).bind(PAGE_MAX).fetch_all(&self.reader).await?;
        rows.iter().map(|agent| id(agent)).collect()
    }

    async fn review_agent(&self, agent: &AgentId, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let Some(mut kept) = load(&mut tx, &self.weights, agent).await? else { return Ok(0) };
        let changes = kept.state.advance_to(&self.weights, now);
        let mut effects = Effects::default();
        self.keep(&mut tx, agent, kept, &changes, &mut effects).await?;
        tx.commit().await?;
        self.announce(effects.changes);
        Ok(u64::try_from(changes.len()).unwrap_or(u64::MAX))
    }
}
