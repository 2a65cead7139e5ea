//! The script: an agent is allowed, limited, asked and refused, misbehaves, and is trusted less for it.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::cli::demo::agent::{Agent, Answer, Mishap};
use crate::cli::demo::voice::Voice;

/// How often the demo looks whether something has come about, and how many times.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 200;
/// More calls in a row than the pact lets any tier make.
const BURST: u32 = 40;

/// Who takes part.
#[derive(Debug)]
pub struct Cast {
    /// The agent, behind the sidecar.
    pub agent: Agent,
    /// Its id.
    pub name: String,
    /// A person at the collector.
    pub operator: Agent,
}

/// Tells the story.
///
/// # Errors
/// At the first step that does not go as told.
pub async fn tell(cast: &mut Cast, voice: &mut Voice) -> Result<(), Mishap> {
    allowed(cast, voice).await?;
    limited(cast, voice).await?;
    asked(cast, voice).await?;
    refused(cast, voice).await?;
    fallen(cast, voice).await?;
    evidence(cast, voice).await
}

async fn allowed(cast: &mut Cast, voice: &mut Voice) -> Result<(), Mishap> {
    voice.step("Allowed: the agent does what its pact says it may");
    voice.does("asks the model openai/gpt-4o-mini");
    let answer = cast.agent.chat("gpt-4o-mini", "Where is order 8?").await?;
    voice.gets(&answer);
    expect(answer.went_through(), "the model call to go through", &answer)?;
    voice.does("calls the tool shop.get_order");
    let answer = cast.agent.call_tool("get_order", json!({"order": "8"})).await?;
    voice.gets(&answer);
    expect(answer.went_through(), "the tool call to go through", &answer)
}

async fn limited(cast: &mut Cast, voice: &mut Voice) -> Result<(), Mishap> {
    voice.step("Limited: so many calls, and no more");
    voice.does("calls shop.get_order again and again");
    for count in 1..=BURST {
        let answer = cast.agent.call_tool("get_order", json!({"order": "8"})).await?;
        if answer.reason() == Some("rate-limited") {
            voice.gets(&answer);
            let wait = answer.json.pointer("/result/_meta/pactgate.dev~1refusal/retry_after");
            let wait = wait.and_then(Value::as_u64).unwrap_or(1);
            voice.say(&format!("That was call {count}. It waits the {wait} s it was told to."));
            tokio::time::sleep(Duration::from_secs(wait)).await;
            return Ok(());
        }
        expect(answer.went_through(), "the call to go through until the limit is reached", &answer)?;
    }
    Err(Mishap(format!("{BURST} calls in a row, and no limit was reached")))
}

async fn asked(cast: &mut Cast, voice: &mut Voice) -> Result<(), Mishap> {
    voice.step("Asked: a large refund waits for a person");
    voice.does("calls shop.refund with 250 EUR, and waits");
    let mut agent = cast.agent.clone();
    let refund = json!({"order": "8", "amount": 250, "currency": "EUR"});
    let waiting = tokio::spawn(async move { agent.call_tool("refund", refund).await });
    let question = pending(cast).await?;
    let id = question.pointer("/approval").and_then(Value::as_str).unwrap_or_default().to_owned();
    voice.say(&format!("The collector holds the question `{id}`. An operator says yes:"));
    voice.show(&format!(
        "POST /v1/approvals/{id}  {{\"answer\": \"grant\", \"why\": \"the parcel was lost\"}}"
    ));
    let path = format!("/v1/approvals/{id}");
    let grant = json!({"answer": "grant", "why": "the parcel was lost"});
    let said = cast.operator.send(Method::POST, &path, &[], Some(&grant)).await?;
    expect(said.status < 300, "the collector to take the grant", &said)?;
    let answer = waiting.await.map_err(Mishap::from)??;
    voice.gets(&answer);
    expect(answer.went_through(), "the refund to go through once it was granted", &answer)
}

