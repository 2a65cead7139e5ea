//! One binary, one subcommand per role.

pub mod ca;
#[cfg(feature = "plane")]
pub mod collector;
