//! Questions to people, and their answers: each answered once.

use sqlx::SqliteConnection;

use crate::domain::{ApprovalId, SidecarId, Timestamp};
use crate::store::revision::next_revision;
use crate::store::rows::{id, moment, signed, unsigned};
use crate::store::{Change, PAGE_MAX, Store, StoreError};
use crate::wire::{Answer, ApprovalPage, ApprovalState, ApprovalView, Approved, Question, Say};

/// Why a question was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Another question has the same id.
    #[error("another question has the same id: give each question its own")]
    Conflict,
    /// It has lapsed already, or would stay open for too long.
    #[error("`expires_at` must lie ahead, and at most a week: compare the clocks of sidecar and collector")]
    Expiry,
    /// Too many of this sidecar's questions are open.
    #[error("{PENDING_MAX} questions of this sidecar are open: answer some first")]
    Full,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an answer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// There is no such question.
    #[error("there is no question with that id")]
    Unknown,
    /// Somebody answered before.
    #[error("the question was {} before, by `{by}`: an answer is final", .state.name())]
    Answered {
        /// How.
        state: ApprovalState,
        /// Who.
        by: String,
    },
    /// It lapsed.
    #[error("the question lapsed at {at}: the agent has been refused and may ask again")]
    Lapsed {
        /// When.
        at: Timestamp,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for AskError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<sqlx::Error> for AnswerError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// An answer as news for the sidecar that asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalNews {
    /// The revision; no two answers share one.
    pub revision: u64,
    /// The sidecar that asked.
    pub sidecar: SidecarId,
    /// What to tell it.
    pub answer: Approved,
}

const PENDING_MAX: i64 = 1_000;
const WEEK: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);

/// The columns of [`Row`], before the rest of a query.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT revision, sidecar, question, state, answered_by, why, answered_at FROM approvals ",
            $rest
        )
    };
}

type Row = (i64, String, String, String, Option<String>, Option<String>, Option<i64>);

impl Store {
    /// Takes a question in. `true` when it is new, `false` when the same was asked before.
    ///
    /// # Errors
    /// When the question cannot be taken; see [`AskError`].
    pub async fn ask(
        &self,
        sidecar: &SidecarId,
        question: &Question,
        now: Timestamp,
    ) -> Result<bool, AskError> {
        let text = String::from_utf8_lossy(&crate::wire::write(question)).into_owned();
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let sql = "SELECT sidecar, question FROM approvals WHERE approval = $1";
        let held: Option<(String, String)> =
            sqlx::query_as(sql).bind(question.approval.as_str()).fetch_optional(&mut *tx).await?;
        if let Some(held) = held {
            let same = held == (sidecar.to_string(), text);
            return if same { Ok(false) } else { Err(AskError::Conflict) };
        }
        if question.expires_at <= now || question.expires_at > now.plus(WEEK) {
            return Err(AskError::Expiry);
        }
        let sql = "SELECT COUNT(*) FROM approvals WHERE state = 'pending' AND sidecar = $1";
        let pending: i64 = sqlx::query_scalar(sql).bind(sidecar.as_str()).fetch_one(&mut *tx).await?;
        if pending >= PENDING_MAX {
            return Err(AskError::Full);
        }
        let revision = next_revision(&mut tx).await?;
        let sql = "INSERT INTO approvals (approval, sidecar, question, state, expires_at, revision) \
                   VALUES ($1, $2, $3, 'pending', $4, $5)";
        sqlx::query(sql)
            .bind(question.approval.as_str())
            .bind(sidecar.as_str())
            .bind(text)
            .bind(question.expires_at.as_micros())
            .bind(revision)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.announce([Change::Approval(question.approval.clone())]);
        Ok(true)
    }

    /// Answers a question, once and for all, before it lapses.
    ///
    /// # Errors
    /// When there is no such question, or it was answered or lapsed before.
    pub async fn answer(
        &self,
        approval: &ApprovalId,
        say: Say,
        operator: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<ApprovalView, AnswerError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let held = find(&mut tx, approval).await?.ok_or(AnswerError::Unknown)?;
        let lapses = held.question.expires_at;
        match held.state {
            ApprovalState::Pending if now < lapses => {}
            ApprovalState::Pending | ApprovalState::Expired => {
                return Err(AnswerError::Lapsed { at: lapses });
            }
            state @ (ApprovalState::Granted | ApprovalState::Refused) => {
                return Err(AnswerError::Answered { state, by: held.by.unwrap_or_default() });
            }
        }
        let state = match say {
            Say::Grant => ApprovalState::Granted,
            Say::Refuse => ApprovalState::Refused,
        };
        close(&mut tx, approval, state, operator, why, now).await?;
        tx.commit().await?;
        self.announce([Change::Approval(approval.clone())]);
        let (by, why) = (Some(operator.to_owned()), Some(why.to_owned()));
        Ok(ApprovalView { state, by, why, answered_at: Some(now), ..held })
    }

