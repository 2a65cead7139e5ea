//! Metrics: typed counting, cheap on the path of a call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus::process_collector::ProcessCollector;
use prometheus::{Counter, Gauge, Histogram, IntCounter, Registry, TextEncoder};

use crate::domain::{ClauseId, Dialect, PactName, Reason, Ruling, UpstreamName, Usage};
use crate::telemetry::decisions::Decisions;
use crate::telemetry::readings::Readings;
use crate::telemetry::table::Families;

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: [Self; [$($label),*].len()] = [$(Self::$variant),*];

            /// The label.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)*
                }
            }
        }
    };
}

labels! {
    /// What became of an action.
    Effect {
        /// It went through.
        Sent = "sent",
        /// It did not.
        Refused = "refused",
    }
}
labels! {
    /// Which way something went.
    Direction {
        /// Towards the agent; tokens that a model read.
        In = "in",
        /// Away from the agent; tokens that a model wrote.
        Out = "out",
    }
}
labels! {
    /// A kind of listener.
    Port {
        /// For agents that take a base URL.
        Reverse = "reverse",
        /// For agents that use a proxy.
        Forward = "forward",
    }
}
labels! {
    /// Where something may go on without what should hold it. Each is a choice in config.
    FailOpen {
        /// A record was dropped, and its call went through.
        Evidence = "evidence",
        /// A pact in `observe` mode would have denied or asked.
        Observe = "observe",
    }
}
labels! {
    /// What is loaded again when its files change.
    Reloaded {
        /// The pacts.
        Pacts = "pacts",
        /// The config.
        Config = "config",
    }
}

/// Everything that the sidecar measures. Counting never blocks and never fails.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub(super) families: Families,
    decisions: ArcSwap<Decisions>,
    upstreams: ArcSwap<Upstreams>,
    refusals: [Option<IntCounter>; Reason::ALL.len()],
    requests: [[Option<Histogram>; Effect::ALL.len()]; Dialect::ALL.len()],
    decision: Option<Histogram>,
    in_flight: [Option<Gauge>; Port::ALL.len()],
    /// Held while values of other rooms are read in, so that no counter is brought up to date twice.
    rendering: Mutex<()>,
}

#[derive(Debug)]
struct Upstreams {
    known: HashMap<UpstreamName, OfUpstream>,
    other: OfUpstream,
}

#[derive(Debug)]
struct OfUpstream {
    seconds: Option<Histogram>,
    tokens_in: Option<IntCounter>,
    tokens_out: Option<IntCounter>,
    cost_usd: Option<Counter>,
}

/// Counts one request as being answered, until it is dropped.
#[derive(Debug)]
pub struct InFlight(Option<Gauge>);

