//! A sidecar before its upstreams, and the ways through it.

use std::net::SocketAddr;

use pactgate::cli::demo::stand_in_mcp::Era;
use serde_json::{Value, json};

use crate::support::authority::Authority;
use crate::support::environment::{self, Variables};
use crate::support::programs::{Program, run};
use crate::support::sidecar::{Setup, Sidecar, token};
use crate::support::world::{self, MODEL_KEY, SHOP_KEY, Standing};
use crate::support::{echo, programs};

/// What the agents named `shopper-…` may do.
pub const SHOPPING: &str = r#"apiVersion: pactgate.dev/v1
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
    - id: ask-about-reasoning
      ask: {model: openai/o1}
    - id: read-orders
      allow: {tool: ["*.search_orders", "*.get_order"]}
    - id: refund-small
      allow: {tool: "*.refund"}
      where: {args.amount: {max: 50}}
    - id: refund-large
      ask: {tool: "*.refund"}
      where: {args.amount: {above: 50, max: 500}}
    - id: never-delete
      deny: {tool: "*.delete_order"}
    - id: greet
      allow: {tool: desk.greet}
    - id: look
      allow: {http: ["* http://127.0.0.1:*/look/**", "* https://localhost:*/look/**"]}
    - id: never-burn
      deny: {http: "* http://127.0.0.1:*/look/burn"}
"#;

/// The key that an agent believes to need where the sidecar knows it by other means.
pub const AGENTS_OWN: &str = "agents-own";

/// A way from an agent to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// By base URL, through the reverse listener.
    Reverse,
    /// As a proxy, TLS opened by the sidecar's authority.
    Forward,
    /// As a proxy, without TLS.
    Plain,
}

impl Route {
    pub const ALL: [Self; 3] = [Self::Reverse, Self::Forward, Self::Plain];
}

/// Each client of a model API with a model that it may ask, one that it may not, and a short name.
pub const MODEL_CLIENTS: [(Program, &str, &str, &str); 3] = [
    (Program::OpenAiPython, "gpt-4o-mini", "gpt-4o-big", "py"),
    (Program::OpenAiNode, "gpt-4o-mini", "gpt-4o-big", "js"),
    (Program::AnthropicPython, "claude-sonnet-4-5", "claude-opus-4-5", "anthropic"),
];

/// Each client of MCP with its mode and the revision that it then speaks.
pub const MCP_CLIENTS: [(Program, &str, &str); 3] = [
    (Program::McpPresent, "auto", "2026-07-28"),
    (Program::McpPresent, "legacy", "2025-11-25"),
    (Program::McpBefore, "", "2025-11-25"),
];

/// The upstreams that SDKs speak to.
pub struct Upstreams {
    pub openai: Standing,
    pub anthropic: Standing,
    pub shop: Standing,
}

impl Upstreams {
    /// Starts them; they certify themselves by the authority, or do without TLS.
    async fn start(authority: Option<&Authority>, era: Era) -> Self {
        let tls = || authority.map(Authority::server);
        Self {
            openai: world::model(tls()).await,
            anthropic: world::model(tls()).await,
            shop: world::shop(era, tls()).await,
        }
    }

    fn declare(&self, setup: Setup, prefix: &str) -> Setup {
        let name = |plain: &str| format!("{prefix}{plain}");
        let bearer = |key| Some(("authorization", "Bearer ", key));
        setup
            .upstream(&name("openai"), "openai", &self.openai.url(), bearer(MODEL_KEY))
            .upstream(
                &name("anthropic"),
                "anthropic",
                &self.anthropic.url(),
                Some(("x-api-key", "", MODEL_KEY)),
            )
            .upstream(&name("shop"), "mcp", &self.shop.url(), bearer(SHOP_KEY))
    }
}

/// A sidecar before its upstreams.
pub struct Scene {
    pub secure: Upstreams,
    pub plain: Upstreams,
    /// Tells what reaches it, without TLS; the upstream `echo`.
    pub echo: SocketAddr,
    pub sidecar: Sidecar,
}

impl Scene {
    /// All upstreams and the sidecar, as set up so far.
    pub async fn set(setup: Setup) -> Self {
        Self::set_in(setup, Era::Both).await
    }

