//! `pactgate status`: what a running sidecar says of itself.

pub(super) mod fetch;
mod screen;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::status::fetch::Unread;

/// Shows the state of a running sidecar: its pacts, its agents' tiers, limits, records and open questions.
#[derive(Clone, Debug, clap::Args)]
pub struct StatusArgs {
    /// The sidecar's admin socket, `admin.socket` in its configuration.
    #[arg(long, value_name = "PATH", default_value = "/var/lib/pactgate/admin.sock")]
    socket: PathBuf,
    /// Print the page as JSON.
    #[arg(long)]
    json: bool,
}

/// Reads the admin socket and prints one screen. The exit code is 1 when there is nothing to show.
#[must_use]
pub fn run(args: StatusArgs) -> ExitCode {
    let shown = match show(&args) {
        Ok(shown) => shown,
        Err(why) => {
            // Nobody is left to tell when this cannot be written.
            let _ = writeln!(std::io::stderr(), "error: {why}");
            return ExitCode::FAILURE;
        }
    };
    // A reader that had enough, such as `head`, is no failure.
    let _ = std::io::stdout().write_all(shown.as_bytes());
    ExitCode::SUCCESS
}

fn show(args: &StatusArgs) -> Result<String, Unread> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let bytes = runtime.map_err(Unread::Runtime)?.block_on(fetch::status(&args.socket))?;
    let garbled = |_| Unread::Garbled { path: args.socket.clone() };
    if args.json {
        let page: serde_json::Value = serde_json::from_slice(&bytes).map_err(garbled)?;
        return Ok(format!("{page:#}\n"));
    }
    Ok(screen::render(&serde_json::from_slice(&bytes).map_err(garbled)?))
}

#[cfg(test)]
mod tests;
