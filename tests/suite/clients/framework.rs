//! An agent framework, unmodified: what its model asks for, what its tools do, and what comes of a refusal.

use pactgate::cli::demo::stand_in_mcp::Era;
use serde_json::{Value, json};

use crate::clients::operator::Operator;
use crate::clients::scene::AGENTS_OWN;
use crate::support::arena::Ear;
use crate::support::collector::Collector;
use crate::support::environment;
use crate::support::process::until;
use crate::support::programs::{Program, run};
use crate::support::sidecar::{Setup, Sidecar, token};
use crate::support::speech::{self, CHAT, Call, RESPONSES, Said};
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

/// Something that the user says, and what comes of it under the pact.
struct Case {
    say: &'static str,
    /// The local tools that ran.
    ran: &'static [&'static str],
    /// What stands in the agent's last word, in this order.
    last: &'static [&'static str],
    /// Dialect, name and effect of every tool call on record.
    calls: &'static [(&'static str, &'static str, &'static str)],
}

const CASES: [Case; 6] = [
    Case {
        say: "weigh order 7",
        ran: &["weigh"],
        last: &["Heard: ", "order 7 weighs 3 kg"],
        calls: &[("openai", "weigh", "sent")],
    },
    Case {
        say: "refund order 7",
        ran: &[],
        last: &["Heard: ", "\"total\":80", "\"amount\":80", "refund-7"],
        calls: &[
            ("openai", "get_order", "sent"),
            ("mcp", "shop.get_order", "sent"),
            ("openai", "refund", "sent"),
            ("mcp", "shop.refund", "sent"),
        ],
    },
    Case {
        say: "pay eve 5000",
        ran: &[],
        last: &["refused by Pactgate", "`pay`", "`args.amount` at most 50"],
        calls: &[("openai", "pay", "refused")],
    },
    Case {
        say: "pay ada 20 and eve 5000",
        ran: &["pay"],
        last: &["Heard: ", "I will.", "refused by Pactgate", "`pay`", "ada has 20"],
        calls: &[("openai", "pay", "sent"), ("openai", "pay", "refused")],
    },
    Case {
        say: "find the orders of grace",
        ran: &[],
        last: &["Heard: ", "refused by Pactgate", "`shop.search_orders`", "one of ada"],
        calls: &[("openai", "search_orders", "sent"), ("mcp", "shop.search_orders", "refused")],
    },
    Case {
        say: "wipe the disk",
        ran: &[],
        last: &["refused by Pactgate", "`never-wipe`"],
        calls: &[("openai", "wipe", "refused")],
    },
];

