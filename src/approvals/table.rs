//! Table: the questions on the desk, and what ends them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::approvals::question::{Asked, Said, Statement};
use crate::approvals::spent::Spent;
use crate::approvals::state::{Event, State};
use crate::domain::{AgentId, ApprovalId, Digest, SharedClock, Timestamp};

/// Bytes kept of what a person wrote.
const WORDS_BYTES_MAX: usize = 1_024;

/// Why an answer changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// No such question is open here.
    #[error("no such question is open")]
    Unknown,
    /// It was given for another agent, other arguments or another pact.
    #[error("the answer is for another agent, other arguments or another pact")]
    Mismatch,
    /// The question was answered before, or the grant's own time is over.
    #[error("the answer comes too late")]
    Late,
}

/// One moment on both hands of the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) wall: Timestamp,
    pub(super) monotonic: Duration,
}

/// Whether a question is still on the desk, for those who wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Open,
    Expired,
    Spent,
}

/// The questions, each reachable by what it asks and by its id.
///
/// Invariant: every value of `keys` is a key of `entries`, whose id is the key of `keys`.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) entries: HashMap<Digest, Entry>,
    keys: HashMap<ApprovalId, Digest>,
    /// Ids that must not come up again.
    retired: Arc<Spent>,
    /// How long after a question's end its id could come up again.
    lifetime: Duration,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) asked: Arc<Asked>,
    pub(super) state: State,
    /// Monotonic clock: so that a wall clock set back prolongs nothing.
    pub(super) ends: Duration,
    pub(super) is_delivered: bool,
    pub(super) fate: watch::Sender<Fate>,
}

impl Moment {
    pub(super) fn of(clock: &SharedClock) -> Self {
        Self { wall: clock.now(), monotonic: clock.monotonic() }
    }
}

impl Table {
    pub(super) fn new(retired: Arc<Spent>, lifetime: Duration) -> Self {
        Self { entries: HashMap::new(), keys: HashMap::new(), retired, lifetime }
    }

    pub(super) fn insert(&mut self, key: Digest, entry: Entry) {
        self.keys.insert(entry.asked.id.clone(), key);
        self.entries.insert(key, entry);
    }

    pub(super) fn by_key(&mut self, key: &Digest, at: Moment) -> Option<&mut Entry> {
        if self.entries.get(key).is_some_and(|entry| entry.is_over(at)) {
            self.remove(key, Fate::Expired, at);
        }
        self.entries.get_mut(key)
    }

    pub(super) fn by_id(&mut self, id: &ApprovalId, at: Moment) -> Option<&mut Entry> {
        let key = *self.keys.get(id)?;
        self.by_key(&key, at)
    }

    /// Questions of one agent.
    pub(super) fn count_of(&self, agent: &AgentId) -> usize {
        self.entries.values().filter(|entry| entry.asked.question.agent == *agent).count()
    }

    /// Removes every question whose time is over.
    pub(super) fn sweep(&mut self, at: Moment) {
        let over: Vec<_> =
            self.entries.iter().filter(|(_, entry)| entry.is_over(at)).map(|(key, _)| *key).collect();
        over.iter().for_each(|key| self.remove(key, Fate::Expired, at));
    }

    pub(super) fn answer(&mut self, statement: Statement, at: Moment) -> Result<(), NotTaken> {
        let entry = self.by_id(&statement.approval, at).ok_or(NotTaken::Unknown)?;
        if !entry.asked.question.is_meant_by(&statement) {
            return Err(NotTaken::Mismatch);
        }
        let good_for = statement.expires_at.since(at.wall);
        let (by, why) = (cut(statement.by), cut(statement.why));
        let event = match statement.said {
            Said::Granted if good_for.is_zero() => return Err(NotTaken::Late),
            Said::Granted => {
                Event::Grant { by, until: entry.ends.min(at.monotonic.saturating_add(good_for)) }
            }
            Said::Refused => Event::Refuse { by, why },
            Said::Expired => Event::Expire,
        };
        entry.state = entry.state.after(event).ok_or(NotTaken::Late)?;
        entry.is_delivered = true;
        if entry.state == State::Expired {
            let key = entry.asked.question.key();
            self.remove(&key, Fate::Expired, at);
        } else {
            entry.fate.send_replace(Fate::Open);
        }
        Ok(())
    }

    /// Uses the grant of a question, if it has one: the question is gone afterwards, and its id with it.
    pub(super) fn spend(&mut self, id: &ApprovalId, at: Moment) -> Option<String> {
        let entry = self.by_id(id, at)?;
        let State::Granted { by, .. } = entry.state.clone() else { return None };
        entry.state = entry.state.after(Event::Spend)?;
        let key = entry.asked.question.key();
        self.remove(&key, Fate::Spent, at);
        Some(by)
    }

    fn remove(&mut self, key: &Digest, fate: Fate, at: Moment) {
        if let Some(entry) = self.entries.remove(key) {
            self.keys.remove(&entry.asked.id);
            self.retired.mark(&entry.asked.id, entry.asked.expires_at.plus(self.lifetime), at.wall);
            entry.fate.send_replace(fate);
        }
    }
}

impl Entry {
    fn is_over(&self, at: Moment) -> bool {
        let grant_is_over = matches!(self.state, State::Granted { until, .. } if at.monotonic >= until);
        (at.monotonic >= self.ends || grant_is_over) && self.state.after(Event::Expire).is_some()
    }

    /// The name of the state, for people.
    pub(super) fn state_name(&self) -> &'static str {
        match self.state {
            State::Pending => "pending",
            State::Granted { .. } => "granted",
            State::Refused { .. } => "refused",
            State::Expired => "expired",
            State::Spent => "spent",
        }
    }
}

fn cut(mut words: String) -> String {
    words.truncate(words.floor_char_boundary(WORDS_BYTES_MAX));
    words
}
