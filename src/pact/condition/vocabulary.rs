//! The words that expressions may use.

use cel::IdedExpr;
use cel::common::ast::Expr;

use crate::domain::{ActionKind, Dialect, TrustTier};

/// The variables.
pub(super) const VARIABLES: &[&str] = &["agent", "tier", "action", "args", "now", "usage"];
/// The names of types, for `type(x) == int`.
pub(super) const TYPES: &[&str] =
    &["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];
/// The functions, other than operators.
pub(super) const FUNCTIONS: &[&str] = &[
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

/// What a set of words is called, and the words.
pub(super) type ClosedSet = (&'static str, Vec<&'static str>);

/// The set that an expression's values are of, where it is a closed one.
pub(super) fn closed(at: &IdedExpr) -> Option<ClosedSet> {
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

/// The members of `action`, in clauses of a kind.
pub(super) const fn action_members(kind: ActionKind) -> &'static [&'static str] {
    match kind {
        ActionKind::Model => &["kind", "name", "dialect", "fields", "provider", "model"],
        ActionKind::HostedTool => &["kind", "name", "dialect", "fields", "provider"],
        ActionKind::Resource => &["kind", "name", "dialect", "fields", "server", "uri"],
        ActionKind::Prompt => &["kind", "name", "dialect", "fields", "server"],
        ActionKind::Agent => &["kind", "name", "dialect", "fields", "peer", "skill"],
        ActionKind::Http => {
            &["kind", "name", "dialect", "fields", "method", "scheme", "host", "port", "path"]
        }
        ActionKind::Opaque => &["kind", "name", "dialect", "fields", "host", "port", "path"],
        ActionKind::Tool | ActionKind::Protocol => &["kind", "name", "dialect", "fields"],
    }
}
