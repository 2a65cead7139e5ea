//! The members of an event's `data`, one by one, back to their types.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{
    ActionKind, AgentId, ApprovalId, ClauseId, DecisionId, Dialect, Digest, Json, LimitId, PactName, Reason,
    Ruling, Timestamp, TrustTier, UpstreamName, Usage,
};
use crate::evidence::event::{CLAUSES_MAX, FAULTS_MAX, OBSERVED_MAX, TEXT_BYTES_MAX, WITHHELD_MAX};
use crate::evidence::{
    ActionSeen, ApprovalAnswer, ApprovalUse, Coverage, CutCause, Effect, Gap, Kind, Latency, Observed,
    Outcome, PactRef, Proof, Record, Seen, TierSeen, Traceparent, Unsound, UpstreamFailure,
};

/// The members of one object, looked up by name.
pub(super) struct Fields<'a>(&'a Json);

impl<'a> Fields<'a> {
    pub(super) fn new(value: &'a Json, member: &'static str) -> Result<Self, Unsound> {
        match value {
            Json::Object(_) => Ok(Self(value)),
            _ => Err(Unsound::Member { member }),
        }
    }

    /// The object of that name; `member` is what an error calls it.
    pub(super) fn object(&self, name: &'static str, member: &'static str) -> Result<Fields<'a>, Unsound> {
        self.object_if(name)?.ok_or(Unsound::Member { member })
    }

    fn object_if(&self, name: &'static str) -> Result<Option<Fields<'a>>, Unsound> {
        self.0.member(name).map(|value| Fields::new(value, name)).transpose()
    }

    pub(super) fn text_if(&self, name: &'static str) -> Result<Option<&'a str>, Unsound> {
        match self.0.member(name) {
            None => Ok(None),
            Some(Json::String(text)) if text.len() <= TEXT_BYTES_MAX => Ok(Some(text)),
            Some(_) => Err(Unsound::Member { member: name }),
        }
    }

    fn text(&self, name: &'static str) -> Result<&'a str, Unsound> {
        self.text_if(name)?.ok_or(Unsound::Member { member: name })
    }

    pub(super) fn expect(&self, name: &'static str, value: &str) -> Result<(), Unsound> {
        if self.text(name)? == value { Ok(()) } else { Err(Unsound::Member { member: name }) }
    }

    pub(super) fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Unsound> {
        parse(self.text(name)?).ok_or(Unsound::Member { member: name })
    }

    pub(super) fn parsed_if<T>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Unsound> {
        self.text_if(name)?.map(|text| parse(text).ok_or(Unsound::Member { member: name })).transpose()
    }

    fn number_if(&self, name: &'static str) -> Result<Option<u64>, Unsound> {
        let exact = |value: &Json| match value {
            Json::Number(number) => number.as_i64().and_then(|number| u64::try_from(number).ok()),
            _ => None,
        };
        self.0.member(name).map(|value| exact(value).ok_or(Unsound::Member { member: name })).transpose()
    }

    fn number(&self, name: &'static str) -> Result<u64, Unsound> {
        self.number_if(name)?.ok_or(Unsound::Member { member: name })
    }

    fn flag_if(&self, name: &'static str) -> Result<Option<bool>, Unsound> {
        match self.0.member(name) {
            None => Ok(None),
            Some(Json::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Unsound::Member { member: name }),
        }
    }

    fn list(&self, name: &'static str, most: usize) -> Result<&'a [Json], Unsound> {
        match self.0.member(name) {
            None => Ok(&[]),
            Some(Json::Array(items)) if items.len() <= most => Ok(items),
            Some(_) => Err(Unsound::Member { member: name }),
        }
    }

    fn texts(&self, name: &'static str, most: usize) -> Result<Vec<String>, Unsound> {
        let text = |item: &Json| item.as_str().filter(|text| text.len() <= TEXT_BYTES_MAX).map(str::to_owned);
        let items = self.list(name, most)?.iter();
        items.map(|item| text(item).ok_or(Unsound::Member { member: name })).collect()
    }

    fn clauses(&self, name: &'static str, most: usize) -> Result<Vec<ClauseId>, Unsound> {
        let clause = |item: &Json| item.as_str().and_then(|text| ClauseId::new(text).ok());
        let items = self.list(name, most)?.iter();
        items.map(|item| clause(item).ok_or(Unsound::Member { member: name })).collect()
    }
}

/// Reads `data` back to the record it was made from.
pub(super) fn record(
    data: &Fields<'_>,
    kind: Kind,
    at: Timestamp,
    traceparent: Option<Traceparent>,
) -> Result<Record, Unsound> {
    let read = Record {
        kind,
        decision: data.parsed("decision", |text| DecisionId::new(text).ok())?,
        parent: data.parsed_if("parent", |text| DecisionId::new(text).ok())?,
        at,
        agent: data.parsed_if("agent", |text| AgentId::new(text).ok())?,
        proof: data.parsed_if("proof", Proof::parse)?,
        listener: Arc::from(data.text("listener")?),
        upstream: data.parsed_if("upstream", |text| UpstreamName::new(text).ok())?,
        pact: data.object_if("pact")?.as_ref().map(pact).transpose()?,
        verdict: data.parsed("verdict", ruling)?,
        effect: data.parsed("effect", Effect::parse)?,
        reason: data.parsed_if("reason", Reason::parse)?,
        clauses: data.clauses("clauses", CLAUSES_MAX)?,
        faults: data.clauses("faults", FAULTS_MAX)?,
        observed: data.list("observed", OBSERVED_MAX)?.iter().map(observed).collect::<Result<_, _>>()?,
        tier: data.object_if("tier")?.as_ref().map(tier).transpose()?,
        action: action(&data.object("action", "action")?)?,
        args_digest: data.parsed_if("args_digest", digest)?,
        withheld: data.texts("withheld", WITHHELD_MAX)?,
        approval: data.object_if("approval")?.as_ref().map(approval).transpose()?,
        limit: data.parsed_if("limit", |text| LimitId::new(text).ok())?,
        outcome: data.object_if("outcome")?.as_ref().map(outcome).transpose()?,
        usage: data.object_if("usage")?.as_ref().map(usage).transpose()?,
        latency: latency(&data.object("latency", "latency")?)?,
        coverage: coverage(&data.object("coverage", "coverage")?)?,
        traceparent,
    };
    agrees(&read)?;
    Ok(read)
}

/// What must hold between members. A permit that is taken back is a settled call whose effect is `refused`.
fn agrees(record: &Record) -> Result<(), Unsound> {
    let is_sent = record.effect == Effect::Sent;
    let fits = match (record.kind, record.outcome) {
        (Kind::Admitted, None) => is_sent,
        (Kind::Refused | Kind::Settled, Some(Outcome::Refused)) => !is_sent,
        (Kind::Settled, Some(Outcome::NotSent)) => true,
        (Kind::Settled, Some(_)) => is_sent,
        (Kind::Admitted, Some(_)) | (Kind::Refused | Kind::Settled, _) => false,
    };
    if !fits {
        return Err(Unsound::Member { member: "outcome" });
    }
    if record.agent.is_some() != record.proof.is_some() {
        return Err(Unsound::Member { member: "proof" });
    }
    Ok(())
}

/// Sixty-four lower-case hexadecimal digits.
pub(super) fn digest(text: &str) -> Option<Digest> {
    Digest::parse_hex(text).filter(|digest| digest.hex() == text)
}

/// What `data` says is missing before the record.
pub(super) fn gap(data: &Fields<'_>) -> Result<Gap, Unsound> {
    let Some(gap) = data.object_if("gap")? else { return Ok(Gap::default()) };
    Ok(Gap {
        after_crash: gap.flag_if("after_crash")?.unwrap_or(false),
        lost: gap.number_if("lost_before")?.unwrap_or(0),
        torn_bytes: gap.number_if("torn_bytes")?.unwrap_or(0),
    })
}

fn ruling(text: &str) -> Option<Ruling> {
    [Ruling::Allow, Ruling::Ask, Ruling::Deny].into_iter().find(|ruling| ruling.name() == text)
}

fn action_kind(text: &str) -> Option<ActionKind> {
    use ActionKind::{Agent, HostedTool, Http, Model, Opaque, Prompt, Protocol, Resource, Tool};
    let all = [Model, Tool, HostedTool, Resource, Prompt, Agent, Http, Opaque, Protocol];
    all.into_iter().find(|kind| kind.name() == text)
}

fn action(object: &Fields<'_>) -> Result<ActionSeen, Unsound> {
    Ok(ActionSeen {
        kind: object.parsed_if("kind", action_kind)?,
        name: object.text("name")?.to_owned(),
        capability: object.text_if("capability")?.map(Arc::from),
        dialect: object.parsed("dialect", Dialect::parse)?,
    })
}

fn approval(object: &Fields<'_>) -> Result<ApprovalUse, Unsound> {
    Ok(ApprovalUse {
        id: object.parsed("id", |text| ApprovalId::new(text).ok())?,
        answer: object.parsed("answer", ApprovalAnswer::parse)?,
    })
}

fn coverage(object: &Fields<'_>) -> Result<Coverage, Unsound> {
    Ok(Coverage {
        request: object.parsed("request", Seen::parse)?,
        response: object.parsed_if("response", Seen::parse)?,
    })
}

fn latency(object: &Fields<'_>) -> Result<Latency, Unsound> {
    Ok(Latency {
        decide: Duration::from_micros(object.number("decide_us")?),
        upstream: object.number_if("upstream_us")?.map(Duration::from_micros),
        total: object.number_if("total_us")?.map(Duration::from_micros),
    })
}

fn observed(item: &Json) -> Result<Observed, Unsound> {
    let object = Fields::new(item, "observed")?;
    Ok(Observed {
        pact: pact(&object.object("pact", "observed.pact")?)?,
        verdict: object.parsed("verdict", ruling)?,
        reason: object.parsed_if("reason", Reason::parse)?,
        clauses: object.clauses("clauses", OBSERVED_MAX)?,
    })
}

fn outcome(object: &Fields<'_>) -> Result<Outcome, Unsound> {
    let status = || {
        let status = object.number("status")?;
        u16::try_from(status).map_err(|_| Unsound::Member { member: "status" })
    };
    match object.text("kind")? {
        "completed" => Ok(Outcome::Completed { status: status()? }),
        "refused" => Ok(Outcome::Refused),
        "upstream-failed" => {
            Ok(Outcome::UpstreamFailed { what: object.parsed("what", UpstreamFailure::parse)? })
        }
        "client-gone" => Ok(Outcome::ClientGone),
        "cut" => Ok(Outcome::Cut { why: object.parsed("why", CutCause::parse)? }),
        "not-sent" => Ok(Outcome::NotSent),
        "abandoned" => Ok(Outcome::Abandoned),
        _ => Err(Unsound::Member { member: "outcome" }),
    }
}

fn pact(object: &Fields<'_>) -> Result<PactRef, Unsound> {
    Ok(PactRef {
        name: object.parsed("name", |text| PactName::new(text).ok())?,
        version: object.number("version")?,
        digest: object.parsed("digest", digest)?,
    })
}

fn tier(object: &Fields<'_>) -> Result<TierSeen, Unsound> {
    Ok(TierSeen {
        tier: object.parsed("tier", TrustTier::parse)?,
        stated: object.parsed_if("stated", TrustTier::parse)?,
        age: object.number_if("age_s")?.map(Duration::from_secs),
        used: object.flag_if("used")?.ok_or(Unsound::Member { member: "used" })?,
    })
}

fn usage(object: &Fields<'_>) -> Result<Usage, Unsound> {
    Ok(Usage {
        input_tokens: object.number_if("input_tokens")?.unwrap_or(0),
        output_tokens: object.number_if("output_tokens")?.unwrap_or(0),
        bytes_sent: object.number("bytes_sent")?,
        bytes_received: object.number("bytes_received")?,
    })
}
