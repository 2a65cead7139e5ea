//! What an expression may not do: name unknown things, cost without bound, or yield anything but true or false.

use std::sync::Arc;

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr, operators};
use cel::parser::PrattParser;
use cel::{Context, IdedExpr, ParseErrors, Value};

use crate::domain::ActionKind;
use crate::pact::condition::vocabulary::{FUNCTIONS, TYPES, VARIABLES, action_members, closed};
use crate::pact::condition::{ENV, regex};
use crate::pact::reader::nearest;

const ORDERINGS: &[&str] =
    &[operators::LESS, operators::LESS_EQUALS, operators::GREATER, operators::GREATER_EQUALS];

/// Operators inside each other: each costs stack when the expression is evaluated.
const DEPTH_MAX: usize = 64;
/// Names, constants and operators in one expression.
const NODES_MAX: usize = 512;

/// One thing that is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where, in bytes from the start of the expression; `None` for all of it.
    pub at: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

impl Finding {
    pub(super) fn new(at: Option<usize>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { at, message: message.into(), remedy: remedy.into() }
    }
}

/// What the check found out.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) findings: Vec<Finding>,
    pub(super) reads_tier: bool,
    pub(super) reads_fields: bool,
    pub(super) is_constant: bool,
}

/// The parser's errors as findings.
pub(super) fn syntax(text: &str, errors: &ParseErrors) -> Vec<Finding> {
    let offset = |(line, column): (isize, isize)| {
        let skipped = usize::try_from(line - 1).ok()?;
        let before: usize = text.split_inclusive('\n').take(skipped).map(str::len).sum();
        Some((before + usize::try_from(column - 1).ok()?).min(text.len()))
    };
    let finding = |error: &cel::ParseError| {
        let said = error.msg.lines().next().unwrap_or_default();
        let said = match said.strip_prefix("Syntax error: ").unwrap_or(said) {
            said if said.contains("'<EOF>'") => "it ends where more is due",
            said => said.split(" expecting ").next().unwrap_or(said),
        };
        Finding::new(
            offset(error.pos),
            format!("not a CEL expression: {said}"),
            "correct the expression here",
        )
    };
    errors.errors.iter().take(3).map(finding).collect()
}

/// Checks an expression of a clause that speaks of `kind`.
pub(super) fn check(expression: &IdedExpr, text: &str, kind: ActionKind) -> Report {
    let mut lint = Lint {
        text,
        kind,
        report: Report::default(),
        scope: Vec::new(),
        iterations: 0,
        variables: 0,
        nodes: 0,
        depth: 0,
    };
    lint.expression(expression);
    if lint.nodes > NODES_MAX {
        lint.find("", format!("the expression has more than {NODES_MAX} parts"), "split the clause");
    }
    if yields_other(&expression.expr) {
        lint.find("", "the expression does not yield true or false", "compare the value with something");
    }
    lint.report.is_constant = lint.variables == 0;
    lint.report
}

struct Lint<'a> {
    text: &'a str,
    kind: ActionKind,
    report: Report,
    scope: Vec<&'a str>,
    iterations: usize,
    variables: usize,
    nodes: usize,
    depth: usize,
}

impl<'a> Lint<'a> {
    /// Notes a finding, at the place of `word` where the expression has it.
    fn find(&mut self, word: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let offset = place_of(word, self.text);
        let finding = Finding::new(offset, message, remedy);
        if !self.report.findings.contains(&finding) {
            self.report.findings.push(finding);
        }
    }

    fn expression(&mut self, at: &'a IdedExpr) {
        self.nodes += 1;
        if self.depth == DEPTH_MAX {
            self.find("", format!("the expression nests deeper than {DEPTH_MAX}"), "split the clause");
            return;
        }
        self.depth += 1;
        self.parts(at);
        self.depth -= 1;
    }

    fn parts(&mut self, at: &'a IdedExpr) {
        match &at.expr {
            Expr::Ident(name) => self.identifier(name),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::List(list) => list.elements.iter().for_each(|item| self.expression(item)),
            Expr::Map(map) => {
                self.find("{", "a mapping in an expression is not read", "compare single fields");
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.expression(&entry.key);
                        self.expression(&entry.value);
                    }
                }
            }
            Expr::Struct(_) => self.find("{", "an expression builds no messages", "compare single fields"),
            Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    fn identifier(&mut self, name: &'a str) {
        if name.starts_with('@') || self.scope.contains(&name) || TYPES.contains(&name) {
            return;
        }
        self.variables += 1;
        match name {
            "tier" => self.report.reads_tier = true,
            "args" => {
                self.report.reads_fields = true;
                if !matches!(self.kind, ActionKind::Tool | ActionKind::Http | ActionKind::Prompt) {
                    let message = format!("{} actions have no `args`", self.kind.name());
                    self.find(name, message, "read `action.fields`, or use `where`");
                }
            }
            "usage" => self.find(name, "`usage` is not known to expressions yet", "use `limits`"),
            _ if VARIABLES.contains(&name) => {}
            _ => self.find(name, format!("unknown variable `{name}`"), nearest(name, VARIABLES)),
        }
    }

    fn select(&mut self, select: &'a SelectExpr) {
        if matches!(&select.operand.expr, Expr::Ident(name) if name == "action") {
            let known = action_members(self.kind);
            self.report.reads_fields |= select.field == "fields";
            if !known.contains(&select.field.as_str()) {
                let message = format!("{} actions have no `action.{}`", self.kind.name(), select.field);
                self.find(&select.field, message, nearest(&select.field, known));
            }
        }
        self.expression(&select.operand);
    }

