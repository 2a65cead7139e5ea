//! One binary, one subcommand per role.

pub mod ca;
#[cfg(feature = "plane")]
pub mod collector;
#[cfg(feature = "plane")]
pub mod demo;
pub mod pact;
pub mod proxy;
mod role;
pub mod sidecar;
pub mod status;
pub mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::net;

/// Pactgate holds AI agents to their pacts, and proves what they did.
#[derive(Debug, Parser)]
#[command(name = "pactgate", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// The whole loop in one process, on loopback, with a scripted agent.
    #[cfg(feature = "plane")]
    Demo(demo::DemoArgs),
    /// The sidecar: stands between an agent and everything it calls.
    Proxy(proxy::ProxyArgs),
    /// The collector: takes evidence in, sends tiers out.
    #[cfg(feature = "plane")]
    Collector(collector::CollectorArgs),
    /// Check, explain and test pacts.
    #[command(subcommand)]
    Pact(pact::PactCommand),
    /// The interception authority.
    #[command(subcommand)]
    Ca(ca::Command),
    /// What a running sidecar does.
    Status(status::StatusArgs),
    /// What MCP tools said of themselves first, and which have changed.
    #[command(subcommand)]
    Tools(tools::ToolsCommand),
}

/// An error and everything behind it, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(why) = cause {
        text.push_str(": ");
        text.push_str(&why.to_string());
        cause = why.source();
    }
    text
}

/// Runs what the command line asks for.
#[must_use]
pub fn run() -> ExitCode {
    net::install_crypto_provider();
    match Cli::parse().role {
        #[cfg(feature = "plane")]
        Role::Demo(args) => demo::run(&args),
        Role::Proxy(args) => proxy::run(&args),
        #[cfg(feature = "plane")]
        Role::Collector(args) => collector::run(&args),
        Role::Pact(command) => pact::run(command),
        Role::Ca(command) => ca::run(command),
        Role::Status(args) => status::run(args),
        Role::Tools(command) => tools::run(command),
    }
}
