//! Table: every metric of the sidecar, with its labels and its meaning. Nothing is measured that is not here.

use prometheus::core::Collector;
use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

/// One metric, as documentation and tests see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels. Each takes its values from a closed set: our own enumerations, or the names that config and
    /// pacts define. Anything else is `other`.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

/// Times from 50 µs to one minute, in seconds.
const TIMES: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0, 60.0,
];
/// Times from 1 µs to 10 ms, in seconds: what happens in memory alone.
const SHORT_TIMES: &[f64] = &[
    0.000_001,
    0.000_002_5,
    0.000_005,
    0.000_01,
    0.000_025,
    0.000_05,
    0.000_1,
    0.000_25,
    0.000_5,
    0.001,
    0.002_5,
    0.01,
];

/// A kind of metric that the table can hold.
trait Family: Collector + Clone + Sized + 'static {
    const KIND: &'static str;
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self>;
}

impl Family for IntCounterVec {
    const KIND: &'static str = "counter";
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Family for CounterVec {
    const KIND: &'static str = "counter";
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Family for GaugeVec {
    const KIND: &'static str = "gauge";
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Family for HistogramVec {
    const KIND: &'static str = "histogram";
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        let times = if name == "pactgate_decision_duration_seconds" { SHORT_TIMES } else { TIMES };
        Self::new(HistogramOpts::new(name, help).buckets(times.to_vec()), labels)
    }
}

macro_rules! table {
    ($($field:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        /// Every metric, in the order of this file.
        pub const TABLE: &[Row] = &[
            $(Row { name: $name, kind: <$kind as Family>::KIND, labels: &[$($label),*], help: $help },)*
        ];

        /// The metrics themselves.
        #[derive(Clone, Debug)]
        pub(super) struct Families {
            $(pub(super) $field: $kind,)*
        }

        impl Families {
            pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
                let families = Self { $($field: <$kind as Family>::make($name, $help, &[$($label),*])?,)* };
                $(registry.register(Box::new(families.$field.clone()))?;)*
                Ok(families)
            }
        }
    };
}

table! {
    decisions: IntCounterVec "pactgate_decisions_total" ["pact", "dialect", "verdict", "effect", "clause"]
        "Actions judged, by the verdict, what became of them, and the first clause that decided.";
    refusals: IntCounterVec "pactgate_refusals_total" ["reason"]
        "Actions refused, by reason.";
    clause_faults: IntCounterVec "pactgate_clause_faults_total" ["pact", "clause"]
        "Conditions that could not be evaluated and so counted against the agent.";
    unreadable: IntCounterVec "pactgate_unreadable_requests_total" ["problem"]
        "Requests that could not be read, by what was wrong with them.";
    decision_seconds: HistogramVec "pactgate_decision_duration_seconds" []
        "Time from a request read to its verdict, without waiting for people or disks.";
    request_seconds: HistogramVec "pactgate_request_duration_seconds" ["dialect", "effect"]
        "Time from a request's head to the end of its response.";
    upstream_seconds: HistogramVec "pactgate_upstream_duration_seconds" ["upstream"]
        "Time from a request sent to the head of its response.";
    upstream_failures: IntCounterVec "pactgate_upstream_failures_total" ["upstream", "what"]
        "Requests that an upstream did not answer, or answered wrongly.";
    requests_in_flight: GaugeVec "pactgate_requests_in_flight" ["listener"]
        "Requests being answered now.";
    connections: IntCounterVec "pactgate_connections_total" ["listener"]
        "Connections accepted.";
    tokens: IntCounterVec "pactgate_tokens_total" ["upstream", "direction"]
        "Tokens that models read (`in`) and wrote (`out`), as their providers reported them.";
    cost_usd: CounterVec "pactgate_cost_usd_total" ["upstream"]
        "Cost of calls in US dollars, where prices are known.";
    limit_remaining: GaugeVec "pactgate_limit_remaining" ["agent", "pact", "limit"]
        "Calls that an agent may make now before a limit refuses it; only limits used lately.";
    limit_overflows: IntCounterVec "pactgate_limit_overflows_total" []
        "Calls refused because there was no room to count them.";
    trust_tier: GaugeVec "pactgate_trust_tier" ["agent"]
        "The tier that counts now: 0 suspended, 1 restricted, 2 probation, 3 standard, 4 trusted.";
    trust_age: GaugeVec "pactgate_trust_age_seconds" []
        "Age of the collector's newest word; absent while there is none.";
    trust_statements: IntCounterVec "pactgate_trust_statements_total" ["result"]
        "Statements of the collector, by what became of them: `applied`, `refused`.";
    trust_file_failures: IntCounterVec "pactgate_trust_file_failures_total" []
        "Failures to read or write the file of tiers.";
    approvals: IntCounterVec "pactgate_approvals_total" ["event"]
        "Questions to people, by event: `asked`, `granted`, `overflow`, `not-taken`, `unrecorded`.";
    approvals_open: GaugeVec "pactgate_approvals_open" []
        "Questions on the desk.";
    approvals_waiting: GaugeVec "pactgate_approvals_waiting" []
        "Calls held for an answer now.";
    evidence_records: IntCounterVec "pactgate_evidence_records_total" []
        "Records sealed.";
    evidence_dropped: IntCounterVec "pactgate_evidence_dropped_total" []
        "Records lost because the spool was full and the config says to go on.";
    evidence_unavailable: IntCounterVec "pactgate_evidence_unavailable_total" []
        "Calls refused because they could not be recorded.";
    evidence_repaired: IntCounterVec "pactgate_evidence_repaired_bytes_total" []
        "Bytes of torn records cut off at start.";
    evidence_sequence: GaugeVec "pactgate_evidence_sequence" []
        "Sequence number of the newest record.";
    evidence_acknowledged: GaugeVec "pactgate_evidence_acknowledged_sequence" []
        "Sequence number of the newest record that the collector has.";
    evidence_queue: GaugeVec "pactgate_evidence_queue_records" []
        "Records in memory that are not on disk yet.";
    evidence_spool_bytes: GaugeVec "pactgate_evidence_spool_bytes" []
        "Bytes of records on disk.";
    evidence_deliveries: IntCounterVec "pactgate_evidence_deliveries_total" ["result"]
        "Batches sent to the collector, by result: `accepted`, `refused`, `failed` (it was not reached, or broke off), `nonsense` (its answer), `conflict` (it holds another log).";
    changed_tools: IntCounterVec "pactgate_changed_tools_total" ["upstream"]
        "Definitions of MCP tools that came and were not the pinned ones, each as often as it was new.";
    opaque_connections: IntCounterVec "pactgate_opaque_connections_total" []
        "Connections passed on unread, because a clause allows it.";
    opaque_bytes: IntCounterVec "pactgate_opaque_bytes_total" ["direction"]
        "Bytes passed on unread, from the agent (`out`) and to it (`in`).";
    fail_open: IntCounterVec "pactgate_fail_open_total" ["point"]
        "Times that something went on without what should have held it, because the config says so.";
    reloads: IntCounterVec "pactgate_reloads_total" ["what", "result"]
        "Attempts to load changed pacts or config, by result: `applied`, `refused` (the last good one stays).";
    pacts: GaugeVec "pactgate_pacts" []
        "Pacts loaded.";
    build_info: GaugeVec "pactgate_build_info" ["version"]
        "Always 1; the label tells the version.";
}
