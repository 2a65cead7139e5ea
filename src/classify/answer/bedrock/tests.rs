//! Answers as Converse gives them, their calls let through and refused.

use proptest::prelude::*;

use super::*;
use crate::classify::answer::script::Made;
use crate::classify::answer::{AnswerForm, Observed, Step};
use crate::classify::{Expected, Speech, Unfit, WholeAnswer};

const PARALLEL: &str = include_str!("../../../../tests/corpus/answers/bedrock/parallel_calls.jsonl");
const SERVER: &str = include_str!("../../../../tests/corpus/answers/bedrock/server_tool.jsonl");
const WHOLE: &str = include_str!("../../../../tests/corpus/answers/bedrock/whole.json");
const NO: &str = "refused: not this \"order\"";

fn expected(streamed: bool) -> Expected {
    let model = Some(("bedrock".to_owned(), "anthropic.claude-v2".to_owned()));
    Expected { speech: Speech::Bedrock("bedrock".to_owned()), streamed, model, ..Expected::unread() }
}

/// The frames of events that stand one a line: `{"messageStop":{…}}`.
fn frames_of(lines: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines.lines() {
        let event = Reader::new(line.as_bytes(), &Bounds::default()).unwrap().whole().unwrap();
        let Json::Object(members) = event else { panic!("{line}") };
        for (name, payload) in members {
            out.extend_from_slice(&match name.strip_prefix("exception:") {
                Some(name) => frames::write_exception(name, &payload.text()),
                None => frames::write(&name, &payload.text()),
            });
        }
    }
    out
}

/// The events of frames, one a line.
fn lines_of(frames: &[u8]) -> Vec<String> {
    let mut held = bytes::BytesMut::from(frames);
    let mut lines = Vec::new();
    while let Some(event) = frames::read(&mut held, 1 << 20).unwrap() {
        let data = String::from_utf8(event.data.unwrap().to_vec()).unwrap();
        lines.push(format!("{} {data}", event.name.unwrap()));
    }
    assert!(held.is_empty());
    lines
}

/// What is asked of the judge.
fn asked(question: &Question) -> String {
    match question {
        Question::Call(Made::Call(action)) => {
            let kind = action.target.kind().name();
            format!("{kind} {} {}", action.target, action.fields.canonical())
        }
        Question::Call(Made::Unreadable { attempted, detail }) => format!("unreadable {attempted}: {detail}"),
        other => format!("{other:?}"),
    }
}

/// Reads a stream in chunks; calls of these names are refused.
fn stream<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
    refused: &[&str],
) -> Result<(Vec<u8>, Vec<String>, Observed), Unfit> {
    let form = expected(true).form(200, Some("application/vnd.amazon.eventstream"), &Bounds::default())?;
    let AnswerForm::Stream(mut reader) = form else { panic!("a stream is read as one") };
    let mut chunks = chunks.into_iter();
    let (mut got, mut questions) = (Vec::new(), Vec::new());
    loop {
        match reader.step()? {
            Step::Send(bytes) => got.extend_from_slice(&bytes),
            Step::Ask(question) => {
                questions.push(asked(&question));
                let is_refused = refused.iter().any(|name| asked(&question).contains(name));
                let text = || Judgement::Refused { text: NO.to_owned() };
                reader.judged(if is_refused { text() } else { Judgement::Released })?;
            }
            Step::More => match chunks.next() {
                Some(chunk) => reader.push(Bytes::copy_from_slice(chunk))?,
                None => reader.close()?,
            },
            Step::End => return Ok((got, questions, reader.observed())),
        }
    }
}

fn lines(text: &str, refused: &[&str]) -> Vec<String> {
    lines_of(&stream([frames_of(text).as_slice()], refused).unwrap().0)
}

