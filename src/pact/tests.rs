//! Pacts as their authors write them: what they say, and what is said of them.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::{
    Action, AgentId, Decimal, Dialect, Family, HttpTarget, Json, Reason, Ruling, Target, Timestamp, ToolRef,
    TrustTier, UpstreamName, Verdict,
};

const REFUNDS: &str = include_str!("../../tests/corpus/pact/refunds.yaml");

fn pact(spec: &str) -> Pact {
    let text = format!(
        "apiVersion: pactgate.dev/v1\nkind: Pact\nmetadata: {{name: p}}\nspec:\n  agents: ['*']\n{}",
        spec.lines().map(|line| format!("  {line}\n")).collect::<String>()
    );
    match load("p.yaml", &text) {
        Ok(loaded) => loaded.pact,
        Err(found) => panic!("{found}"),
    }
}

fn upstream(name: &str) -> UpstreamName {
    UpstreamName::new(name).unwrap()
}

fn json(text: &str) -> Json {
    let file = diagnostics::File::new("call", text);
    document::read(&file).unwrap().json().unwrap()
}

fn action(target: Target, fields: &str) -> Action {
    Action { target, fields: json(fields), dialect: Dialect::Http }
}

fn capability(name: &str, args: &str) -> Action {
    action(Target::Tool(ToolRef::Capability(name.to_owned())), &format!("{{args: {args}}}"))
}

fn mcp(server: &str, tool: &str, args: &str) -> Action {
    let target = Target::Tool(ToolRef::Mcp { server: upstream(server), tool: tool.to_owned() });
    action(target, &format!("{{args: {args}}}"))
}

fn http(method: &str, host: &str, path: &str, fields: &str) -> Action {
    let target = HttpTarget {
        method: method.to_owned(),
        scheme: "https".to_owned(),
        host: host.to_owned(),
        port: 443,
        path: path.to_owned(),
    };
    action(Target::Http(target), fields)
}

fn model(name: &str, fields: &str) -> Action {
    let (provider, model) = name.split_once('/').unwrap();
    action(Target::Model { provider: provider.to_owned(), model: model.to_owned() }, fields)
}

/// A Wednesday morning.
const WEDNESDAY: &str = "2026-11-18T10:00:00Z";
const SUNDAY: &str = "2026-11-22T10:00:00Z";

fn judge_at(pact: &Pact, action: &Action, tier: TrustTier, at: &str) -> Verdict {
    let agent = AgentId::new("refunds-eu").unwrap();
    let facts = Facts { agent: &agent, tier, at: Timestamp::parse_rfc3339(at).unwrap() };
    let verdict = decide(pact, action, &facts);
    let explained = explain(pact, action, &facts);
    let matching: Vec<_> = explained.clauses.iter().filter(|c| c.matches).map(|c| &c.id).collect();
    for id in &verdict.clauses {
        let withheld = verdict.reason == Some(Reason::TierTooLow);
        assert!(withheld || matching.contains(&id), "the explanation agrees: {explained}");
    }
    assert_eq!(verdict.reason.is_none(), verdict.ruling == Ruling::Allow);
    verdict
}

fn judge(pact: &Pact, action: &Action, tier: TrustTier) -> Verdict {
    judge_at(pact, action, tier, WEDNESDAY)
}

fn said(verdict: &Verdict) -> String {
    let ids: Vec<_> = verdict.clauses.iter().map(ToString::to_string).collect();
    let reason = verdict.reason.map_or("-", Reason::name);
    format!("{} {reason} [{}]", verdict.ruling, ids.join(" "))
}

