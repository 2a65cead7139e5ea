//! Expressions: what they see, what they refuse, what they cost.

use super::*;
use crate::domain::{Decimal, Dialect, Target, ToolRef, UpstreamName};

fn refund(args: Json) -> Action {
    let server = UpstreamName::new("payments").unwrap();
    let target = Target::Tool(ToolRef::Mcp { server, tool: "refund".to_owned() });
    Action { target, fields: Json::object([("args", args)]), dialect: Dialect::Mcp }
}

fn number(text: &str) -> Json {
    Json::Number(Decimal::parse(text).unwrap())
}

fn args() -> Json {
    Json::object([
        ("amount", number("80")),
        ("rate", number("0.5")),
        ("fine", number("100.00000000000000000001")),
        ("currency", Json::String("EUR".to_owned())),
        ("tags", Json::Array(vec![Json::String("vip".to_owned()), Json::String("eu".to_owned())])),
        ("order", Json::object([("id", Json::String("A-17".to_owned()))])),
        ("long", Json::Array(vec![Json::Null; 300])),
    ])
}

fn evaluate(text: &str) -> Result<bool, String> {
    let condition = Condition::compile(text, ActionKind::Tool).map_err(|found| format!("{found:?}"))?;
    let agent = AgentId::new("refunds-eu").unwrap();
    // A Wednesday, 23:30 in Berlin.
    let at = Timestamp::parse_rfc3339("2026-11-18T22:30:00Z").unwrap();
    let action = refund(args());
    let capability = Some("payments.refund");
    condition.evaluate(&Subject { agent: &agent, tier: TrustTier::Standard, at, action: &action, capability })
}

