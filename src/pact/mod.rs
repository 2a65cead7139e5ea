//! What an agent may do: load a pact, decide an action.

pub mod diagnostics;
pub mod document;
pub mod reader;
mod source;

mod load;

mod address;
mod condition;
mod constraint;
mod index;
mod limit;
mod pattern;
mod selector;
mod tools;

mod check;
mod compile;
mod terms;

mod decide;
mod explain;
mod instead;
mod schema;
mod set;

pub use address::opaque_pattern;
pub use condition::Condition;
pub use constraint::{Constraint, Field, Outcome, Test, Unknown};
pub use decide::{Facts, decide, may_ever};
pub use diagnostics::{Diagnostic, Diagnostics, Severity};
pub use explain::{ClauseExplanation, Explanation, explain};
pub use instead::allowed_instead;
pub use limit::{Limit, Rate};
pub use load::{Loaded, load};
pub use schema::schema;
pub use selector::Selector;
pub use set::{Governing, PactSet};
pub use terms::{Clause, Mode, Pact, Risk};

#[cfg(test)]
mod tests;