#[test]
fn the_refunds_pact_says_what_its_author_meant() {
    let pact = load("refunds.yaml", REFUNDS).unwrap().pact;
    use TrustTier::{Probation, Restricted, Standard, Suspended};
    for (tier, action, expected) in [
        (Standard, capability("payments.refund", "{amount: 80, currency: EUR}"), "allow - [refund-small]"),
        (
            Probation,
            capability("payments.refund", "{amount: 80, currency: EUR}"),
            "ask approval-required [refund-small]",
        ),
        (Standard, capability("payments.refund", "{amount: 5000, currency: EUR}"), "deny no-clause []"),
        (
            Standard,
            capability("payments.refund", "{amount: '80', currency: EUR}"),
            "ask approval-required [refund-large]",
        ),
        (
            Standard,
            capability("payments.refund", "{amount: 100.00000000000000000001, currency: EUR}"),
            "ask approval-required [refund-large]",
        ),
        (Standard, capability("payments.refund", "{amount: 100.0, currency: EUR}"), "allow - [refund-small]"),
        (Standard, capability("payments.refund", "{currency: EUR}"), "ask approval-required [refund-large]"),
        (Standard, capability("payments.refund", "{amount: 80, currency: GBP}"), "deny no-clause []"),
        (Standard, mcp("payments", "refund", "{amount: 80, currency: EUR}"), "allow - [refund-small]"),
        (Standard, mcp("payments", "charge", "{amount: 80, currency: EUR}"), "deny no-clause []"),
        (Standard, mcp("orders", "get", "{}"), "allow - [read-orders]"),
        (Suspended, mcp("orders", "get", "{}"), "deny suspended []"),
        (Restricted, mcp("orders", "get", "{}"), "allow - [read-orders]"),
        (
            Standard,
            http("POST", "api.shop.example", "/v1/refunds", "{args: {amount: 80, currency: EUR}}"),
            "allow - [refund-small]",
        ),
        (Standard, http("DELETE", "api.shop.example", "/v1/orders/7", "{}"), "deny denied [never-delete]"),
        (Standard, http("GET", "api.shop.example", "/v1/orders/7", "{}"), "deny no-clause []"),
        (Standard, model("openai/gpt-4o-mini", "{max_tokens: 512}"), "allow - [ask-models]"),
        (Standard, model("anthropic/claude-sonnet-4-5", "{max_tokens: 4096}"), "allow - [ask-models]"),
        (Standard, model("openai/gpt-4o-mini", "{max_tokens: 4097}"), "deny no-clause []"),
        (Standard, model("openai/gpt-4o-mini", "{}"), "deny no-clause []"),
        (Standard, model("openai/gpt-4o", "{max_tokens: 5}"), "deny no-clause []"),
    ] {
        let verdict = judge(&pact, &action, tier);
        assert_eq!(said(&verdict), expected, "{} {:?} on {tier}", action.target, action.fields);
    }
    let refund = capability("payments.refund", "{amount: 80, currency: EUR}");
    assert_eq!(said(&judge_at(&pact, &refund, Standard, SUNDAY)), "deny denied [weekday-hours]");
    let asked = judge(&pact, &refund, Probation);
    assert_eq!((asked.needs_tier, asked.tier_mattered), (Some(Standard), true));
    assert_eq!(asked.capability.as_deref(), Some("payments.refund"));
    let dodged = judge(&pact, &capability("payments.refund", "{amount: '80', currency: EUR}"), Standard);
    assert_eq!(dodged.approvers, ["payments-leads"]);
    let faults: Vec<_> = dodged.faults.iter().map(|(id, why)| format!("{id}: {why}")).collect();
    let why = "`args.amount` is of type string where number is due";
    assert_eq!(faults, [format!("refund-small: {why}"), format!("refund-large: {why}")]);
    assert!(!judge(&pact, &mcp("orders", "get", "{}"), Standard).tier_mattered);
}

#[test]
fn every_deciding_clause_is_named_in_the_order_of_the_file() {
    let pact = pact(
        "clauses:
- {id: c, deny: {tool: 'a.*'}, where: {args.x: {max: 5}}}
- {id: a, allow: {tool: '*'}}
- {id: b, ask: {tool: a.b}, approvers: [ops]}
- {id: d, deny: {tool: a.b}, when: 'args.x < 3'}",
    );
    for (args, expected) in [
        ("{x: 1}", "deny denied [c d]"),
        ("{x: 4}", "deny denied [c]"),
        ("{x: 9}", "ask approval-required [b]"),
        ("{x: nine}", "deny denied [c d]"),
        ("{}", "deny denied [c d]"),
    ] {
        assert_eq!(said(&judge(&pact, &capability("a.b", args), TrustTier::Standard)), expected, "{args}");
    }
}