    /// Closes the questions that lapsed, and returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire(&self, now: Timestamp) -> Result<u64, StoreError> {
        let sql = "SELECT approval FROM approvals WHERE state = 'pending' AND expires_at <= $1 ORDER BY id LIMIT $2";
        let due: Vec<String> =
            sqlx::query_scalar(sql).bind(now.as_micros()).bind(PAGE_MAX).fetch_all(&self.reader).await?;
        let mut closed = 0;
        for approval in due {
            let approval: ApprovalId = id(&approval)?;
            let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            let held = find(&mut tx, &approval).await?;
            if held.is_none_or(|held| held.state != ApprovalState::Pending) {
                continue;
            }
            let why = "nobody answered in time";
            close(&mut tx, &approval, ApprovalState::Expired, "collector", why, now).await?;
            tx.commit().await?;
            self.announce([Change::Approval(approval)]);
            closed += 1;
        }
        Ok(closed)
    }

    /// One question.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn approval(&self, approval: &ApprovalId) -> Result<Option<ApprovalView>, StoreError> {
        find(&mut *self.reader.acquire().await?, approval).await
    }

    /// Questions in a state, or all, oldest first, those after one of them if given, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn approvals(
        &self,
        state: Option<ApprovalState>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<ApprovalPage, StoreError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let by_state = select!(
            "WHERE state = $3 AND id > COALESCE((SELECT id FROM approvals WHERE approval = $1), 0) ORDER BY id LIMIT $2"
        );
        let all = select!(
            "WHERE id > COALESCE((SELECT id FROM approvals WHERE approval = $1), 0) ORDER BY id LIMIT $2"
        );
        let query = match state {
            Some(state) => sqlx::query_as(by_state).bind(after).bind(limit).bind(state.name()),
            None => sqlx::query_as(all).bind(after).bind(limit),
        };
        let rows: Vec<Row> = query.fetch_all(&self.reader).await?;
        let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let approvals =
            rows.into_iter().map(|row| view(row).map(|(_, view)| view)).collect::<Result<Vec<_>, _>>()?;
        let next = approvals.last().filter(|_| full).map(|view| view.question.approval.to_string());
        Ok(ApprovalPage { approvals, next })
    }

    /// Answers given after a revision, in order, at most a page.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn answers_since(&self, revision: u64) -> Result<Vec<ApprovalNews>, StoreError> {
        let sql = select!("WHERE revision > $1 AND state <> 'pending' ORDER BY revision LIMIT $2");
        let rows: Vec<Row> =
            sqlx::query_as(sql).bind(signed(revision)).bind(PAGE_MAX).fetch_all(&self.reader).await?;
        rows.into_iter().filter_map(|row| news(row).transpose()).collect()
    }

    /// Answers that a sidecar may have missed while it was away: those that have not lapsed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn answers_for(
        &self,
        sidecar: &SidecarId,
        now: Timestamp,
    ) -> Result<Vec<ApprovalNews>, StoreError> {
        let sql = select!(
            "WHERE sidecar = $1 AND state <> 'pending' AND expires_at > $2 ORDER BY revision DESC LIMIT $3"
        );
        let rows: Vec<Row> = sqlx::query_as(sql)
            .bind(sidecar.as_str())
            .bind(now.as_micros())
            .bind(PAGE_MAX)
            .fetch_all(&self.reader)
            .await?;
        rows.into_iter().rev().filter_map(|row| news(row).transpose()).collect()
    }

    /// How many questions are open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pending_count(&self) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) FROM approvals WHERE state = 'pending'";
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&self.reader).await?;
        Ok(unsigned(count))
    }
}

async fn find(tx: &mut SqliteConnection, approval: &ApprovalId) -> Result<Option<ApprovalView>, StoreError> {
    let sql = select!("WHERE approval = $1");
    let row: Option<Row> = sqlx::query_as(sql).bind(approval.as_str()).fetch_optional(tx).await?;
    row.map(|row| view(row).map(|(_, view)| view)).transpose()
}

async fn close(
    tx: &mut SqliteConnection,
    approval: &ApprovalId,
    state: ApprovalState,
    by: &str,
    why: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let revision = next_revision(tx).await?;
    let sql = "UPDATE approvals SET state = $1, answered_by = $2, why = $3, answered_at = $4, revision = $5 \
               WHERE approval = $6";
    sqlx::query(sql)
        .bind(state.name())
        .bind(by)
        .bind(why)
        .bind(now.as_micros())
        .bind(revision)
        .bind(approval.as_str())
        .execute(tx)
        .await?;
    Ok(())
}

fn view(row: Row) -> Result<(u64, ApprovalView), StoreError> {
    let (revision, sidecar, question, state, by, why, answered_at) = row;
    let question: Question = crate::wire::read(question.as_bytes())
        .map_err(|error| StoreError::damaged(format!("a question: {error}")))?;
    let state = ApprovalState::parse(&state).ok_or_else(|| StoreError::damaged("a question has no state"))?;
    let answered_at = answered_at.map(moment);
    Ok((unsigned(revision), ApprovalView { question, sidecar: id(&sidecar)?, state, by, why, answered_at }))
}

fn news(row: Row) -> Result<Option<ApprovalNews>, StoreError> {
    let (revision, view) = view(row)?;
    let answer = match view.state {
        ApprovalState::Pending => return Ok(None),
        ApprovalState::Granted => Answer::Granted,
        ApprovalState::Refused => Answer::Refused,
        ApprovalState::Expired => Answer::Expired,
    };
    let question = view.question;
    let answer = Approved {
        v: 1,
        approval: question.approval,
        answer,
        by: view.by.unwrap_or_default(),
        why: view.why.unwrap_or_default(),
        args_digest: question.args_digest,
        pact_digest: question.pact_digest,
        agent: question.agent,
        expires_at: question.expires_at,
    };
    Ok(Some(ApprovalNews { revision, sidecar: view.sidecar, answer }))
}
