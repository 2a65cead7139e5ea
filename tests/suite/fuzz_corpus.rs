//! Inputs saved from fuzz runs, and every request of the corpus cut short and changed, through every parser.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use pactgate::classify::{
    AnswerForm, Bounds, Expected, Judgement, Speech, Step, normalize_host, normalize_path, read_json,
};
use pactgate::domain::Dialect;

use crate::classify_corpus::cases;
use crate::request::Case;
use crate::{files, messages, whole_answers};

/// Changed copies of one request: of a short one, and of one that is slow to read.
const COPIES: usize = 200;
const COPIES_OF_LONG: usize = 12;
const LONG_BYTES: usize = 2000;

/// A number stream that is the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

#[test]
fn requests_cut_or_changed_anywhere_are_read_or_refused() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for (dialect, path) in cases() {
        let case = Case::read(dialect, &fs::read(&path).unwrap()).unwrap();
        case.check();
        let copies = if case.body.len() > LONG_BYTES { COPIES_OF_LONG } else { COPIES };
        for _ in 0..copies {
            let mut bytes = case.body.to_vec();
            match dice.below(3) {
                0 => bytes.truncate(dice.below(bytes.len())),
                1 if !bytes.is_empty() => {
                    let at = dice.below(bytes.len());
                    bytes[at] = u8::try_from(dice.below(256)).unwrap();
                }
                _ => {
                    let token: &[u8] = TOKENS[dice.below(TOKENS.len())];
                    let at = dice.below(bytes.len() + 1);
                    bytes.splice(at..at, token.iter().copied());
                }
            }
            let _ = read_json(&bytes, &Bounds::default());
            Case { body: Bytes::from(bytes), ..case.clone() }.check();
        }
        for end in 0..case.path.len() {
            let _ = (case.path.get(end..).map(normalize_path), case.host.get(..end).map(normalize_host));
        }
    }
}

/// Pieces of text at which a parser takes a turn.
const TOKENS: [&[u8]; 14] = [
    b"\"",
    b"\\",
    b"\\u",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"model\":\"x\",",
    b"1e9",
    b"\0",
    b"\xff",
];

#[test]
fn saved_inputs_of_the_fuzz_targets_are_read_or_refused() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/saved");
    let mut replayed = 0;
    for file in fs::read_dir(&root).unwrap() {
        let path = file.unwrap().path();
        let target = path.file_stem().unwrap().to_str().unwrap();
        for line in fs::read_to_string(&path).unwrap().lines() {
            replay(target, &hex::decode(line).unwrap());
            replayed += 1;
        }
    }
    assert!(replayed > 0, "{} holds nothing", root.display());
}

fn replay(target: &str, input: &[u8]) {
    let dialect = match target {
        "classify_openai" => Dialect::OpenAi,
        "classify_anthropic" => Dialect::Anthropic,
        "classify_mcp" => Dialect::Mcp,
        "classify_a2a" => Dialect::A2a,
        "classify_gemini" => Dialect::Gemini,
        "classify_bedrock" => Dialect::Bedrock,
        "classify_http" => Dialect::Http,
        "strict_json" => {
            let _ = read_json(input, &Bounds::default());
            return;
        }
        "answer_stream" => {
            for speech in [
                Speech::Chat,
                Speech::Responses("openai".to_owned()),
                Speech::Anthropic,
                Speech::Gemini("google".to_owned()),
            ] {
                released(speech, input, 3);
            }
            return;
        }
        "answer_whole" => return whole_answers::whole(input),
        "evidence_read" => return messages::record(input),
        "wire_events" => return messages::batch(input),
        "wire_feed" => return messages::feed(input),
        "wire_messages" => return messages::message(input),
        "pact_load" => return files::pact(input),
        "pact_tests" => return files::pact_tests(tempfile::tempdir().unwrap().path(), input),
        "config" => return files::config(tempfile::tempdir().unwrap().path(), input),
        "spool_recovery" => return files::spool(tempfile::tempdir().unwrap().path(), input),
        other => panic!("no fuzz target is called `{other}`"),
    };
    if let Some(case) = Case::read(dialect, input) {
        case.check();
    }
}

/// Reads bytes as a streamed answer in chunks of that size, every call released; what the agent gets of it.
fn released(speech: Speech, input: &[u8], size: usize) -> Vec<u8> {
    let expected = Expected { speech, streamed: true, ..Expected::unread() };
    let bounds = Bounds::default();
    let Ok(AnswerForm::Stream(mut reader)) = expected.form(200, Some("text/event-stream"), &bounds) else {
        panic!("a stream is read as one");
    };
    let mut got = Vec::new();
    let mut chunks = input.chunks(size);
    loop {
        match reader.step() {
            Ok(Step::Send(bytes)) => got.extend_from_slice(&bytes),
            Ok(Step::Ask(_)) => {
                let _ = reader.judged(Judgement::Released);
            }
            Ok(Step::More) => {
                let read = match chunks.next() {
                    Some(chunk) => reader.push(bytes::Bytes::copy_from_slice(chunk)),
                    None => reader.close(),
                };
                if read.is_err() {
                    return got;
                }
            }
            Ok(Step::End) | Err(_) => return got,
        }
    }
}
