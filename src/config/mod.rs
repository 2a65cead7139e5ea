//! Config: files into the settings of the rooms, with every problem reported at once.

mod check;
#[cfg(feature = "plane")]
mod collector;
mod mask;
mod notes;
mod place;
mod print;
mod secret;
mod sidecar;
mod source;
mod units;
mod watch;

use std::path::Path;

#[cfg(feature = "plane")]
pub use collector::{Collector, Operator, SidecarAccess};
pub use place::{HostPort, WebAddress};
pub use secret::{Provided, SecretSource};
pub use sidecar::{
    Admin, Agent, Approvals, Bounds, Credential, Evidence, Interception, Link, Listener, ListenerMode,
    Sidecar, Sync, Timeouts, Trust, Upstream, WhenFull,
};
pub use watch::Watcher;

use crate::config::notes::Notes;
use crate::pact::diagnostics::Diagnostics;

/// Where environment variables come from: `&|name| std::env::var(name).ok()`, or a test's own table.
pub type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Reads and checks a sidecar's file, and what it refers to: secrets in the environment and in files.
///
/// # Errors
/// Everything that is wrong, at once, each with its place and what to write instead.
pub fn load_sidecar(path: &Path, env: &Environment<'_>) -> Result<(Sidecar, Diagnostics), Diagnostics> {
    let mut notes = Notes::open(path, env)?;
    let read = notes.read::<source::SidecarFile>();
    let checked = read.and_then(|file| check::sidecar(&file, &mut notes));
    notes.finish(checked)
}

/// Reads and checks a collector's file, and what it refers to.
///
/// # Errors
/// Everything that is wrong, at once, each with its place and what to write instead.
#[cfg(feature = "plane")]
pub fn load_collector(path: &Path, env: &Environment<'_>) -> Result<(Collector, Diagnostics), Diagnostics> {
    let mut notes = Notes::open(path, env)?;
    let read = notes.read::<source::CollectorFile>();
    let checked = read.and_then(|file| check::collector(&file, &mut notes));
    notes.finish(checked)
}

#[cfg(test)]
mod tests;
