//! One record as a CloudEvents 1.0.2 event: which member stands where, and how large each may grow.

use crate::domain::{ClauseId, Digest, Timestamp, Usage};
use crate::evidence::canonical::{Moments, Object, sequence, string};
use crate::evidence::{ActionSeen, Coverage, Gap, Latency, Observed, Outcome, PactRef, Record, TierSeen};

/// The largest event in bytes. The bounds below keep every record under it, and the reader refuses a larger one;
/// it also fits a tile log, whose leaves hold at most 65,535 bytes (C2SP tlog-tiles).
pub const RECORD_BYTES_MAX: usize = 32 * 1024;
/// The most bytes of a text that comes from traffic; what is longer is cut, and ends in `…`.
pub const TEXT_BYTES_MAX: usize = 1024;
/// The same for texts that are names by nature: the listener, a tool's capability.
const LABEL_BYTES_MAX: usize = 256;
/// The most clauses one record names; what is over is counted in `clauses_cut`.
pub const CLAUSES_MAX: usize = 32;
/// The most faulty clauses one record names; what is over is counted in `faults_cut`.
pub const FAULTS_MAX: usize = 16;
/// The most observing pacts one record tells of, with at most as many clauses each; what is over is counted in
/// `observed_cut`.
pub const OBSERVED_MAX: usize = 8;

/// The most tools that one record names as taken out of a request; what is over is counted in `withheld_cut`.
pub const WITHHELD_MAX: usize = 16;
/// The most bytes of the name of each.
const WITHHELD_BYTES_MAX: usize = 64;

/// What an event needs beside its record.
pub(super) struct Envelope<'a> {
    pub(super) source: &'a str,
    pub(super) id: &'a str,
    pub(super) sequence: u64,
    pub(super) prevhash: &'a Digest,
    pub(super) recorded_at: Timestamp,
    pub(super) gap: Gap,
}

/// Writes the canonical bytes of one event.
pub(super) fn write(out: &mut Vec<u8>, moments: &mut Moments, envelope: &Envelope<'_>, record: &Record) {
    let mut event = Object::open(out);
    data(event.object("data"), record, envelope.gap);
    event.text("datacontenttype", "application/json");
    event.text("id", envelope.id);
    event.digest("prevhash", envelope.prevhash);
    moments.write(event.member("recordedtime"), envelope.recorded_at);
    sequence(event.member("sequence"), envelope.sequence);
    event.text("source", envelope.source);
    event.text("specversion", "1.0");
    if let Some(agent) = &record.agent {
        let subject = event.member("subject");
        subject.extend_from_slice(b"\"agent/");
        subject.extend_from_slice(agent.as_str().as_bytes());
        subject.push(b'"');
    }
    moments.write(event.member("time"), record.at);
    event.text_if("traceparent", record.traceparent.as_ref().map(|trace| trace.as_str()));
    event.text("type", record.kind.name());
    event.close();
}

fn data(mut data: Object<'_>, record: &Record, gap: Gap) {
    action(data.object("action"), &record.action);
    data.text_if("agent", record.agent.as_ref().map(|agent| agent.as_str()));
    if let Some(approval) = &record.approval {
        let mut object = data.object("approval");
        object.text("answer", approval.answer.name());
        object.text("id", approval.id.as_str());
        object.close();
    }
    if let Some(digest) = &record.args_digest {
        data.digest("args_digest", digest);
    }
    clauses(&mut data, "clauses", "clauses_cut", &record.clauses, CLAUSES_MAX);
    coverage(data.object("coverage"), record.coverage);
    data.text("decision", record.decision.as_str());
    data.text("effect", record.effect.name());
    if !record.faults.is_empty() {
        clauses(&mut data, "faults", "faults_cut", &record.faults, FAULTS_MAX);
    }
    if !gap.is_none() {
        lost_before(data.object("gap"), gap);
    }
    latency(data.object("latency"), record.latency);
    data.text_if("limit", record.limit.as_ref().map(|limit| limit.as_str()));
    text_cut(data.member("listener"), &record.listener, LABEL_BYTES_MAX);
    if !record.observed.is_empty() {
        observed(&mut data, &record.observed);
    }
    if let Some(ended) = record.outcome {
        outcome(data.object("outcome"), ended);
    }
    if let Some(governing) = &record.pact {
        pact(data.object("pact"), governing);
    }
    data.text_if("parent", record.parent.as_ref().map(|parent| parent.as_str()));
    data.text_if("proof", record.proof.map(|proof| proof.name()));
    data.text_if("reason", record.reason.map(|reason| reason.name()));
    if let Some(seen) = record.tier {
        tier(data.object("tier"), seen);
    }
    data.text_if("upstream", record.upstream.as_ref().map(|upstream| upstream.as_str()));
    if let Some(used) = record.usage {
        usage(data.object("usage"), used);
    }
    data.text("verdict", record.verdict.name());
    if !record.withheld.is_empty() {
        withheld(&mut data, &record.withheld);
    }
    data.close();
}

