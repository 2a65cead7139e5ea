//! Conditions of `when`: CEL, bounded in cost when the pact is loaded.

mod lint;
mod rewrite;
mod values;
mod vocabulary;

use std::sync::{Arc, LazyLock};

use cel::common::types::CelBool;
use cel::parser::PrattParser;
use cel::{Context, Env, ExecutionError, IdedExpr, Value};
use regex::Regex;

use crate::domain::{Action, ActionKind, AgentId, Json, Timestamp, TrustTier};

pub use lint::Finding;

/// The longest expression that is read, in bytes.
const EXPRESSION_BYTES_MAX: usize = 4096;

/// The standard library, built once: building it costs more than most evaluations.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(values::environment()));

/// A compiled expression.
#[derive(Debug)]
pub struct Condition {
    text: Box<str>,
    expression: IdedExpr,
    patterns: Vec<values::Pattern>,
    reads_tier: bool,
    reads_fields: bool,
}

/// What an expression may speak of.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Who acts.
    pub agent: &'a AgentId,
    /// How far the agent is trusted.
    pub tier: TrustTier,
    /// When.
    pub at: Timestamp,
    /// What is asked.
    pub action: &'a Action,
    /// The pact's name for the tool, where the action is one.
    pub capability: Option<&'a str>,
}

impl Condition {
    /// Reads an expression of a clause that speaks of `kind`.
    ///
    /// # Errors
    /// Everything that is wrong with it: syntax, unknown names, cost without bound, a result that is not true or false.
    pub fn compile(text: &str, kind: ActionKind) -> Result<Self, Vec<Finding>> {
        if text.len() > EXPRESSION_BYTES_MAX {
            let message = format!("the expression is longer than {EXPRESSION_BYTES_MAX} bytes");
            return Err(vec![Finding::new(None, message, "split it into several clauses")]);
        }
        let mut expression = PrattParser::new().parse(text).map_err(|errors| lint::syntax(text, &errors))?;
        let report = lint::check(&expression, text, kind);
        if !report.findings.is_empty() {
            return Err(report.findings);
        }
        let mut patterns = Vec::new();
        rewrite::rewrite(&mut expression, &mut patterns);
        let condition = Self {
            text: text.into(),
            expression,
            patterns,
            reads_tier: report.reads_tier,
            reads_fields: report.reads_fields,
        };
        if report.is_constant {
            return Err(vec![condition.as_constant()]);
        }
        Ok(condition)
    }

    /// An expression that reads nothing says the same of every call.
    fn as_constant(&self) -> Finding {
        let agent = AgentId::new("nobody");
        let target = crate::domain::Target::Opaque { host: String::new(), port: 0, path: None };
        let dialect = crate::domain::Dialect::Opaque;
        let action = Action { target, fields: Json::Null, dialect };
        let outcome = agent.map(|agent| {
            let (tier, at) = (TrustTier::Probation, Timestamp::default());
            self.evaluate(&Subject { agent: &agent, tier, at, action: &action, capability: None })
        });
        match outcome {
            Ok(Ok(true)) => Finding::new(None, "the expression is always true", "leave `when` out"),
            Ok(Ok(false)) => Finding::new(
                None,
                "the clause can never match: its expression is always false",
                "correct the expression, or remove the clause",
            ),
            _ => Finding::new(None, "the expression can never be evaluated", "correct the expression"),
        }
    }

    /// Whether the condition holds.
    ///
    /// # Errors
    /// When it cannot be evaluated, in words that hold no value from the call.
    pub fn evaluate(&self, subject: &Subject<'_>) -> Result<bool, String> {
        let resolver = values::Resolver { subject, patterns: &self.patterns };
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.set_variable_resolver(&resolver);
        match Value::resolve_val(&self.expression, &context) {
            Ok(value) => value.downcast_ref::<CelBool>().map(|b| *b.inner()).ok_or_else(|| {
                format!("`when` yields a {} where true or false is due", value.get_type().name())
            }),
            Err(error) => Err(self.describe(&error)),
        }
    }

    /// The expression as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether another tier could change its result.
    #[must_use]
    pub const fn reads_tier(&self) -> bool {
        self.reads_tier
    }

    /// Whether it reads the action's arguments or other fields.
    #[must_use]
    pub const fn reads_fields(&self) -> bool {
        self.reads_fields
    }

    /// What went wrong, without the values that were at hand: they come from the call and may be secret.
    fn describe(&self, error: &ExecutionError) -> String {
        match error {
            ExecutionError::NoSuchKey(key) if self.text.contains(key.as_str()) => {
                format!("`when` reads `{key}`, which is missing")
            }
            ExecutionError::NoSuchKey(_) => "`when` reads a field that is missing".to_owned(),
            ExecutionError::NoSuchOverload(_)
            | ExecutionError::ValuesNotComparable(..)
            | ExecutionError::UnexpectedType { .. }
            | ExecutionError::UnsupportedBinaryOperator(..) => {
                "`when` meets a value of a type that it does not speak of".to_owned()
            }
            ExecutionError::UndeclaredReference(name) => {
                format!("`when` reads `{name}`, which is not known here")
            }
            ExecutionError::IndexOutOfBounds(_) => "`when` reads past the end of a list".to_owned(),
            ExecutionError::FunctionError { function, .. } => format!("`{function}` fails in `when`"),
            ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
                "`when` divides by zero".to_owned()
            }
            ExecutionError::Overflow(..) => "a number in `when` grows too large".to_owned(),
            _ => "`when` cannot be evaluated".to_owned(),
        }
    }
}

/// Compiles a regular expression with bounded memory.
///
/// # Errors
/// What is wrong with it, in one line.
pub fn regex(text: &str) -> Result<Regex, String> {
    const BYTES_MAX: usize = 1 << 20;
    regex::RegexBuilder::new(text).size_limit(BYTES_MAX).dfa_size_limit(BYTES_MAX).build().map_err(|error| {
        let said = error.to_string();
        let last = said.lines().last().unwrap_or_default();
        last.trim_start_matches("error: ").to_owned()
    })
}

#[cfg(test)]
mod tests;
