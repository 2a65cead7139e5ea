//! `pactgate proxy`: runs the sidecar until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::sidecar::{self, Sidecar};
use crate::cli::{role, with_causes};
use crate::config;
use crate::domain::SystemClock;
use crate::pact::Diagnostics;

/// Arguments of `pactgate proxy`.
#[derive(Debug, clap::Args)]
pub struct ProxyArgs {
    /// The sidecar's configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Check the configuration and the pacts it names, print it as it takes effect, and stop.
    #[arg(long)]
    check: bool,
}

/// Reads the config, then serves until SIGTERM or SIGINT.
#[must_use]
pub fn run(args: &ProxyArgs) -> ExitCode {
    let environment = |name: &str| std::env::var(name).ok();
    let (config, warnings) = match config::load_sidecar(&args.config, &environment) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::FAILURE;
        }
    };
    // Before the log begins, since what is wrong in a file is shown as text, with its lines and carets.
    let pact_warnings = match sidecar::check_pacts(&config) {
        Ok(warnings) => warnings,
        Err(why) => {
            eprintln!("{}", with_causes(&why));
            return ExitCode::FAILURE;
        }
    };
    if args.check {
        for warnings in [&warnings, &pact_warnings].into_iter().filter(|found| !found.is_empty()) {
            eprintln!("{warnings}");
        }
        print!("{}", config.print());
        return ExitCode::SUCCESS;
    }
    role::run(&config.log.clone(), &environment, serve(args.config.clone(), config, warnings))
}

async fn serve(file: PathBuf, config: config::Sidecar, warnings: Diagnostics) -> ExitCode {
    role::warn(&warnings);
    let sidecar = match Sidecar::start(Some(file), config, SystemClock::shared()) {
        Ok(sidecar) => sidecar,
        Err(why) => {
            tracing::error!("{}", with_causes(&why));
            return ExitCode::FAILURE;
        }
    };
    role::warn(&sidecar.warnings);
    role::told_to_stop().await;
    role::tell(sidecar.stop().await);
    ExitCode::SUCCESS
}