    /// The same, with MCP servers of that era.
    pub async fn set_in(setup: Setup, era: Era) -> Self {
        let authority = Authority::new();
        let secure = Upstreams::start(Some(&authority), era).await;
        let plain = Upstreams::start(None, era).await;
        let echo = echo::start().await;
        let setup = plain.declare(secure.declare(setup, ""), "plain-");
        let setup = setup.upstream("echo", "http", &format!("http://{echo}"), None);
        let sidecar = setup.start(&authority.roots());
        Self { secure, plain, echo, sidecar }
    }

    /// The upstreams that a route leads to.
    pub fn upstreams(&self, route: Route) -> &Upstreams {
        match route {
            Route::Reverse | Route::Forward => &self.secure,
            Route::Plain => &self.plain,
        }
    }

    /// The environment of a model client on that route.
    pub fn variables(&self, route: Route, agent: &str) -> Variables {
        if route == Route::Reverse {
            let listener = format!("http://{}", self.sidecar.at("reverse"));
            return environment::reverse(&listener, &token(agent));
        }
        let Upstreams { openai, anthropic, .. } = self.upstreams(route);
        let mut variables = environment::base_urls(&openai.url(), &anthropic.url(), AGENTS_OWN);
        variables.extend(self.sidecar.variables(agent));
        variables
    }

    /// Runs a model client on that route.
    pub async fn converse(&self, program: Program, route: Route, agent: &str, cases: &Value) -> Vec<Value> {
        run(program, json!({"cases": cases}), &self.variables(route, agent)).await
    }

    /// Runs an MCP client on that route to the shop.
    pub async fn shop(
        &self,
        (program, mode): (Program, &str),
        route: Route,
        agent: &str,
        steps: &Value,
    ) -> Vec<Value> {
        let (url, key) = match route {
            Route::Reverse => (self.sidecar.reverse("shop"), token(agent)),
            _ => (self.upstreams(route).shop.url(), AGENTS_OWN.to_owned()),
        };
        let plan = json!({"url": format!("{url}/mcp"), "key": key, "mode": mode, "steps": steps});
        run(program, plan, &self.variables(route, agent)).await
    }

    /// Runs curl on the way to the upstream `echo`: through the reverse listener or as a proxy without TLS.
    pub async fn fetch(&self, route: Route, agent: &str, path: &str, options: &[&str]) -> Fetched {
        let bearer = format!("Authorization: Bearer {}", token(agent));
        if route == Route::Reverse {
            let url = format!("{}{path}", self.sidecar.reverse("echo"));
            return fetch(&[&["-H", &bearer], options, &[&url]].concat(), &[]).await;
        }
        let url = format!("http://{}{path}", self.echo);
        fetch(&[options, &[&url]].concat(), &self.sidecar.variables(agent)).await
    }
}

/// What curl got.
#[derive(Debug)]
pub struct Fetched {
    pub status: u16,
    /// `1.1` or `2`.
    pub version: String,
    pub content_type: String,
    /// The header that names the decision; empty where there is none.
    pub decision: String,
    /// Bytes of the body that curl sent.
    pub sent: u64,
    pub body: Value,
}

/// Runs curl and reads what it got.
pub async fn fetch(arguments: &[&str], env: &[(&str, String)]) -> Fetched {
    let format = "\n%{http_code} %{http_version} %{size_upload} %header{pactgate-decision};%{content_type}";
    let told = programs::curl(&[arguments, &["-w", format]].concat(), env).await;
    let (body, end) = told.rsplit_once('\n').unwrap();
    let (numbers, content_type) = end.split_once(';').unwrap();
    let [status, version, sent, decision] = numbers.splitn(4, ' ').collect::<Vec<_>>()[..] else {
        panic!("{end}")
    };
    Fetched {
        status: status.parse().unwrap(),
        version: version.to_owned(),
        content_type: content_type.to_owned(),
        decision: decision.to_owned(),
        sent: sent.parse().unwrap(),
        body: serde_json::from_str(body).unwrap_or_default(),
    }
}

impl Fetched {
    /// Whether this is a refusal with that status and reason, as plain HTTP clients get it (RFC 9457).
    #[track_caller]
    pub fn assert_problem(&self, status: u16, reason: &str) {
        assert_eq!(
            (self.status, self.content_type.as_str()),
            (status, "application/problem+json"),
            "{self:?}"
        );
        assert_eq!(
            (&self.body["reason"], &self.body["status"]),
            (&json!(reason), &json!(status)),
            "{self:?}"
        );
        assert_eq!(self.body["decision"], json!(self.decision), "{self:?}");
        assert!(self.body["detail"].as_str().unwrap().contains(&self.decision), "{self:?}");
    }
}