/// What the model says next: it asks for what the user wants, then for what follows from that, and repeats in the end
/// all that it was told.
fn next(prompt: &str, heard: &[String]) -> Said {
    let call = |name: &str, arguments: Value| (name.to_owned(), arguments);
    let calls = match (prompt, heard) {
        ("weigh order 7", []) => vec![call("weigh", json!({"order": "7"}))],
        ("refund order 7", []) => vec![call("get_order", json!({"order": "7"}))],
        ("refund order 7", [_, order]) => {
            let order: Value = serde_json::from_str(order).unwrap();
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
        let (speech, turns) = if asked["input"].is_null() {
            (&CHAT, &asked["messages"])
        } else {
            (&RESPONSES, &asked["input"])
        };
        let turns = turns.as_array().unwrap();
        let user = turns.iter().position(|turn| turn["role"] == "user").unwrap();
        let heard: Vec<String> = turns[user + 1..].iter().filter_map(heard).collect();
        let said = next(turns[user]["content"].as_str().unwrap(), &heard);
        match asked["stream"].as_bool() {
            Some(true) => speech::streamed_answer(&(speech.write_stream)(&said), || 37),
            _ => speech::answer(&(speech.write)(&said)),
        }
    };
    Ear::acting(act).await
}

/// What a turn adds to what the model knows: what it said itself, and what a tool gave back.
fn heard(turn: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match if turn["content"].is_null() { &turn["output"] } else { &turn["content"] } {
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
            .agent("clerk-reverse-chat_completions")
            .agent("clerk-reverse-responses")
            .agent("clerk-proxied-chat_completions")
            .agent("clerk-proxied-responses")
            .collector(&collector)
            .upstream("openai", "openai", &format!("http://{}", model.address()), bearer(MODEL_KEY))
            .upstream("shop", "mcp", &shop.url(), bearer(SHOP_KEY))
            .start_plain();
        Self { model, shop, collector, sidecar }
    }

    /// Runs the framework's agent through every case, first at once and then streamed.
    async fn work(&self, way: &str, api: &str, agent: &str) -> Vec<Value> {
        let cases: Vec<Value> = [false, true]
            .into_iter()
            .flat_map(|stream| {
                CASES.iter().map(move |case| json!({"name": case.say, "say": case.say, "stream": stream}))
            })
            .collect();
        let (shop, key, variables) = if way == "reverse" {
            let listener = format!("http://{}", self.sidecar.at("reverse"));
            (self.sidecar.reverse("shop"), token(agent), environment::reverse(&listener, &token(agent)))
        } else {
            let mut variables =
                environment::base_urls(&format!("http://{}", self.model.address()), "", AGENTS_OWN);
            variables.extend(environment::unencrypted(&self.sidecar.proxy(agent)));
            (self.shop.url(), AGENTS_OWN.to_owned(), variables)
        };
        let plan = json!({
            "api": api, "model": speech::MODEL, "mcp": format!("{shop}/mcp"), "key": key, "cases": cases,
        });
        run(Program::OpenAiAgents, plan, &variables).await
    }
}

/// Whether these stand in the text, one behind the other.
fn stand_in(mut text: &str, parts: &[&str]) -> bool {
    parts.iter().all(|part| {
        let behind = text.split_once(part).map(|(_, behind)| behind);
        text = behind.unwrap_or_default();
        behind.is_some()
    })
}

/// Every run ends with a last word; nothing ran that was refused, and all the rest did.
fn assert_worked(told: &[Value], what: &str) {
    let mut told = told.iter();
    for is_streamed in [false, true] {
        for case in &CASES {
            let what = format!("{what}, {}, streamed: {is_streamed}", case.say);
            let mut ran = Vec::new();
            let end = loop {
                let line = told.next().unwrap_or_else(|| panic!("{what}: it did not end"));
                match line["ran"].as_str() {
                    Some(name) => ran.push(name),
                    None => break line,
                }
            };
            assert_eq!(end["case"], case.say, "{what}: {end}");
            assert_eq!(ran, case.ran, "{what}: {end}");
            let last = end["final"].as_str().unwrap_or_else(|| panic!("{what}: {end}"));
            assert!(stand_in(last, case.last), "{what}: {end}");
            if is_streamed {
                let streamed = end["streamed"].as_str().unwrap();
                assert!(streamed.starts_with("I will.") && streamed.ends_with(last), "{what}: {end}");
                assert!(end["pieces"].as_u64().unwrap() > 1, "{what}: {end}");
            }
        }
    }
    assert_eq!(told.next(), None);
}

/// Each call that a model made names the call to the model; each call that carries one out names that one.
fn assert_recorded(records: &[Value], what: &str) {
    let models: Vec<&Value> = records.iter().filter(|record| record["action"]["kind"] == "model").collect();
    for model in &models {
        assert_eq!(model["outcome"], json!({"kind": "completed", "status": 200}), "{what}: {model}");
        // `delete_order` is no longer among them: the shop's list does not show it to the framework.
        assert_eq!(model["withheld"], json!(["wipe"]), "{what}: {model}");
    }
    let calls: Vec<&Value> = records.iter().filter(|record| record["action"]["kind"] == "tool").collect();
    let seen = calls.iter().map(|call| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&call["action"]["dialect"]), text(&call["action"]["name"]), text(&call["effect"]))
    });
    let expected = CASES.iter().chain(&CASES).flat_map(|case| case.calls);
    let expected = expected
        .map(|(dialect, name, effect)| ((*dialect).to_owned(), (*name).to_owned(), (*effect).to_owned()));
    assert_eq!(seen.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{what}");
    for (number, call) in calls.iter().enumerate() {
        let (action, parent) = (&call["action"], &call["parent"]);
        assert_eq!(call["verdict"] == "allow", call["effect"] == "sent", "{what}: {call}");
        if action["dialect"] == "openai" {
            assert!(models.iter().any(|model| model["decision"] == *parent), "{what}: {call}");
        } else if action["name"] == "shop.search_orders" {
            // The pact does not say that this is what the model asked for.
            assert_eq!(*parent, Value::Null, "{what}: {call}");
        } else {
            let made = calls[number - 1];
            assert_eq!(action["capability"], made["action"]["capability"], "{what}: {call}");
            assert_eq!((parent, &call["args_digest"]), (&made["decision"], &made["args_digest"]), "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_works_on_where_a_call_of_its_model_is_refused() {
    let office = Office::open().await;
    let each = 2 * CASES.iter().map(|case| case.calls.len()).sum::<usize>();
    for (way, api) in [
        ("reverse", "chat_completions"),
        ("reverse", "responses"),
        ("proxied", "chat_completions"),
        ("proxied", "responses"),
    ] {
        let agent = &format!("clerk-{way}-{api}");
        assert_worked(&office.work(way, api, agent).await, agent);
        let look = || async {
            let records = Operator(&office.collector).records(agent, each).await;
            let is_call = |record: &&Value| record["action"]["kind"] == "tool";
            let ended = records.last().is_some_and(|record| record["action"]["kind"] == "model");
            (ended && records.iter().filter(is_call).count() >= each).then_some(records)
        };
        assert_recorded(&until("all calls are on record", look).await, agent);
    }
    let heard = office.model.heard();
    for gone in ["\"name\":\"wipe\"", "Wipes a disk", "delete_order", "token-of-", AGENTS_OWN] {
        assert!(!heard.contains(gone), "{gone}: {heard}");
    }
    for kept in ["\"name\":\"weigh\"", "\"name\":\"pay\"", "\"name\":\"refund\"", MODEL_KEY] {
        assert!(heard.contains(kept), "{kept}: {heard}");
    }
    let seen = office.shop.seen();
    let carried = |name: &str| {
        let asked = format!("tools/call {name}");
        seen.iter().filter(|call| call.asked.as_ref() == Some(&asked)).count()
    };
    assert_eq!((carried("get_order"), carried("refund"), carried("search_orders")), (8, 8, 0));
}
