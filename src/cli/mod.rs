//! One binary, one subcommand per role.

pub mod ca;
