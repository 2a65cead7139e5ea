//! What the admin doors show: snapshots of every room, taken when somebody looks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::Value;

use crate::admin::pages::{self, CollectorPart, ListenerLine, PactsPage, Status};
use crate::admin::{Check, Declined, Page, Readiness, ToolName, View};
use crate::cli::sidecar::rooms::Shared;
use crate::cli::with_causes;
use crate::config;
use crate::domain::{AgentId, Timestamp};
use crate::enforce::Enforcer;
use crate::link::Link;
use crate::pins::AcceptError;
use crate::telemetry::{ApprovalReading, EvidenceReading, LimitReading, Readings, TrustReading};
use crate::trust::{Freshness, News};

/// Everything that can be looked at.
#[derive(Debug)]
pub struct Looking {
    /// The config in force.
    pub config: ArcSwap<config::Sidecar>,
    /// The judge, with the pacts in force.
    pub enforcer: Arc<Enforcer>,
    /// The other rooms.
    pub rooms: Shared,
    /// The line to the collector.
    pub link: Option<Link>,
    /// Where agents are served.
    pub listeners: Vec<ListenerLine>,
    /// When the process started.
    pub started: Duration,
    /// How the last load of pacts went.
    pub pacts_loaded: Mutex<Loaded>,
    /// How the last load of the config went.
    pub config_loaded: Mutex<Loaded>,
}

/// The last load of files.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// When those in force were loaded.
    pub at: Timestamp,
    /// Why newer files are not in force.
    pub problem: Option<String>,
}

fn read(loaded: &Mutex<Loaded>) -> Loaded {
    loaded.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Looking {
    fn pacts(&self) -> PactsPage {
        let Loaded { at, problem } = read(&self.pacts_loaded);
        pages::pacts(&self.enforcer.pacts(), at, problem)
    }

    fn agents(&self) -> Vec<AgentId> {
        let config = self.config.load();
        let mut agents: Vec<AgentId> = config.agents.iter().map(|agent| agent.id.clone()).collect();
        agents.extend(config.listeners.iter().filter_map(|listener| listener.agent.clone()));
        agents.sort();
        agents.dedup();
        agents
    }

    fn status(&self) -> Status {
        let config = self.config.load();
        let collector = config.collector.as_ref().map(|wanted| {
            let stats = self.link.as_ref().map(Link::stats).unwrap_or_default();
            CollectorPart {
                url: wanted.url.to_string(),
                delivering: stats.delivering,
                feed_open: stats.feed_open,
            }
        });
        Status {
            id: config.id.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: self.rooms.clock.monotonic().saturating_sub(self.started).as_secs(),
            readiness: self.readiness(),
            listeners: self.listeners.clone(),
            config_not_loaded: read(&self.config_loaded).problem,
            pacts: self.pacts(),
            trust: pages::trust(&self.rooms.tiers, &self.agents()),
            limits: pages::limits(&self.rooms.limits),
            spool: pages::spool(&self.rooms.recorder),
            collector,
            approvals: pages::approvals(&self.rooms.desk),
        }
    }

    fn readings(&self) -> Readings {
        let rooms = &self.rooms;
        let trust = rooms.tiers.stats();
        let age = match rooms.tiers.freshness() {
            Freshness::Fed { news: News::Aged(age), .. } => Some(age),
            Freshness::Fixed(_) | Freshness::Fed { news: News::Never(_) | News::Undatable, .. } => None,
        };
        let tier = |agent: AgentId| (agent.clone(), rooms.tiers.view(&agent).tier);
        let limit = |left: crate::limits::Remaining| LimitReading {
            agent: left.agent,
            pact: left.pact,
            limit: left.limit,
            remaining: left.remaining,
        };
        let desk = rooms.desk.stats();
        Readings {
            pacts: self.enforcer.pacts().len(),
            trust: TrustReading {
                tiers: self.agents().into_iter().map(tier).collect(),
                age,
                applied: trust.applied,
                refused: self.link.as_ref().map_or(trust.refused, |link| link.stats().statements_refused),
                file_failures: trust.write_failures + trust.load_faults,
            },
            limits: rooms.limits.remaining().into_iter().map(limit).collect(),
            limit_overflows: rooms.limits.stats().overflows,
            approvals: ApprovalReading {
                open: desk.open,
                waiting: desk.waiting,
                asked: desk.asked,
                granted: desk.granted,
                overflows: desk.overflows,
                not_taken: desk.not_taken,
                unrecorded: desk.unrecorded,
            },
            evidence: self.evidence(),
        }
    }

    fn evidence(&self) -> EvidenceReading {
        let spool = self.rooms.recorder.stats();
        let link = self.link.as_ref().map(Link::stats).unwrap_or_default();
        EvidenceReading {
            records: spool.written,
            dropped: spool.dropped,
            unavailable: spool.refused,
            repaired_bytes: spool.repaired_bytes,
            sequence: spool.durable,
            acknowledged: spool.acknowledged,
            queued: spool.queued as u64,
            spool_bytes: spool.disk_bytes,
            batches_accepted: link.batches_accepted,
            batches_refused: link.batches_refused,
            batches_failed: link.batches_failed,
            nonsense: link.nonsense,
            conflicts: link.conflicts,
        }
    }
}

impl View for Looking {
    fn metrics(&self) -> String {
        self.rooms.metrics.render(&self.readings())
    }

    fn readiness(&self) -> Readiness {
        Readiness::of(vec![
            Check::config(read(&self.config_loaded).problem.is_none()),
            Check::pacts(self.enforcer.pacts().len(), read(&self.pacts_loaded).problem.is_none()),
            Check::trust(self.rooms.tiers.freshness()),
            Check::spool(self.rooms.recorder.healthy()),
        ])
    }

    fn page(&self, page: Page) -> Value {
        match page {
            Page::Status => self.status().into_json(),
            Page::Pacts => pages::json(&self.pacts()),
            Page::Trust => pages::json(&pages::trust(&self.rooms.tiers, &self.agents())),
            Page::Limits => pages::json(&pages::limits(&self.rooms.limits)),
            Page::Config => Value::String(self.config.load().print()),
            Page::Approvals => pages::json(&pages::approvals(&self.rooms.desk)),
            Page::Tools => pages::json(&pages::tools(&self.rooms.pins)),
        }
    }

    fn accept_tool(&self, wanted: &ToolName) -> Result<Value, Declined> {
        let ToolName { server, tool, definition } = wanted;
        let accepted = self.rooms.pins.accept(server, tool, *definition);
        let pin = accepted.map_err(|why| match why {
            AcceptError::Unknown => Declined::Absent(why.to_string()),
            AcceptError::Another { .. } => Declined::Conflict(why.to_string()),
            AcceptError::Unwritten(_) => Declined::Failed(with_causes(&why)),
        })?;
        tracing::warn!(server, tool, definition = %pin.pinned, "the definition of a tool was accepted");
        Ok(pages::json(&pages::tool_line(server, tool, &pin)))
    }
}