async fn pending(cast: &Cast) -> Result<Value, Mishap> {
    for _ in 0..LOOKS_MAX {
        let listed = cast.operator.send(Method::GET, "/v1/approvals", &[], None).await?;
        let items = listed.json.pointer("/approvals").and_then(Value::as_array);
        let open = items.into_iter().flatten().find(|item| item.get("state") == Some(&json!("pending")));
        if let Some(question) = open {
            return Ok(question.clone());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(Mishap("the question did not reach the collector".to_owned()))
}

async fn refused(cast: &mut Cast, voice: &mut Voice) -> Result<(), Mishap> {
    voice.step("Refused: what the pact forbids, and what it does not speak of");
    voice.does("calls shop.delete_order");
    let answer = cast.agent.call_tool("delete_order", json!({"order": "8"})).await?;
    voice.gets(&answer);
    expect(answer.reason() == Some("denied"), "the deletion to be denied", &answer)?;
    voice.does("asks the model openai/o1-pro");
    let answer = cast.agent.chat("o1-pro", "hello").await?;
    voice.gets(&answer);
    expect(answer.reason() == Some("no-clause"), "a model that no clause names to be refused", &answer)
}

async fn fallen(cast: &mut Cast, voice: &mut Voice) -> Result<(), Mishap> {
    voice.step("Trusted less: the agent goes on trying, and the evidence tells");
    let (before, score) = tier(cast).await?;
    voice.say(&format!("The collector has `{}` on tier `{before}`, lower bound {score:.2}.", cast.name));
    voice.does("tries to delete orders and to reach tools it was never given");
    let mut attempts = 0;
    let mut now = before.clone();
    while now == before && attempts < BURST {
        attempts += 1;
        let order = json!({"order": attempts.to_string()});
        let tool = if attempts % 2 == 0 { "delete_order" } else { "export_customers" };
        let answer = cast.agent.call_tool(tool, order).await?;
        expect(!answer.went_through(), "the attempt to be refused", &answer)?;
        now = settled_tier(cast, &before, attempts).await?;
    }
    let (now, score) = tier(cast).await?;
    voice.say(&format!("After {attempts} refused attempts: tier `{now}`, lower bound {score:.2}."));
    voice.does("calls shop.get_order, which it was allowed in step 1");
    let answer = refused_for_its_tier(cast).await?;
    voice.gets(&answer);
    Ok(())
}

/// The tier, once the collector has had the time to count one more attempt.
async fn settled_tier(cast: &Cast, before: &str, attempts: u32) -> Result<String, Mishap> {
    // Single attempts change nothing yet; a handful is worth a look.
    let looks = if attempts < 5 { 1 } else { 10 };
    for _ in 0..looks {
        let (now, _) = tier(cast).await?;
        if now != before {
            return Ok(now);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(before.to_owned())
}

async fn refused_for_its_tier(cast: &mut Cast) -> Result<Answer, Mishap> {
    let mut last = None;
    for _ in 0..LOOKS_MAX {
        let answer = cast.agent.call_tool("get_order", json!({"order": "8"})).await?;
        if matches!(answer.reason(), Some("tier-too-low" | "suspended")) {
            return Ok(answer);
        }
        last = Some(answer);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(Mishap(format!("the call was not refused for the agent's tier; the last answer was {last:?}")))
}

async fn tier(cast: &Cast) -> Result<(String, f64), Mishap> {
    let path = format!("/v1/agents/{}/trust", cast.name);
    let trust = cast.operator.send(Method::GET, &path, &[], None).await?;
    expect(trust.status == 200, "the collector to know the agent", &trust)?;
    let tier = trust.json.pointer("/tier").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok((tier, trust.json.pointer("/lower").and_then(Value::as_f64).unwrap_or(f64::NAN)))
}

async fn evidence(cast: &mut Cast, voice: &mut Voice) -> Result<(), Mishap> {
    voice.step("Evidence: every call left one record, chained to the one before");
    let (count, last) = last_refusal(cast).await?;
    voice.say(&format!("The collector holds {count} records of `{}`. The last one, in part:", cast.name));
    voice.show(&in_part(&last));
    voice.say("All of it: GET /v1/records, with the operator's token.");
    Ok(())
}

/// The record of the refusal that ended the step before, once it has been delivered.
async fn last_refusal(cast: &Cast) -> Result<(usize, Value), Mishap> {
    let path = format!("/v1/records?agent={}&limit=100", cast.name);
    for _ in 0..LOOKS_MAX {
        let listed = cast.operator.send(Method::GET, &path, &[], None).await?;
        expect(listed.status == 200, "the collector to list records", &listed)?;
        let records = listed.json.pointer("/records").and_then(Value::as_array).cloned().unwrap_or_default();
        let is_it = |record: &&Value| record.pointer("/event/data/reason") == Some(&json!("tier-too-low"));
        if let Some(last) = records.iter().rev().find(is_it) {
            return Ok((records.len(), last.clone()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(Mishap("the record of the last refusal did not reach the collector".to_owned()))
}

/// A record's lines that tell the most; the whole would fill the screen.
fn in_part(record: &Value) -> String {
    let at = |place: &str| record.pointer(place).cloned().unwrap_or(Value::Null);
    let short = |place: &str| at(place).as_str().map(|hash| hash.chars().take(16).collect::<String>());
    [
        format!("type      {}", at("/event/type")),
        format!("source    {}  sequence {}", at("/event/source"), at("/event/sequence")),
        format!("agent     {}  tier {}", at("/event/data/agent"), at("/event/data/tier/tier")),
        format!("action    {} {}", at("/event/data/action/kind"), at("/event/data/action/capability")),
        format!(
            "verdict   {}  reason {}  clauses {}",
            at("/event/data/verdict"),
            at("/event/data/reason"),
            at("/event/data/clauses")
        ),
        format!("prevhash  {}…", short("/event/prevhash").unwrap_or_default()),
        format!("hash      {}…", short("/hash").unwrap_or_default()),
    ]
    .join("\n")
    .replace('"', "")
}

fn expect(holds: bool, what: &str, answer: &Answer) -> Result<(), Mishap> {
    if holds {
        return Ok(());
    }
    Err(Mishap(format!("expected {what}; got HTTP {}: {}", answer.status, answer.json)))
}
