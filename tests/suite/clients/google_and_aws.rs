//! Clients of Gemini and Bedrock: allowed, refused, told of the calls that their models made without those refused.

use serde_json::{Value, json};

use crate::support::authority::Authority;
use crate::support::environment::Variables;
use crate::support::programs::{Program, run};
use crate::support::recorded::{Recorded, SECRET};
use crate::support::sidecar::{Setup, Sidecar, token};

/// What `AGENT` may do.
const PACT: &str = r#"apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: of-AGENT, version: 1}
spec:
  agents: [AGENT]
  risk: medium
  owner: tests
  clauses:
    - id: ask-models
      allow: {model: ["gemini/gemini-2.5-flash", "bedrock/anthropic.claude-*", "bedrock/arn:aws:bedrock:*:*:inference-profile/*"]}
      where: {max_tokens: {max: 64}}
    - id: look
      allow: {tool: get_order}
    - id: search
      allow: {hosted_tool: gemini/googleSearch}
"#;

/// What `trusted` may do besides.
const REFUND: &str = "    - id: refund
      allow: {tool: refund}
";

/// The key that Google and AWS ask for. No agent has it.
const KEY: &str = "key-of-the-provider";

struct World {
    plain: Recorded,
    secure: Recorded,
    sidecar: Sidecar,
}

impl World {
    async fn new() -> Self {
        let authority = Authority::new();
        let plain = Recorded::start(None).await;
        let secure = Recorded::start(Some(authority.server())).await;
        let bearer = Some(("authorization", "Bearer ", KEY));
        let setup = Setup::default()
            .agent("careful")
            .agent("trusted")
            .pact(&PACT.replace("AGENT", "careful"))
            .pact(&[&PACT.replace("AGENT", "trusted"), REFUND].concat())
            .upstream(
                "google",
                "gemini",
                &format!("{}/google", plain.url()),
                Some(("x-goog-api-key", "", KEY)),
            )
            .upstream("bedrock", "bedrock", &format!("{}/bedrock", secure.url()), bearer)
            .upstream("aws", "bedrock", &plain.url(), None)
            .upstream("aws-by-tls", "bedrock", &secure.url(), None);
        let sidecar = setup.start(&authority.roots());
        Self { plain, secure, sidecar }
    }
}

impl World {
    /// The environment of an agent that has a bearer token, which AWS's client sends over TLS alone.
    fn bearer(&self, agent: &str) -> Variables {
        let mut env = self.sidecar.variables(agent);
        env.push(("AWS_BEARER_TOKEN_BEDROCK", "agents-own".to_owned()));
        env.push(("AWS_EC2_METADATA_DISABLED", "true".to_owned()));
        env
    }
}

fn refund() -> Value {
    json!({"call": "refund", "args": {"order": "A-1", "amount": 10.5}})
}

fn get_order() -> Value {
    json!({"call": "get_order", "args": {"order": "A-1"}})
}

