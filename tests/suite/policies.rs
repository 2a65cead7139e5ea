//! The shipped pacts: they load, can be in force together, explain themselves and pass their tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pactgate::domain::{
    Action, AgentId, Dialect, Json, Reason, Target, Timestamp, ToolRef, TrustTier, UpstreamName,
};
use pactgate::pact::diagnostics::File;
use pactgate::pact::document::{Node, Value};
use pactgate::pact::{self, Facts, PactSet, decide, document};
use pactgate::rehearsal;

/// The lanes for which pacts are shipped.
const SHIPPED: [&str; 12] = [
    "alert-triage",
    "change-risk",
    "coding-agent",
    "contract-review",
    "customer-support",
    "incident-classification",
    "incident-escalation",
    "knowledge-base",
    "playbook-routing",
    "problem-triage",
    "quickstart",
    "threat-intelligence",
];

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

fn pacts() -> Vec<File> {
    rehearsal::pacts_below(&policies()).unwrap()
}

#[test]
fn every_shipped_pact_is_well_and_they_can_be_in_force_together() {
    let mut loaded = Vec::new();
    for file in pacts() {
        match pact::load(file.name(), file.text()) {
            Ok(pact) => {
                // What is merely ahead of Pactgate is told as such; anything else worth a warning is a mistake.
                for warning in pact.warnings.iter() {
                    assert!(warning.message.contains("is not enforced yet"), "{warning}");
                }
                loaded.push(pact.pact);
            }
            Err(found) => panic!("{found}"),
        }
    }
    let names: BTreeSet<String> = loaded.iter().map(|pact| pact.name().to_string()).collect();
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), SHIPPED);
    PactSet::build(loaded).unwrap();
}

#[test]
fn every_shipped_pact_passes_its_tests_and_they_exercise_every_clause() {
    let report = rehearsal::run(&policies()).unwrap();
    assert!(report.passed(), "{report}");
    assert_eq!(report.coverage.len(), pacts().len(), "each pact has tests");
    for coverage in &report.coverage {
        assert!(coverage.clauses > 0 && coverage.untouched.is_empty(), "{report}");
    }
    // To match is not yet to decide: each clause has a case in which the verdict is its own.
    for file in &report.files {
        let verdicts = || file.cases.iter().map(|case| &case.explanation);
        let deciding: BTreeSet<&str> =
            verdicts().flat_map(|e| &e.verdict.clauses).map(|id| id.as_str()).collect();
        for clause in verdicts().flat_map(|e| &e.clauses) {
            assert!(deciding.contains(clause.id.as_str()), "{}: `{}` decides nothing", file.pact, clause.id);
        }
    }
}

#[test]
fn every_case_is_explained_by_its_verdict_and_the_clauses_that_decide() {
    for (pact, cases) in rehearsed() {
        for Rehearsed { name, action, agent, tier, at } in cases {
            let explanation = pact::explain(&pact, &action, &Facts { agent: &agent, tier, at });
            let (said, verdict) = (explanation.to_string(), &explanation.verdict);
            let place = format!("{} of {}: {said}", name, pact.name());
            let mut first = format!("\nverdict: {}", verdict.ruling);
            if let Some(reason) = verdict.reason {
                first.push_str(&format!(" ({reason})"));
            }
            if !verdict.clauses.is_empty() {
                let ids: Vec<&str> = verdict.clauses.iter().map(|id| id.as_str()).collect();
                first.push_str(&format!(", by {}", ids.join(", ")));
            }
            assert!(said.contains(&first), "{place}");
            // Each clause has a line of its own, and those that decide say why.
            for (clause, line) in explanation.clauses.iter().zip(said.lines().skip(2)) {
                assert!(line.contains(clause.id.as_str()), "{place}");
                if verdict.clauses.contains(&clause.id) {
                    let why =
                        if verdict.reason == Some(Reason::TierTooLow) { "needs tier" } else { " matches " };
                    assert!(line.contains(why), "{place}");
                }
            }
            assert_eq!(explanation.clauses.len(), pact.clauses().len());
            assert_eq!(*verdict, decide(&pact, &action, &Facts { agent: &agent, tier, at }), "{place}");
        }
    }
}