#[test]
fn expressions_see_the_call() {
    for (text, expected) in [
        ("args.amount + 1 == 81", true),
        ("args.amount > 79.5 && args.rate == 0.5", true),
        ("args.currency in ['EUR', 'USD']", true),
        ("args.order.id.startsWith('A-')", true),
        ("args['order']['id'] == 'A-17'", true),
        ("args.order.id.matches('^[A-Z]-[0-9]+$')", true),
        ("has(args.amount) && !has(args.none)", true),
        ("'amount' in args && !('none' in args)", true),
        ("args.tags.exists(t, t == 'vip')", true),
        ("args.tags.all(t, t.matches('^[a-z]+$'))", true),
        ("'eu' in args.tags && size(args.tags) == 2 && args.tags[0] == 'vip'", true),
        ("args.tags == ['vip', 'eu']", true),
        ("args.order == args.order", true),
        ("agent == 'refunds-eu' && tier == 'standard'", true),
        ("tier in ['standard', 'trusted']", true),
        ("action.kind == 'tool' && action.name == 'payments.refund' && action.dialect == 'mcp'", true),
        ("action.fields.args.amount == 80", true),
        ("now.getDayOfWeek('Europe/Berlin') in [0, 6]", false),
        ("now.getDayOfWeek('Europe/Berlin') == 3 && now.getHours('Europe/Berlin') == 23", true),
        ("now.getHours() == 22", true),
        ("now > timestamp('2026-01-01T00:00:00Z')", true),
        ("now - timestamp('2026-11-18T22:00:00Z') == duration('30m')", true),
        ("args.none > 1 && false", false),
        ("args.none == 1 || args.amount == 80", true),
    ] {
        assert_eq!(evaluate(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_an_error_that_holds_no_value() {
    for (text, expected) in [
        ("args.none > 1", "`when` reads `none`, which is missing"),
        ("args.currency > 5", "`when` meets a value of a type that it does not speak of"),
        ("args.currency == 5", "`when` meets a value of a type that it does not speak of"),
        ("args.currency != 5", "`when` meets a value of a type that it does not speak of"),
        ("args.currency in [1, 2]", "`when` meets a value of a type that it does not speak of"),
        ("args[args.currency] == 1", "`when` reads a field that is missing"),
        ("args.fine > 100", "`number` fails in `when`"),
        ("args.long.exists(x, x == 1)", "`list` fails in `when`"),
        ("args.tags[5] == 'x'", "`when` reads past the end of a list"),
        ("args.amount / 0 == 1", "`when` divides by zero"),
        ("args.amount * 9223372036854775807 > 1", "a number in `when` grows too large"),
        ("args.order", "`when` yields a map where true or false is due"),
    ] {
        assert_eq!(evaluate(text), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn what_is_wrong_is_found_before_any_call() {
    for (text, expected) in [
        ("args.amount >", "not a CEL expression"),
        ("arg.amount > 1", "unknown variable `arg`"),
        ("args.amount.foo()", "unknown function `foo`"),
        ("usage.tokens > 1", "`usage` is not known to expressions yet"),
        ("tier >= 'standard'", "tiers are compared as text here, by the alphabet"),
        ("tier == 'trustd'", "unknown tier `trustd`"),
        ("action.dialect == 'opnai'", "unknown dialect `opnai`"),
        ("action.kind in ['tool', 'tols']", "unknown kind of action `tols`"),
        ("action.host == 'a'", "tool actions have no `action.host`"),
        ("args.a.matches(args.b)", "`matches` takes a written pattern only"),
        ("args.a.matches('(')", "not a regular expression: unclosed group"),
        ("args.a.all(x, args.b.all(y, x == y))", "an iteration within an iteration has no bound on its cost"),
        ("args.a.all(x, x in args.b)", "a search within an iteration has no bound on its cost"),
        ("now.getHours('Europe/Berln') > 3", "unknown time zone `Europe/Berln`"),
        ("args.amount + 1", "the expression does not yield true or false"),
        ("'x'", "the expression does not yield true or false"),
        ("args.a == {'b': 1}", "a mapping in an expression is not read"),
        ("1 == 2", "the clause can never match: its expression is always false"),
        ("1 < 2", "the expression is always true"),
        ("1 == 'a'", "the expression can never be evaluated"),
    ] {
        let found = Condition::compile(text, ActionKind::Tool).unwrap_err();
        assert!(found[0].message.starts_with(expected), "{text}: {found:?}");
    }
}

#[test]
fn every_function_that_passes_the_check_exists() {
    for name in [
        "bool('true')",
        "string(args.amount) == '80'",
        "int('5') == 5",
        "uint(5) == 5u",
        "double('1.5') == 1.5",
    ] {
        assert!(evaluate(&format!("{name} || args.amount == 0")).is_ok(), "{name}");
    }
    for part in ["Date", "DayOfMonth", "DayOfYear", "FullYear", "Milliseconds", "Minutes", "Month", "Seconds"]
    {
        assert!(evaluate(&format!("now.get{part}() >= 0")).is_ok(), "{part}");
    }
    assert_eq!(evaluate("type(args.amount) == int && dyn(args.amount) == 80"), Ok(true));
    assert_eq!(evaluate("args.currency.contains('U') && args.currency.endsWith('R')"), Ok(true));
}

#[test]
fn a_long_expression_does_not_recurse_into_the_ground() {
    for (text, expected) in [
        (format!("args.amount{} > 1", "+1".repeat(2_000)), Some("the expression nests deeper than 64")),
        (format!("args{} == 1", ".a".repeat(1_000)), Some("the expression nests deeper than 64")),
        (format!("args.tags{} == 1", "[0]".repeat(1_000)), Some("the expression nests deeper than 64")),
        (format!("args.x{}", "?args.x:args.y".repeat(200)), Some("the expression nests deeper than 64")),
        (
            format!("has(args.x){}", " || has(args.x)".repeat(250)),
            Some("the expression has more than 512 parts"),
        ),
        (format!("{}has(args.amount)", "!".repeat(4_000)), None),
        (format!("{}has(args.amount){}", "(".repeat(1_000), ")".repeat(1_000)), None),
        (format!("has(args.amount){}", " && has(args.amount)".repeat(100)), None),
        (format!("args.amount{} > 1", "+1".repeat(50)), None),
    ] {
        let found = Condition::compile(&text, ActionKind::Tool).map_err(|found| found[0].message.clone());
        assert_eq!(found.as_ref().err().map(String::as_str), expected, "{} bytes", text.len());
        if expected.is_none() {
            assert_eq!(evaluate(&text), Ok(true));
        }
    }
}