impl Metrics {
    /// Registers every metric of the table, and those of the process itself.
    ///
    /// # Errors
    /// When the table holds a name twice or an invalid one, which a test rules out.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let families = Families::register(&registry)?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        families.build_info.get_metric_with_label_values(&[env!("CARGO_PKG_VERSION")])?.set(1.0);
        let decisions = ArcSwap::from_pointee(Decisions::new(families.decisions.clone(), []));
        let upstreams = ArcSwap::from_pointee(Upstreams::of(&families, []));
        let refusals = Reason::ALL.map(|r| families.refusals.get_metric_with_label_values(&[r.name()]).ok());
        let requests = Dialect::ALL.map(|dialect| {
            Effect::ALL.map(|effect| {
                families.request_seconds.get_metric_with_label_values(&[dialect.name(), effect.name()]).ok()
            })
        });
        let decision = families.decision_seconds.get_metric_with_label_values::<&str>(&[]).ok();
        let in_flight =
            Port::ALL.map(|p| families.requests_in_flight.get_metric_with_label_values(&[p.name()]).ok());
        let rendering = Mutex::default();
        Ok(Self {
            registry,
            families,
            decisions,
            upstreams,
            refusals,
            requests,
            decision,
            in_flight,
            rendering,
        })
    }

    /// Makes the names of these pacts and their clauses labels, instead of those before. Counters of clauses
    /// that remain go on; those of clauses that are gone are forgotten.
    pub fn know_pacts<'a>(&self, pacts: impl IntoIterator<Item = (&'a PactName, Vec<&'a ClauseId>)>) {
        let next = Arc::new(Decisions::new(self.families.decisions.clone(), pacts));
        let before = self.decisions.swap(Arc::clone(&next));
        before.retire(&next);
    }

    /// Makes the names of these upstreams labels, instead of those before.
    pub fn know_upstreams<'a>(&self, upstreams: impl IntoIterator<Item = &'a UpstreamName>) {
        self.upstreams.store(Arc::new(Upstreams::of(&self.families, upstreams)));
    }

    /// One action was judged. `clause` is the first that decided; names that no loaded pact has count as `other`.
    pub fn decided(
        &self,
        pact: Option<&PactName>,
        clause: Option<&ClauseId>,
        dialect: Dialect,
        ruling: Ruling,
        effect: Effect,
    ) {
        self.decisions.load().count(pact, clause, dialect, ruling, effect);
    }

    /// One action was refused.
    pub fn refused(&self, reason: Reason) {
        if let Some(Some(counter)) = self.refusals.get(reason as usize) {
            counter.inc();
        }
    }

    /// A condition could not be evaluated.
    pub fn clause_fault(&self, pact: &PactName, clause: &ClauseId) {
        let decisions = self.decisions.load();
        count(&self.families.clause_faults, &decisions.labels(pact, clause), 1);
    }

    /// A request could not be read. `problem` is a name from `classify`'s closed set.
    pub fn unreadable(&self, problem: &'static str) {
        count(&self.families.unreadable, &[problem], 1);
    }

    /// An MCP tool came with another definition than before.
    pub fn tool_changed(&self, upstream: &UpstreamName) {
        let upstreams = self.upstreams.load();
        let label = if upstreams.known.contains_key(upstream) { upstream.as_str() } else { "other" };
        count(&self.families.changed_tools, &[label], 1);
    }

    /// A verdict took this long.
    pub fn decision_took(&self, time: Duration) {
        observe(self.decision.as_ref(), time);
    }

    /// A request took this long, from its head to the end of its response.
    pub fn request_took(&self, dialect: Dialect, effect: Effect, time: Duration) {
        let cached =
            self.requests.get(dialect as usize).and_then(|of_dialect| of_dialect.get(effect as usize));
        observe(cached.and_then(Option::as_ref), time);
    }

    /// An upstream took this long to begin its answer; `None` for a destination that config does not name.
    pub fn upstream_took(&self, upstream: Option<&UpstreamName>, time: Duration) {
        observe(self.upstreams.load().get(upstream).seconds.as_ref(), time);
    }

    /// An upstream did not answer, or wrongly. `what` is from a closed set.
    pub fn upstream_failed(&self, upstream: Option<&UpstreamName>, what: &'static str) {
        count(&self.families.upstream_failures, &[self.upstreams.load().label(upstream), what], 1);
    }

    /// A call used this much.
    pub fn used(&self, upstream: Option<&UpstreamName>, usage: &Usage) {
        let upstreams = self.upstreams.load();
        let of_upstream = upstreams.get(upstream);
        let pairs =
            [(&of_upstream.tokens_in, usage.input_tokens), (&of_upstream.tokens_out, usage.output_tokens)];
        for (counter, tokens) in pairs {
            if let (Some(counter), 1..) = (counter, tokens) {
                counter.inc_by(tokens);
            }
        }
    }

    /// A call cost this much. Anything but a positive number is ignored.
    pub fn cost(&self, upstream: Option<&UpstreamName>, usd: f64) {
        if let (Some(counter), true) =
            (&self.upstreams.load().get(upstream).cost_usd, usd > 0.0 && usd.is_finite())
        {
            counter.inc_by(usd);
        }
    }

    /// A connection was accepted.
    pub fn connected(&self, port: Port) {
        count(&self.families.connections, &[port.name()], 1);
    }

    /// A request is being answered until the value is dropped.
    #[must_use]
    pub fn in_flight(&self, port: Port) -> InFlight {
        let gauge = self.in_flight.get(port as usize).cloned().flatten();
        if let Some(gauge) = &gauge {
            gauge.inc();
        }
        InFlight(gauge)
    }

    /// A connection is passed on unread.
    pub fn opaque_connected(&self) {
        count(&self.families.opaque_connections, &[], 1);
    }

    /// Bytes were passed on unread.
    pub fn opaque_passed(&self, direction: Direction, bytes: u64) {
        count(&self.families.opaque_bytes, &[direction.name()], bytes);
    }

    /// Something went on without what should have held it.
    pub fn failed_open(&self, point: FailOpen) {
        count(&self.families.fail_open, &[point.name()], 1);
    }

    /// Changed files were loaded, or refused so that the last good ones stay.
    pub fn reloaded(&self, what: Reloaded, is_applied: bool) {
        let result = if is_applied { "applied" } else { "refused" };
        count(&self.families.reloads, &[what.name(), result], 1);
    }

    /// Everything in the text format of Prometheus (version 0.0.4), together with what other rooms count.
    #[must_use]
    pub fn render(&self, readings: &Readings) -> String {
        let _rendering = self.rendering.lock().unwrap_or_else(PoisonError::into_inner);
        readings.write_to(&self.families);
        let mut text = String::new();
        // The text of metrics made here cannot fail to encode; a scrape that ends early would show as missing.
        let _ = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text);
        text
    }
}

impl Upstreams {
    fn of<'a>(families: &Families, names: impl IntoIterator<Item = &'a UpstreamName>) -> Self {
        let of_name = |name: &str| OfUpstream {
            seconds: families.upstream_seconds.get_metric_with_label_values(&[name]).ok(),
            tokens_in: families.tokens.get_metric_with_label_values(&[name, Direction::In.name()]).ok(),
            tokens_out: families.tokens.get_metric_with_label_values(&[name, Direction::Out.name()]).ok(),
            cost_usd: families.cost_usd.get_metric_with_label_values(&[name]).ok(),
        };
        let known = names.into_iter().map(|name| (name.clone(), of_name(name.as_str()))).collect();
        Self { known, other: of_name("other") }
    }

    fn get(&self, name: Option<&UpstreamName>) -> &OfUpstream {
        name.and_then(|name| self.known.get(name)).unwrap_or(&self.other)
    }

    fn label<'a>(&self, name: Option<&'a UpstreamName>) -> &'a str {
        name.filter(|name| self.known.contains_key(*name)).map_or("other", UpstreamName::as_str)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(gauge) = &self.0 {
            gauge.dec();
        }
    }
}

fn observe(histogram: Option<&Histogram>, time: Duration) {
    if let Some(histogram) = histogram {
        histogram.observe(time.as_secs_f64());
    }
}

fn count(family: &prometheus::IntCounterVec, labels: &[&str], by: u64) {
    if let Ok(counter) = family.get_metric_with_label_values(labels) {
        counter.inc_by(by);
    }
}
