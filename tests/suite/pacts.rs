//! What is said of pacts, right and wrong ones.

use std::fs;
use std::path::{Path, PathBuf};

use pactgate::pact;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/pact")
}

/// Everything that is found in a pact, as its author sees it. To accept new findings, run with `PACTGATE_BLESS=1`.
#[test]
fn each_pact_of_the_corpus_is_told_all_that_is_wrong_with_it() {
    let bless = std::env::var_os("PACTGATE_BLESS").is_some();
    let mut differing = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(corpus()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        count += 1;
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let found = match pact::load(name, &text) {
            Ok(loaded) => loaded.warnings,
            Err(found) => found,
        };
        let found = format!("{found}\n");
        let expected = path.with_extension("diagnostics");
        if bless {
            fs::write(&expected, &found).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != found {
            differing.push(format!("{name}:\n{found}"));
        }
    }
    assert!(count >= 12, "the corpus is there");
    assert!(differing.is_empty(), "found something else than expected:\n{}", differing.join("\n"));
}

/// Every finding names a place and what to write instead.
#[test]
fn each_finding_has_a_place_and_a_remedy() {
    for entry in fs::read_dir(corpus()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let found = pact::load("p", &text).map_or_else(|found| found, |loaded| loaded.warnings);
        for finding in &found {
            assert!(finding.line >= 1 && finding.column >= 1);
            assert!(finding.remedy.is_some(), "no remedy: {finding}");
            assert!(!finding.message.ends_with('.'), "final period: {finding}");
            assert!(
                finding.message.chars().next().is_some_and(|c| !c.is_uppercase()),
                "upper case: {finding}"
            );
        }
    }
}
