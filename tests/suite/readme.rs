//! The README tells the truth: its commands run here, and its output is what comes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use regex::Regex;
use serde_json::Value;

use crate::support::environment;
use crate::support::process::pactgate;

/// What the demo says when its story is told and it goes on.
const STAYS: &str = "Everything stays up until you press Ctrl-C:";
/// A line of shown output that stands for any number of lines.
const CUT: &str = "…";

/// What differs from one run to the next, and how it is written instead.
const MASKS: [(&str, &str); 10] = [
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UUID"),
    (r"\b[0-9a-f]{64}\b", "DIGEST"),
    (r"\b[0-9a-f]{16}\b", "START"),
    (r"\bask-[0-9a-f]{32}\b", "APPROVAL"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"\S+/pactgate-demo-\d+", "FOLDER"),
    (r"(operator's token: )\S+", "${1}TOKEN"),
    (
        r#"("(?:age_s|bytes_received|bytes_sent|decide_us|position|total_us|upstream_us|sequence)": )"?\d+"?"#,
        "${1}N",
    ),
    (r"\b(call|After|bound|holds|the|in) (\d+(?:\.\d+)?)\b", "$1 N"),
];

/// Demos look for free ports and then take them: two that start at once can choose the same.
static ONE_DEMO: Mutex<()> = Mutex::new(());

fn one_demo() -> MutexGuard<'static, ()> {
    ONE_DEMO.lock().unwrap_or_else(PoisonError::into_inner)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A fenced block of the README.
#[derive(Debug)]
struct Block {
    language: String,
    lines: Vec<String>,
}

impl Block {
    fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

fn blocks(language: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => open = Some(Block { language: language.to_owned(), lines: Vec::new() }),
            (None, Some(block)) => block.lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block does not end: {open:?}");
    blocks.retain(|block| block.language == language);
    blocks
}

/// A command of a console block, and the output shown below it.
struct Shown {
    command: String,
    output: Vec<String>,
}

fn commands() -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for block in blocks("console") {
        let before = all.len();
        for line in block.lines {
            if let Some(command) = line.strip_prefix("$ ") {
                all.push(Shown { command: command.to_owned(), output: Vec::new() });
            } else {
                assert!(all.len() > before, "output without a command: {line}");
                all.last_mut().unwrap().output.push(line);
            }
        }
    }
    all
}

fn masked<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let masks = MASKS.map(|(pattern, instead)| (Regex::new(pattern).unwrap(), instead));
    let mask = |line: &str| {
        masks.iter().fold(line.trim_end().to_owned(), |line, (mask, instead)| {
            mask.replace_all(&line, *instead).into_owned()
        })
    };
    lines.into_iter().map(mask).collect()
}

/// Compares shown output with real output, both masked. Between two cuts the shown lines follow one another; what comes
/// before the first of them is left out.
#[track_caller]
fn assert_shown(shown: &[String], real: &str) {
    let shown = masked(shown.iter().map(String::as_str));
    let lines = masked(real.lines());
    let pieces: Vec<&[String]> = shown.split(|line| line.trim() == CUT).collect();
    let mut at = 0;
    for (number, piece) in pieces.iter().enumerate() {
        let rest = &lines[at..];
        let fits = |start: usize| rest.get(start..start + piece.len()) == Some(piece);
        let last = number + 1 == pieces.len();
        let start = match last {
            true => rest.len().checked_sub(piece.len()).filter(|start| fits(*start)),
            false => (0..=rest.len()).find(|start| fits(*start)),
        };
        let Some(start) = start else {
            let wrong = piece.iter().zip(rest).find(|(shown, real)| shown != real);
            panic!("the README shows something else than what comes, first {wrong:?}; what comes:\n{real}");
        };
        at += start + piece.len();
        assert!(!last || at == lines.len(), "more comes than the README shows:\n{real}");
    }
}

/// The commands that are run here, as the shell would split them; quotes are single.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, piece) in command.split('\'').enumerate() {
        if number % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The demo, up and ended when dropped.
struct Demo {
    child: Child,
    /// What it printed until its story was told, and where everything is.
    told: String,
}

impl Demo {
    fn start() -> Self {
        let mut command = pactgate();
        command.arg("demo").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let mut told = String::new();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        // The addresses come again after the story: they end the output.
        let mut last: Option<String> = None;
        while last.is_none() || !told.ends_with(last.as_deref().unwrap()) {
            let read = reader.read_line(&mut told).unwrap();
            assert!(read > 0, "the demo ended:\n{told}");
            if let Some((story, _)) = told.split_once(STAYS) {
                let status = story.lines().find(|line| line.contains("pactgate status"));
                last = status.map(|line| format!("{line}\n"));
            }
        }
        Self { child, told }
    }

