//! What is wrong with a pact as a whole: clauses in each other's way, promises nobody can judge, parts not enforced.

mod promises;
mod reach;
mod unenforced;

use crate::pact::compile::Notes;
use crate::pact::source::PactFile;
use crate::pact::terms::Pact;
use crate::pact::tools::Forms;

/// Checks what its parts do not tell by themselves.
pub(crate) fn check(source: &PactFile, pact: Option<&Pact>, rows: &[Forms], notes: &mut Notes<'_>) {
    if let Some(spec) = source.spec.as_ref().and_then(|spec| spec.get()) {
        promises::check(spec, notes);
        unenforced::check(spec, notes);
    }
    if let Some(pact) = pact {
        reach::check(pact, rows, notes);
    }
}
