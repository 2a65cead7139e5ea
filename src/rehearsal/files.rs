//! Pacts and their tests on disk.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::pact::Diagnostics;
use crate::pact::diagnostics::File;
use crate::pact::document::{self, FILE_BYTES_MAX};

/// Folders inside each other that are searched.
const DEPTH_MAX: usize = 16;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{}`", .path.display())]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system says.
    #[source]
    pub source: std::io::Error,
}

/// Reads a text file, of which no more is read than could be used.
///
/// # Errors
/// When it cannot be opened or read, or is not UTF-8.
pub fn read_file(path: &Path) -> Result<File, FileError> {
    let bounded = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(bounded).read_to_string(&mut text));
    read.map_err(|source| FileError { path: path.to_owned(), source })?;
    Ok(File::new(&path.display().to_string(), &text))
}

/// The files below `path` that end in `.yaml` or `.yml`, in order of their names; `path` itself when it is a file.
pub(super) fn yaml_below(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    collect(path, DEPTH_MAX, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), FileError> {
    let failed = |source| FileError { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        match path.is_dir() {
            // The target of a ConfigMap's files is such a folder; its files are found through their links.
            _ if hidden => {}
            true if depth > 0 => collect(&path, depth - 1, found)?,
            true => {}
            false if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") => {
                found.push(path)
            }
            false => {}
        }
    }
    Ok(())
}

/// Whether a file holds tests, by its name.
pub(super) fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(".test"))
}

/// The pacts at `path`: the file, or every file below the folder that says `kind: Pact`.
///
/// # Errors
/// When a file or folder cannot be read.
pub fn pacts_below(path: &Path) -> Result<Vec<File>, FileError> {
    let named = path.is_file();
    let mut pacts = Vec::new();
    for path in yaml_below(path)?.into_iter().filter(|path| named || !is_test(path)) {
        let file = read_file(&path)?;
        if named || is_pact(&file) {
            pacts.push(file);
        }
    }
    Ok(pacts)
}

/// A file that cannot be read as YAML may be a pact; its errors are told when it is loaded.
fn is_pact(file: &File) -> bool {
    let kind = document::read(file).map_err(Diagnostics::from);
    kind.map_or(true, |node| node.member("kind").and_then(|kind| kind.text()) == Some("Pact"))
}