    /// The address behind these words.
    fn address(&self, words: &str) -> String {
        let line = self.told.lines().find(|line| line.contains(words)).unwrap();
        let (_, rest) = line.split_once("http://").unwrap();
        rest.split(['/', ' ']).next().unwrap().to_owned()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_demo_tells_what_the_readme_shows() {
    let shown = commands();
    let demos: Vec<&Shown> =
        shown.iter().filter(|shown| shown.command == "cargo run --release -- demo").collect();
    let [demo] = demos[..] else { panic!("{} demos", demos.len()) };
    let _alone = one_demo();
    let once = succeeded(&run(pactgate().args(["demo", "--once"])));
    assert_shown(&demo.output, &once);
}

#[test]
fn what_is_asked_of_the_demo_is_answered() {
    let _alone = one_demo();
    let demo = Demo::start();
    let places = [("8080", "by base URL"), ("8081", "as a proxy"), ("7070", "collector  ")];
    let mut answers = Vec::new();
    for shown in commands().into_iter().filter(|shown| shown.command.starts_with("curl ")) {
        let command = places.iter().fold(shown.command.clone(), |command, (port, words)| {
            command.replace(&format!("127.0.0.1:{port}"), &demo.address(words))
        });
        let words = words(&command);
        let told = succeeded(&run(Command::new("curl").args(&words[1..]).args(["--max-time", "30"])));
        if !shown.output.is_empty() {
            assert_shown(&shown.output, &told);
        }
        let answer: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{command}: {told}"));
        answers.push((command, answer));
    }
    let (_, answered) = answers.iter().find(|(command, _)| command.contains("chat/completions")).unwrap();
    assert!(answered["choices"].is_array(), "{answered}");
    let (_, refused) = answers.iter().find(|(command, _)| command.contains("curl -s -x ")).unwrap();
    // The pact says no before the address does.
    assert!(refused["status"] == 403 && refused["decision"].is_string(), "{refused}");
}

#[test]
fn every_command_is_run_somewhere() {
    for Shown { command, .. } in commands() {
        let elsewhere = command.starts_with("curl ") || command == "cargo run --release -- demo";
        if command == "tests/run" {
            let mode = std::fs::metadata(root().join(&command)).unwrap().permissions().mode();
            assert!(mode & 0o111 == 0o111, "{command} cannot be executed");
            let ci = std::fs::read_to_string(root().join(".ci/run")).unwrap();
            assert!(ci.lines().any(|line| line == command), "{command} is not what `.ci/run` calls");
        } else if !elsewhere {
            let arguments = command.strip_prefix("cargo run --release -- ");
            let arguments = arguments.unwrap_or_else(|| panic!("nobody runs `{command}`"));
            succeeded(&run(pactgate().current_dir(root()).args(words(arguments))));
        }
    }
}

/// Every variable that a block sets, run by `sh` in that folder.
fn exports(block: &Block, folder: &Path) -> BTreeMap<String, String> {
    let script = format!("{}env", block.text());
    let mut shell = Command::new("sh");
    shell.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).current_dir(folder);
    let told = succeeded(&run(shell.args(["-euc", &script])));
    let pairs = told.lines().filter_map(|line| line.split_once('='));
    let own = ["PATH", "PWD", "OLDPWD", "SHLVL", "_"];
    pairs.filter(|(name, _)| !own.contains(name)).map(|(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn the_variables_are_those_that_the_clients_are_tested_with() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(&run(pactgate().args(["ca", "init", "--dir", "ca"]).current_dir(&folder)));
    let shown = succeeded(&run(pactgate().args(["ca", "show", "--dir", "ca"]).current_dir(&folder)));
    let mut tested = environment::reverse("http://127.0.0.1:8080", "unused");
    tested.extend(environment::forward("http://127.0.0.1:8081", Path::new("ca")));
    let mut told = BTreeMap::new();
    for block in blocks("sh") {
        told.extend(exports(&block, folder.path()));
    }
    let tested: BTreeMap<String, String> =
        tested.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    assert_eq!(told, tested);
    for (name, file) in told.iter().filter(|(_, value)| value.starts_with("ca/")) {
        assert!(folder.path().join(file).is_file(), "{name}: there is no `{file}`");
        assert!(shown.contains(&format!("export {name}='")), "`ca show` does not tell of {name}");
    }
}

#[test]
fn the_pact_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let pacts: Vec<Block> =
        blocks("yaml").into_iter().filter(|block| block.text().contains("kind: Pact")).collect();
    assert!(!pacts.is_empty());
    for pact in pacts {
        let file = folder.path().join("pact.yaml");
        std::fs::write(&file, pact.text()).unwrap();
        succeeded(&run(pactgate().arg("pact").arg("check").arg(&file)));
    }
}
