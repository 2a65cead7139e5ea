//! Calls that wait for a person, who answers at a real collector.

use serde_json::{Value, json};

use crate::clients::operator::Operator;
use crate::clients::scene::{MCP_CLIENTS, Route, SHOPPING, Scene};
use crate::support::collector::{Collector, OPERATOR};
use crate::support::process::until;
use crate::support::programs::Program;
use crate::support::sidecar::Setup;

/// A call is held longer than the slowest person here takes.
const PATIENT: &str = "{patience: 50s, expire: 5m}";

fn refund() -> Value {
    json!({"do": "call", "name": "refund", "arguments": {"order": "7", "amount": 60, "currency": "EUR"}})
}

fn look() -> Value {
    json!({"do": "call", "name": "get_order", "arguments": {"order": "7"}})
}

/// The approval that a refusal tells of.
#[track_caller]
fn approval(said: &Value) -> String {
    let said = said.as_str().unwrap();
    let (_, rest) = said.split_once("Approval `").unwrap_or_else(|| panic!("no approval in: {said}"));
    rest.split_once('`').unwrap().0.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_call_goes_through_once_somebody_grants_it() {
    let collector = Collector::start("{}");
    let mut setup = Setup::default().pact(SHOPPING).collector(&collector).section("approvals", PATIENT);
    for number in 0..MCP_CLIENTS.len() {
        setup = setup.agent(&format!("shopper-{number}"));
    }
    let scene = Scene::set(setup).await;
    let steps = json!([refund(), look()]);
    for (number, ((program, mode, _), route)) in MCP_CLIENTS.into_iter().zip(Route::ALL).enumerate() {
        let what = format!("{program:?} {mode}, {route:?}");
        let agent = format!("shopper-{number}");
        let answering = async {
            let question = Operator(&collector).question().await;
            let id = question["approval"].as_str().unwrap().to_owned();
            (Operator(&collector).answer(&id, "grant").await, id)
        };
        let (told, (answered, id)) =
            tokio::join!(scene.shop((program, mode), route, &agent, &steps), answering);
        assert_eq!((&answered["state"], &answered["by"]), (&json!("granted"), &json!(OPERATOR)), "{what}");
        assert_eq!((&answered["agent"], &answered["clauses"]), (&json!(agent), &json!(["refund-large"])));
        assert_eq!(answered["fields"]["args"]["amount"], 60, "{what}: {answered}");
        assert_eq!(told[1]["structured"]["amount"], 60, "{what}: {}", told[1]);
        assert_eq!(told[2]["structured"]["total"], 80, "{what}: {}", told[2]);
        let used = || async {
            let records = Operator(&collector).records(&agent, 1).await;
            records.into_iter().find(|record| record["verdict"] == "ask")
        };
        let asked = until("the asked call is on record", used).await;
        assert_eq!(asked["approval"], json!({"answer": "granted", "id": id}), "{what}: {asked}");
        assert_eq!(asked["effect"], "sent", "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_call_is_refused_once_somebody_says_no() {
    let collector = Collector::start("{}");
    let setup = Setup::default()
        .pact(SHOPPING)
        .collector(&collector)
        .section("approvals", PATIENT)
        .agent("shopper-1");
    let scene = Scene::set(setup).await;
    let answering = async {
        let question = Operator(&collector).question().await;
        Operator(&collector).answer(question["approval"].as_str().unwrap(), "refuse").await
    };
    let steps = json!([refund(), look()]);
    let client = (Program::McpPresent, "auto");
    let (told, _) = tokio::join!(scene.shop(client, Route::Forward, "shopper-1", &steps), answering);
    assert_eq!(told[1]["is_error"], true, "{}", told[1]);
    assert!(
        told[1]["text"].as_str().unwrap().contains(&format!("`{OPERATOR}` said no: looked at it")),
        "{}",
        told[1]
    );
    assert_eq!(told[2]["structured"]["total"], 80, "{}", told[2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unanswered_call_may_come_again_and_goes_through_once() {
    let collector = Collector::start("{}");
    let setup = Setup::default().pact(SHOPPING).collector(&collector).agent("shopper-1");
    let scene = Scene::set(setup).await;
    for (program, mode, _) in MCP_CLIENTS {
        let client = (program, mode);
        let told =
            scene.shop(client, Route::Reverse, "shopper-1", &json!([refund(), refund(), look()])).await;
        assert_eq!((&told[1]["is_error"], &told[3]["structured"]["total"]), (&json!(true), &json!(80)));
        let asked = approval(&told[1]["text"]);
        assert_eq!(approval(&told[2]["text"]), asked, "the same call asks the same question");

        Operator(&collector).answer(&asked, "grant").await;
        let told = scene.shop(client, Route::Reverse, "shopper-1", &json!([refund(), refund()])).await;
        assert_eq!(told[1]["structured"]["amount"], 60, "{program:?} {mode}: {}", told[1]);
        let again = approval(&told[2]["text"]);
        assert!(told[2]["is_error"] == true && again != asked, "one grant let two calls through");
        // What is asked next starts with a clean table.
        Operator(&collector).answer(&again, "grant").await;
        let told = scene.shop(client, Route::Reverse, "shopper-1", &json!([refund()])).await;
        assert_eq!(told[1]["structured"]["amount"], 60, "{program:?} {mode}: {}", told[1]);
    }
    let shop = scene.secure.shop.seen();
    let refunds = shop.iter().filter(|call| call.asked.as_deref() == Some("tools/call refund")).count();
    assert_eq!(refunds, 2 * MCP_CLIENTS.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_client_is_told_of_the_question_and_may_come_again() {
    let collector = Collector::start("{}");
    let setup = Setup::default().pact(SHOPPING).collector(&collector).agent("shopper-1");
    let scene = Scene::set(setup).await;
    let cases = json!([{"name": "asked", "model": "o1", "say": "hello there"}]);
    for program in [Program::OpenAiPython, Program::OpenAiNode] {
        let told = scene.converse(program, Route::Forward, "shopper-1", &cases).await;
        assert_eq!(
            (&told[0]["error"], &told[0]["retries"]),
            (&json!("PermissionDeniedError"), &json!(0)),
            "{told:?}"
        );
        Operator(&collector).answer(&approval(&told[0]["message"]), "grant").await;
        let told = scene.converse(program, Route::Forward, "shopper-1", &cases).await;
        assert_eq!(told[0]["text"], "You said: hello there", "{program:?}: {told:?}");
    }
}
