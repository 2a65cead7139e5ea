//! Tier feed: one long-lived stream of signed statements, tiers and answers of people.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;

use crate::approvals::{Desk, Said, Statement};
use crate::link::Settings;
use crate::link::backoff::Backoff;
use crate::link::session::Session;
use crate::link::stats::{Counters, count};
use crate::link::trouble::{Teller, Trouble};
use crate::trust::{Standing, TierCache};
use crate::wire::{AgentTier, Answer, Approved, FeedEvent, FeedReader, Signed, Topic, TrustStatement};

const FEED: &str = "/v1/trust/feed";

/// Listens to the collector, and believes only what its pinned key has signed.
pub(super) struct TierFeed {
    pub(super) session: Arc<Session>,
    pub(super) settings: Arc<Settings>,
    pub(super) tiers: Arc<TierCache>,
    pub(super) desk: Desk,
    pub(super) counters: Arc<Counters>,
}

impl TierFeed {
    /// Listens until `shutdown`. Without the feed nothing is raised; the tiers sink by the cache's own rule.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        let mut backoff = Backoff::new(self.settings.pause_max);
        let mut teller = Teller::new("the feed of tiers");
        while !shutdown.is_cancelled() {
            let trouble = tokio::select! {
                trouble = self.listen(&mut backoff, &mut teller) => trouble,
                () = shutdown.cancelled() => break,
            };
            self.counters.feed_open.store(false, Ordering::Relaxed);
            teller.trouble(&trouble);
            tokio::select! {
                () = tokio::time::sleep(backoff.pause(trouble.retry_after())) => {}
                () = shutdown.cancelled() => {}
            }
        }
        self.counters.feed_open.store(false, Ordering::Relaxed);
    }

    /// Opens the feed and follows it until it ends; says why it did.
    async fn listen(&self, backoff: &mut Backoff, teller: &mut Teller) -> Trouble {
        let mut body = match self.session.stream(FEED).await {
            Ok(body) => body,
            Err(trouble) => return trouble,
        };
        count(&self.counters.feed_opened);
        let mut reader = FeedReader::new();
        loop {
            let events = match self.next(&mut body, &mut reader).await {
                Ok(events) => events,
                Err(trouble) => return trouble,
            };
            for event in events {
                match self.take(&event) {
                    // A feed that only ever said what is not believed has not worked.
                    Ok(()) => {
                        self.counters.feed_open.store(true, Ordering::Relaxed);
                        backoff.reset();
                        teller.works();
                    }
                    Err(trouble) => teller.trouble(&trouble),
                }
            }
        }
    }

    async fn next(&self, body: &mut Incoming, reader: &mut FeedReader) -> Result<Vec<FeedEvent>, Trouble> {
        let frame = match tokio::time::timeout(self.settings.silence_max, body.frame()).await {
            Err(_) => return Err(Trouble::Silent),
            Ok(None | Some(Err(_))) => return Err(Trouble::BrokenOff),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { return Ok(Vec::new()) };
        reader.push(&data).map_err(|_| {
            count(&self.counters.nonsense);
            Trouble::Nonsense { what: "it is no feed" }
        })
    }

    /// Checks one statement and hands it to whom it concerns.
    fn take(&self, event: &FeedEvent) -> Result<(), Trouble> {
        match event.topic {
            Topic::Trust => self.take_tiers(&event.signed),
            Topic::Approval => self.take_answer(&event.signed),
        }
    }

    fn take_tiers(&self, signed: &Signed) -> Result<(), Trouble> {
        let refused = || count(&self.counters.statements_refused);
        let statement = TrustStatement::open(signed, &self.settings.public_key)
            .inspect_err(|_| refused())
            .map_err(Trouble::Unbelievable)?;
        let standings = statement.agents.into_iter().map(standing).collect();
        match self.tiers.apply(statement.serial, statement.issued_at, statement.full, standings) {
            Ok(changes) => {
                count(&self.counters.statements_applied);
                for change in changes {
                    tracing::info!(agent.id = %change.agent, from = %change.from, to = %change.to, "tier changed");
                }
                Ok(())
            }
            Err(why) => {
                refused();
                // A statement heard before comes again when two feeds overlap. A collector that lost its data
                // says only such ones, and the tiers then sink by their age.
                tracing::warn!(error = %why, "a statement of tiers was not taken");
                Ok(())
            }
        }
    }

    fn take_answer(&self, signed: &Signed) -> Result<(), Trouble> {
        let approved = Approved::open(signed, &self.settings.public_key)
            .inspect_err(|_| count(&self.counters.answers_refused))
            .map_err(Trouble::Unbelievable)?;
        // After a reconnect the collector says again what this sidecar may have missed: most of it is not news.
        let taken = self.desk.answer(statement(approved)).is_ok();
        count(if taken { &self.counters.answers_taken } else { &self.counters.answers_refused });
        Ok(())
    }
}

fn standing(tier: AgentTier) -> Standing {
    Standing {
        agent: tier.agent,
        tier: tier.tier,
        score: Some(tier.score),
        lower: Some(tier.lower),
        confidence: Some(tier.confidence),
        computed_at: Some(tier.computed_at),
        why: tier.why,
    }
}

fn statement(approved: Approved) -> Statement {
    Statement {
        approval: approved.approval,
        said: match approved.answer {
            Answer::Granted => Said::Granted,
            Answer::Refused => Said::Refused,
            Answer::Expired => Said::Expired,
        },
        by: approved.by,
        why: approved.why,
        agent: approved.agent,
        args_digest: approved.args_digest,
        pact_digest: approved.pact_digest,
        expires_at: approved.expires_at,
    }
}
