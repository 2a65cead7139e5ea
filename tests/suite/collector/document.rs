//! The API document is true: every answer seen in any story is one it promises.

use std::collections::BTreeSet;

use http::Method;
use pactgate::wire::{Problem, ProblemKind};
use pactgate::{center, collector};
use serde_json::{Value, json};

use super::world::{ADA, S1, World};

fn document() -> Value {
    serde_json::from_str(collector::OPENAPI).unwrap()
}

/// The path of the document that an address falls under.
fn template<'a>(document: &'a Value, path: &str) -> Option<&'a str> {
    let fits = |template: &str| {
        let (wanted, given): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        let same = |(wanted, given): (&&str, &&str)| wanted.starts_with('{') || wanted == given;
        wanted.len() == given.len() && wanted.iter().zip(&given).all(same)
    };
    let mut templates: Vec<&str> =
        document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    // Written-out paths come before patterns.
    templates.sort_by_key(|template| template.contains('{'));
    templates.into_iter().find(|template| fits(template))
}

/// Holds one answer against the document.
pub(super) fn check(method: &Method, path: &str, status: u16, content_type: &str, body: &[u8]) {
    let document = document();
    let place = format!("{method} {path} answered {status}");
    let operation = template(&document, path)
        .map(|template| &document["paths"][template][method.as_str().to_lowercase()])
        .filter(|operation| operation.is_object());
    let schema = match operation {
        Some(operation) => {
            let response = &operation["responses"][status.to_string()];
            assert!(response.is_object(), "{place}, which the document does not know");
            let media = content_type.split(';').next().unwrap();
            let content = &response["content"][media];
            assert!(content.is_object(), "{place} as {media}, which the document does not know");
            content["schema"].clone()
        }
        None => {
            assert!(status == 404 || status == 405, "{place}, and is not in the document");
            json!({"$ref": "#/components/schemas/Problem"})
        }
    };
    let instance = match content_type.contains("json") {
        true => serde_json::from_slice(body).unwrap(),
        false => Value::String(String::from_utf8(body.to_vec()).unwrap()),
    };
    check_schema(&document, schema, &instance, &place);
}

fn check_schema(document: &Value, mut schema: Value, instance: &Value, place: &str) {
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(instance).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{place}: {errors:?}");
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let document = document();
    let written: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let routed: BTreeSet<(String, String)> = collector::paths()
        .into_iter()
        .chain(center::paths())
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .collect();
    assert_eq!(written, routed);
}

#[test]
fn the_documents_problems_are_the_closed_set() {
    let document = document();
    let written = &document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"];
    let kinds: Vec<String> = ProblemKind::ALL.iter().map(|kind| Problem::new(*kind, "").kind).collect();
    assert_eq!(*written, json!(kinds));
}

#[test]
fn the_documents_messages_are_the_golden_ones() {
    let document = document();
    let golden = |name: &str| -> Value {
        let path = format!("{}/tests/corpus/wire/v1/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let pairs = [
        ("position", "Position"),
        ("question", "Question"),
        ("answer_request", "AnswerRequest"),
        ("approved", "Approved"),
        ("approval_view", "Approval"),
        ("trust_statement", "TrustStatement"),
        ("signed_trust", "Signed"),
        ("signal_request", "SignalRequest"),
        ("signal_gap", "SignalRequest"),
        ("signal_view", "Signal"),
        ("override", "Override"),
        ("trust_view", "Trust"),
        ("agent_page", "AgentPage"),
        ("problem", "Problem"),
        ("key_view", "Key"),
    ];
    for (name, schema) in pairs {
        let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
        check_schema(&document, schema, &golden(name), name);
    }
}

/// Walks every operation against the running server: it exists, and it asks for exactly the tokens it should.
#[tokio::test]
async fn every_operation_exists_and_asks_for_the_token_that_the_document_says() {
    let world = World::start().await;
    for (path, methods) in document()["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let schemes: Vec<&str> = operation["security"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|scheme| scheme.as_object().unwrap().keys().map(String::as_str))
                .collect();
            let address = path.replace("{id}", "nobody");
            let send = async |token: &str| {
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                let request = world.request(method, &address, token).body(http_body_util::Full::default());
                world.send(request.unwrap()).await.status
            };
            let place = format!("{method} {path}");
            for token in ["", "a-wrong-token"] {
                let status = send(token).await;
                let expected = if schemes.is_empty() { 200 } else { 401 };
                assert_eq!(status, expected, "{place} with token `{token}`");
            }
            for (scheme, token) in [("sidecar", S1), ("operator", ADA)] {
                if schemes.is_empty() || (scheme == "sidecar" && path == "/v1/trust/feed") {
                    continue;
                }
                let is_forbidden = send(token).await == 403;
                assert_eq!(is_forbidden, !schemes.contains(&scheme), "{place} for a {scheme}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let world = World::start().await;
    world.get("/v2/agents", ADA).await.check_problem(404, "not-found");
    world.get("/", "").await.check_problem(404, "not-found");
    world.post("/v1/agents", ADA, "{}").await.check_problem(405, "method-not-allowed");
    world.get("/v1/agents?limit=many", ADA).await.check_problem(400, "malformed");
    world.get("/v1/agents?color=red", ADA).await.check_problem(400, "malformed");
    world.get("/v1/agents/a%20b/trust", ADA).await.check_problem(400, "malformed");
    world.get("/v1/agents/nobody/trust", ADA).await.check_problem(404, "not-found");
}
