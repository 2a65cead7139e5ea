//! What each MCP tool said of itself when it was first seen, and whether it says something else now.
//!
//! A tool's definition is what a model reads before it calls the tool; a server that changes it behind a person's back
//! changes what calls of it mean. The first definition that an agent may see is pinned by its digest. Another one
//! counts as a change until somebody accepts it, also when the server goes back to the first.

mod keeper;
mod saved;
mod table;

pub use table::{AcceptError, Notice, Pin, Pins, Seen};

#[cfg(test)]
mod tests;
