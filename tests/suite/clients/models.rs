//! Clients of model APIs: allowed, refused, limited, told what is wrong with a request, counted.

use pactgate::cli::demo::Credential;
use serde_json::{Value, json};

use crate::clients::operator::Operator;
use crate::clients::scene::{MODEL_CLIENTS, Route, SHOPPING, Scene};
use crate::support::collector::Collector;
use crate::support::programs::Program;
use crate::support::sidecar::Setup;

/// One call in three seconds.
const HURRIED: &str = r#"apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: hurried, version: 1}
spec:
  agents: ["hurried-*"]
  risk: low
  owner: tests
  clauses:
    - {id: ask-models, allow: {model: ["openai/**", "anthropic/**"]}}
  limits:
    - {id: pace, on: {model: "**"}, rate: {standard: 20/min}, burst: 1}
"#;

/// An error that the sidecar made: sent once, of its own status, with the decision in its text.
#[track_caller]
fn assert_told(told: &Value, status: u16, says: &str, what: &str) {
    assert_eq!((&told["status"], &told["retries"]), (&json!(status), &json!(0)), "{what}: {told}");
    assert_eq!(told["should_retry"], "false", "{what}: {told}");
    let (message, decision) = (told["message"].as_str().unwrap(), told["decision"].as_str().unwrap());
    assert!(message.contains(&format!("Decision {decision}")), "{what}: {told}");
    assert!(message.contains(says), "{what}: {told}");
}

#[track_caller]
fn assert_refused(told: &Value, says: &str, what: &str) {
    assert_eq!(told["error"], "PermissionDeniedError", "{what}: {told}");
    assert_told(told, 403, says, what);
}