/// A call that a pact's table of tools knows gets one answer, whatever form it arrives in.
#[test]
fn every_form_of_a_call_gets_the_answer_of_its_capability() {
    let mut compared = 0;
    for (pact, cases) in rehearsed() {
        let table = tools_of(pact.name().as_str());
        for Rehearsed { name, action, agent, tier, at } in cases {
            let Target::Tool(ToolRef::Capability(capability)) = &action.target else { continue };
            let facts = Facts { agent: &agent, tier, at };
            let told = decide(&pact, &action, &facts);
            for (target, dialect) in forms_of(&table, capability) {
                let form = Action { target, dialect, fields: action.fields.clone() };
                let found = decide(&pact, &form, &facts);
                let place = format!("{name} of {}, as {}", pact.name(), form.target);
                assert_eq!((found.ruling, found.reason), (told.ruling, told.reason), "{place}");
                assert_eq!(found.clauses, told.clauses, "{place}");
                assert_eq!(found.capability.as_deref(), Some(capability.as_str()), "{place}");
                compared += 1;
            }
        }
    }
    assert!(compared > 300, "{compared}");
}

/// One case of a pact's tests, as far as it goes in.
struct Rehearsed {
    name: String,
    action: Action,
    agent: AgentId,
    tier: TrustTier,
    at: Timestamp,
}

/// Every shipped pact with the cases of its tests.
fn rehearsed() -> Vec<(pact::Pact, Vec<Rehearsed>)> {
    let read = |file: File| {
        let test = std::fs::read_to_string(file.name().replace(".yaml", ".test.yaml")).unwrap();
        let test = File::new("test", &test);
        let document = document::read(&test).unwrap();
        let spec = document.member("spec").unwrap();
        let Value::List(cases) = &spec.member("cases").unwrap().value else { panic!("cases are a list") };
        let cases = cases.iter().map(|case| {
            let text = |name: &str| {
                let own = case.member(name).or_else(|| spec.member(name)).and_then(Node::text);
                own.unwrap_or("2026-01-07T12:00:00Z").to_owned()
            };
            Rehearsed {
                name: text("name"),
                action: rehearsal::read_call(&test, case.member("call").unwrap()).unwrap(),
                agent: AgentId::new(&text("agent")).unwrap(),
                tier: TrustTier::parse(&text("tier")).unwrap(),
                at: Timestamp::parse_rfc3339(&text("at")).unwrap(),
            }
        });
        let cases: Vec<_> = cases.collect();
        assert!(!cases.is_empty());
        (pact::load(file.name(), file.text()).unwrap().pact, cases)
    };
    pacts().into_iter().map(read).collect()
}

/// The table of tools, as the file of a pact writes it.
fn tools_of(pact: &str) -> Json {
    let file = rehearsal::read_file(&policies().join(format!("{pact}.yaml"))).unwrap();
    let document = document::read(&file).unwrap();
    let tools = document.member("spec").unwrap().member("tools").map(|tools| tools.json().unwrap());
    tools.unwrap_or(Json::Object(Vec::new()))
}

/// The forms of a capability that carry their arguments as tools do.
fn forms_of(table: &Json, capability: &str) -> Vec<(Target, Dialect)> {
    let written = |form: &str| match table.member(capability).and_then(|row| row.member(form)) {
        Some(Json::Array(names)) => names.iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
        Some(name) => vec![name.as_str().unwrap().to_owned()],
        None => Vec::new(),
    };
    let mcp = written("mcp").into_iter().map(|form| {
        let (server, tool) = form.split_once('/').unwrap();
        let server = UpstreamName::new(server).unwrap();
        (Target::Tool(ToolRef::Mcp { server, tool: tool.to_owned() }), Dialect::Mcp)
    });
    let functions = written("function").into_iter();
    let functions = functions.map(|name| (Target::Tool(ToolRef::Function(name)), Dialect::OpenAi));
    mcp.chain(functions).collect()
}

