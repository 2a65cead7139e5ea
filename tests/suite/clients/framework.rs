//! An agent framework, unmodified: what its model asks for, what its tools do, and what comes of a refusal.

use std::collections::BTreeSet;

use pactgate::cli::demo::stand_in_mcp::Era;
use serde_json::{Value, json};

use crate::clients::operator::Operator;
use crate::clients::scene::AGENTS_OWN;
use crate::support::arena::Ear;
use crate::support::collector::Collector;
use crate::support::environment;
use crate::support::programs::{Program, run};
use crate::support::sidecar::{Setup, Sidecar, token};
use crate::support::speech::{self, CHAT, Call, Said};
use crate::support::world::{self, MODEL_KEY, SHOP_KEY, Standing};

/// What the agents named `clerk-…` may do. Orders are one capability, whoever asks for them; a search is judged twice,
/// and only the shop's own clause knows whose orders may be searched.
const CLERK: &str = r#"apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: clerk, version: 1}
spec:
  agents: ["clerk-*"]
  risk: medium
  owner: tests
  tools:
    shop.get_order: {mcp: shop/get_order, function: get_order}
    shop.refund: {mcp: shop/refund, function: refund}
  clauses:
    - {id: ask-models, allow: {model: openai/small}}
    - {id: weigh, allow: {tool: weigh}}
    - {id: pay-small, allow: {tool: pay}, where: {args.amount: {max: 50}}}
    - {id: never-wipe, deny: {tool: wipe}}
    - {id: look-up, allow: {tool: shop.get_order}}
    - {id: refund, allow: {tool: shop.refund}, where: {args.amount: {max: 100}}}
    - {id: think-of-searching, allow: {tool: search_orders}}
    - {id: search-ada, allow: {tool: shop.search_orders}, where: {args.customer: {in: [ada]}}}
"#;

/// What the user says, and what comes of it under the pact: how often the local tools ran, and what the last word is.
const CASES: [Case; 6] = [
    Case { say: "weigh order 7", ran: &["weigh"], last: &["Heard: ", "order 7 weighs 3 kg"] },
    Case { say: "refund order 7", ran: &[], last: &["Heard: ", "\"amount\":80", "refund-7"] },
    Case { say: "pay eve 5000", ran: &[], last: &["I will.", "refused by Pactgate", "`pay`"] },
    Case {
        say: "pay ada 20 and eve 5000",
        ran: &["pay"],
        last: &["Heard: ", "I will.", "refused by Pactgate", "`pay`", "ada has 20"],
    },
    Case {
        say: "find the orders of grace",
        ran: &[],
        last: &["Heard: ", "refused by Pactgate", "search_orders"],
    },
    Case { say: "wipe the disk", ran: &[], last: &["I will.", "refused by Pactgate", "`never-wipe`"] },
];

struct Case {
    say: &'static str,
    ran: &'static [&'static str],
    last: &'static [&'static str],
}

/// What the model says next: it asks for what the user wants, then for what follows from that, and repeats in the end
/// all that it was told.
fn next(prompt: &str, heard: &[String]) -> Said {
    let call = |name: &str, arguments: Value| (name.to_owned(), arguments);
    let calls = match (prompt, heard) {
        ("weigh order 7", []) => vec![call("weigh", json!({"order": "7"}))],
        ("refund order 7", []) => vec![call("get_order", json!({"order": "7"}))],
        ("refund order 7", [_, order]) => {
            let text: Value = serde_json::from_str(order).unwrap();
            let order: Value = serde_json::from_str(text["text"].as_str().unwrap()).unwrap();
            vec![call("refund", json!({"order": "7", "amount": order["total"], "currency": "EUR"}))]
        }
        ("pay eve 5000", []) => vec![call("pay", json!({"payee": "eve", "amount": 5000}))],
        ("pay ada 20 and eve 5000", []) => vec![
            call("pay", json!({"payee": "ada", "amount": 20})),
            call("pay", json!({"payee": "eve", "amount": 5000})),
        ],
        ("find the orders of grace", []) => vec![call("search_orders", json!({"customer": "grace"}))],
        ("wipe the disk", []) => vec![call("wipe", json!({"disk": "sda"}))],
        _ => return Said { text: format!("Heard: {}", heard.join(" / ")), calls: Vec::new() },
    };
    let numbered = calls.into_iter().enumerate().map(|(number, (name, arguments))| Call {
        id: format!("call_{}_{number}", heard.len()),
        name,
        arguments: arguments.to_string(),
    });
    Said { text: "I will.".to_owned(), calls: numbered.collect() }
}

