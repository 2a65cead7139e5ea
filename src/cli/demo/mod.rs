//! The whole loop in one process, on loopback: what stands in for the outside world, and a story told on it.

mod agent;
#[cfg(test)]
mod dial;
mod seen;
mod serve;
mod stage;
pub mod stand_in_mcp;
pub mod stand_in_model;
mod story;
mod voice;

use std::process::ExitCode;

pub use seen::{Credential, SeenCall};
pub use serve::Handle;

use crate::cli::demo::agent::Mishap;
use crate::cli::demo::stage::Stage;
use crate::cli::demo::voice::Voice;
use crate::cli::role;

/// Arguments of `pactgate demo`.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// End after the story instead of staying up; exit with an error if a step did not go as told.
    #[arg(long)]
    once: bool,
}

/// Starts everything, tells the story, and stays up.
#[must_use]
pub fn run(args: &DemoArgs) -> ExitCode {
    role::on_runtime(perform(args.once))
}

async fn perform(once: bool) -> ExitCode {
    let mut voice = Voice::new();
    let stage = match Stage::set().await {
        Ok(stage) => stage,
        Err(mishap) => return complain(&mishap),
    };
    voice.say(
        "A collector, a sidecar, a stand-in model API and a stand-in MCP server are up, on loopback only:",
    );
    voice.show(&stage.addresses());
    if let [first, rest @ ..] = stage.moved().as_slice() {
        let others: String = rest.iter().map(|port| format!(", {port}")).collect();
        voice.say(&format!("Taken by others, so these have other ports than usual: {first}{others}."));
    }
    let told = story::tell(&mut stage.cast(), &mut voice).await;
    let code = match &told {
        Ok(()) => ExitCode::SUCCESS,
        Err(mishap) => complain(mishap),
    };
    if !once && told.is_ok() {
        voice.stay(&stage.commands(), &stage.addresses());
        role::told_to_stop().await;
    }
    stage.strike().await;
    code
}

fn complain(mishap: &Mishap) -> ExitCode {
    eprintln!("the demo did not go as told: {mishap}");
    ExitCode::FAILURE
}
