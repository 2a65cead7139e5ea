//! Requests as they stand on the wire, and what they are read as. Adding a case is adding two files to
//! `tests/corpus/classify/<dialect>`: `<case>.http` and `<case>.expected.json`. With `UPDATE=1` in the environment
//! the second is written from what the first is read as today; read it before you commit it.

use std::fs;
use std::path::{Path, PathBuf};

use pactgate::classify::{
    BodyPlan, Call, Expected, JsonPath, Offer, Part, PathStep, Reference, Reply, Speech, Unreadable,
};
use pactgate::domain::Dialect;
use serde_json::{Value, json};

use crate::request::Case;

/// Every request of the corpus, with its dialect, in a fixed order.
pub fn cases() -> Vec<(Dialect, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/classify");
    let mut found = Vec::new();
    for dialect in Dialect::ALL {
        let Ok(folder) = fs::read_dir(root.join(dialect.name())) else { continue };
        let paths = folder.map(|entry| entry.expect("a folder that can be listed").path());
        found.extend(
            paths.filter(|path| path.extension().is_some_and(|e| e == "http")).map(|path| (dialect, path)),
        );
    }
    found.sort();
    found
}

fn render(plan: BodyPlan, read: &Result<Call, Unreadable>) -> Value {
    let plan = match plan {
        BodyPlan::Buffer => "buffer",
        BodyPlan::Stream => "stream",
    };
    match read {
        Ok(call) => json!({
            "plan": plan,
            "path_and_query": call.path_and_query,
            "batch": call.batch,
            "streamed": call.streamed,
            "decoded_body": call.body.as_ref().map(|body| String::from_utf8_lossy(body)),
            "parts": call.parts.iter().map(render_part).collect::<Vec<_>>(),
            "offers": call.offers.iter().map(render_offer).collect::<Vec<_>>(),
            "answer": render_expected(&call.expected),
        }),
        Err(refused) => json!({
            "plan": plan,
            "problem": refused.problem.name(),
            "status": refused.problem.status(),
            "detail": refused.detail,
            "reply": render_reply(&refused.reply),
            "attempted": refused.attempted,
        }),
    }
}

/// What a request offers to a model, and where: `tool refund at tools.0`; and what it says of it, where it does.
fn render_offer(offer: &Offer) -> Value {
    let steps = |path: &JsonPath| {
        let step = |step: &PathStep| match step {
            PathStep::Member(name) => name.clone(),
            PathStep::Item(index) => index.to_string(),
        };
        path.iter().map(step).collect::<Vec<_>>().join(".")
    };
    let at = offer.at.as_ref().map_or_else(|| "nowhere".to_owned(), steps);
    let target = &offer.action.target;
    let said = match offer.action.fields.canonical() {
        nothing if nothing == "{}" => String::new(),
        fields => format!(" {fields}"),
    };
    json!(format!("{} {target} at {at}{said}", target.kind().name()))
}

fn render_expected(expected: &Expected) -> Value {
    let model = expected.model.as_ref().map(|(provider, model)| format!("{provider}/{model}"));
    match &expected.speech {
        Speech::Unread => Value::Null,
        Speech::Mcp(exchange) => {
            let asked: Vec<String> =
                exchange.asked.iter().map(|asked| format!("{} {}", asked.id, asked.method)).collect();
            let forms =
                [("batch", exchange.batch), ("open", exchange.open), ("stateless", exchange.stateless)];
            let forms: Vec<&str> = forms.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
            json!({"speech": "mcp", "to": asked, "form": forms})
        }
        speech => json!({"speech": format!("{speech:?}"), "streamed": expected.streamed, "model": model}),
    }
}

fn render_part(part: &Part) -> Value {
    let mut rendered = json!({
        "kind": part.action.target.kind().name(),
        "name": part.action.target.to_string(),
        "fields": serde_json::from_str::<Value>(&part.action.fields.canonical()).unwrap(),
        "dialect": part.action.dialect.name(),
        "reply": render_reply(&part.reply),
        "coverage": part.coverage.name(),
    });
    if let Some(reference) = &part.refers {
        rendered["refers"] = match reference {
            Reference::Retry { state, .. } => {
                json!({"retry": state.map(|state| state.to_string())})
            }
            Reference::Task { id, .. } => json!({"task": id}),
            Reference::Ask { id, .. } => json!({"ask": id}),
        };
    }
    rendered
}

fn render_reply(reply: &Reply) -> Value {
    match reply {
        Reply::OpenAi => json!("openai"),
        Reply::Anthropic => json!("anthropic"),
        Reply::Google => json!("google"),
        Reply::A2aRest => json!("a2a_rest"),
        Reply::Aws => json!("aws"),
        Reply::McpTool { id } => json!({"mcp_tool": id.get()}),
        Reply::JsonRpc { id } => json!({"json_rpc": id.get()}),
        Reply::Notification => json!("notification"),
        Reply::Problem => json!("problem"),
    }
}

#[test]
fn every_request_of_the_corpus_is_read_as_expected() {
    let update = std::env::var_os("UPDATE").is_some();
    let cases = cases();
    assert!(cases.len() >= 60, "the corpus has shrunk to {} cases", cases.len());
    let mut wrong = Vec::new();
    for (dialect, path) in cases {
        let case = Case::read(dialect, &fs::read(&path).unwrap())
            .unwrap_or_else(|| panic!("{} is no request", path.display()));
        let (plan, read) = case.classify();
        let rendered = format!("{:#}\n", render(plan, &read));
        let expected_path = path.with_extension("expected.json");
        if update {
            fs::write(&expected_path, &rendered).unwrap();
        }
        let expected = fs::read_to_string(&expected_path).unwrap_or_default();
        if rendered != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- read\n{rendered}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
