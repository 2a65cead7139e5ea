//! Runs every test below a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::pact::diagnostics::{Diagnostic, Diagnostics, File};
use crate::pact::{self, Explanation, Facts, Pact};
use crate::rehearsal::case::{self, Case, Expected, Suite};
use crate::rehearsal::files::{FileError, is_test, pacts_below, read_file, yaml_below};
use crate::rehearsal::report::{CaseReport, Coverage, FileReport, Report};

/// Runs every `*.test.yaml` below `folder` against the pacts that stand beside it.
///
/// # Errors
/// When a file or folder cannot be read. Whatever is wrong inside the files is in the report.
pub fn run(folder: &Path) -> Result<Report, FileError> {
    let mut report = Report::default();
    let mut shelves: BTreeMap<PathBuf, Shelf> = BTreeMap::new();
    for path in yaml_below(folder)?.into_iter().filter(|path| is_test(path)) {
        let beside = path.parent().unwrap_or(Path::new(".")).to_owned();
        if !shelves.contains_key(&beside) {
            let shelf = Shelf::read(&beside, &mut report.problems)?;
            shelves.insert(beside.clone(), shelf);
        }
        let file = read_file(&path)?;
        let suite = match case::read(&file) {
            Ok(suite) => suite,
            Err(found) => {
                report.problems.extend(found);
                continue;
            }
        };
        match shelves.get_mut(&beside).and_then(|shelf| shelf.rows.get_mut(&suite.pact.1)) {
            Some(row) => report.files.push(run_suite(&file, &suite, row, &mut report.problems)),
            None => {
                let message = format!("no pact `{}` in this folder", suite.pact.1);
                let remedy = "write the `metadata.name` of a pact beside this file";
                report.problems.push(Diagnostic::error(&file, suite.pact.0.clone(), message).remedy(remedy));
            }
        }
    }
    report.coverage =
        shelves.values().flat_map(|shelf| shelf.rows.values()).filter_map(Row::coverage).collect();
    Ok(report)
}

/// The pacts of one folder.
struct Shelf {
    rows: BTreeMap<String, Row>,
}

struct Row {
    pact: Pact,
    tested: bool,
    touched: BTreeSet<String>,
}

impl Shelf {
    fn read(folder: &Path, problems: &mut Diagnostics) -> Result<Self, FileError> {
        let mut rows = BTreeMap::new();
        for file in pacts_below(folder)? {
            if Path::new(file.name()).parent() != Some(folder) {
                continue;
            }
            match pact::load(file.name(), file.text()) {
                Ok(loaded) => {
                    let name = loaded.pact.name().to_string();
                    rows.insert(name, Row { pact: loaded.pact, tested: false, touched: BTreeSet::new() });
                }
                Err(found) => problems.extend(found),
            }
        }
        Ok(Self { rows })
    }
}

impl Row {
    fn coverage(&self) -> Option<Coverage> {
        let ids = || self.pact.clauses().iter().map(|clause| clause.id.to_string());
        self.tested.then(|| Coverage {
            pact: self.pact.name().to_string(),
            clauses: ids().count(),
            untouched: ids().filter(|id| !self.touched.contains(id)).collect(),
        })
    }
}

fn run_suite(file: &File, suite: &Suite, row: &mut Row, problems: &mut Diagnostics) -> FileReport {
    row.tested = true;
    let mut cases = Vec::new();
    for case in &suite.cases {
        unknown_clauses(file, case, &row.pact, problems);
        let facts = Facts { agent: &case.agent, tier: case.tier, at: case.at };
        let explanation = pact::explain(&row.pact, &case.action, &facts);
        let matching = explanation.clauses.iter().filter(|clause| clause.matches);
        row.touched.extend(matching.map(|clause| clause.id.to_string()));
        row.touched.extend(explanation.verdict.clauses.iter().map(ToString::to_string));
        let mut differences = differences(&case.expected, &explanation);
        if !row.pact.governs(&case.agent) {
            differences.push(format!("the pact does not govern agent `{}`", case.agent));
        }
        let (line, _) = file.position(case.place.start);
        cases.push(CaseReport { name: case.name.clone(), line, differences, explanation });
    }
    FileReport { file: file.name().to_owned(), pact: suite.pact.1.clone(), cases }
}

/// A clause that the pact does not have can never be named by a verdict.
fn unknown_clauses(file: &File, case: &Case, pact: &Pact, problems: &mut Diagnostics) {
    for id in case.expected.clauses.iter().flatten() {
        if !pact.clauses().iter().any(|clause| clause.id.as_str() == id) {
            let message = format!("case `{}` expects clause `{id}`, which the pact does not have", case.name);
            let known: Vec<&str> = pact.clauses().iter().map(|clause| clause.id.as_str()).collect();
            let remedy = pact::reader::nearest(id, &known);
            problems.push(Diagnostic::error(file, case.place.clone(), message).remedy(remedy));
        }
    }
}

fn differences(expected: &Expected, found: &Explanation) -> Vec<String> {
    let verdict = &found.verdict;
    let mut differences = Vec::new();
    if verdict.ruling != expected.verdict {
        differences.push(format!("expected verdict {}, found {}", expected.verdict, verdict.ruling));
    }
    if let Some(clauses) = &expected.clauses {
        let expected: BTreeSet<&str> = clauses.iter().map(String::as_str).collect();
        let found: BTreeSet<&str> = verdict.clauses.iter().map(|id| id.as_str()).collect();
        if expected != found {
            differences.push(format!("expected clauses {}, found {}", names(&expected), names(&found)));
        }
    }
    if expected.reason.is_some_and(|reason| verdict.reason != Some(reason)) {
        let name = |reason: Option<crate::domain::Reason>| reason.map_or("none", crate::domain::Reason::name);
        differences.push(format!(
            "expected reason {}, found {}",
            name(expected.reason),
            name(verdict.reason)
        ));
    }
    differences
}

fn names(ids: &BTreeSet<&str>) -> String {
    if ids.is_empty() { "none".to_owned() } else { ids.iter().copied().collect::<Vec<_>>().join(", ") }
}
