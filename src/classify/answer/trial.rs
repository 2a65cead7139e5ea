//! A judge by rote, for the tests of scripts: what reaches the agent of a stream, and what was asked on the way.

use bytes::Bytes;

use super::{AnswerForm, AnswerReader, Expected, Judgement, Made, Observed, Question, Speech, Step, Unfit};
use crate::classify::Bounds;

/// What came of a stream.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    pub(super) text: String,
    pub(super) asked: Vec<String>,
    pub(super) observed: Observed,
}

/// Feeds a stream in chunks. Calls whose name holds one of `refused` are refused, as is what could not be read.
pub(super) fn play<'a>(
    speech: &Speech,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    refused: &[&str],
) -> Result<Told, Unfit> {
    let expected = Expected { speech: speech.clone(), streamed: true, ..Expected::unread() };
    let form = expected.form(200, Some("text/event-stream"), &Bounds::default())?;
    let AnswerForm::Stream(mut reader) = form else { panic!("no stream") };
    let (mut out, mut asked) = (Vec::new(), Vec::new());
    for chunk in chunks {
        reader.push(Bytes::copy_from_slice(chunk))?;
        drain(&mut reader, refused, &mut out, &mut asked)?;
    }
    reader.close()?;
    drain(&mut reader, refused, &mut out, &mut asked)?;
    Ok(Told { text: String::from_utf8(out).unwrap(), asked, observed: reader.observed() })
}

fn drain(
    reader: &mut AnswerReader,
    refused: &[&str],
    out: &mut Vec<u8>,
    asked: &mut Vec<String>,
) -> Result<(), Unfit> {
    loop {
        match reader.step()? {
            Step::Send(bytes) => out.extend_from_slice(&bytes),
            Step::Ask(question) => {
                let (name, judgement) = judged(&question, refused);
                asked.push(name);
                reader.judged(judgement)?;
            }
            Step::More | Step::End => return Ok(()),
        }
    }
}

/// What is asked, in one line, and what the judge says.
pub(super) fn judged(question: &Question, refused: &[&str]) -> (String, Judgement) {
    let name = match question {
        Question::Call(Made::Call(action)) => format!("{} {}", action.target, action.fields.canonical()),
        Question::Call(Made::Unreadable { attempted, detail }) => format!("unreadable {attempted}: {detail}"),
        other => panic!("{other:?}"),
    };
    let is_refused = name.starts_with("unreadable") || refused.iter().any(|refused| name.contains(refused));
    let judgement = match is_refused {
        true => Judgement::Refused { text: format!("No: {}", name.split(' ').next().unwrap()) },
        false => Judgement::Released,
    };
    (name, judgement)
}

/// Feeds a stream at once.
pub(super) fn at_once(speech: &Speech, text: &str, refused: &[&str]) -> Result<Told, Unfit> {
    play(speech, [text.as_bytes()], refused)
}

/// The pieces of a text between these places.
pub(super) fn cut<'t>(text: &'t [u8], cuts: &[proptest::sample::Index]) -> Vec<&'t [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

/// The data of each event that is JSON.
pub(super) fn data(text: &str) -> Vec<serde_json::Value> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data:"));
    lines.filter(|data| data.trim() != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}
