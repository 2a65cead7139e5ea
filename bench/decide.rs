//! Deciding against the number of clauses: it must cost the same for ten and for ten thousand.
//!
//! `cargo bench --bench decide`

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot be set up fails by panicking"
)]

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pactgate::domain::{
    Action, AgentId, Decimal, Dialect, HttpTarget, Json, Target, Timestamp, ToolRef, TrustTier, UpstreamName,
};
use pactgate::pact::{Facts, Pact, decide, load};

const COUNTS: [usize; 4] = [10, 100, 1_000, 10_000];

/// A pact of so many clauses: exact tools, globs, models and HTTP patterns, some with conditions.
fn pact(clauses: usize) -> Pact {
    let mut text = "apiVersion: pactgate.dev/v1\nkind: Pact\nmetadata: {name: bench}\nspec:\n  agents: [bench]\n  clauses:\n"
        .to_owned();
    for n in 0..clauses / 10 {
        let rows = [
            format!("{{id: exact-{n}, allow: {{tool: team{n}.get}}}}"),
            format!("{{id: small-{n}, allow: {{tool: team{n}.pay}}, where: {{args.amount: {{max: 100}}}}}}"),
            format!(
                "{{id: large-{n}, ask: {{tool: team{n}.pay}}, where: {{args.amount: {{above: 100, max: 1000}}}}}}"
            ),
            format!("{{id: glob-{n}, allow: {{tool: \"team{n}.read_*\"}}, tier: standard}}"),
            format!("{{id: ending-{n}, deny: {{tool: \"*.drop{n}\"}}}}"),
            format!("{{id: cel-{n}, allow: {{tool: team{n}.cel}}, when: 'args.amount < 100'}}"),
            format!(
                "{{id: model-{n}, allow: {{model: \"openai/model-{n}-*\"}}, where: {{max_tokens: {{max: 4096}}}}}}"
            ),
            format!("{{id: page-{n}, allow: {{http: \"GET api.shop.example/v1/team{n}/**\"}}}}"),
            format!("{{id: host-{n}, deny: {{http: \"* *.team{n}.example/**\"}}}}"),
            format!("{{id: doc-{n}, allow: {{resource: \"docs/file:///team{n}/**\"}}}}"),
        ];
        for row in rows {
            writeln!(text, "    - {row}").expect("writing to a string");
        }
    }
    load("bench.yaml", &text).unwrap_or_else(|found| panic!("{found}")).pact
}

fn tool(name: &str) -> Action {
    let server = UpstreamName::new("team0").expect("a name");
    let amount = Json::Number(Decimal::from(80));
    let fields =
        Json::object([("args", Json::object([("order", Json::String("A-17".into())), ("amount", amount)]))]);
    Action {
        target: Target::Tool(ToolRef::Mcp { server, tool: name.to_owned() }),
        fields,
        dialect: Dialect::Mcp,
    }
}

fn actions() -> Vec<(&'static str, Action)> {
    let http = HttpTarget {
        method: "GET".into(),
        scheme: "https".into(),
        host: "api.shop.example".into(),
        port: 443,
        path: "/v1/team0/orders/17".into(),
    };
    let model = Target::Model { provider: "openai".into(), model: "model-0-mini".into() };
    let tokens = Json::object([("max_tokens", Json::Number(Decimal::from(512)))]);
    vec![
        ("exact", tool("get")),
        ("where", tool("pay")),
        ("glob", tool("read_orders")),
        ("cel", tool("cel")),
        ("nothing", tool("unheard_of")),
        ("model", Action { target: model, fields: tokens, dialect: Dialect::OpenAi }),
        ("http", Action { target: Target::Http(http), fields: Json::default(), dialect: Dialect::Http }),
    ]
}

fn deciding(criterion: &mut Criterion) {
    let agent = AgentId::new("bench").expect("an id");
    let facts =
        Facts { agent: &agent, tier: TrustTier::Standard, at: Timestamp::from_micros(1_763_460_000_000_000) };
    let actions = actions();
    let mut group = criterion.benchmark_group("decide");
    for count in COUNTS {
        let pact = pact(count);
        for (name, action) in &actions {
            group.bench_function(BenchmarkId::new(*name, count), |bencher| {
                bencher.iter(|| decide(black_box(&pact), black_box(action), &facts));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, deciding);
criterion_main!(benches);
