//! The shipped pacts: they load without a warning, can be in force together, explain themselves and pass their tests.

use std::path::{Path, PathBuf};

use pactgate::domain::{AgentId, TrustTier};
use pactgate::pact::diagnostics::File;
use pactgate::pact::{self, Facts, PactSet, document};
use pactgate::rehearsal;

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

fn pacts() -> Vec<File> {
    rehearsal::pacts_below(&policies()).unwrap()
}

#[test]
fn every_shipped_pact_is_well_and_enforced_to_the_letter() {
    let mut loaded = Vec::new();
    for file in pacts() {
        match pact::load(file.name(), file.text()) {
            Ok(pact) => {
                assert!(pact.warnings.is_empty(), "{}", pact.warnings);
                loaded.push(pact.pact);
            }
            Err(found) => panic!("{found}"),
        }
    }
    let names: Vec<_> = loaded.iter().map(|pact| pact.name().to_string()).collect();
    for name in ["quickstart", "incident-classification", "change-risk", "knowledge-base", "problem-triage"] {
        assert!(names.iter().any(|own| own == name), "`{name}` is shipped");
    }
    PactSet::build(loaded).unwrap();
}

#[test]
fn every_shipped_pact_passes_its_tests_and_they_touch_every_clause() {
    let report = rehearsal::run(&policies()).unwrap();
    assert!(report.passed(), "{report}");
    assert_eq!(report.coverage.len(), pacts().len(), "each pact has tests");
    for coverage in &report.coverage {
        assert!(coverage.untouched.is_empty(), "{report}");
    }
}

#[test]
fn every_shipped_pact_explains_itself() {
    let agent = AgentId::new("anybody").unwrap();
    for file in pacts() {
        let pact = pact::load(file.name(), file.text()).unwrap().pact;
        let call = File::new("call", "{tool: no.such.tool, args: {}}");
        let action = rehearsal::read_call(&call, &document::read(&call).unwrap()).unwrap();
        let facts = Facts { agent: &agent, tier: TrustTier::Standard, at: Default::default() };
        let said = pact::explain(&pact, &action, &facts).to_string();
        for clause in pact.clauses() {
            assert!(said.contains(clause.id.as_str()), "{said}");
        }
    }
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
