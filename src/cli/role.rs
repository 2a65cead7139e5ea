//! What every role that serves has in common: a log, a runtime, and two signals that end it.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::config::Environment;
use crate::net::Drained;
use crate::pact::Diagnostics;
use crate::telemetry::{self, LogSettings};

/// Starts the log, then runs the role to its end.
pub(super) fn run<F>(log: &LogSettings, environment: &Environment<'_>, role: F) -> ExitCode
where
    F: Future<Output = ExitCode>,
{
    if let Err(why) = telemetry::start(log, environment) {
        eprintln!("error: {why}");
        return ExitCode::FAILURE;
    }
    on_runtime(role)
}

/// Runs a role that has its own way of telling what it does.
pub(super) fn on_runtime<F>(role: F) -> ExitCode
where
    F: Future<Output = ExitCode>,
{
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(role),
        Err(why) => {
            eprintln!("error: cannot start: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for SIGTERM or SIGINT.
pub(super) async fn told_to_stop() {
    let (Ok(mut term), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("cannot wait for signals: stopping");
        return;
    };
    tokio::select! {
        _ = term.recv() => tracing::info!("SIGTERM: draining"),
        _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
    }
}

/// Tells what the authors of files should know.
pub(super) fn warn(found: &Diagnostics) {
    if !found.is_empty() {
        tracing::warn!("{found}");
    }
}

/// Tells how the drain went.
pub(super) fn tell(drained: Drained) {
    match drained {
        Drained::Clean => tracing::info!("drained"),
        Drained::Cut { tasks } => {
            tracing::warn!(tasks, "the drain's deadline came before the last calls ended");
        }
    }
}
