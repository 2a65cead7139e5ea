//! One binary, one subcommand per role.
