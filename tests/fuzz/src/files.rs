//! What must hold of reading files: pacts, their tests, configs, the spool. Shared by the fuzz targets and by the
//! replay of their inputs.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use pactgate::config;
use pactgate::domain::{
    Action, AgentId, Dialect, Digest, HttpTarget, ManualClock, SidecarId, Target, Timestamp, ToolRef,
    TrustTier, UpstreamName,
};
use pactgate::evidence::{LogId, Source};
use pactgate::pact::diagnostics::File;
use pactgate::pact::{Diagnostics, Facts, PactSet, allowed_instead, decide, document, explain, load};
use pactgate::rehearsal;
use pactgate::spool::{Entry, Recorder, Settings, Sync};

/// A pact: it loads the same each time and answers for every action, or every problem can be told.
pub fn pact(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let loaded = match load("pact.yaml", text) {
        Ok(loaded) => loaded,
        Err(found) => return told(&found),
    };
    told(&loaded.warnings);
    let again = load("pact.yaml", text).expect("it loaded before").pact;
    assert_eq!(again.digest(), loaded.pact.digest(), "one text, two pacts");
    let agent = AgentId::new("mole").expect("a good id");
    for action in actions() {
        for tier in [TrustTier::Suspended, TrustTier::Standard, TrustTier::Trusted] {
            let facts = Facts { agent: &agent, tier, at: Timestamp::from_micros(1_767_787_200_000_000) };
            let verdict = decide(&loaded.pact, &action, &facts);
            assert_eq!(verdict, decide(&again, &action, &facts), "one pact, two verdicts");
            assert_eq!(verdict, explain(&again, &action, &facts).verdict, "explained otherwise than decided");
            let _ = explain(&again, &action, &facts).to_string();
            let _ = allowed_instead(&again, &action, &facts);
        }
        assert!(again.limits_on(&action).count() <= again.limits().len());
    }
    if let Err(found) = PactSet::build(vec![loaded.pact]) {
        told(&found);
    }
}

fn told(found: &Diagnostics) {
    assert_eq!(found.is_empty(), found.to_string().is_empty(), "a problem that nobody is told of");
}

/// Actions of each kind, with fields that conditions may read.
fn actions() -> Vec<Action> {
    let fields =
        "{args: {amount: 80.5, note: a, deep: {list: [1, null, true, x]}}, max_tokens: 5, query: {q: a}}";
    let fields = document::read(&File::new("fields", fields)).expect("good YAML").json().expect("good JSON");
    let server = UpstreamName::new("shop").expect("a good name");
    let http = HttpTarget {
        method: "POST".to_owned(),
        scheme: "https".to_owned(),
        host: "api.example".to_owned(),
        port: 443,
        path: "/v1/orders".to_owned(),
    };
    let targets = [
        Target::Tool(ToolRef::Mcp { server: server.clone(), tool: "refund".to_owned() }),
        Target::Tool(ToolRef::Function("refund".to_owned())),
        Target::Tool(ToolRef::Capability("payments.refund".to_owned())),
        Target::Model { provider: "openai".to_owned(), model: "gpt-4o-mini".to_owned() },
        Target::Resource { server: server.clone(), uri: "file:///a".to_owned() },
        Target::Prompt { server, name: "greet".to_owned() },
        Target::Http(http),
        Target::Opaque { host: "api.example".to_owned(), port: 443, path: None },
    ];
    targets.map(|target| Action { target, fields: fields.clone(), dialect: Dialect::Http }).into()
}

/// A file of pact tests beside a good pact: it runs, or every problem can be told.
pub fn pact_tests(folder: &Path, input: &[u8]) {
    fs::write(folder.join("refunds.yaml"), include_str!("../../corpus/pact/refunds.yaml")).expect("written");
    fs::write(folder.join("refunds.test.yaml"), input).expect("written");
    // Bytes that are no text are an error of reading.
    let Ok(report) = rehearsal::run(folder) else { return };
    told(&report.problems);
}

/// A config of either role: it loads and can be shown, or every problem can be told.
pub fn config(folder: &Path, input: &[u8]) {
    let file = folder.join("config.yaml");
    fs::write(&file, input).expect("written");
    let env = |name: &str| (name == "KEY").then(|| "key-0123456789-abcdef-0123456789".to_owned());
    match config::load_sidecar(&file, &env) {
        Ok((sidecar, warnings)) => {
            told(&warnings);
            let shown = sidecar.print();
            assert!(!shown.contains("key-0123456789"), "a secret is shown: {shown}");
            fs::write(&file, &shown).expect("written");
            let again = config::load_sidecar(&file, &env);
            let (again, _) =
                again.unwrap_or_else(|found| panic!("what is shown does not load: {shown}{found}"));
            assert_eq!(again, sidecar, "what is shown is another config");
            // Back to the input, for the other role.
            fs::write(&file, input).expect("written");
        }
        Err(found) => told(&found),
    }
    match config::load_collector(&file, &env) {
        Ok((_, warnings)) => told(&warnings),
        Err(found) => told(&found),
    }
}

/// A spool with this in its last segment: it opens and holds what it held, or it is refused and stays as it was.
/// Where the first byte is odd, the lines after it are framed as records, and the last line stands behind them.
pub fn spool(folder: &Path, input: &[u8]) {
    let Some((form, bytes)) = input.split_first() else { return };
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).expect("a folder");
    let segment = folder.join(format!("{:020}.segment", 1));
    let written = if form % 2 == 1 { framed(bytes) } else { bytes.to_vec() };
    fs::write(&segment, &written).expect("written");
    match open(folder) {
        Err(()) => assert_eq!(fs::read(&segment).expect("still there"), written, "refused, and changed"),
        Ok(entries) => {
            assert!(entries.iter().zip(1..).all(|(entry, sequence)| entry.sequence == sequence));
            assert_eq!(open(folder), Ok(entries), "it opens again with what it held");
        }
    }
}

fn open(folder: &Path) -> Result<Vec<Entry>, ()> {
    let id = SidecarId::new("checkout-1").expect("a good id");
    let settings = Settings { sync: Sync::None, ..Settings::new(folder.to_owned(), id) };
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_767_787_200_000_000)));
    let (recorder, opened) = Recorder::start(settings, clock).map_err(|refused| drop(refused.to_string()))?;
    let entries = recorder.read_after(0, usize::MAX, usize::MAX).expect("an open spool can be read");
    assert_eq!(entries.len() as u64, opened.resumed_at);
    Ok(entries)
}

/// A segment as the spool writes it, with any records.
fn framed(lines: &[u8]) -> Vec<u8> {
    let log = LogId::from_bytes(*b"\x00\x06\x47\xe0\x00\x00\x00\x01");
    let source = Source::new(SidecarId::new("checkout-1").expect("a good id"), log);
    let mut out = b"PACTSPL\n\x01\0\0\0".to_vec();
    out.extend_from_slice(log.as_bytes());
    out.extend_from_slice(&Digest::of(source.to_string().as_bytes()).as_bytes()[..8]);
    out.extend_from_slice(&1_u64.to_le_bytes());
    out.extend_from_slice(&[0; 32]);
    out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
    let mut lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').collect();
    let tail = lines.pop().unwrap_or_default();
    for line in lines {
        let length = u32::try_from(line.len()).expect("a short line").to_le_bytes();
        let sum = crc32fast::hash(&[&length, line].concat());
        out.extend_from_slice(&length);
        out.extend_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(line);
    }
    out.extend_from_slice(tail);
    out
}
