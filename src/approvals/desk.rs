//! Desk: where questions are asked, delivered, answered and waited for.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};

use crate::approvals::question::{Asked, Question, Statement, id_of};
use crate::approvals::spent::Spent;
use crate::approvals::state::State;
use crate::approvals::table::{Entry, Fate, Moment, NotTaken, Table};
use crate::approvals::ticket::{Answer, Grant, Look, Ticket};
use crate::domain::{ApprovalId, Digest, Json, SharedClock};

/// How long and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a question, and a grant, is good. Counts from the question.
    pub expire: Duration,
    /// The file that remembers used grants; `None` keeps them in memory, and a restart voids every grant.
    pub spent_file: Option<PathBuf>,
    /// Questions open at once. One more is refused.
    pub questions_max: usize,
    /// Questions of one agent open at once, so that one agent cannot fill the desk for all.
    pub questions_per_agent_max: usize,
    /// Calls held at once. One more does not wait, and goes unanswered.
    pub waiters_max: usize,
    /// Bytes of an action's fields that a question carries; longer ones are left out, and the question says so.
    pub fields_bytes_max: usize,
}

impl Default for Settings {
    /// 15 minutes; 1,024 questions, 64 of one agent; 256 waiters; 16 KiB of fields.
    fn default() -> Self {
        Self {
            expire: Duration::from_secs(15 * 60),
            spent_file: None,
            questions_max: 1_024,
            questions_per_agent_max: 64,
            waiters_max: 256,
            fields_bytes_max: 16 * 1_024,
        }
    }
}

/// There is no room for one more question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many questions are open")]
pub struct DeskFull;

/// A question on the desk, for people who look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// What was asked.
    pub asked: Arc<Asked>,
    /// `pending`, `granted` or `refused`.
    pub state: &'static str,
    /// Whether the collector has it.
    pub is_delivered: bool,
}

/// Counters since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Questions on the desk.
    pub open: usize,
    /// Calls held now.
    pub waiting: usize,
    /// Questions asked, each counted once.
    pub asked: u64,
    /// Calls that found no room for their question.
    pub overflows: u64,
    /// Grants used.
    pub granted: u64,
    /// Answers that changed nothing.
    pub not_taken: u64,
    /// Grants lost because the disk could not remember their use.
    pub unrecorded: u64,
}

/// The desk where questions lie. Cheap to clone; all clones are one desk.
#[derive(Clone, Debug)]
pub struct Desk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    clock: SharedClock,
    /// Never held across an await or a disk access.
    table: Mutex<Table>,
    seats: Semaphore,
    outgoing: Notify,
    spent: Arc<Spent>,
    asked: AtomicU64,
    overflows: AtomicU64,
    granted: AtomicU64,
    not_taken: AtomicU64,
    unrecorded: AtomicU64,
}

impl Desk {
    /// An empty desk. Questions of an earlier run are asked again by the calls that need them, under the ids
    /// they had.
    ///
    /// # Errors
    /// When the file of used grants cannot be written: without it no grant could be good exactly once.
    pub fn open(settings: Settings, clock: SharedClock) -> std::io::Result<Self> {
        let spent = Arc::new(match &settings.spent_file {
            Some(file) => Spent::open(file.clone(), clock.now())?,
            None => Spent::in_memory(),
        });
        let seats = Semaphore::new(settings.waiters_max.min(Semaphore::MAX_PERMITS));
        let table = Mutex::new(Table::new(Arc::clone(&spent), settings.expire));
        Ok(Self(Arc::new(Inner {
            settings,
            clock,
            table,
            seats,
            outgoing: Notify::new(),
            spent,
            asked: AtomicU64::new(0),
            overflows: AtomicU64::new(0),
            granted: AtomicU64::new(0),
            not_taken: AtomicU64::new(0),
            unrecorded: AtomicU64::new(0),
        })))
    }

    /// Asks a question, or joins the one that asks the same thing already.
    ///
    /// # Errors
    /// [`DeskFull`] when too many are open, over all or of this agent.
    pub fn ask(&self, question: Question) -> Result<Ticket, DeskFull> {
        let key = question.key();
        let at = self.now();
        let mut table = self.table();
        if let Some(entry) = table.by_key(&key, at) {
            return Ok(self.ticket(entry));
        }
        let entry =
            if self.make_room(&mut table, &question, at) { self.entry(&key, question, at) } else { None };
        let Some(entry) = entry else {
            self.0.overflows.fetch_add(1, Ordering::Relaxed);
            return Err(DeskFull);
        };
        let ticket = self.ticket(&entry);
        table.insert(key, entry);
        drop(table);
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        self.0.outgoing.notify_one();
        Ok(ticket)
    }

