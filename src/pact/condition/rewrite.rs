//! What is changed in an expression before it is evaluated.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

use crate::pact::condition::{regex, values};

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
