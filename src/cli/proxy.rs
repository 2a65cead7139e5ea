//! `pactgate proxy`: runs the sidecar until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::sidecar::{self, Sidecar};
use crate::cli::with_causes;
use crate::config;
use crate::domain::SystemClock;
use crate::net::Drained;
use crate::telemetry;

/// Arguments of `pactgate proxy`.
#[derive(Debug, clap::Args)]
pub struct ProxyArgs {
    /// The sidecar's configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Check the configuration and what it refers to, print it as it takes effect, and stop.
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
    if let Err(why) = telemetry::start(&config.log, &environment) {
        eprintln!("error: {why}");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => {
            eprintln!("error: cannot start: {why}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(serve(args.config.clone(), config))
}

fn check(config: &config::Sidecar) -> ExitCode {
    print!("{}", config.print());
    match sidecar::check_pacts(config) {
        Ok(warnings) if warnings.is_empty() => ExitCode::SUCCESS,
        Ok(warnings) => {
            eprintln!("{warnings}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{}", with_causes(&why));
            ExitCode::FAILURE
        }
    }
}

async fn serve(file: PathBuf, config: config::Sidecar) -> ExitCode {
    let (Ok(mut term), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        eprintln!("error: cannot wait for signals");
        return ExitCode::FAILURE;
    };
    let sidecar = match Sidecar::start(Some(file), config, SystemClock::shared()) {
        Ok(sidecar) => sidecar,
        Err(why) => {
            tracing::error!("{}", with_causes(&why));
            return ExitCode::FAILURE;
        }
    };
    tokio::select! {
        _ = term.recv() => tracing::info!("SIGTERM: draining"),
        _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
    }
    match sidecar.stop().await {
        Drained::Clean => tracing::info!("drained"),
        Drained::Cut { tasks } => tracing::warn!(tasks, "the drain's deadline came before the last calls ended"),
    }
    ExitCode::SUCCESS
}