    /// Takes a verified statement of the collector.
    ///
    /// # Errors
    /// [`NotTaken`] when it answers nothing that is open here; then nothing changes.
    pub fn answer(&self, statement: Statement) -> Result<(), NotTaken> {
        let at = self.now();
        let outcome = self.table().answer(statement, at);
        if outcome.is_err() {
            self.0.not_taken.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    /// Pending questions that the collector has not got yet, oldest first, at most so many.
    #[must_use]
    pub fn outbox(&self, most: usize) -> Vec<Arc<Asked>> {
        let mut waiting = self.list(|entry| {
            let is_outgoing = !entry.is_delivered && entry.state == State::Pending;
            is_outgoing.then(|| Arc::clone(&entry.asked))
        });
        waiting.sort_by(|a, b| (a.question.asked_at, &a.id).cmp(&(b.question.asked_at, &b.id)));
        waiting.truncate(most);
        waiting
    }

    /// Wakes when a question was put into the outbox, also when that was before the call.
    pub async fn wait_outbox(&self) {
        self.0.outgoing.notified().await;
    }

    /// The collector has this question.
    pub fn delivered(&self, id: &ApprovalId) {
        let at = self.now();
        if let Some(entry) = self.table().by_id(id, at) {
            entry.is_delivered = true;
        }
    }

    /// Every question on the desk, oldest first.
    #[must_use]
    pub fn questions(&self) -> Vec<Open> {
        let mut all = self.list(|entry| {
            let asked = Arc::clone(&entry.asked);
            Some(Open { asked, state: entry.state_name(), is_delivered: entry.is_delivered })
        });
        all.sort_by(|a, b| {
            (a.asked.question.asked_at, &a.asked.id).cmp(&(b.asked.question.asked_at, &b.asked.id))
        });
        all
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let inner = &self.0;
        let seats = inner.settings.waiters_max.min(Semaphore::MAX_PERMITS);
        Stats {
            open: self.table().entries.len(),
            waiting: seats.saturating_sub(inner.seats.available_permits()),
            asked: inner.asked.load(Ordering::Relaxed),
            overflows: inner.overflows.load(Ordering::Relaxed),
            granted: inner.granted.load(Ordering::Relaxed),
            not_taken: inner.not_taken.load(Ordering::Relaxed),
            unrecorded: inner.unrecorded.load(Ordering::Relaxed),
        }
    }

    /// Looks at a question on behalf of a call, and uses its grant if there is one.
    pub(super) fn look(&self, asked: &Asked) -> Look {
        let at = self.now();
        let mut table = self.table();
        if let Some(by) = table.spend(&asked.id, at) {
            return Look::Taken(Grant { approval: asked.id.clone(), by });
        }
        match table.by_id(&asked.id, at) {
            None => Look::Gone,
            Some(Entry { state: State::Refused { by, why }, .. }) => {
                Look::Refused { by: by.clone(), why: why.clone() }
            }
            Some(entry) => Look::Pending { left: entry.ends.saturating_sub(at.monotonic) },
        }
    }

    /// Makes sure that a restart remembers the use of a grant before the call goes out.
    pub(super) async fn record(&self, grant: Grant, asked: &Asked) -> Answer {
        let (desk, id) = (self.clone(), grant.approval.clone());
        let until = asked.expires_at.plus(self.0.settings.expire);
        let written = tokio::task::spawn_blocking(move || desk.0.spent.record(&id, until)).await;
        let failure = match written {
            Ok(Ok(())) => {
                self.0.granted.fetch_add(1, Ordering::Relaxed);
                return Answer::Granted(grant);
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(error = failure, approval = %grant.approval, "a grant is lost: its use was not recorded");
        self.0.unrecorded.fetch_add(1, Ordering::Relaxed);
        Answer::Unrecorded
    }

    /// A place among the calls that wait; `None` when all are taken.
    pub(super) fn seat(&self) -> Option<SemaphorePermit<'_>> {
        self.0.seats.try_acquire().ok()
    }

    #[cfg(test)]
    pub(super) fn fail_next_record(&self, failure: std::io::Error) {
        self.0.spent.fail_next(failure);
    }

    fn now(&self) -> Moment {
        Moment::of(&self.0.clock)
    }

    /// Nothing that runs under this lock can panic halfway, so a poisoned one guards a sound table.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list<T>(&self, pick: impl Fn(&Entry) -> Option<T>) -> Vec<T> {
        let at = self.now();
        let mut table = self.table();
        table.sweep(at);
        table.entries.values().filter_map(pick).collect()
    }

    fn ticket(&self, entry: &Entry) -> Ticket {
        Ticket { desk: self.clone(), asked: Arc::clone(&entry.asked), fate: entry.fate.subscribe() }
    }

    fn make_room(&self, table: &mut Table, question: &Question, at: Moment) -> bool {
        let settings = &self.0.settings;
        let has_room = |table: &Table| {
            table.entries.len() < settings.questions_max
                && table.count_of(&question.agent) < settings.questions_per_agent_max
        };
        if !has_room(table) {
            table.sweep(at);
        }
        has_room(table)
    }

    fn entry(&self, key: &Digest, mut question: Question, at: Moment) -> Option<Entry> {
        let settings = &self.0.settings;
        let spent = &self.0.spent;
        if question.fields.canonical().len() > settings.fields_bytes_max {
            question.fields =
                Json::String(format!("left out: longer than {} bytes", settings.fields_bytes_max));
        }
        let stretch_s = i64::try_from(settings.expire.as_secs()).unwrap_or(i64::MAX).max(1);
        let stretch = question.asked_at.as_seconds().div_euclid(stretch_s);
        let id = (0..u32::MAX)
            .map_while(|turn| id_of(key, &spent.nonce, stretch, turn))
            .find(|id| !spent.is_used(id))?;
        let expires_at = question.asked_at.plus(settings.expire);
        Some(Entry {
            asked: Arc::new(Asked { id, question, expires_at }),
            state: State::Pending,
            ends: at.monotonic.saturating_add(settings.expire),
            is_delivered: false,
            fate: watch::Sender::new(Fate::Open),
        })
    }
}
