//! The differential proof: one action, every form it can take, one answer.
//!
//! A table of forms (dialect, streamed or whole, batched, aliased, escaped, compressed, spelled in other ways) is filled
//! with generated calls. In every cell the verdict and the deciding clauses are those of the call itself, or the form
//! is refused outright. A form that honest clients use has to be read.

/// The forms of one call.
mod forms;
/// One value, spelled in many ways.
mod spell;
/// The same over real sockets.
mod wire;

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use pactgate::classify::{Bounds, read_json};
use pactgate::domain::{
    Action, AgentId, Dialect, Json, Reason, Ruling, Target, Timestamp, ToolRef, TrustTier, Verdict,
};
use pactgate::pact::{self, Facts, Pact};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::differential::forms::{Act, Cell, FORMS};
use crate::differential::spell::{Dice, Tree};

const PACT: &str = r#"apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: one-answer}
spec:
  agents: ["*"]
  owner: the tests
  tools:
    payments.refund:
      mcp: payments/refund
      function: [refund, payments__refund]
      agent: billing/refunds
      http: POST api.shop.example/v1/refunds
  clauses:
    - id: small
      allow: {tool: payments.refund}
      where: {args.amount: {max: 100}, args.currency: {in: [EUR, USD]}}
      tier: standard
      below: ask
    - id: large
      ask: {tool: "payments.*"}
      where: {args.amount: {above: 100, max: 1000}}
    - id: no-urgency
      deny: {tool: payments.refund}
      where: {args.note: {regex: "(?i).*urgent.*"}}
    - id: no-strangers
      deny: {tool: payments.refund}
      where: {args.to.account: {glob: "acct/stranger/**"}}
    - id: by-day
      deny: {tool: payments.refund}
      when: "args.amount > 500 && now.getDayOfWeek('UTC') == 0"
    - id: pings
      allow: {tool: [payments.ping, look]}
"#;

/// Cells that were filled.
static CELLS: AtomicUsize = AtomicUsize::new(0);

fn loaded() -> Pact {
    pact::load("one-answer.yaml", PACT).unwrap_or_else(|wrong| panic!("{wrong}")).pact
}

fn trees() -> impl Strategy<Value = Tree> {
    let amount = prop::sample::select(vec![
        "0",
        "1",
        "80",
        "99.99",
        "100",
        "100.0000000000000000001",
        "101",
        "500",
        "500.5",
        "1000",
        "1000.01",
        "5000",
        "-5",
        "9007199254740993",
        "0.1",
        "12345678901234567890",
    ]);
    let amount = prop_oneof![
        8 => amount.clone().prop_map(|text| Tree::Number(text.to_owned())),
        1 => amount.prop_map(|text| Tree::Text(text.to_owned())),
        1 => Just(Tree::Bool(true)),
    ];
    let text = |choices: Vec<&'static str>| {
        prop::sample::select(choices).prop_map(|text| Tree::Text(text.to_owned()))
    };
    let currency = text(vec!["EUR", "USD", "GBP", "eur", "EUR "]);
    let note = prop::option::of(text(vec![
        "",
        "late parcel",
        "URGENT!",
        "ur\u{301}gent",
        "\"quoted\" \\ \n / é 😀",
    ]));
    let account = prop::option::of(text(vec![
        "acct/known/7",
        "acct/stranger/7",
        "acct/known/../stranger/7",
        "acct//stranger/7",
        "ACCT/stranger/7",
    ]));
    (amount, currency, note, account, any::<bool>()).prop_map(
        |(amount, currency, note, account, has_currency)| {
            let mut members = vec![("amount".to_owned(), amount)];
            if has_currency {
                members.push(("currency".to_owned(), currency));
            }
            members.extend(note.map(|note| ("note".to_owned(), note)));
            members.extend(account.map(|account| {
                (
                    "to".to_owned(),
                    Tree::Object(vec![
                        ("account".to_owned(), account),
                        ("tags".to_owned(), Tree::List(vec![Tree::Bool(false)])),
                    ]),
                )
            }));
            Tree::Object(members)
        },
    )
}

