//! Text in, pact out, or everything that is wrong with it.

use crate::pact::check;
use crate::pact::compile::{self, Notes};
use crate::pact::diagnostics::{Diagnostics, File};
use crate::pact::document;
use crate::pact::reader;
use crate::pact::source::PactFile;
use crate::pact::terms::Pact;

/// A pact that can be used, and what its author should know of it.
#[derive(Debug)]
pub struct Loaded {
    /// The pact.
    pub pact: Pact,
    /// Warnings: parts that are not enforced yet, and clauses that say less than they seem to.
    pub warnings: Diagnostics,
}

/// Reads, checks and compiles the pact in `text`; messages call it `file`.
///
/// # Errors
/// All problems at once, in the order of the file, warnings among them.
pub fn load(file: &str, text: &str) -> Result<Loaded, Diagnostics> {
    let file = File::new(file, text);
    let document = document::read(&file)?;
    let mut notes = Notes { file: &file, found: Diagnostics::default() };
    let source = reader::read::<PactFile>(&file, &document, &mut notes.found);
    let pact = source.and_then(|source| {
        let compiled = compile::compile(&source, &mut notes);
        let (pact, rows) = compiled.map_or((None, Vec::new()), |(pact, rows)| (Some(pact), rows));
        check::check(&source, pact.as_ref(), &rows, &mut notes);
        pact
    });
    let found = notes.found.sorted();
    match pact {
        Some(pact) if !found.has_errors() => Ok(Loaded { pact, warnings: found }),
        _ => Err(found),
    }
}
