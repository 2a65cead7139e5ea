//! A client of Agent2Agent and an agent that it calls: found by its card, allowed and refused, on both bindings.

use serde_json::{Value, json};

use crate::clients::scene::AGENTS_OWN;
use crate::support::authority::Authority;
use crate::support::environment::Variables;
use crate::support::programs::{Program, Server, run};
use crate::support::sidecar::{Setup, Sidecar, token};

const BILLING_KEY: &str = "key-of-billing";

/// What the agents named `shopper-…` may ask of another agent.
const SETTLING: &str = r#"apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: settling, version: 1}
spec:
  agents: ["shopper-*"]
  risk: medium
  owner: tests
  clauses:
    - id: refund-small
      allow: {agent: billing/refund}
      where: {args.amount: {max: 50}, parts.text: {max: 0}}
    - id: talk
      allow: {agent: billing/talk}
    - id: never-wipe
      deny: {agent: billing/wipe}
    - id: call-back
      allow: {http: POST https://hooks.example/a2a}
"#;

/// Each binding and version of the protocol that the client speaks.
const FORMS: [(&str, &str); 4] =
    [("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3"), ("HTTP+JSON", "0.3")];

/// A sidecar before an agent.
struct Desk {
    server: Server,
    sidecar: Sidecar,
}

impl Desk {
    fn open() -> Self {
        let server = Server::a2a();
        let url = format!("http://127.0.0.1:{}", server.port);
        let key = Some(("x-billing-key", "", BILLING_KEY));
        let setup = Setup::default().agent("shopper-1").pact(SETTLING).upstream("billing", "a2a", &url, key);
        let sidecar = setup.start(&Authority::new().roots());
        Self { server, sidecar }
    }

    /// The agent's URL, the key for it, and the environment, for a client that is given a base URL.
    fn reverse(&self) -> (String, String, Variables) {
        (self.sidecar.reverse("billing"), token("shopper-1"), Vec::new())
    }

    /// The same for a client that is given a proxy.
    fn forward(&self) -> (String, String, Variables) {
        let url = format!("http://127.0.0.1:{}", self.server.port);
        (url, AGENTS_OWN.to_owned(), self.sidecar.variables("shopper-1"))
    }
}

async fn ask(
    (url, key, env): (String, String, Variables),
    (binding, version): (&str, &str),
    streaming: bool,
    steps: &Value,
) -> Vec<Value> {
    let plan = json!({
        "url": url, "key": key, "binding": binding, "version": version, "streaming": streaming, "steps": steps,
    });
    run(Program::A2a, plan, &env).await
}

fn steps() -> Value {
    json!([
        {"do": "send", "skill": "refund", "data": [{"amount": 40}]},
        {"do": "get"},
        {"do": "send", "skill": "refund", "data": [{"amount": 4000}]},
        {"do": "send", "skill": "refund", "data": [{"amount": 40}], "texts": ["and four thousand more"]},
        {"do": "send", "skill": "refund", "data": [{"amount": 40}, {"amount": 4000}]},
        {"do": "send", "skill": "wipe"  , "texts": ["all of it"]},
        {"do": "send", "texts": ["who are you?"]},
        {"do": "send", "skill": "talk", "urls": ["http://169.254.169.254/latest/meta-data"]},
        {"do": "push", "url": "https://evil.example/a2a"},
        {"do": "push", "url": "https://hooks.example/a2a"},
        {"do": "send", "skill": "talk", "texts": ["who are you?"]},
    ])
}

/// Refused messages never reach the agent: it counts what it is told.
#[track_caller]
fn assert_settled(told: &[Value], streaming: bool, before: u64, what: &str) {
    let events = if streaming {
        json!(["task", "status_update", "artifact_update", "status_update"])
    } else {
        json!(["task"])
    };
    let said = |number: u64, rest: &str| json!([format!("number {number}, {rest}, key {BILLING_KEY}")]);
    assert_eq!(told[1]["events"], events, "{what}: {}", told[1]);
    assert_eq!(told[1]["texts"], said(before + 1, "amounts [40.0], texts []"), "{what}");
    assert_eq!(told[2]["artifacts"], 1, "{what}: {}", told[2]);
    for (at, reason) in [
        (3, "no clause"),
        (4, "no clause"),
        (5, "no clause"),
        (6, "clause `never-wipe` of pact `settling`"),
        (7, "no clause"),
        (8, "no clause"),
        (9, "no clause"),
    ] {
        let message = told[at]["message"].as_str().unwrap_or_default();
        assert!(message.contains("refused by Pactgate") && message.contains(reason), "{what}: {}", told[at]);
        assert!(message.contains("Decision"), "{what}: {message}");
    }
    assert_eq!(told[10]["url"], "https://hooks.example/a2a", "{what}: {}", told[10]);
    assert_eq!(told[11]["texts"], said(before + 2, "amounts [], texts ['who are you?']"), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a2a_clients_are_allowed_and_refused_on_both_bindings() {
    let desk = Desk::open();
    let mut before = 0;
    for form in FORMS {
        for streaming in [true, false] {
            for way in [desk.reverse(), desk.forward()] {
                let what = format!("{form:?}, streaming {streaming}, {}", way.0);
                let told = ask(way, form, streaming, &steps()).await;
                assert_settled(&told, streaming, before, &what);
                before += 2;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_leads_back_inside_and_nowhere_else() {
    let desk = Desk::open();
    let here = desk.sidecar.reverse("billing");
    let rpc = format!("{here}/a2a/jsonrpc");
    let rest = format!("{here}/a2a/rest");
    let card = json!([{"do": "card"}]);
    let told = ask(desk.reverse(), ("JSONRPC", "1.0"), true, &card).await;
    let inside = json!([
        [rpc, "JSONRPC", "1.0"],
        [rest, "HTTP+JSON", "1.0"],
        [rpc, "JSONRPC", "0.3"],
        [rest, "HTTP+JSON", "0.3"],
    ]);
    for told in &told {
        assert_eq!((&told["addresses"], &told["signatures"]), (&inside, &json!(0)), "{told}");
    }
    assert_eq!(told[0]["provider"], "https://provider.example");
    for form in FORMS {
        let told = ask(desk.reverse(), form, true, &card).await;
        let addresses = told[1]["addresses"].as_array().unwrap_or_else(|| panic!("{form:?}: {}", told[1]));
        let is_inside = |each: &Value| each[0].as_str().is_some_and(|url| url.starts_with(&here));
        assert!(!addresses.is_empty() && addresses.iter().all(is_inside), "{form:?}: {}", told[1]);
    }
    // Where every way leads through the sidecar, the card stays what its signature is for.
    let told = ask(desk.forward(), ("JSONRPC", "1.0"), true, &card).await;
    for told in &told {
        assert_eq!(told["addresses"][0][0], "http://127.0.0.1:9/a2a", "{told}");
        assert_eq!(told["signatures"], 1, "{told}");
    }
}
