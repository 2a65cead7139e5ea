//! Pact files, from disk to the judge.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config;
use crate::domain::{ClauseId, PactName};
use crate::pact::{self, Diagnostics, PactSet};
use crate::telemetry::Metrics;

/// Folders inside folders that are still looked into.
const DEPTH_MAX: usize = 8;
/// Files that are read at the most.
const FILES_MAX: usize = 1_024;

/// Why the pacts cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum PactsError {
    /// A file or folder cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unread {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// Too many files, or folders too deep.
    #[error("more than {FILES_MAX} pact files, or folders more than {DEPTH_MAX} deep, below `{}`", path.display())]
    TooMany {
        /// Where.
        path: PathBuf,
    },
    /// Pacts are wrong; everything that is wrong, at once.
    #[error("{0}")]
    Wrong(Diagnostics),
}

/// The pacts below these files and folders, and what their authors should know.
///
/// # Errors
/// Where one of them cannot be read or is wrong: then none is in force.
pub fn load(paths: &[PathBuf]) -> Result<(PactSet, Diagnostics), PactsError> {
    let mut files = Vec::new();
    for path in paths {
        gather(path, 0, &mut files)?;
    }
    let mut pacts = Vec::new();
    let mut warnings = Diagnostics::default();
    let mut errors = Diagnostics::default();
    for file in &files {
        let text = fs::read_to_string(file).map_err(|why| PactsError::Unread { path: file.clone(), why })?;
        match pact::load(&file.display().to_string(), &text) {
            Ok(loaded) => {
                warnings.extend(loaded.warnings);
                pacts.push(loaded.pact);
            }
            Err(wrong) => errors.extend(wrong),
        }
    }
    if !errors.is_empty() {
        return Err(PactsError::Wrong(errors));
    }
    let set = PactSet::build(pacts).map_err(PactsError::Wrong)?;
    Ok((set, warnings))
}

/// Whether the pacts of a config could be put in force, and what their authors should know.
///
/// # Errors
/// Where one of them cannot be read or is wrong.
pub fn check(config: &config::Sidecar) -> Result<Diagnostics, PactsError> {
    load(&config.pacts).map(|(_, warnings)| warnings)
}

/// Makes the names of pacts and clauses labels of metrics.
pub fn introduce(pacts: &PactSet, metrics: &Metrics) {
    let names: Vec<(&PactName, Vec<&ClauseId>)> = pacts
        .iter()
        .map(|pact| (pact.name(), pact.clauses().iter().map(|clause| &clause.id).collect()))
        .collect();
    metrics.know_pacts(names);
}

/// Pact files are `*.yaml` and `*.yml`; tests of pacts lie beside them. Names that begin with a dot are the
/// bookkeeping of ConfigMap mounts, whose files stand in the folder itself as links.
fn gather(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), PactsError> {
    let unread = |why| PactsError::Unread { path: path.to_owned(), why };
    if depth > DEPTH_MAX || files.len() > FILES_MAX {
        return Err(PactsError::TooMany { path: path.to_owned() });
    }
    if !fs::metadata(path).map_err(unread)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut below = Vec::new();
    for entry in fs::read_dir(path).map_err(unread)? {
        below.push(entry.map_err(unread)?.path());
    }
    below.sort();
    for path in below {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_pact = (name.ends_with(".yaml") || name.ends_with(".yml")) && !name.contains(".test.");
        if !name.starts_with('.') && (is_pact || path.is_dir()) {
            gather(&path, depth + 1, files)?;
        }
    }
    Ok(())
}
