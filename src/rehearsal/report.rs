//! What passed, what failed and why, and which clauses no case touches.

use std::fmt;

use crate::pact::Explanation;
use crate::pact::diagnostics::Diagnostics;

/// The outcome of every test below a folder.
#[derive(Debug, Default)]
pub struct Report {
    /// By test file, in order of their names.
    pub files: Vec<FileReport>,
    /// For each pact, the clauses that no case exercises.
    pub coverage: Vec<Coverage>,
    /// Tests and pacts that could not be read.
    pub problems: Diagnostics,
}

/// The outcome of one test file.
#[derive(Debug)]
pub struct FileReport {
    /// Its name.
    pub file: String,
    /// The pact it tests.
    pub pact: String,
    /// Its cases, in order.
    pub cases: Vec<CaseReport>,
}

/// The outcome of one case.
#[derive(Debug)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// The line it stands on.
    pub line: usize,
    /// What differs from what was expected; empty when it passed.
    pub differences: Vec<String>,
    /// Why the pact says what it says.
    pub explanation: Explanation,
}

/// How much of a pact its tests exercise.
#[derive(Debug)]
pub struct Coverage {
    /// The pact.
    pub pact: String,
    /// The clauses it has.
    pub clauses: usize,
    /// Those that match in no case.
    pub untouched: Vec<String>,
}

impl Report {
    /// Whether there was something to run, and all of it passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        let mut cases = self.files.iter().flat_map(|file| &file.cases);
        !self.files.is_empty() && !self.problems.has_errors() && cases.all(CaseReport::passed)
    }

    /// Cases run, and cases failed.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let cases = || self.files.iter().flat_map(|file| &file.cases);
        (cases().count(), cases().filter(|case| !case.passed()).count())
    }
}

impl CaseReport {
    /// Whether the verdict is the one expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.problems.is_empty() {
            writeln!(f, "{}\n", self.problems)?;
        }
        for file in &self.files {
            for case in file.cases.iter().filter(|case| !case.passed()) {
                writeln!(f, "FAILED {}:{}: {}", file.file, case.line, case.name)?;
                for difference in &case.differences {
                    writeln!(f, "  {difference}")?;
                }
                for line in case.explanation.to_string().lines() {
                    writeln!(f, "  {line}")?;
                }
                writeln!(f)?;
            }
        }
        for file in &self.files {
            let failed = file.cases.iter().filter(|case| !case.passed()).count();
            let outcome = if failed == 0 { "ok".to_owned() } else { format!("{failed} FAILED") };
            writeln!(f, "{}: {} cases, {outcome}", file.file, file.cases.len())?;
        }
        for Coverage { pact, clauses, untouched } in &self.coverage {
            let touched = clauses.saturating_sub(untouched.len());
            write!(f, "pact {pact}: {touched} of {clauses} clauses exercised")?;
            match untouched.as_slice() {
                [] => writeln!(f)?,
                untouched => writeln!(f, "; never: {}", untouched.join(", "))?,
            }
        }
        let (cases, failed) = self.counts();
        match self.files.is_empty() {
            true => write!(f, "no tests found: they are named `NAME.test.yaml`"),
            false => write!(f, "{cases} cases, {failed} failed"),
        }
    }
}