/// Whether a text tells that the call of a tool was refused, and where that is on record.
#[track_caller]
fn assert_told_of_refund(part: &Value) {
    let text = part["text"].as_str().unwrap();
    assert!(text.contains("refund") && text.contains("Decision "), "{part}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn geminis_client_is_allowed_refused_and_told_in_place_of_calls() {
    let world = World::new().await;
    let case = |name: &str, model: &str, max_tokens: u64, stream: bool| json!({"name": name, "model": model, "max_tokens": max_tokens, "say": "hello", "stream": stream});
    let cases = json!([
        case("plain", "gemini-2.5-flash", 16, false),
        case("streamed", "gemini-2.5-flash", 16, true),
        case("other model", "gemini-2.5-pro", 16, false),
        case("other model, streamed", "gemini-2.5-pro", 16, true),
        case("too long", "gemini-2.5-flash", 100, false),
    ]);
    let forward = |agent: &str| (format!("{}/google", world.plain.url()), world.sidecar.variables(agent));
    let reverse = |_: &str| (world.sidecar.reverse("google"), Variables::new());
    for (is_reverse, agent) in [(true, "trusted"), (true, "careful"), (false, "trusted"), (false, "careful")]
    {
        let (url, env) = if is_reverse { reverse(agent) } else { forward(agent) };
        let key = if is_reverse { token(agent) } else { "agents-own".to_owned() };
        let told = run(Program::GeminiPython, json!({"url": url, "key": key, "cases": cases}), &env).await;
        let (plain, streamed) = (&told[0]["parts"], &told[1]["parts"]);
        assert_eq!((&plain[0]["text"], &streamed[1]["text"]), (&json!("Refunding."), &json!("One moment.")));
        assert_eq!((&told[0]["finish"], &told[1]["finish"]), (&json!("STOP"), &json!("STOP")));
        assert_eq!((&told[0]["tokens"], &told[1]["tokens"]), (&json!(29), &json!(161)));
        assert_eq!(streamed[2], get_order(), "{agent}: {told:?}");
        if agent == "trusted" {
            assert_eq!(plain[1], json!({"call": "refund", "args": {"order": "A-1", "amount": 10}}));
            assert_eq!(streamed[3], refund());
        } else {
            assert_told_of_refund(&plain[1]);
            assert_told_of_refund(&streamed[3]);
        }
        for refused in &told[2..5] {
            assert_eq!(refused["error"], "ClientError", "{refused}");
            assert_eq!((&refused["status"], &refused["reason"]), (&json!(403), &json!("PERMISSION_DENIED")));
            let message = refused["message"].as_str().unwrap();
            assert!(message.contains("no clause of the pact allows this"), "{refused}");
        }
    }
    let reached = world.plain.reached();
    assert_eq!(reached.len(), 8, "refused calls arrived, or were sent again");
    assert!(reached.iter().all(|call| call.header("x-goog-api-key") == KEY), "{reached:?}");
    let careful = reached.iter().filter(|call| !String::from_utf8_lossy(&call.body).contains("refund"));
    assert_eq!(careful.count(), 4, "what an agent may never call is not offered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn awss_client_is_allowed_refused_and_told_in_place_of_calls() {
    let world = World::new().await;
    let model = "anthropic.claude-sonnet-4-5-20250929-v1:0";
    let profile = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    let case = |name: &str, model: &str, stream: bool, tools: bool| json!({"name": name, "model": model, "max_tokens": 16, "say": "hello", "stream": stream, "tools": tools});
    let cases = |tools: bool| {
        json!([
            case("plain", model, false, tools),
            case("streamed", profile, true, tools),
            case("other model", "amazon.nova-pro-v1:0", false, tools),
            case("other model, streamed", "amazon.nova-pro-v1:0", true, tools),
        ])
    };
    let bearer = |agent: &str| world.bearer(agent);
    let signing = |agent: &str| {
        let mut env = world.sidecar.variables(agent);
        env.push(("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()));
        env.push(("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()));
        env
    };
    for agent in ["trusted", "careful"] {
        for (url, env, is_signed) in [
            (format!("{}/bedrock", world.secure.url()), bearer(agent), false),
            (world.plain.url(), signing(agent), true),
            (world.secure.url(), signing(agent), true),
        ] {
            let plan = json!({"url": url, "cases": cases(!is_signed)});
            let told = run(Program::BedrockPython, plan, &env).await;
            let (plain, streamed) = (&told[0]["parts"], &told[1]["parts"]);
            assert_eq!(plain[1], json!({"text": "Refunding."}), "{agent} {url}: {told:?}");
            assert_eq!(streamed[0], json!({"text": "One moment."}), "{agent} {url}: {told:?}");
            assert_eq!(streamed[1], get_order());
            assert_eq!((&told[0]["finish"], &told[1]["finish"]), (&json!("tool_use"), &json!("tool_use")));
            assert_eq!((&told[0]["tokens"], &told[1]["tokens"]), (&json!(42), &json!(478)));
            if agent == "trusted" {
                assert_eq!((&plain[2], &streamed[2]), (&refund(), &refund()));
            } else {
                assert_told_of_refund(&plain[2]);
                assert_told_of_refund(&streamed[2]);
            }
            for refused in &told[2..4] {
                assert_eq!(refused["error"], "AccessDeniedException", "{refused}");
                assert_eq!(refused["code"], "AccessDeniedException", "{refused}");
                assert_eq!((&refused["status"], &refused["retries"]), (&json!(403), &json!(0)), "{refused}");
                let message = refused["message"].as_str().unwrap();
                assert!(message.contains("no clause of the pact allows this"), "{refused}");
            }
        }
    }
    let plan = json!({"url": world.secure.url(), "cases": [case("tools", model, false, true)]});
    let told = run(Program::BedrockPython, plan, &signing("careful")).await;
    assert_eq!(told[0]["code"], "AccessDeniedException", "a signed offer cannot be taken out: {told:?}");
    let signed: Vec<_> = [world.plain.reached(), world.secure.reached()].concat();
    let (signed, keyed): (Vec<_>, Vec<_>) =
        signed.into_iter().partition(|call| call.header("authorization").starts_with("AWS4-"));
    assert_eq!((signed.len(), keyed.len()), (8, 4));
    assert!(keyed.iter().all(|call| call.header("authorization") == format!("Bearer {KEY}")), "{keyed:?}");
}

/// A stream that is cut is an error for AWS's client, not a short answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn awss_client_is_told_that_a_stream_was_cut() {
    let world = World::new().await;
    let cut = json!([{"name": "cut", "model": "anthropic.claude-cut", "max_tokens": 16, "say": "hello", "stream": true}]);
    let plan = json!({"url": format!("{}/bedrock", world.secure.url()), "cases": cut});
    let told = run(Program::BedrockPython, plan, &world.bearer("trusted")).await;
    assert_eq!(told[0]["error"], "EventStreamError", "{told:?}");
    assert_eq!(told[0]["code"], "internalServerException", "{told:?}");
    assert!(told[0]["message"].as_str().unwrap().contains("checksum"), "{told:?}");
}

/// Otherwise a request that was changed on its way would pass unnoticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stand_in_for_aws_checks_signatures() {
    let bedrock = Recorded::start(None).await;
    let case = json!([{"name": "plain", "model": "anthropic.claude-v2:1", "max_tokens": 16, "say": "hello"}]);
    for (secret, is_taken) in [(SECRET, true), ("another-secret", false)] {
        let env = vec![
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ];
        let plan = json!({"url": bedrock.url(), "cases": case});
        let told = run(Program::BedrockPython, plan, &env).await;
        assert_eq!(told[0].get("error").is_none(), is_taken, "{told:?}");
    }
}
