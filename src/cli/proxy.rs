//! `pactgate proxy`: runs the sidecar until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::sidecar::{self, Sidecar};
use crate::cli::{role, with_causes};
use crate::config;
use crate::domain::SystemClock;

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
    if !warnings.is_empty() {
        eprintln!("{warnings}");
    }
    if args.check {
        return check(&config);
    }
    role::run(&config.log.clone(), &environment, serve(args.config.clone(), config))
}

fn check(config: &config::Sidecar) -> ExitCode {
    print!("{}", config.print());
    match sidecar::check_pacts(config) {
        Ok(warnings) => {
            if !warnings.is_empty() {
                eprintln!("{warnings}");
            }
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{}", with_causes(&why));
            ExitCode::FAILURE
        }
    }
}

async fn serve(file: PathBuf, config: config::Sidecar) -> ExitCode {
    let sidecar = match Sidecar::start(Some(file), config, SystemClock::shared()) {
        Ok(sidecar) => sidecar,
        Err(why) => {
            tracing::error!("{}", with_causes(&why));
            return ExitCode::FAILURE;
        }
    };
    if !sidecar.warnings.is_empty() {
        tracing::warn!("{}", sidecar.warnings);
    }
    role::told_to_stop().await;
    role::tell(sidecar.stop().await);
    ExitCode::SUCCESS
}