#[track_caller]
fn assert_answered(told: &Value, pieces: Option<u64>, what: &str) {
    assert_eq!(told["text"], "You said: hello there", "{what}: {told}");
    assert_eq!(told["pieces"].as_u64(), pieces, "{what}: {told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn model_clients_are_allowed_and_refused() {
    let scene = Scene::set(Setup::default().agent("shopper-1").pact(SHOPPING)).await;
    for (program, small, big, name) in MODEL_CLIENTS {
        let cases = json!([
            {"name": "plain", "model": small, "say": "hello there", "max_tokens": 16},
            {"name": "refused", "model": big, "say": "hello there", "max_tokens": 16},
            {"name": "refused stream", "model": big, "say": "hello there", "max_tokens": 16, "stream": true},
            {"name": "too long", "model": small, "say": "hello there", "max_tokens": 1_000},
            {"name": "streamed", "model": small, "say": "hello there", "max_tokens": 16, "stream": true},
        ]);
        for route in Route::ALL {
            let what = format!("{name}, {route:?}");
            let told = scene.converse(program, route, "shopper-1", &cases).await;
            assert_answered(&told[0], None, &what);
            assert_refused(&told[1], "Decided by clause `no-big-models`", &what);
            assert_refused(&told[2], "Decided by clause `no-big-models`", &what);
            assert_refused(&told[3], "no clause of the pact allows this", &what);
            assert_answered(&told[4], Some(4), &what);
        }
    }
    for route in [Route::Forward, Route::Plain] {
        let upstreams = scene.upstreams(route);
        for (upstream, clients) in [(&upstreams.openai, 2), (&upstreams.anthropic, 1)] {
            let seen = upstream.seen();
            assert!(seen.iter().all(|call| call.credential == Credential::Expected), "{seen:?}");
            let ours = |name: &String| name.starts_with("proxy-") || name.starts_with("pactgate-");
            assert!(!seen.iter().any(|call| call.header_names.iter().any(ours)), "{seen:?}");
            let arrived = seen.iter().filter(|call| call.method == "POST").count();
            let routes = if route == Route::Forward { 2 } else { 1 };
            assert_eq!(arrived, 2 * clients * routes, "refused calls arrived");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn model_clients_are_told_what_is_wrong_with_a_request() {
    let scene = Scene::set(Setup::default().agent("shopper-1").pact(SHOPPING)).await;
    for (program, model, _, name) in MODEL_CLIENTS {
        let case = |name: &str, more: Value| {
            let mut case = json!({"name": name, "model": model, "say": "hello there ", "max_tokens": 16});
            case.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            case
        };
        let cases = json!([
            case("wrong for the API", json!({"extra_body": {"messages": "none"}})),
            case("wrong for us", json!({"extra_body": {"model": 7}})),
            case("wrong stream", json!({"extra_body": {"model": 7}, "stream": true})),
            case("too large", json!({"repeat": 500_000})),
            case("plain", json!({"say": "hello there"})),
        ]);
        for route in Route::ALL {
            let what = format!("{name}, {route:?}");
            let told = scene.converse(program, route, "shopper-1", &cases).await;
            assert_eq!((&told[0]["error"], &told[0]["retries"]), (&json!("BadRequestError"), &json!(0)));
            for wrong in &told[1..3] {
                assert_eq!(wrong["error"], "BadRequestError", "{what}: {wrong}");
                assert_told(wrong, 400, "the request cannot be read", &what);
            }
            assert_told(&told[3], 413, "at most 4194304 are read", &what);
            assert_answered(&told[4], None, &what);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn model_clients_meet_a_limit_and_wait_as_told() {
    let mut setup = Setup::default().pact(HURRIED);
    let agent = |name: &str, route: Route| format!("hurried-{name}-{route:?}").to_lowercase();
    for (_, _, _, name) in MODEL_CLIENTS {
        for route in Route::ALL {
            setup = setup.agent(&agent(name, route));
        }
    }
    let scene = Scene::set(setup).await;
    for (program, model, _, name) in MODEL_CLIENTS {
        let cases = json!([
            {"name": "at once", "model": model, "say": "hello there", "times": 2, "max_retries": 0},
            {"name": "patient", "model": model, "say": "hello there", "max_retries": 1},
        ]);
        for route in Route::ALL {
            let what = format!("{name}, {route:?}");
            let told = scene.converse(program, route, &agent(name, route), &cases).await;
            assert_answered(&told[0], None, &what);
            let limited = &told[1];
            assert_eq!((&limited["error"], &limited["status"]), (&json!("RateLimitError"), &json!(429)));
            assert!(limited["message"].as_str().unwrap().contains("`pace`"), "{what}: {limited}");
            let wait: u64 = limited["retry_after"].as_str().unwrap().parse().unwrap();
            assert!((1..=3).contains(&wait), "{what}: {limited}");
            assert_answered(&told[2], None, &what);
            assert_eq!(told[2]["retries"], 1, "{what}: it did not wait for {wait} s and try once more");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_model_used_is_on_record_also_where_it_streamed() {
    let collector = Collector::start("{}");
    let mut setup = Setup::default().pact(SHOPPING).collector(&collector);
    for (_, _, _, name) in MODEL_CLIENTS {
        setup = setup.agent(&format!("shopper-{name}"));
    }
    let scene = Scene::set(setup).await;
    for ((program, small, big, name), route) in MODEL_CLIENTS.into_iter().zip(Route::ALL) {
        let cases = json!([
            {"name": "plain", "model": small, "say": "hello there", "max_tokens": 16},
            {"name": "streamed", "model": small, "say": "hello there", "max_tokens": 16, "stream": true},
            {"name": "refused", "model": big, "say": "hello there", "max_tokens": 16},
        ]);
        let agent = format!("shopper-{name}");
        let told = scene.converse(program, route, &agent, &cases).await;
        let listed = usize::from(program != Program::AnthropicPython);
        let mut records =
            Operator(&collector).records(&agent, cases.as_array().unwrap().len() + listed).await;
        records.retain(|record| record["action"]["kind"] == "model");
        for (told, record) in told.iter().zip(&records).take(2) {
            assert_eq!((&record["effect"], &record["clauses"]), (&json!("sent"), &json!(["ask-models"])));
            assert_eq!(record["outcome"], json!({"kind": "completed", "status": 200}));
            let used = |name: &str| record["usage"][name].as_u64().unwrap();
            assert_eq!((used("input_tokens"), used("output_tokens")), (2, 4), "{name}: {record}");
            assert!(used("bytes_sent") > 0 && used("bytes_received") > 0, "{name}: {record}");
            assert_eq!(told["total_tokens"].as_u64().unwrap_or(6), 6, "{name}: {told}");
        }
        let (told, refused) = (&told[2], &records[2]);
        assert_eq!((&refused["effect"], &refused["reason"]), (&json!("refused"), &json!("denied")));
        assert_eq!(refused["decision"], told["decision"], "{name}: the agent and the record disagree");
        assert!(refused.get("usage").is_none(), "{name}: {refused}");
    }
}
