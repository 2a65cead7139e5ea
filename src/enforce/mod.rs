//! The judge: admit before the call, settle after it.

mod admit;
mod changed;
mod credit;
mod draft;
mod gates;
mod made;
mod offers;
mod permit;
mod refusal;
mod refuse;
mod tally;
mod ties;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

pub use made::AnswerJudge;
pub use offers::Sifted;
pub use permit::{Outbound, Permit, Settlement};
pub use refusal::{Refusal, Refused};

use crate::approvals::Desk;
use crate::domain::{AgentId, DecisionId, Dialect, SharedClock};
use crate::evidence::{Proof, Traceparent};
use crate::limits::Limits;
use crate::pact::PactSet;
use crate::pins::Pins;
use crate::spool::Recorder;
use crate::telemetry::Metrics;
use crate::trust::TierCache;

/// Who calls, and how that is known.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The agent.
    pub agent: AgentId,
    /// What proves it.
    pub proof: Proof,
    /// The listener it came in by, as records name it.
    pub listener: Arc<str>,
    /// Its trace, where it sent one.
    pub traceparent: Option<Traceparent>,
    /// The decision that this call belongs to, where it is a part of another one.
    pub parent: Option<DecisionId>,
}

/// A request that did not get as far as an action.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// Who sent it, where that is known.
    pub caller: Option<Caller>,
    /// The listener it came in by.
    pub listener: Arc<str>,
    /// Method and address, or what else is known of it; bounded by whoever makes it.
    pub name: String,
    /// The dialect of the place it was meant for.
    pub dialect: Dialect,
}

/// What the judge is told once, by config.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The key of argument digests: without it, nobody can guess arguments from a record.
    pub digest_key: [u8; 32],
    /// How long an asking call is held before it is refused with the approval's id.
    pub patience: Duration,
}

/// The rooms that the judge asks.
#[derive(Debug)]
pub struct Rooms {
    /// Which tier an agent has.
    pub tiers: Arc<TierCache>,
    /// How much it may do in a time.
    pub limits: Arc<Limits>,
    /// What people answered.
    pub desk: Desk,
    /// What MCP tools said of themselves.
    pub pins: Arc<Pins>,
    /// Where evidence goes.
    pub recorder: Arc<Recorder>,
    /// What operators see.
    pub metrics: Arc<Metrics>,
    /// What time it is.
    pub clock: SharedClock,
}

/// Decides what may leave. Shared by everything that carries calls; every method takes it by reference.
#[derive(Debug)]
pub struct Enforcer {
    /// Replaced whole when pacts change; each call reads it once.
    pacts: ArcSwap<PactSet>,
    rooms: Rooms,
    settings: Settings,
    /// Calls that models made and agents have not carried out yet.
    credits: credit::Credits,
    /// What MCP servers gave agents to come back with.
    ties: ties::Ties,
    /// Tells decisions of one process apart; the counter tells them apart within it.
    nonce: [u8; 6],
    decisions: AtomicU64,
}

impl Enforcer {
    /// A judge over these pacts.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn new(pacts: PactSet, rooms: Rooms, settings: Settings) -> Result<Arc<Self>, NoRandomness> {
        let mut nonce = [0; 6];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| NoRandomness)?;
        let pacts = ArcSwap::from_pointee(pacts);
        let credits = credit::Credits::default();
        let ties = ties::Ties::default();
        Ok(Arc::new(Self { pacts, rooms, settings, credits, ties, nonce, decisions: AtomicU64::new(0) }))
    }

    /// The pacts in force.
    #[must_use]
    pub fn pacts(&self) -> Arc<PactSet> {
        self.pacts.load_full()
    }

    /// Puts other pacts in force, for every call that starts from now on. Counters of limits go on.
    pub fn replace_pacts(&self, pacts: PactSet) {
        self.pacts.store(Arc::new(pacts));
    }

    /// Whether the agent's pact looks into the bodies of plain HTTP calls.
    #[must_use]
    pub fn reads_http_bodies(&self, agent: &AgentId) -> bool {
        let pacts = self.pacts.load();
        let governing = pacts.governing(agent);
        governing.enforcing.into_iter().chain(governing.observing).any(|pact| pact.reads_http_bodies())
    }

    /// The clock that judges.
    #[must_use]
    pub fn clock(&self) -> &SharedClock {
        &self.rooms.clock
    }

    /// The metrics that count decisions.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.rooms.metrics
    }

    /// A UUID of version 7 (RFC 9562, section 5.7) whose random part is this process's nonce and a counter: as
    /// unique as randomness, and without a system call for each decision.
    fn next_decision(&self) -> DecisionId {
        let count = self.decisions.fetch_add(1, Ordering::Relaxed);
        let [.., c3, c2, c1, c0] = count.to_be_bytes();
        let [n0, n1, n2, n3, n4, n5] = self.nonce;
        let millis = u64::try_from(self.rooms.clock.now().as_micros() / 1_000).unwrap_or(0);
        let tail = [n0, n1, n2, n3, n4, n5, c3, c2, c1, c0];
        DecisionId::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid())
    }
}

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;
