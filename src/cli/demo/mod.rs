//! The loop on loopback: what stands in for the outside world.

#[cfg(test)]
mod dial;
mod seen;
mod serve;
pub mod stand_in_mcp;
pub mod stand_in_model;

pub use seen::{Credential, SeenCall};
pub use serve::Handle;