    fn call(&mut self, call: &'a CallExpr) {
        let name = call.func_name.as_str();
        if !is_operator(name) && !FUNCTIONS.contains(&name) {
            self.find(name, format!("unknown function `{name}`"), nearest(name, FUNCTIONS));
        }
        let is_tier = |arg: &IdedExpr| matches!(&arg.expr, Expr::Ident(name) if name == "tier");
        if ORDERINGS.contains(&name) && call.args.iter().any(is_tier) {
            let remedy = "give the clause a `tier`, or compare with `==` or `in`";
            self.find("tier", "tiers are compared as text here, by the alphabet", remedy);
        }
        match name {
            "matches" => self.pattern(call),
            operators::EQUALS | operators::NOT_EQUALS | operators::IN => self.closed_set(call),
            operators::INDEX => {}
            _ if name.starts_with("get") => self.time_zone(call),
            _ => {}
        }
        if name == operators::IN && self.iterations > 0 && !is_literal_list(call.args.get(1)) {
            self.find("in", "a search within an iteration has no bound on its cost", "search a written list");
        }
        call.target.iter().for_each(|target| self.expression(target));
        call.args.iter().for_each(|arg| self.expression(arg));
    }

    fn pattern(&mut self, call: &'a CallExpr) {
        match call.args.last().map(|arg| &arg.expr) {
            Some(Expr::Literal(LiteralValue::String(text))) => {
                if let Err(said) = regex(text.inner()) {
                    self.find("matches", format!("not a regular expression: {said}"), "correct the pattern");
                }
            }
            _ => self.find(
                "matches",
                "`matches` takes a written pattern only",
                "write the pattern as text in quotes",
            ),
        }
    }

    fn time_zone(&mut self, call: &'a CallExpr) {
        if let Some(Expr::Literal(LiteralValue::String(zone))) = call.args.first().map(|arg| &arg.expr)
            && !is_time_zone(zone.inner())
        {
            let message = format!("unknown time zone `{}`", zone.inner());
            self.find(zone.inner(), message, "write a name of the IANA database, such as `Europe/Berlin`");
        }
    }

    /// A comparison with a word that its set does not have can never hold.
    fn closed_set(&mut self, call: &'a CallExpr) {
        let [a, b] = call.args.as_slice() else { return };
        let Some((set, other)) = closed(a).map(|set| (set, b)).or_else(|| closed(b).map(|set| (set, a)))
        else {
            return;
        };
        let words: &[IdedExpr] = match &other.expr {
            Expr::List(list) => &list.elements,
            _ => std::slice::from_ref(other),
        };
        for word in words {
            if let Expr::Literal(LiteralValue::String(text)) = &word.expr
                && !set.1.contains(&text.inner())
            {
                let message = format!("unknown {} `{}`", set.0, text.inner());
                self.find(text.inner(), message, nearest(text.inner(), &set.1));
            }
        }
    }

    fn comprehension(&mut self, inner: &'a ComprehensionExpr) {
        if self.iterations > 0 {
            let remedy = "split it into two clauses";
            self.find(&inner.iter_var, "an iteration within an iteration has no bound on its cost", remedy);
        }
        self.expression(&inner.iter_range);
        self.scope.push(&inner.iter_var);
        self.iterations += 1;
        for part in [&inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result] {
            self.expression(part);
        }
        self.iterations -= 1;
        self.scope.pop();
    }
}

/// Where a word stands in an expression, as a whole word; nowhere for the empty one.
fn place_of(word: &str, text: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let is_whole = |at: usize| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    };
    let mut places = text.match_indices(word).map(|(at, _)| at);
    if word.is_empty() { None } else { places.find(|at| is_whole(*at)) }
}

fn is_operator(name: &str) -> bool {
    name.starts_with(['_', '!', '-', '@'])
}

fn is_literal_list(at: Option<&IdedExpr>) -> bool {
    matches!(at.map(|at| &at.expr), Some(Expr::List(list)) if list.elements.iter().all(|item| matches!(item.expr, Expr::Literal(_))))
}

/// Whether the library knows the zone: the answer of the very function that will be asked.
fn is_time_zone(zone: &str) -> bool {
    let quoted = zone.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+' | ':'));
    let text = format!("timestamp('2026-01-01T00:00:00Z').getHours('{zone}') >= 0");
    let context = Context::with_env(Arc::clone(&ENV));
    quoted && PrattParser::new().parse(&text).is_ok_and(|asked| Value::resolve_val(&asked, &context).is_ok())
}

/// Whether an expression surely yields something else than true or false.
fn yields_other(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(LiteralValue::Boolean(_)) => false,
        Expr::Literal(_) | Expr::List(_) | Expr::Map(_) | Expr::Struct(_) => true,
        Expr::Call(call) => match call.func_name.as_str() {
            operators::CONDITIONAL => call.args.iter().skip(1).any(|arm| yields_other(&arm.expr)),
            operators::ADD
            | operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::NEGATE
            | "double"
            | "duration"
            | "int"
            | "size"
            | "string"
            | "timestamp"
            | "type"
            | "uint" => true,
            name => name.starts_with("get"),
        },
        Expr::Ident(name) => VARIABLES.contains(&name.as_str()),
        Expr::Comprehension(inner) => matches!(inner.accu_init.expr, Expr::List(_)),
        Expr::Select(_) | Expr::Unspecified => false,
    }
}