#[test]
fn the_schema_beside_the_pacts_is_the_one_of_the_types() {
    let file = policies().join("pact.schema.json");
    let current = serde_json::to_string_pretty(&pact::schema()).unwrap() + "\n";
    if std::env::var_os("PACTGATE_BLESS").is_some() {
        std::fs::write(&file, &current).unwrap();
    }
    let shipped = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(shipped == current, "write it anew: `pactgate pact schema > policies/pact.schema.json`");
}

#[test]
fn the_schema_takes_the_shipped_pacts_and_refuses_misspelled_ones() {
    let schema = jsonschema::validator_for(&pact::schema()).unwrap();
    let value = |file: &File| {
        let json = document::read(file).unwrap().json().unwrap();
        serde_json::from_str::<serde_json::Value>(&json.canonical()).unwrap()
    };
    for file in pacts() {
        let errors: Vec<_> = schema.iter_errors(&value(&file)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", file.name());
    }
    let misspelled = |from: &str, to: &str| {
        let file = pacts().into_iter().find(|file| file.name().ends_with("quickstart.yaml")).unwrap();
        assert!(file.text().contains(from));
        let file = File::new("misspelled", &file.text().replace(from, to));
        assert!(!schema.is_valid(&value(&file)), "{to}");
    };
    misspelled("  risk: high", "  riks: high");
    misspelled("tier: standard", "tier: standart");
    misspelled("{above: 0, max: 100}", "{above: 0, mx: 100}");
    misspelled("deny: {tool: shop.delete_order}", "deny: {tool: shop.delete_order, model: a/b}");
}

/// What `policies/README.md` shows is a pact that is well, and a test of it that passes.
#[test]
fn the_readme_shows_a_pact_and_its_test() {
    let readme = std::fs::read_to_string(policies().join("README.md")).unwrap();
    let block = |kind: &str| {
        let mut blocks = readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        blocks.find(|block| block.contains(kind)).unwrap().to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("refunds.yaml"), block("kind: Pact\n")).unwrap();
    std::fs::write(folder.path().join("refunds.test.yaml"), block("kind: PactTest\n")).unwrap();
    let report = rehearsal::run(folder.path()).unwrap();
    assert!(report.passed(), "{report}");
}

/// A failing case says what was expected, what was found, and why.
#[test]
fn a_failing_case_is_told_with_its_clauses() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "p.yaml",
        "apiVersion: pactgate.dev/v1\nkind: Pact\nmetadata: {name: p}\nspec:\n  agents: [a]\n  clauses:\n    \
         - {id: small, allow: {tool: pay}, where: {args.n: {max: 5}}}\n    - {id: other, allow: {tool: x}}\n",
    );
    write(
        "p.test.yaml",
        "apiVersion: pactgate.dev/v1\nkind: PactTest\nspec:\n  pact: p\n  agent: a\n  tier: standard\n  cases:\n    \
         - {name: six is fine, call: {tool: pay, args: {n: 6}}, expect: {verdict: allow, clauses: [small]}}\n    \
         - {name: five is fine, call: {tool: pay, args: {n: 5}}, expect: {verdict: allow}}\n    \
         - {name: strangers too, agent: b, call: {tool: x}, expect: {verdict: allow}}\n",
    );
    write("notes.yaml", "kind: Something\n");
    let report = rehearsal::run(folder.path()).unwrap();
    let said = report.to_string();
    assert!(!report.passed());
    assert_eq!(report.counts(), (3, 2));
    for part in [
        "p.test.yaml:8: six is fine",
        "expected verdict allow, found deny",
        "expected clauses small, found none",
        "`args.n` max 5 does not hold",
        "it speaks of something else",
        "the pact does not govern agent `b`",
        "pact p: 2 of 2 clauses exercised",
        "3 cases, 2 failed",
    ] {
        assert!(said.contains(part), "`{part}` is missing:\n{said}");
    }
    write(
        "q.test.yaml",
        "apiVersion: pactgate.dev/v1\nkind: PactTest\nspec:\n  pact: q\n  cases:\n    - {}\n",
    );
    let said = rehearsal::run(folder.path()).unwrap().to_string();
    for part in ["`name` is missing", "`agent` is missing", "`call` is missing", "`expect` is missing"] {
        assert!(said.contains(part), "`{part}` is missing:\n{said}");
    }
}