#[test]
fn one_capability_gets_one_answer_in_every_form() {
    let pact = pact(
        "tools:
  pay.refund: {mcp: bank/payout, function: refund_customer, http: POST bank.example/payouts}
clauses:
- {id: tool, allow: {tool: pay.refund}, where: {args.n: {max: 5}}}
- {id: web, allow: {http: '* bank.example/**'}}
- {id: bank, deny: {tool: 'bank.*'}, where: {args.n: {eq: 3}}}
- {id: alias, deny: {tool: refund_customer}, where: {args.n: {eq: 2}}}
- {id: post, deny: {http: POST bank.example/**}, where: {args.n: {eq: 1}}}",
    );
    let function = |args: &str| {
        action(Target::Tool(ToolRef::Function("refund_customer".to_owned())), &format!("{{args: {args}}}"))
    };
    let post = |args: &str| http("POST", "bank.example", "/payouts", &format!("{{args: {args}}}"));
    for (action, expected) in [
        (mcp("bank", "payout", "{n: 5}"), "allow - [tool]"),
        (function("{n: 5}"), "allow - [tool]"),
        (post("{n: 5}"), "allow - [tool]"),
        // The capability's own clause decides: the broad web clause opens no way around it.
        (post("{n: 6}"), "deny no-clause []"),
        (mcp("bank", "payout", "{n: 6}"), "deny no-clause []"),
        // Prohibitions know every name.
        (mcp("bank", "payout", "{n: 3}"), "deny denied [bank]"),
        (function("{n: 2}"), "deny denied [alias]"),
        (post("{n: 1}"), "deny denied [post]"),
        (http("GET", "bank.example", "/payouts", "{}"), "allow - [web]"),
        (mcp("bank", "other", "{n: 1}"), "deny no-clause []"),
    ] {
        assert_eq!(said(&judge(&pact, &action, TrustTier::Standard)), expected, "{}", action.target);
    }
    assert!(pact.reads_http_bodies());
}

#[test]
fn a_tier_is_a_floor_and_says_what_it_lacks() {
    let pact = pact(
        "clauses:
- {id: high, allow: {tool: a}, tier: trusted}
- {id: middle, allow: {tool: a}, tier: standard, below: ask, approvers: [ops, leads]}
- {id: asks, ask: {tool: b}, tier: standard}
- {id: by-tier, allow: {tool: c}, when: \"tier in ['standard', 'trusted']\"}",
    );
    use TrustTier::{Probation, Restricted, Standard, Suspended, Trusted};
    for (name, tier, expected, needs, mattered) in [
        ("a", Trusted, "allow - [high middle]", None, true),
        ("a", Standard, "allow - [middle]", None, true),
        ("a", Probation, "ask approval-required [middle]", Some(Standard), true),
        ("a", Suspended, "deny suspended []", Some(Standard), true),
        ("b", Standard, "ask approval-required [asks]", None, true),
        ("b", Restricted, "deny tier-too-low [asks]", None, true),
        ("c", Probation, "deny tier-too-low [by-tier]", Some(Standard), true),
        ("c", Standard, "allow - [by-tier]", None, true),
        ("d", Standard, "deny no-clause []", None, false),
        ("d", Suspended, "deny suspended []", None, false),
    ] {
        let verdict = judge(&pact, &capability(name, "{}"), tier);
        assert_eq!(said(&verdict), expected, "{name} on {tier}");
        assert_eq!((verdict.needs_tier, verdict.tier_mattered), (needs, mattered), "{name} on {tier}");
    }
    let asked = judge(&pact, &capability("a", "{}"), Probation);
    assert_eq!(asked.approvers, ["ops", "leads"]);
}

#[test]
fn what_a_protocol_needs_is_open_where_something_of_it_is() {
    let pact = pact(
        "tools: {pay.refund: {mcp: bank/payout}}
clauses:
- {id: tool, allow: {tool: shop.get}, tier: trusted, where: {args.x: {eq: 1}}}
- {id: mapped, ask: {tool: pay.refund}}
- {id: page, allow: {resource: 'docs/**'}}
- {id: never, deny: {tool: 'shop.*'}, where: {args.x: {eq: 2}}}
- {id: denied, deny: {tool: secret.read}}
- {id: models, allow: {model: openai/gpt-4o}}",
    );
    let listing = |family, name: &str| {
        let target = Target::Protocol { family, of: name.to_owned(), method: "tools/list".to_owned() };
        action(target, "{}")
    };
    for (family, name, expected) in [
        (Family::Mcp, "shop", "allow - [tool]"),
        (Family::Mcp, "bank", "allow - [mapped]"),
        (Family::Mcp, "docs", "allow - [page]"),
        (Family::Mcp, "secret", "deny no-clause []"),
        (Family::Mcp, "openai", "deny no-clause []"),
        (Family::Model, "openai", "allow - [models]"),
        (Family::Model, "anthropic", "deny no-clause []"),
    ] {
        assert_eq!(said(&judge(&pact, &listing(family, name), TrustTier::Restricted)), expected, "{name}");
    }
    let suspended = judge(&pact, &listing(Family::Mcp, "shop"), TrustTier::Suspended);
    assert_eq!(said(&suspended), "deny suspended []");
}

fn peer(peer: &str, skill: Option<&str>, args: &str) -> Action {
    let target = Target::Agent { peer: peer.to_owned(), skill: skill.map(str::to_owned) };
    action(target, &format!("{{args: {args}}}"))
}

#[test]
fn a_skill_that_the_table_names_is_decided_as_that_capability() {
    let pact = pact(
        "tools: {payments.refund: {agent: billing/refund, mcp: bank/payout, function: refund, http: POST pay.example/refunds}}
clauses:
- {id: small, allow: {tool: payments.refund}, where: {args.amount: {max: 50}}}
- {id: large, ask: {tool: payments.refund}, where: {args.amount: {above: 50, max: 500}}}
- {id: peer, allow: {agent: billing}}
- {id: bank, allow: {tool: 'bank.*'}}
- {id: web, allow: {http: '* pay.example/**'}}
- {id: not-to-eve, deny: {agent: billing}, where: {args.to: {eq: eve}}}",
    );
    let http = |args: &str| {
        let target = HttpTarget {
            method: "POST".to_owned(),
            scheme: "https".to_owned(),
            host: "pay.example".to_owned(),
            port: 443,
            path: "/refunds".to_owned(),
        };
        action(Target::Http(target), &format!("{{args: {args}}}"))
    };
    let function = |args: &str| {
        action(Target::Tool(ToolRef::Function("refund".to_owned())), &format!("{{args: {args}}}"))
    };
    for (args, expected) in [
        ("{amount: 40, to: ada}", "allow - [small]"),
        ("{amount: 400, to: ada}", "ask approval-required [large]"),
        ("{amount: 4000, to: ada}", "deny no-clause []"),
        ("{to: ada}", "ask approval-required [large]"),
        ("{amount: '40', to: ada}", "ask approval-required [large]"),
    ] {
        let forms =
            [peer("billing", Some("refund"), args), mcp("bank", "payout", args), function(args), http(args)];
        for form in &forms {
            assert_eq!(said(&judge(&pact, form, TrustTier::Standard)), expected, "{} {args}", form.target);
        }
    }
    // Clauses of its own kind still restrain it, and clauses for the peer speak of its other skills.
    for (action, expected) in [
        (peer("billing", Some("refund"), "{amount: 40, to: eve}"), "deny denied [not-to-eve]"),
        (peer("billing", Some("status"), "{to: ada}"), "allow - [peer]"),
        (peer("billing", None, "{amount: 4000, to: ada}"), "allow - [peer]"),
        (peer("billing", None, "{}"), "deny denied [not-to-eve]"),
        (peer("other", Some("refund"), "{amount: 40}"), "deny no-clause []"),
    ] {
        assert_eq!(said(&judge(&pact, &action, TrustTier::Standard)), expected, "{}", action.target);
    }
}

#[test]
fn a_clause_for_one_skill_is_not_one_for_the_peer() {
    let pact = pact(
        "clauses:
- {id: one, allow: {agent: billing/status}}
- {id: any, ask: {agent: 'desk/*'}}
- {id: whole, allow: {agent: travel}}
- {id: quiet, deny: {agent: travel}, where: {parts.text: {above: 0}}}",
    );
    for (action, expected) in [
        (peer("billing", Some("status"), "{}"), "allow - [one]"),
        (peer("billing", Some("refund"), "{}"), "deny no-clause []"),
        (peer("billing", None, "{}"), "deny no-clause []"),
        (peer("desk", Some("open"), "{}"), "ask approval-required [any]"),
        (peer("desk", None, "{}"), "deny no-clause []"),
        // A prohibition that cannot be evaluated holds.
        (peer("travel", Some("book"), "{}"), "deny denied [quiet]"),
    ] {
        assert_eq!(said(&judge(&pact, &action, TrustTier::Standard)), expected, "{}", action.target);
    }
    let target = Target::Agent { peer: "travel".to_owned(), skill: None };
    let silent = action(target, "{args: {}, parts: {text: 0, data: 1, raw: 0, url: 0}}");
    assert_eq!(said(&judge(&pact, &silent, TrustTier::Standard)), "allow - [whole]");
}

#[test]
fn what_another_agent_needs_is_open_where_something_of_it_is() {
    let pact = pact(
        "tools: {payments.refund: {agent: bank/refund}}
clauses:
- {id: skill, allow: {agent: billing/status}}
- {id: whole, ask: {agent: travel}}
- {id: mapped, allow: {tool: payments.refund}}
- {id: never, deny: {agent: eve}}",
    );
    for (of, expected) in [
        ("billing", "allow - [skill]"),
        ("travel", "allow - [whole]"),
        ("bank", "allow - [mapped]"),
        ("eve", "deny no-clause []"),
        ("other", "deny no-clause []"),
    ] {
        let (family, method) = (Family::Agent, "GetTask".to_owned());
        let task = action(Target::Protocol { family, of: of.to_owned(), method }, "{}");
        assert_eq!(said(&judge(&pact, &task, TrustTier::Standard)), expected, "{of}");
    }
}

#[test]
fn what_is_not_read_is_denied_unless_a_clause_names_it() {
    let pact = pact(
        "clauses:
- {id: pinned, allow: {opaque: [pinned.example, '*.corp.example:8443']}}
- {id: docs, allow: {resource: 'files/file:///docs/**'}}
- {id: prompt, allow: {prompt: 'files/*'}, where: {args.topic: {length_max: 10}}}
- {id: peer, ask: {agent: billing}}",
    );
    let opaque = |host: &str, port| action(Target::Opaque { host: host.to_owned(), port, path: None }, "{}");
    let resource =
        |uri: &str| action(Target::Resource { server: upstream("files"), uri: uri.to_owned() }, "{}");
    let prompt =
        |fields| action(Target::Prompt { server: upstream("files"), name: "sum".to_owned() }, fields);
    let peer = |skill: Option<&str>| peer("billing", skill, "{}");
    for (action, expected) in [
        (opaque("pinned.example", 443), "allow - [pinned]"),
        (opaque("pinned.example", 8443), "deny opaque []"),
        (opaque("a.corp.example", 8443), "allow - [pinned]"),
        (resource("file:///docs/a/b"), "allow - [docs]"),
        (resource("file:///etc"), "deny no-clause []"),
        (prompt("{args: {topic: short}}"), "allow - [prompt]"),
        (prompt("{args: {topic: far too long}}"), "deny no-clause []"),
        (peer(None), "ask approval-required [peer]"),
        (peer(Some("refund")), "ask approval-required [peer]"),
    ] {
        assert_eq!(said(&judge(&pact, &action, TrustTier::Standard)), expected, "{}", action.target);
    }
}

#[test]
fn an_endpoint_that_is_not_read_is_permitted_by_its_path_alone() {
    let unread = |path: Option<&str>| {
        let path = path.map(str::to_owned);
        action(Target::Opaque { host: "api.openai.com".to_owned(), port: 443, path }, "{}")
    };
    let (batches, files) = (unread(Some("/v1/batches")), unread(Some("/v1/files")));
    let tunnel = unread(None);
    let whole = "{id: whole, allow: {opaque: '**:*'}}";
    let one = "{id: one, allow: {opaque: api.openai.com/v1/batches}}";
    let below = "{id: below, allow: {opaque: 'api.openai.com/v1/**'}}";
    let asked = "{id: asked, ask: {opaque: api.openai.com}}";
    let late = "{id: late, allow: {opaque: api.openai.com/v1/batches}, tier: trusted}";
    let never = "{id: never, deny: {opaque: api.openai.com}, when: action.port == 443}";
    let not_one = "{id: not-one, deny: {opaque: api.openai.com/v1/batches}, when: action.path != ''}";
    for (clauses, action, expected) in [
        (&[whole][..], &batches, "deny opaque []"),
        (&[whole], &tunnel, "allow - [whole]"),
        (&[one], &batches, "allow - [one]"),
        (&[one], &files, "deny opaque []"),
        (&[one], &tunnel, "deny opaque []"),
        (&[whole, one], &batches, "allow - [one]"),
        (&[below], &files, "allow - [below]"),
        // A question about the host permits nothing at it, and holds for what is permitted.
        (&[asked], &batches, "deny opaque []"),
        (&[asked], &tunnel, "ask approval-required [asked]"),
        (&[asked, one], &batches, "ask approval-required [asked]"),
        (&[asked, one], &files, "deny opaque []"),
        (&[asked, late], &batches, "deny tier-too-low [late]"),
        // A prohibition of the host holds for all of it, and one of an endpoint for what may carry it.
        (&[below, never], &files, "deny denied [never]"),
        (&[below, not_one], &batches, "deny denied [not-one]"),
        (&[below, not_one], &files, "allow - [below]"),
        (&[whole, not_one], &tunnel, "deny denied [not-one]"),
    ] {
        let rows: Vec<_> = clauses.iter().map(|clause| format!("- {clause}")).collect();
        let pact = pact(&format!("clauses:\n{}", rows.join("\n")));
        assert_eq!(
            said(&judge(&pact, action, TrustTier::Standard)),
            expected,
            "{clauses:?} {}",
            action.target
        );
        let agent = AgentId::new("refunds-eu").unwrap();
        let at = Timestamp::parse_rfc3339(WEDNESDAY).unwrap();
        let facts = Facts { agent: &agent, tier: TrustTier::Standard, at };
        let explained = explain(&pact, action, &facts);
        let matching = |c: &&ClauseExplanation| c.matches && Some(c.ruling) == Some(explained.verdict.ruling);
        let matching: Vec<_> = explained.clauses.iter().filter(matching).map(|c| c.id.clone()).collect();
        if explained.verdict.reason != Some(Reason::TierTooLow) {
            assert_eq!(matching, explained.verdict.clauses, "{clauses:?} {explained}");
        }
    }
}

#[test]
fn a_limit_on_a_host_counts_its_endpoints_too() {
    let pact = pact(
        "clauses:
- {id: one, allow: {opaque: a.example/v1/batches}}
limits:
- {id: host, on: {opaque: a.example}, rate: {standard: 1/min}}
- {id: other, on: {opaque: a.example/v1/files}, rate: {standard: 1/min}}",
    );
    let path = Some("/v1/batches".to_owned());
    let batches = action(Target::Opaque { host: "a.example".to_owned(), port: 443, path }, "{}");
    let found: Vec<_> = pact.limits_on(&batches).map(|limit| limit.id.to_string()).collect();
    assert_eq!(found, ["host"]);
}

#[test]
fn a_refused_agent_learns_what_it_may_do_instead() {
    let pact = load("refunds.yaml", REFUNDS).unwrap().pact;
    let agent = AgentId::new("refunds-eu").unwrap();
    let at = Timestamp::parse_rfc3339(WEDNESDAY).unwrap();
    let instead = |action: &Action| {
        allowed_instead(&pact, action, &Facts { agent: &agent, tier: TrustTier::Standard, at })
    };
    for (action, expected) in [
        (
            capability("payments.refund", "{amount: 5000, currency: EUR}"),
            Some(
                "`args.amount` at most 100; or `args.amount` more than 100 and at most 1000 and a person's approval",
            ),
        ),
        (model("openai/gpt-4o-mini", "{max_tokens: 5000}"), Some("`max_tokens` at most 4096")),
        (
            model("openai/gpt-5", "{max_tokens: 5}"),
            Some("model `openai/gpt-4o-mini` or `anthropic/claude-sonnet-*`"),
        ),
        (mcp("payments", "charge", "{}"), Some("tool `orders.get` or `orders.search` or `payments.refund`")),
        (http("DELETE", "api.shop.example", "/", "{}"), None),
        (http("GET", "api.shop.example", "/", "{}"), None),
    ] {
        assert_eq!(instead(&action).as_deref(), expected, "{}", action.target);
    }
}

#[test]
fn limits_are_found_for_the_actions_they_count() {
    let pact = load("refunds.yaml", REFUNDS).unwrap().pact;
    let on = |action: &Action| pact.limits_on(action).map(|limit| limit.id.to_string()).collect::<Vec<_>>();
    assert_eq!(on(&mcp("payments", "refund", "{}")), ["tool-rate"]);
    assert_eq!(on(&http("POST", "api.shop.example", "/v1/refunds", "{}")), ["tool-rate"]);
    assert_eq!(on(&http("GET", "api.shop.example", "/v1/refunds", "{}")), [""; 0]);
    let limit = pact.limits().first().unwrap();
    let rate = limit.rate_at(TrustTier::Probation).unwrap();
    assert_eq!((rate.count, rate.per.as_secs(), limit.burst), (30, 60, Some(20)));
    assert_eq!(limit.rate_at(TrustTier::Suspended), None);
}

#[test]
fn one_pact_enforces_and_any_number_observe() {
    let file = |name: &str, agents: &str, mode: &str| {
        let text = format!(
            "apiVersion: pactgate.dev/v1\nkind: Pact\nmetadata: {{name: {name}}}\nspec: {{agents: {agents}, mode: {mode}}}\n"
        );
        load(&format!("{name}.yaml"), &text).unwrap().pact
    };
    let set = PactSet::build(vec![
        file("a", "[refunds-*]", "enforce"),
        file("b", "['*']", "observe"),
        file("c", "[support, 'spiffe://corp/ns/*/sa/x']", "enforce"),
        file("d", "[refunds-eu, refunds-eu]", "observe"),
    ])
    .unwrap();
    let governing = |agent: &str| {
        let governing = set.governing(&AgentId::new(agent).unwrap());
        let name = |pact: &Arc<Pact>| pact.name().to_string();
        (
            governing.enforcing.map(name),
            governing.observing.into_iter().map(name).collect::<Vec<_>>().join(" "),
        )
    };
    assert_eq!(governing("refunds-eu"), (Some("a".to_owned()), "b d".to_owned()));
    assert_eq!(governing("support"), (Some("c".to_owned()), "b".to_owned()));
    assert_eq!(governing("spiffe://corp/ns/eu/sa/x"), (Some("c".to_owned()), "b".to_owned()));
    assert_eq!(governing("nobody"), (None, "b".to_owned()));
    let clash = PactSet::build(vec![file("a", "[refunds-*]", "enforce"), file("b", "['*-eu']", "enforce")]);
    let said = clash.unwrap_err().to_string();
    assert!(said.contains("`*-eu` is also governed by pact `a` in a.yaml, by `refunds-*`"), "{said}");
    let twins = PactSet::build(vec![file("a", "[x]", "enforce"), file("a", "[y]", "enforce")]);
    assert!(twins.unwrap_err().to_string().contains("pact `a` is also in a.yaml"));
}

fn spec_of(clauses: &[String]) -> String {
    format!("clauses:\n{}", clauses.concat())
}

fn clause() -> impl Strategy<Value = String> {
    let ruling = prop_oneof![Just("allow"), Just("ask"), Just("deny")];
    let tool = prop_oneof![Just("a.*"), Just("a.b"), Just("'*'"), Just("'*.b'"), Just("'**'")];
    let rest = prop_oneof![
        Just(""),
        Just(", where: {args.x: {max: 5}}"),
        Just(", where: {args.x: {above: 2}, args.y: {in: [p, q]}}"),
        Just(", when: 'args.x > 3'"),
        Just(", when: \"tier != 'standard' || args.x == 1\""),
    ];
    (ruling, tool, rest, any::<bool>()).prop_map(|(ruling, tool, rest, floor)| {
        let floor = if floor && ruling != "deny" { ", tier: standard" } else { "" };
        format!("{ruling}: {{tool: {tool}}}{rest}{floor}}}\n")
    })
}

proptest! {
    #[test]
    fn the_order_of_clauses_does_not_matter(
        clauses in prop::collection::vec(clause(), 1..8),
        seed in any::<u64>(),
        x in prop_oneof![Just("1"), Just("3"), Just("9"), Just("nine"), Just("null")],
        tier in prop::sample::select(TrustTier::ALL.to_vec()),
    ) {
        let named: Vec<String> =
            (0..).zip(&clauses).map(|(n, clause): (u32, _)| format!("- {{id: c{n}, {clause}")).collect();
        let mut shuffled = named.clone();
        shuffled.sort_by_key(|clause| Digest::of(format!("{seed}{clause}").as_bytes()));
        // A clause that another one shadows is a load error, and not what is tested here.
        let read = |clauses: &[String]| {
            let spec = spec_of(clauses).lines().map(|line| format!("  {line}\n")).collect::<String>();
            load("p", &format!("apiVersion: pactgate.dev/v1\nkind: Pact\nmetadata: {{name: p}}\nspec:\n  agents: [x]\n{spec}"))
        };
        let (Ok(one), Ok(other)) = (read(&named), read(&shuffled)) else { return Ok(()) };
        let action = capability("a.b", &format!("{{x: {x}, y: p}}"));
        let (one, other) = (judge(&one.pact, &action, tier), judge(&other.pact, &action, tier));
        let set = |verdict: &Verdict| {
            let mut ids = verdict.clauses.clone();
            ids.sort();
            ids
        };
        prop_assert_eq!(one.ruling, other.ruling);
        prop_assert_eq!(one.reason, other.reason);
        prop_assert_eq!(one.needs_tier, other.needs_tier);
        prop_assert_eq!(one.tier_mattered, other.tier_mattered);
        prop_assert_eq!(set(&one), set(&other));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,200}") {
        let _ = load("any", &text);
    }

    #[test]
    fn no_change_to_a_pact_makes_the_reader_panic(at in 0..REFUNDS.len(), cut in 0_usize..40, put in "[\\PC\n ]{0,8}") {
        let start = (0..=at).rev().find(|at| REFUNDS.is_char_boundary(*at)).unwrap_or(0);
        let end = (start + cut..REFUNDS.len()).find(|at| REFUNDS.is_char_boundary(*at)).unwrap_or(REFUNDS.len());
        let (before, after) = (REFUNDS.get(..start).unwrap(), REFUNDS.get(end..).unwrap());
        let text = [before, &put, after].concat();
        if let Err(found) = load("any", &text) {
            prop_assert!(found.has_errors());
            prop_assert!(!found.to_string().is_empty());
        }
    }
}

use crate::domain::Digest;

#[test]
fn numbers_of_a_pact_are_exact() {
    let pact =
        pact("clauses:\n- {id: a, allow: {tool: t}, where: {args.n: {max: 0.1000000000000000000001}}}");
    let n = |text: &str| capability("t", &format!("{{n: {text}}}"));
    assert_eq!(judge(&pact, &n("0.1000000000000000000001"), TrustTier::Standard).ruling, Ruling::Allow);
    assert_eq!(judge(&pact, &n("0.1000000000000000000002"), TrustTier::Standard).ruling, Ruling::Deny);
    assert_eq!(Decimal::parse("0.1000000000000000000001").unwrap().to_string(), "0.1000000000000000000001");
}