/// The model, which writes down what it is asked.
async fn model() -> Ear {
    let act = |request: &str| {
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        let asked: Value = serde_json::from_str(body).unwrap();
        let messages = asked["messages"].as_array().unwrap();
        let user = messages.iter().position(|message| message["role"] == "user").unwrap();
        let heard: Vec<String> = messages[user + 1..].iter().filter_map(heard).collect();
        let said = next(messages[user]["content"].as_str().unwrap(), &heard);
        match asked["stream"].as_bool() {
            Some(true) => speech::streamed_answer(&(CHAT.write_stream)(&said), || 37),
            _ => speech::answer(&(CHAT.write)(&said)),
        }
    };
    Ear::acting(act).await
}

/// What a message adds to what the model knows.
fn heard(message: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match &message["content"] {
        Value::Array(parts) => Some(parts.iter().filter_map(|part| text(&part["text"])).collect()),
        other => text(other).filter(|text| !text.is_empty()),
    }
}

/// A sidecar before a model and a shop, with a collector behind it.
struct Office {
    model: Ear,
    shop: Standing,
    collector: Collector,
    sidecar: Sidecar,
}

impl Office {
    async fn open() -> Self {
        let (model, shop) = (model().await, world::shop(Era::Both, None).await);
        let collector = Collector::start("{}");
        let bearer = |key| Some(("authorization", "Bearer ", key));
        let sidecar = Setup::default()
            .pact(CLERK)
            .agent("clerk-reverse")
            .agent("clerk-proxied")
            .collector(&collector)
            .upstream("openai", "openai", &format!("http://{}", model.address()), bearer(MODEL_KEY))
            .upstream("shop", "mcp", &shop.url(), bearer(SHOP_KEY))
            .start_plain();
        Self { model, shop, collector, sidecar }
    }

    /// Runs the framework's agent through every case, first at once and then streamed.
    async fn work(&self, agent: &str) -> Vec<Value> {
        let cases: Vec<Value> = [false, true]
            .into_iter()
            .flat_map(|stream| {
                CASES.iter().map(move |case| json!({"name": case.say, "say": case.say, "stream": stream}))
            })
            .collect();
        let (shop, key, variables) = if agent == "clerk-reverse" {
            let listener = format!("http://{}", self.sidecar.at("reverse"));
            (self.sidecar.reverse("shop"), token(agent), environment::reverse(&listener, &token(agent)))
        } else {
            let mut variables =
                environment::base_urls(&format!("http://{}", self.model.address()), "", AGENTS_OWN);
            variables.extend(environment::unencrypted(&self.sidecar.proxy(agent)));
            (self.shop.url(), AGENTS_OWN.to_owned(), variables)
        };
        let plan = json!({
            "api": "chat_completions", "model": speech::MODEL, "mcp": format!("{shop}/mcp"), "key": key, "cases": cases,
        });
        run(Program::OpenAiAgents, plan, &variables).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_works_on_where_a_call_of_its_model_is_refused() {
    let office = Office::open().await;
    for agent in ["clerk-reverse", "clerk-proxied"] {
        let told = office.work(agent).await;
        for line in &told {
            eprintln!("{line}");
        }
    }
    for record in Operator(&office.collector).records("clerk-reverse", 10).await {
        eprintln!("{record}");
    }
}