#[test]
fn what_may_be_goes_on_as_it_came() {
    let frames = frames_of(PARALLEL);
    let (got, questions, seen) = stream([frames.as_slice()], &[]).unwrap();
    assert_eq!(got, frames);
    assert_eq!(
        questions,
        [
            r#"tool get_order {"args":{"order":"A-1"}}"#,
            r#"tool refund {"args":{"amount":10.5,"order":"A-1"}}"#
        ]
    );
    let due =
        Observed { input_tokens: Some(421), output_tokens: Some(57), response_model: None, ended: true };
    assert_eq!(seen, due);
}

#[test]
fn a_refused_call_is_a_block_of_text() {
    let told = r#"{"contentBlockIndex":2,"delta":{"text":"refused: not this \"order\""}}"#;
    let got = lines(PARALLEL, &["refund"]);
    assert_eq!(got[9], format!("contentBlockDelta {told}"));
    assert_eq!(got[10], r#"contentBlockStop {"contentBlockIndex":2,"p":"abcdefghijk"}"#);
    assert!(got[11].contains("tool_use"), "a call is left: {got:?}");
    let got = lines(PARALLEL, &["refund", "get_order"]);
    assert!(!got.iter().any(|line| line.contains("toolUse")), "{got:?}");
    assert!(got[8].ends_with(r#""stopReason":"end_turn"}"#), "{got:?}");
}

#[test]
fn what_the_provider_ran_is_judged_and_its_result_goes_with_it() {
    let frames = frames_of(SERVER);
    let (got, questions, _) = stream([frames.as_slice()], &[]).unwrap();
    assert_eq!(got, frames);
    assert_eq!(questions, [r#"hosted_tool bedrock/nova_grounding {"args":{"query":"orders"}}"#]);
    let got = lines(SERVER, &["nova_grounding"]);
    assert!(!got.iter().any(|line| line.contains("toolUse") || line.contains("found")), "{got:?}");
    assert_eq!(got[3], r#"contentBlockDelta {"contentBlockIndex":1,"delta":{"text":""}}"#);
    assert!(got.iter().any(|line| line.contains("There are three.")), "{got:?}");
    let uncalled: String =
        SERVER.lines().filter(|line| !line.contains(":0")).map(|l| l.to_owned() + "\n").collect();
    assert!(stream([frames_of(&uncalled).as_slice()], &[]).is_err());
}

#[test]
fn a_whole_answer_is_told_without_what_was_refused() {
    let read = || WholeAnswer::read(&expected(false), WHOLE.into(), &Bounds::default()).unwrap();
    let asked: Vec<String> = read().questions().iter().map(asked).collect();
    assert_eq!(
        asked,
        [r#"tool refund {"args":{"amount":10.5,"order":"A-1"}}"#, r#"tool get_order {"args":{}}"#]
    );
    assert_eq!((read().observed().input_tokens, read().observed().output_tokens), (Some(30), Some(12)));
    assert_eq!(read().told(vec![Judgement::Released; 2]).unwrap(), WHOLE);
    let no = || Judgement::Refused { text: NO.to_owned() };
    let told = |judgements| -> serde_json::Value {
        serde_json::from_slice(&read().told(judgements).unwrap()).unwrap()
    };
    let some = told(vec![no(), Judgement::Released]);
    assert_eq!(some["stopReason"], "tool_use");
    assert_eq!(some["output"]["message"]["content"][2], serde_json::json!({"text": NO}));
    assert_eq!(some["output"]["message"]["content"][3]["toolUse"]["name"], "get_order");
    assert_eq!(told(vec![no(), no()])["stopReason"], "end_turn");
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let start = r#"{"contentBlockStart":{"contentBlockIndex":0,"start":{"toolUse":{"name":"refund","toolUseId":"1"}}}}"#;
    let delta = r#"{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}}"#;
    let stop = r#"{"contentBlockStop":{"contentBlockIndex":0}}"#;
    let say = r#"{"contentBlockDelta":{"contentBlockIndex":1,"delta":{"text":"a"}}}"#;
    let end = r#"{"messageStop":{"stopReason":"tool_use"}}"#;
    let read = |events: &[&str]| stream([frames_of(&events.join("\n")).as_slice()], &[]);
    assert!(read(&[start, delta, stop, say, end]).is_ok());
    for events in [
        &[start, delta][..],
        &[start, delta, end],
        &[start, say, delta, stop],
        &[start, delta, stop, start, stop],
        &[start, delta, stop, delta],
        &[start, delta, stop, stop],
        &[delta],
        &[r#"{"newEvent":{}}"#],
        &[r#"{"contentBlockStart":{"contentBlockIndex":0,"start":{"toolCall":{"name":"refund"}}}}"#],
        &[r#"{"contentBlockStart":{"contentBlockIndex":0,"start":{"tooluse":{"name":"refund"}}}}"#],
        &[
            r#"{"contentBlockStart":{"contentBlockIndex":0,"start":{"toolUse":{"name":"refund","type":"new"}}}}"#,
        ],
        &[r#"{"contentBlockStart":{"contentBlockIndex":0,"start":{"toolUse":{"name":"a"},"image":{}}}}"#],
        &[r#"{"contentBlockStart":{"contentBlockIndex":-1,"start":{"toolUse":{"name":"a"}}}}"#],
        &[r#"{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"a","toolUse":{"input":"{}"}}}}"#],
        &[r#"{"exception:throttlingException":{"message":"m"}}"#, start],
    ] {
        assert!(read(events).is_err(), "{events:?}");
    }
    let (_, questions, _) = read(&[start, &delta.replace("{}", "{\\\"a\\\":"), stop]).unwrap();
    assert!(questions[0].starts_with("unreadable tool call `refund`"), "{questions:?}");
}

#[test]
fn an_exception_goes_on_and_what_was_held_does_not() {
    let start = r#"{"contentBlockStart":{"contentBlockIndex":0,"start":{"toolUse":{"name":"refund","toolUseId":"1"}}}}"#;
    let exception = r#"{"exception:throttlingException":{"message":"slow down"}}"#;
    assert_eq!(
        lines(&format!("{start}\n{exception}"), &[]),
        [r#"exception:throttlingException {"message":"slow down"}"#]
    );
    let cut = lines_of(&cut_converse("It was cut."));
    assert_eq!(cut, [r#"exception:internalServerException {"message":"It was cut."}"#]);
}

#[test]
fn a_router_that_chose_another_model_is_asked_about() {
    let metadata = r#"{"metadata":{"usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2},"metrics":{"latencyMs":1},"trace":{"promptRouter":{"invokedModelId":"arn:aws:bedrock:us-east-1::foundation-model/other.model-v1"}}}}"#;
    let (_, questions, _) = stream([frames_of(metadata).as_slice()], &[]).unwrap();
    assert!(questions[0].contains("other.model-v1"), "{questions:?}");
}

#[test]
fn a_request_is_tidy_without_the_tools_that_were_taken_out() {
    let check = |body: &str, due: &str| {
        let mut tree = Reader::new(body.as_bytes(), &Bounds::default()).unwrap().whole().unwrap();
        tidy(&mut tree);
        assert_eq!(tree.text(), due);
    };
    check(
        r#"{"messages":[],"toolConfig":{"tools":[{"cachePoint":{"type":"default"}}],"toolChoice":{"any":{}}}}"#,
        r#"{"messages":[]}"#,
    );
    check(
        r#"{"toolConfig":{"tools":[{"toolSpec":{"name":"a"}}],"toolChoice":{"tool":{"name":"b"}}}}"#,
        r#"{"toolConfig":{"tools":[{"toolSpec":{"name":"a"}}]}}"#,
    );
}

proptest! {
    #[test]
    fn chunks_do_not_matter(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        refuses in prop::sample::subsequence(vec!["refund", "get_order", "nova_grounding"], 0..=3),
    ) {
        for text in [PARALLEL, SERVER] {
            let bytes = frames_of(text);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            let (got, questions, seen) = stream(pieces, &refuses).unwrap();
            prop_assert_eq!((got.clone(), questions, seen), stream([bytes.as_slice()], &refuses).unwrap());
            if refuses.is_empty() {
                prop_assert_eq!(got, bytes);
            } else {
                lines_of(&got);
            }
        }
    }
}
