//! Through the sidecar, by base URL and as a proxy: allowed, limited, asked, refused.

use pactgate::cli::demo::Credential;
use pactgate::cli::demo::stand_in_mcp::Era;
use serde_json::{Value, json};

use crate::support::authority::Authority;
use crate::support::programs::{McpServer, Program, curl, run};
use crate::support::sidecar::{Setup, Sidecar, token};
use crate::support::world::{self, MODEL_KEY, SHOP_KEY, Standing};

const SHOPPING: &str = r#"apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: shopping, version: 1}
spec:
  agents: ["shopper-*"]
  risk: medium
  owner: tests
  clauses:
    - id: ask-models
      allow: {model: ["openai/gpt-4o*", "anthropic/claude-*"]}
      where: {max_tokens: {max: 64}}
    - id: no-big-models
      deny: {model: ["openai/gpt-4o-big", "anthropic/claude-opus-*"]}
    - id: read-orders
      allow: {tool: ["shop.search_orders", "shop.get_order"]}
    - id: refund-small
      allow: {tool: shop.refund}
      where: {args.amount: {max: 50}}
    - id: refund-large
      ask: {tool: shop.refund}
      where: {args.amount: {above: 50, max: 500}}
    - id: never-delete
      deny: {tool: "*.delete_order"}
    - id: greet
      allow: {tool: desk.greet}
    - id: look
      allow: {http: "GET http://127.0.0.1:*/seen"}
"#;

/// One call and no more for a minute, and one call in three seconds.
const HURRIED: &str = r#"apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: hurried, version: 1}
spec:
  agents: ["RATE-*"]
  risk: low
  owner: tests
  clauses:
    - {id: ask-models, allow: {model: ["openai/**", "anthropic/**"]}}
  limits:
    - {id: pace, on: {model: "**"}, rate: {standard: RATE/min}, burst: 1}
"#;

const ROUTES: [&str; 2] = ["reverse", "forward"];
const MODEL_PROGRAMS: [(Program, &str); 3] =
    [(Program::OpenAiPython, "py"), (Program::OpenAiNode, "js"), (Program::AnthropicPython, "anthropic")];

/// The upstreams with a sidecar before them.
struct Scene {
    openai: Standing,
    anthropic: Standing,
    shop: Standing,
    files: Standing,
    sidecar: Sidecar,
}

async fn scene(setup: Setup, era: Era) -> Scene {
    let authority = Authority::new();
    let openai = world::model(Some(authority.server())).await;
    let anthropic = world::model(Some(authority.server())).await;
    let shop = world::shop(era, Some(authority.server())).await;
    let files = world::model(None).await;
    let bearer = |key| Some(("authorization", "Bearer ", key));
    let setup = setup
        .upstream("openai", "openai", &openai.url(), bearer(MODEL_KEY))
        .upstream("anthropic", "anthropic", &anthropic.url(), Some(("x-api-key", "", MODEL_KEY)))
        .upstream("shop", "mcp", &shop.url(), bearer(SHOP_KEY))
        .upstream("files", "http", &files.url(), None);
    let sidecar = setup.start(&authority.roots());
    Scene { openai, anthropic, shop, files, sidecar }
}

impl Scene {
    /// Where an agent sends its calls to an upstream on that route, with which key and in which environment.
    fn way(&self, route: &str, upstream: &str, agent: &str) -> Way {
        match route {
            "reverse" => Way { url: self.sidecar.reverse(upstream), key: token(agent), env: Vec::new() },
            _ => {
                let url = match upstream {
                    "openai" => self.openai.url(),
                    "anthropic" => self.anthropic.url(),
                    "shop" => self.shop.url(),
                    _ => self.files.url(),
                };
                Way { url, key: "agents-own".to_owned(), env: self.sidecar.variables(agent) }
            }
        }
    }

    /// Runs a model client on that route.
    async fn converse(&self, program: Program, route: &str, agent: &str, cases: Value) -> Vec<Value> {
        let (upstream, path) =
            if program == Program::AnthropicPython { ("anthropic", "") } else { ("openai", "/v1") };
        let Way { url, key, env } = self.way(route, upstream, agent);
        run(program, json!({"base_url": format!("{url}{path}"), "key": key, "cases": cases}), &env).await
    }
}

