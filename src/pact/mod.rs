//! What an agent may do: load a pact, decide an action.

pub mod address;
pub mod condition;
pub mod constraint;
pub mod diagnostics;
pub mod document;
pub mod index;
pub mod pattern;
pub mod reader;
pub mod schema;
pub mod source;