fn action(mut object: Object<'_>, action: &ActionSeen) {
    if let Some(capability) = &action.capability {
        text_cut(object.member("capability"), capability, LABEL_BYTES_MAX);
    }
    object.text("dialect", action.dialect.name());
    object.text_if("kind", action.kind.map(|kind| kind.name()));
    text_cut(object.member("name"), &action.name, TEXT_BYTES_MAX);
    object.close();
}

fn clauses(object: &mut Object<'_>, name: &'static str, cut: &'static str, all: &[ClauseId], most: usize) {
    object.list(name, all.iter().take(most).map(ClauseId::as_str));
    if all.len() > most {
        object.number(cut, u64::try_from(all.len() - most).unwrap_or(u64::MAX));
    }
}

fn withheld(data: &mut Object<'_>, all: &[String]) {
    let out = data.member("withheld");
    out.push(b'[');
    for (i, name) in all.iter().take(WITHHELD_MAX).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        text_cut(out, name, WITHHELD_BYTES_MAX);
    }
    out.push(b']');
    if all.len() > WITHHELD_MAX {
        data.number("withheld_cut", u64::try_from(all.len() - WITHHELD_MAX).unwrap_or(u64::MAX));
    }
}

fn coverage(mut object: Object<'_>, coverage: Coverage) {
    object.text("request", coverage.request.name());
    object.text_if("response", coverage.response.map(|seen| seen.name()));
    object.close();
}

fn lost_before(mut object: Object<'_>, gap: Gap) {
    if gap.after_crash {
        object.flag("after_crash", true);
    }
    if gap.lost > 0 {
        object.number("lost_before", gap.lost);
    }
    if gap.torn_bytes > 0 {
        object.number("torn_bytes", gap.torn_bytes);
    }
    object.close();
}

fn latency(mut object: Object<'_>, latency: Latency) {
    let micros = |duration: std::time::Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    object.number("decide_us", micros(latency.decide));
    object.number_if("total_us", latency.total.map(micros));
    object.number_if("upstream_us", latency.upstream.map(micros));
    object.close();
}

fn observed(data: &mut Object<'_>, all: &[Observed]) {
    let out = data.member("observed");
    out.push(b'[');
    for (i, one) in all.iter().take(OBSERVED_MAX).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let mut object = Object::open(out);
        clauses(&mut object, "clauses", "clauses_cut", &one.clauses, OBSERVED_MAX);
        pact(object.object("pact"), &one.pact);
        object.text_if("reason", one.reason.map(|reason| reason.name()));
        object.text("verdict", one.verdict.name());
        object.close();
    }
    out.push(b']');
    if all.len() > OBSERVED_MAX {
        data.number("observed_cut", u64::try_from(all.len() - OBSERVED_MAX).unwrap_or(u64::MAX));
    }
}

fn outcome(mut object: Object<'_>, outcome: Outcome) {
    object.text("kind", outcome.name());
    match outcome {
        Outcome::Completed { status } => object.number("status", u64::from(status)),
        Outcome::UpstreamFailed { what } => object.text("what", what.name()),
        Outcome::Cut { why } => object.text("why", why.name()),
        Outcome::Refused | Outcome::ClientGone | Outcome::NotSent | Outcome::Abandoned => {}
    }
    object.close();
}

fn pact(mut object: Object<'_>, pact: &PactRef) {
    object.digest("digest", &pact.digest);
    object.text("name", pact.name.as_str());
    object.number("version", pact.version);
    object.close();
}

fn tier(mut object: Object<'_>, seen: TierSeen) {
    object.number_if("age_s", seen.age.map(|age| age.as_secs()));
    object.text_if("stated", seen.stated.map(|tier| tier.name()));
    object.text("tier", seen.tier.name());
    object.flag("used", seen.used);
    object.close();
}

/// Zero tokens mean that none were reported, so they are not written; zero bytes are a count.
fn usage(mut object: Object<'_>, usage: Usage) {
    object.number("bytes_received", usage.bytes_received);
    object.number("bytes_sent", usage.bytes_sent);
    object.number_if("input_tokens", (usage.input_tokens > 0).then_some(usage.input_tokens));
    object.number_if("output_tokens", (usage.output_tokens > 0).then_some(usage.output_tokens));
    object.close();
}

/// Writes a text of unknown length, cut at a character's border.
fn text_cut(out: &mut Vec<u8>, text: &str, bytes_max: usize) {
    if text.len() <= bytes_max {
        return string(out, text);
    }
    let mut cut = String::with_capacity(bytes_max);
    for c in text.chars() {
        if cut.len() + c.len_utf8() + '…'.len_utf8() > bytes_max {
            break;
        }
        cut.push(c);
    }
    cut.push('…');
    string(out, &cut);
}