struct Way {
    url: String,
    key: String,
    env: Vec<(&'static str, String)>,
}

fn assert_refused(told: &Value, clause: Option<&str>, what: &str) {
    assert_eq!(told["error"], "PermissionDeniedError", "{what}: {told}");
    assert_eq!(
        (&told["status"], &told["retries"], &told["should_retry"]),
        (&json!(403), &json!(0), &json!("false"))
    );
    let message = told["message"].as_str().unwrap();
    assert!(
        message.contains("Decision") && clause.is_none_or(|clause| message.contains(clause)),
        "{what}: {message}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn model_clients_are_allowed_and_refused() {
    let setup = Setup::default().agent("shopper-1").pact(SHOPPING);
    let scene = scene(setup, Era::Both).await;
    for (program, name) in MODEL_PROGRAMS {
        let (small, big) = match program {
            Program::AnthropicPython => ("claude-sonnet-4-5", "claude-opus-4-5"),
            _ => ("gpt-4o-mini", "gpt-4o-big"),
        };
        let cases = json!([
            {"name": "plain", "model": small, "say": "hello there", "max_tokens": 16},
            {"name": "refused", "model": big, "say": "hello there", "max_tokens": 16},
            {"name": "refused stream", "model": big, "say": "hello there", "max_tokens": 16, "stream": true},
            {"name": "too long", "model": small, "say": "hello there", "max_tokens": 1_000},
            {"name": "bad", "model": small, "say": "hello there", "extra_body": {"messages": "none"}, "max_tokens": 16},
            {"name": "streamed", "model": small, "say": "hello there", "max_tokens": 16, "stream": true},
        ]);
        for route in ROUTES {
            let told = scene.converse(program, route, "shopper-1", cases.clone()).await;
            let what = format!("{name}, {route}");
            assert_eq!(told[0]["text"], "You said: hello there", "{what}");
            assert_refused(&told[1], Some("no-big-models"), &what);
            assert_refused(&told[2], Some("no-big-models"), &what);
            assert_refused(&told[3], None, &what);
            assert_eq!(
                (&told[4]["error"], &told[4]["retries"]),
                (&json!("BadRequestError"), &json!(0)),
                "{what}"
            );
            assert_eq!(
                (&told[5]["text"], &told[5]["pieces"]),
                (&json!("You said: hello there"), &json!(4)),
                "{what}"
            );
        }
    }
    for (upstream, runs) in [(&scene.openai, 4), (&scene.anthropic, 2)] {
        let seen = upstream.seen();
        assert!(seen.iter().all(|call| call.credential == Credential::Expected), "{seen:?}");
        assert_eq!(
            seen.iter().filter(|call| call.method == "POST").count(),
            3 * runs,
            "refused calls arrived"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn model_clients_meet_a_limit() {
    let mut setup = Setup::default();
    for (rate, agents) in [("1", "tired"), ("20", "patient")] {
        setup = setup.pact(
            &HURRIED
                .replace("hurried", agents)
                .replace("RATE-*", &format!("{agents}-*"))
                .replace("RATE", rate),
        );
        for route in ROUTES {
            for (_, name) in MODEL_PROGRAMS {
                setup = setup.agent(&format!("{agents}-{name}-{route}"));
            }
        }
    }
    let scene = scene(setup, Era::Both).await;
    for route in ROUTES {
        for (program, name) in MODEL_PROGRAMS {
            let model = if program == Program::AnthropicPython { "claude-sonnet-4-5" } else { "gpt-4o-mini" };
            let twice = |retries| json!([{"name": "twice", "model": model, "say": "hello", "times": 2, "max_retries": retries}]);
            let tired = scene.converse(program, route, &format!("tired-{name}-{route}"), twice(0)).await;
            assert_eq!(tired[0]["text"], "You said: hello", "{name}, {route}");
            assert_eq!((&tired[1]["error"], &tired[1]["retries"]), (&json!("RateLimitError"), &json!(0)));
            let wait: u64 = tired[1]["retry_after"].as_str().unwrap().parse().unwrap();
            assert!((50..=60).contains(&wait), "{name}, {route}: {wait}");
            let patient = scene.converse(program, route, &format!("patient-{name}-{route}"), twice(1)).await;
            assert_eq!((&patient[1]["text"], &patient[1]["retries"]), (&json!("You said: hello"), &json!(1)));
        }
    }
}

fn shopping_steps() -> Value {
    json!([
        {"do": "list"},
        {"do": "call", "name": "search_orders", "arguments": {"customer": "ada"}},
        {"do": "call", "name": "delete_order", "arguments": {"order": "7"}},
        {"do": "call", "name": "get_order", "arguments": {"order": "7"}},
        {"do": "call", "name": "refund", "arguments": {"order": "7", "amount": 60, "currency": "EUR"}},
        {"do": "call", "name": "refund", "arguments": {"order": "8", "amount": 600, "currency": "EUR"}},
        {"do": "read", "name": "shop://returns-policy"},
        {"do": "call", "name": "refund", "arguments": {"order": "7", "amount": 40, "currency": "EUR"}},
    ])
}

fn assert_shopping(told: &[Value], revision: &str, what: &str) {
    let said = |at: usize| told[at]["text"].as_str().unwrap_or_default().to_owned();
    assert_eq!(told[0]["revision"], revision, "{what}");
    assert!(told[1]["names"].as_array().unwrap().contains(&json!("search_orders")), "{what}");
    assert_eq!(told[2]["is_error"], false, "{what}: {}", told[2]);
    assert_eq!(told[3]["is_error"], true, "{what}");
    assert!(said(3).contains("never-delete"), "{what}: {}", said(3));
    assert_eq!(told[4]["structured"]["total"], 80, "{what}: the session does not live on");
    assert!(told[5]["is_error"] == true && said(5).contains("Approval"), "{what}: {}", told[5]);
    assert!(told[6]["is_error"] == true && said(6).contains("Decision"), "{what}: {}", told[6]);
    assert!(told[7]["code"].as_i64().unwrap() > 0, "{what}: {}", told[7]);
    assert_eq!(told[8]["structured"]["amount"], 40, "{what}: {}", told[8]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mcp_clients_are_allowed_asked_and_refused_and_live_on() {
    let clients = [
        (Program::McpPresent, "auto", "2026-07-28"),
        (Program::McpPresent, "legacy", "2025-11-25"),
        (Program::McpBefore, "", "2025-11-25"),
    ];
    let mut setup = Setup::default().pact(SHOPPING);
    for route in ROUTES {
        for number in 0..clients.len() {
            setup = setup.agent(&format!("shopper-{route}-{number}"));
        }
    }
    let scene = scene(setup, Era::Both).await;
    for route in ROUTES {
        for (number, (program, mode, revision)) in clients.into_iter().enumerate() {
            let Way { url, key, env } = scene.way(route, "shop", &format!("shopper-{route}-{number}"));
            let plan =
                json!({"url": format!("{url}/mcp"), "key": key, "mode": mode, "steps": shopping_steps()});
            assert_shopping(
                &run(program, plan, &env).await,
                revision,
                &format!("{program:?} {mode}, {route}"),
            );
        }
    }
    let seen = scene.shop.seen();
    assert!(seen.iter().all(|call| call.credential == Credential::Expected));
    let arrived = |asked: &str| seen.iter().filter(|call| call.asked.as_deref() == Some(asked)).count();
    assert_eq!(arrived("tools/call delete_order"), 0);
    assert_eq!(arrived("tools/call refund"), 2 * clients.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_present_mcp_client_falls_back_behind_the_sidecar_too() {
    let scene = scene(Setup::default().agent("shopper-1").pact(SHOPPING), Era::Sessions).await;
    let Way { url, key, env } = scene.way("reverse", "shop", "shopper-1");
    let plan = json!({"url": format!("{url}/mcp"), "key": key, "mode": "auto", "steps": shopping_steps()});
    assert_shopping(&run(Program::McpPresent, plan, &env).await, "2025-11-25", "fallback");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mcp_servers_on_the_official_sdk_are_guarded() {
    let authority = Authority::new();
    for (venv, present) in [(".venv", "2026-07-28"), (".venv-before", "2025-11-25")] {
        let server = McpServer::start(venv);
        let url = format!("http://127.0.0.1:{}", server.port);
        let setup = Setup::default().agent("shopper-1").pact(SHOPPING).upstream("desk", "mcp", &url, None);
        let sidecar = setup.start(&authority.roots());
        for (program, revision) in [(Program::McpPresent, present), (Program::McpBefore, "2025-11-25")] {
            let steps = json!([
                {"do": "list"},
                {"do": "call", "name": "fire", "arguments": {"name": "ada"}},
                {"do": "call", "name": "greet", "arguments": {"name": "ada"}},
            ]);
            let routes = [
                (sidecar.reverse("desk"), token("shopper-1"), Vec::new()),
                (url.clone(), "agents-own".to_owned(), sidecar.variables("shopper-1")),
            ];
            for (base, key, env) in routes {
                let plan = json!({"url": format!("{base}/mcp"), "key": key, "mode": "auto", "steps": steps});
                let told = run(program, plan, &env).await;
                assert_eq!(told[0]["revision"], revision, "{program:?} on {venv} at {base}");
                assert_eq!(told[2]["is_error"], true, "{program:?} on {venv} at {base}");
                assert_eq!(told[3]["text"], "hello ada", "{program:?} on {venv} at {base}");
            }
        }
    }
}

/// Status, HTTP version, content type and body of what curl got.
async fn fetch(arguments: &[&str], env: &[(&str, String)]) -> (String, String, String, Value) {
    let told =
        curl(&[arguments, &["-w", "\n%{http_code} %{http_version} %{content_type}"]].concat(), env).await;
    let (body, end) = told.rsplit_once('\n').unwrap();
    let [status, version, kind] = end.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{end}") };
    (status.to_owned(), version.to_owned(), kind.to_owned(), serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_gets_what_is_allowed_and_a_problem_otherwise() {
    let scene = scene(Setup::default().agent("shopper-1").pact(SHOPPING), Era::Both).await;
    let bearer = format!("Authorization: Bearer {}", token("shopper-1"));
    let reverse = scene.sidecar.reverse("files");
    let (direct, proxy) = (scene.files.url(), scene.sidecar.proxy("shopper-1"));
    for base in [&["-H", &bearer, &reverse][..], &["-x", &proxy, &direct]] {
        let (url, options) = base.split_last().unwrap();
        let seen = format!("{url}/seen");
        let (status, _, _, _) = fetch(&[options, &[&seen]].concat(), &[]).await;
        assert_eq!(status, "200", "{base:?}");
        let post = [options, &["-X", "POST", "-d", "x=1", &seen]].concat();
        let (status, _, kind, problem) = fetch(&post, &[]).await;
        assert_eq!((status.as_str(), kind.as_str()), ("403", "application/problem+json"), "{base:?}");
        assert_eq!((&problem["reason"], &problem["status"]), (&json!("no-clause"), &json!(403)));
    }
    let (status, _, _, _) =
        fetch(&["-x", &scene.sidecar.proxy("nobody"), &format!("{direct}/seen")], &[]).await;
    assert_eq!(status, "407");
    let (status, _, _, _) = fetch(&[&format!("{reverse}/seen")], &[]).await;
    assert_eq!(status, "401");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_speaks_both_versions_of_http_inside_an_opened_tunnel() {
    let scene = scene(Setup::default().agent("shopper-1").pact(SHOPPING), Era::Both).await;
    let certificate = scene.sidecar.certificate().display().to_string();
    let proxy = scene.sidecar.proxy("shopper-1");
    let models = format!("{}/v1/models", scene.openai.url());
    let completions = format!("{}/v1/chat/completions", scene.openai.url());
    let big =
        json!({"model": "gpt-4o-big", "max_tokens": 8, "messages": [{"role": "user", "content": "hi"}]})
            .to_string();
    for (flag, expected) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let options = [flag, "-x", &proxy, "--cacert", &certificate];
        let (status, version, _, body) = fetch(&[&options[..], &[&models]].concat(), &[]).await;
        assert_eq!((status.as_str(), version.as_str(), &body["object"]), ("200", expected, &json!("list")));
        let post =
            [&options[..], &["-H", "Content-Type: application/json", "-d", &big, &completions]].concat();
        let (status, version, _, body) = fetch(&post, &[]).await;
        assert_eq!(
            (status.as_str(), version.as_str(), &body["error"]["code"]),
            ("403", expected, &json!("denied"))
        );
    }
}