/// The call itself, under the pact's own name for it. `None` for a number that readers of doubles would round: such a
/// call is refused in every form.
fn itself(tree: &Tree) -> Option<Action> {
    let arguments: Json = read_json(tree.plain().as_bytes(), &Bounds::default()).ok()?;
    Some(Action {
        target: Target::Tool(ToolRef::Capability("payments.refund".to_owned())),
        fields: Json::object([("args", arguments)]),
        dialect: Dialect::Http,
    })
}

/// What decides: the ruling, and the clauses behind it.
fn told(verdict: &Verdict) -> (Ruling, Vec<String>) {
    (verdict.ruling, verdict.clauses.iter().map(ToString::to_string).collect())
}

/// The verdict on a request: that on the worst of its actions. What only keeps a protocol going says nothing.
fn verdict(pact: &Pact, actions: &[Action], facts: &Facts<'_>) -> Option<Verdict> {
    let tools = actions.iter().filter(|action| !matches!(action.target, Target::Protocol { .. }));
    tools.map(|action| pact::decide(pact, action, facts)).max_by_key(|verdict| verdict.ruling)
}

fn facts<'a>(agent: &'a AgentId, tier: TrustTier, sunday: bool) -> Facts<'a> {
    let day = if sunday { "2026-11-22T10:00:00Z" } else { "2026-11-18T10:00:00Z" };
    Facts { agent, tier, at: Timestamp::parse_rfc3339(day).unwrap() }
}

/// Fills one row of the table.
fn check(pact: &Pact, tree: &Tree, dice: &mut Dice, facts: &Facts<'_>) -> Result<(), TestCaseError> {
    let expected = itself(tree).map(|action| told(&pact::decide(pact, &action, facts)));
    for form in FORMS {
        let cell = (form.cell)(&Act(tree.clone()), dice);
        CELLS.fetch_add(1, Ordering::Relaxed);
        let read = match cell {
            Cell::Read(actions) => verdict(pact, &actions, facts),
            Cell::Refused(why) => {
                prop_assert!(!form.is_plain || expected.is_none(), "{}: refused: {why}", form.name);
                continue;
            }
        };
        let Some(read) = read else {
            return Err(TestCaseError::fail(format!("{}: nothing was read as an action", form.name)));
        };
        // A name that no clause speaks of is refused outright as well.
        if !form.is_plain && read.reason == Some(Reason::NoClause) {
            continue;
        }
        prop_assert_eq!(Some(told(&read)), expected.clone(), "{}: {}", form.name, tree.plain());
    }
    Ok(())
}

#[test]
fn one_action_gets_one_answer_in_every_form() {
    let (pact, agent) = (loaded(), AgentId::new("mole").unwrap());
    let tiers = prop::sample::select(vec![
        TrustTier::Restricted,
        TrustTier::Probation,
        TrustTier::Standard,
        TrustTier::Trusted,
    ]);
    let cases = (trees(), any::<u64>(), tiers, any::<bool>());
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let run = runner.run(&cases, |(tree, seed, tier, sunday)| {
        check(&pact, &tree, &mut Dice::new(seed), &facts(&agent, tier, sunday))
    });
    run.unwrap_or_else(|wrong| panic!("{wrong}"));
    print(&format!("differential proof: {} cells, {} forms\n", CELLS.load(Ordering::Relaxed), FORMS.len()));
}

/// Past the test harness, which keeps what passing tests print.
pub fn print(line: &str) {
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The proof could not fail if every verdict were the same.
#[test]
fn the_generated_calls_meet_every_clause() {
    let (pact, agent) = (loaded(), AgentId::new("mole").unwrap());
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..2000 {
        let tree = trees().new_tree(&mut runner).unwrap().current();
        for sunday in [false, true] {
            for tier in [TrustTier::Probation, TrustTier::Standard] {
                let Some(action) = itself(&tree) else { continue };
                let (ruling, clauses) = told(&pact::decide(&pact, &action, &facts(&agent, tier, sunday)));
                seen.extend(clauses.into_iter().map(|clause| format!("{ruling} {clause}")));
            }
        }
    }
    let expected =
        ["allow small", "ask large", "ask small", "deny by-day", "deny no-strangers", "deny no-urgency"];
    assert!(expected.iter().all(|one| seen.contains(*one)), "{seen:?}");
}
