//! What an expression may not do: name unknown things, cost without bound, or yield anything but true or false.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr, SourceInfo, operators,
};
use cel::{IdedExpr, ParseErrors};

use crate::domain::{ActionKind, Dialect, TrustTier};
use crate::pact::condition::{regex, values};
use crate::pact::reader::nearest;

const VARIABLES: &[&str] = &["agent", "tier", "action", "args", "now", "usage"];
const TYPES: &[&str] = &["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];
const FUNCTIONS: &[&str] = &[
    "bool",
    "contains",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "int",
    "matches",
    "size",
    "startsWith",
    "string",
    "timestamp",
    "type",
    "uint",
];
const ORDERINGS: &[&str] =
    &[operators::LESS, operators::LESS_EQUALS, operators::GREATER, operators::GREATER_EQUALS];
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
pub(super) fn check(expression: &IdedExpr, source: &SourceInfo, kind: ActionKind) -> Report {
    let mut lint = Lint {
        source,
        kind,
        report: Report::default(),
        scope: Vec::new(),
        iterations: 0,
        nodes: 0,
        variables: 0,
    };
    lint.expression(expression);
    if lint.nodes > NODES_MAX {
        lint.find(expression, format!("the expression has more than {NODES_MAX} parts"), "split the clause");
    }
    if yields_other(&expression.expr) {
        lint.find(
            expression,
            "the expression does not yield true or false",
            "compare the value with something",
        );
    }
    lint.report.is_constant = lint.variables == 0;
    lint.report
}

struct Lint<'a> {
    source: &'a SourceInfo,
    kind: ActionKind,
    report: Report,
    scope: Vec<&'a str>,
    iterations: usize,
    nodes: usize,
    variables: usize,
}

impl<'a> Lint<'a> {
    fn find(&mut self, at: &IdedExpr, message: impl Into<String>, remedy: impl Into<String>) {
        let offset = self.source.offset_for(at.id).and_then(|(start, _)| {
            let characters = usize::try_from(start).ok()?;
            let byte = self.source.source.char_indices().nth(characters).map(|(at, _)| at);
            Some(byte.unwrap_or(self.source.source.len()))
        });
        let finding = Finding::new(offset, message, remedy);
        if !self.report.findings.contains(&finding) {
            self.report.findings.push(finding);
        }
    }

