//! Other agents: messages that say more than they show, cards that lead around.

use std::io::Write as _;
use std::net::SocketAddr;

use flate2::Compression;
use flate2::write::GzEncoder;
use pactgate::evidence::{CutCause, Kind, Outcome};
use serde_json::{Value, json};

use crate::support::arena::{Answer, Arena, Ear, FINE, Way, request};

const PACT: &str = "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: held, version: 1}
spec:
  agents: [mole, twin]
  risk: low
  owner: the tests
  clauses:
    - {id: refund, allow: {agent: peer/refund}, where: {args.amount: {max: 50}}}
    - {id: talk, allow: {agent: peer/talk}}
    - {id: call-back, allow: {http: POST https://hooks.example/a2a}}
";

const CARD: &str = "/peer/.well-known/agent-card.json";

const JSON: (&str, &str) = ("content-type", "application/json");

async fn facing(answer: &'static [u8]) -> Arena {
    Arena::built(Ear::answering(answer, true).await, PACT, |_| {})
}

/// A sidecar before an agent whose card names its own address.
async fn with_card(card: impl FnOnce(&str) -> String, coding: Option<fn(&str) -> Vec<u8>>) -> Arena {
    let answer = |address: SocketAddr| -> &'static [u8] {
        let body = card(&address.to_string());
        let (body, coding) = match coding {
            Some(coded) => (coded(&body), "content-encoding: gzip\r\n"),
            None => (body.into_bytes(), ""),
        };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{coding}content-length: {length}\r\n\r\n"
        );
        Box::leak([head.into_bytes(), body].concat().into_boxed_slice())
    };
    Arena::built(Ear::telling(answer, true).await, PACT, |_| {})
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn told(answer: &Answer) -> Value {
    serde_json::from_str(answer.body()).unwrap_or_else(|wrong| panic!("{wrong}: {answer:?}"))
}

fn message(part: Value, skill: &str, configuration: Value) -> String {
    let message = json!({
        "messageId": "m", "role": "ROLE_USER", "parts": [part], "metadata": {"skillId": skill},
    });
    let params = json!({"message": message, "configuration": configuration});
    json!({"jsonrpc": "2.0", "id": 7, "method": "SendMessage", "params": params}).to_string()
}

#[tokio::test]
async fn a_card_names_the_door_by_which_the_agent_came() {
    let card = |ear: &str| {
        json!({"name": "peer", "url": format!("http://{ear}/peer/rpc"), "signatures": [{"signature": "s"}],
            "additionalInterfaces": [{"url": "https://elsewhere.example", "transport": "JSONRPC"}]})
        .to_string()
    };
    for coding in [None, Some(gzip as fn(&str) -> Vec<u8>)] {
        let arena = with_card(card, coding).await;
        let host = [("host", "sidecar.example:8080")];
        let got = arena.passes("a card", Way::Reverse, request("GET", CARD, &host, "")).await;
        let inside = "http://sidecar.example:8080/peer/rpc";
        assert_eq!(told(&got), json!({"name": "peer", "url": inside, "additionalInterfaces": []}));
        assert!(!got.0.contains("content-encoding"), "{got:?}");
    }
    let arena = with_card(card, None).await;
    let at = arena.ear.address();
    let proxied = format!("http://{at}{CARD}");
    let host = at.to_string();
    let got = request("GET", &proxied, &[("host", host.as_str())], "");
    let got = arena.passes("a card through a proxy", Way::Forward, got).await;
    assert_eq!(told(&got)["additionalInterfaces"][0]["url"], "https://elsewhere.example");
    assert_eq!(told(&got)["signatures"][0]["signature"], "s");
}

#[tokio::test]
async fn a_card_that_leads_around_does_not_reach_the_agent() {
    for card in [
        r#"{"url":"https://elsewhere.example/a2a"}"#,
        r#"{"supported_interfaces":[{"url":"https://elsewhere.example/a2a","protocolBinding":"JSONRPC"}]}"#,
        r#"{"url":"https://elsewhere.example","url":"https://elsewhere.example"}"#,
        r#"["https://elsewhere.example"]"#,
        "url: https://elsewhere.example",
    ] {
        let arena = with_card(|_| card.to_owned(), None).await;
        let got = arena.send(Way::Reverse, request("GET", CARD, &[], "")).await;
        assert_eq!(got.status(), 502, "{got:?}");
        assert!(!got.0.contains("elsewhere.example"), "{got:?}");
        let records = arena.records_once(1).await;
        assert_eq!(records[0].outcome, Some(Outcome::Cut { why: CutCause::Unreadable }), "{records:?}");
    }
}

#[tokio::test]
async fn an_extended_card_is_read_in_its_envelope() {
    let card = |ear: &str| {
        let inner = json!({"supportedInterfaces": [
            {"url": format!("http://{ear}/peer"), "protocolBinding": "HTTP+JSON"},
            {"url": format!("http://{ear}/other"), "protocolBinding": "HTTP+JSON"},
        ]});
        json!({"jsonrpc": "2.0", "id": 7, "result": inner}).to_string()
    };
    let arena = with_card(card, None).await;
    let ask = json!({"jsonrpc": "2.0", "id": 7, "method": "GetExtendedAgentCard"}).to_string();
    let got = arena.passes("a card", Way::Reverse, request("POST", "/peer", &[JSON], &ask)).await;
    let inside = json!([{"url": "http://127.0.0.1/peer", "protocolBinding": "HTTP+JSON"}]);
    assert_eq!(told(&got)["result"]["supportedInterfaces"], inside);
}

#[tokio::test]
async fn every_place_that_a_message_names_is_judged() {
    let arena = facing(FINE).await;
    let push = |url: &str| json!({"taskPushNotificationConfig": {"url": url, "token": "t"}});
    let (data, here) = (json!({"data": {"amount": 40}}), "https://hooks.example/a2a");
    let fine = message(data.clone(), "refund", push(here));
    arena.passes("a refund", Way::Reverse, request("POST", "/peer", &[JSON], &fine)).await;
    assert!(arena.ear.heard().contains("hooks.example"));
    let before = arena.records_once(2).await.len();
    let heard = arena.ear.heard();
    let elsewhere = ["https://elsewhere.example/", "http://169.254.169.254/", "http://hooks.example/a2a"];
    let links = elsewhere.iter().map(|url| message(json!({"url": url}), "talk", Value::Null));
    let pushes = elsewhere.iter().map(|url| message(data.clone(), "refund", push(url)));
    for (count, refused) in links.chain(pushes).enumerate() {
        let got = arena.send(Way::Reverse, request("POST", "/peer", &[JSON], &refused)).await;
        let error = &told(&got)["error"];
        assert_eq!((got.status(), &told(&got)["id"]), (200, &json!(7)), "{refused}: {got:?}");
        assert!(error["code"].as_i64().unwrap() > 0, "{refused}: {error}");
        // One record for the message, which is withheld, and one for the place.
        let records = arena.records_once((before + 2 * (count + 1)) as u64).await;
        let both = &records[before + 2 * count..];
        assert!(both.iter().all(|record| record.kind == Kind::Refused), "{refused}: {both:?}");
    }
    assert_eq!(arena.ear.heard(), heard, "the peer heard of it");
}

#[tokio::test]
async fn a_message_that_could_be_read_in_two_ways_goes_nowhere() {
    let arena = facing(FINE).await;
    let send = |params: &str| {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{params}}}"#);
        request("POST", "/peer", &[JSON], &body)
    };
    let two =
        r#"{"metadata":{"skill":"talk"},"message":{"parts":[{"text":"a"}],"metadata":{"skillId":"refund"}}}"#;
    for (what, params) in [
        ("two skills", two),
        ("a look-alike", r#"{"message":{"parts":[{"text":"a"}],"Metadata":{"skill":"talk"}}}"#),
        ("both names", r#"{"message":{"parts":[{"text":"a"}],"taskId":"a","task_id":"b"}}"#),
        ("two things in a part", r#"{"message":{"parts":[{"text":"a","data":{"amount":1}}]}}"#),
        ("two amounts", r#"{"message":{"parts":[{"data":{"amount":1,"Amount":900}}]}}"#),
    ] {
        arena.refuses(what, Way::Reverse, send(params), 400, "unreadable").await;
    }
    let batch = request("POST", "/peer", &[JSON], r#"[{"jsonrpc":"2.0","id":1,"method":"GetTask"}]"#);
    arena.refuses("a batch", Way::Reverse, batch, 400, "unreadable").await;
    let both = r#"{"jsonrpc":"2.0","method":"GetTask","message":{"parts":[{"text":"a"}]}}"#;
    let both = request("POST", "/peer/message:send", &[JSON], both);
    arena.refuses("two bindings", Way::Reverse, both, 400, "unreadable").await;
    let newer = request(
        "POST",
        "/peer",
        &[JSON, ("a2a-version", "9.0")],
        &message(json!({"text": "a"}), "talk", Value::Null),
    );
    let got = arena.refuses("a version to come", Way::Reverse, newer, 400, "unreadable").await;
    assert_eq!(told(&got)["error"]["code"], -32009, "{got:?}");
    let grpc = [("content-type", "application/grpc")];
    let grpc = request("POST", "/peer/lf.a2a.v1.A2AService/SendMessage", &grpc, "x");
    arena.refuses("gRPC", Way::Reverse, grpc, 403, "opaque").await;
    let admin = request("POST", "/peer/admin", &[JSON], &message(json!({"text": "a"}), "talk", Value::Null));
    arena.refuses("another path", Way::Reverse, admin, 403, "opaque").await;
}