    fn expression(&mut self, at: &'a IdedExpr) {
        self.nodes += 1;
        match &at.expr {
            Expr::Ident(name) => self.identifier(at, name),
            Expr::Select(select) => self.select(at, select),
            Expr::Call(call) => self.call(at, call),
            Expr::Comprehension(comprehension) => self.comprehension(at, comprehension),
            Expr::List(list) => list.elements.iter().for_each(|item| self.expression(item)),
            Expr::Map(map) => {
                self.find(at, "a mapping in an expression is not read", "compare single fields");
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.expression(&entry.key);
                        self.expression(&entry.value);
                    }
                }
            }
            Expr::Struct(_) => self.find(at, "an expression builds no messages", "compare single fields"),
            Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    fn identifier(&mut self, at: &'a IdedExpr, name: &'a str) {
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
                    self.find(at, message, "read `action.fields`, or use `where`");
                }
            }
            "usage" => self.find(at, "`usage` is not known to expressions yet", "use `limits`"),
            _ if VARIABLES.contains(&name) => {}
            _ => self.find(at, format!("unknown variable `{name}`"), nearest(name, VARIABLES)),
        }
    }

    fn select(&mut self, at: &'a IdedExpr, select: &'a SelectExpr) {
        if matches!(&select.operand.expr, Expr::Ident(name) if name == "action") {
            let known = action_members(self.kind);
            self.report.reads_fields |= select.field == "fields";
            if !known.contains(&select.field.as_str()) {
                let message = format!("{} actions have no `action.{}`", self.kind.name(), select.field);
                self.find(at, message, nearest(&select.field, known));
            }
        }
        self.expression(&select.operand);
    }

    fn call(&mut self, at: &'a IdedExpr, call: &'a CallExpr) {
        let name = call.func_name.as_str();
        if !is_operator(name) && !FUNCTIONS.contains(&name) {
            self.find(at, format!("unknown function `{name}`"), nearest(name, FUNCTIONS));
        }
        let is_tier = |arg: &IdedExpr| matches!(&arg.expr, Expr::Ident(name) if name == "tier");
        if ORDERINGS.contains(&name) && call.args.iter().any(is_tier) {
            let remedy = "give the clause a `tier`, or compare with `==` or `in`";
            self.find(at, "tiers are compared as text here, by the alphabet", remedy);
        }
        match name {
            "matches" => self.pattern(at, call),
            operators::EQUALS | operators::NOT_EQUALS | operators::IN => self.closed_set(call),
            operators::INDEX => {}
            _ if name.starts_with("get") => self.time_zone(at, call),
            _ => {}
        }
        if name == operators::IN && self.iterations > 0 && !is_literal_list(call.args.get(1)) {
            self.find(at, "a search within an iteration has no bound on its cost", "search a written list");
        }
        call.target.iter().for_each(|target| self.expression(target));
        call.args.iter().for_each(|arg| self.expression(arg));
    }

    fn pattern(&mut self, at: &'a IdedExpr, call: &'a CallExpr) {
        match call.args.last().map(|arg| &arg.expr) {
            Some(Expr::Literal(LiteralValue::String(text))) => {
                if let Err(said) = regex(text.inner()) {
                    self.find(at, format!("not a regular expression: {said}"), "correct the pattern");
                }
            }
            _ => {
                self.find(at, "`matches` takes a written pattern only", "write the pattern as text in quotes")
            }
        }
    }

    fn time_zone(&mut self, at: &'a IdedExpr, call: &'a CallExpr) {
        if let Some(Expr::Literal(LiteralValue::String(zone))) = call.args.first().map(|arg| &arg.expr)
            && !is_time_zone(zone.inner())
        {
            let message = format!("unknown time zone `{}`", zone.inner());
            self.find(at, message, "write a name of the IANA database, such as `Europe/Berlin`");
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
                self.find(
                    word,
                    format!("unknown {} `{}`", set.0, text.inner()),
                    nearest(text.inner(), &set.1),
                );
            }
        }
    }

    fn comprehension(&mut self, at: &'a IdedExpr, inner: &'a ComprehensionExpr) {
        if self.iterations > 0 {
            self.find(
                at,
                "an iteration within an iteration has no bound on its cost",
                "split it into two clauses",
            );
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

type ClosedSet = (&'static str, Vec<&'static str>);

fn closed(at: &IdedExpr) -> Option<ClosedSet> {
    let is_action = |operand: &IdedExpr| matches!(&operand.expr, Expr::Ident(name) if name == "action");
    match &at.expr {
        Expr::Ident(name) if name == "tier" => Some(("tier", TrustTier::ALL.map(TrustTier::name).to_vec())),
        Expr::Select(select) if is_action(&select.operand) => match select.field.as_str() {
            "dialect" => Some(("dialect", Dialect::ALL.map(Dialect::name).to_vec())),
            "kind" => Some(("kind of action", KINDS.map(ActionKind::name).to_vec())),
            _ => None,
        },
        _ => None,
    }
}

const KINDS: [ActionKind; 8] = [
    ActionKind::Model,
    ActionKind::Tool,
    ActionKind::HostedTool,
    ActionKind::Resource,
    ActionKind::Prompt,
    ActionKind::Agent,
    ActionKind::Http,
    ActionKind::Opaque,
];

const fn action_members(kind: ActionKind) -> &'static [&'static str] {
    match kind {
        ActionKind::Model => &["kind", "name", "dialect", "fields", "provider", "model"],
        ActionKind::HostedTool => &["kind", "name", "dialect", "fields", "provider"],
        ActionKind::Resource => &["kind", "name", "dialect", "fields", "server", "uri"],
        ActionKind::Prompt => &["kind", "name", "dialect", "fields", "server"],
        ActionKind::Agent => &["kind", "name", "dialect", "fields", "peer", "skill"],
        ActionKind::Http => {
            &["kind", "name", "dialect", "fields", "method", "scheme", "host", "port", "path"]
        }
        ActionKind::Opaque => &["kind", "name", "dialect", "fields", "host", "port"],
        ActionKind::Tool | ActionKind::Protocol => &["kind", "name", "dialect", "fields"],
    }
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
    let context = cel::Context::with_env(std::sync::Arc::clone(&super::ENV));
    quoted && super::ENV.compile(&text).is_ok_and(|program| program.execute(&context).is_ok())
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

/// Replaces comparisons by strict ones, and written patterns by compiled ones.
pub(super) fn rewrite(at: &mut IdedExpr, patterns: &mut Vec<values::Pattern>) {
    match &mut at.expr {
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|target| rewrite(target, patterns));
            call.args.iter_mut().for_each(|arg| rewrite(arg, patterns));
            match call.func_name.as_str() {
                operators::EQUALS => call.func_name = values::EQUALS.to_owned(),
                operators::NOT_EQUALS => call.func_name = values::DIFFERS.to_owned(),
                operators::IN => call.func_name = values::AMONG.to_owned(),
                "matches" => compile_pattern(call, patterns),
                _ => {}
            }
        }
        Expr::Select(select) => rewrite(&mut select.operand, patterns),
        Expr::List(list) => list.elements.iter_mut().for_each(|item| rewrite(item, patterns)),
        Expr::Comprehension(inner) => {
            // The parts that the macro itself wrote compare nothing of the author's.
            rewrite(&mut inner.iter_range, patterns);
            rewrite(&mut inner.loop_step, patterns);
        }
        _ => {}
    }
}

fn compile_pattern(call: &mut CallExpr, patterns: &mut Vec<values::Pattern>) {
    let Some(last) = call.args.last_mut() else { return };
    if let Expr::Literal(LiteralValue::String(text)) = &last.expr
        && let Ok(regex) = regex(text.inner())
    {
        last.expr = Expr::Ident(format!("{}{}", values::PATTERN, patterns.len()));
        patterns.push(values::Pattern(regex));
    }
}
