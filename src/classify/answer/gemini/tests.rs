//! Answers as Gemini gives them, their calls let through and refused.

use proptest::prelude::*;

use super::*;
use crate::classify::answer::script::Made;
use crate::classify::answer::{AnswerForm, Observed, Step};
use crate::classify::{Expected, Speech, Unfit, WholeAnswer};

const PARALLEL: &str = include_str!("../../../../tests/corpus/answers/gemini/parallel_calls.sse");
const CODE: &str = include_str!("../../../../tests/corpus/answers/gemini/code_execution.sse");
const WHOLE: &str = include_str!("../../../../tests/corpus/answers/gemini/whole.json");
const NO: &str = "refused: not this \"order\"";

fn expected(streamed: bool) -> Expected {
    let model = Some(("google".to_owned(), "gemini-2.5-flash".to_owned()));
    Expected { speech: Speech::Gemini("google".to_owned()), streamed, model, ..Expected::unread() }
}

/// What is asked of the judge: `tool refund {"args":{}}`.
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
) -> Result<(String, Vec<String>, Observed), Unfit> {
    let form = expected(true).form(200, Some("text/event-stream"), &Bounds::default())?;
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
            Step::End => return Ok((String::from_utf8(got).unwrap(), questions, reader.observed())),
        }
    }
}

/// The parts of all events of a stream, as a client gathers them.
fn parts(stream: &str) -> Vec<serde_json::Value> {
    let events = stream.split("\n\n").filter(|event| !event.is_empty());
    let events = events.map(|event| event.strip_prefix("data: ").unwrap());
    let parts = events.flat_map(|event| {
        let event: serde_json::Value = serde_json::from_str(event).unwrap();
        event["candidates"][0]["content"]["parts"].as_array().unwrap().clone()
    });
    parts.collect()
}

#[test]
fn what_may_be_goes_on_as_it_came() {
    let (got, questions, seen) = stream([PARALLEL.as_bytes()], &[]).unwrap();
    assert_eq!(got, PARALLEL);
    assert_eq!(
        questions,
        [
            r#"tool get_order {"args":{"order":"A-1"}}"#,
            r#"tool refund {"args":{"amount":10.5,"order":"A-1"}}"#
        ]
    );
    let model = Some("gemini-2.5-flash".to_owned());
    let due =
        Observed { input_tokens: Some(81), output_tokens: Some(80), response_model: model, ended: true };
    assert_eq!(seen, due);
}

#[test]
fn a_refused_call_is_a_text_in_its_place() {
    let (got, _, _) = stream([PARALLEL.as_bytes()], &["refund"]).unwrap();
    let parts = parts(&got);
    assert_eq!(parts[2]["functionCall"]["name"], "get_order");
    assert_eq!(parts[2]["thoughtSignature"], "CvcDAdHtim9hIGRldGFpbA==");
    assert_eq!(parts[3], serde_json::json!({"text": NO}));
    assert!(got.contains("\"finishReason\": \"STOP\""));
    let (got, _, _) = stream([PARALLEL.as_bytes()], &["refund", "get_order"]).unwrap();
    assert!(!got.contains("functionCall") && !got.contains("thoughtSignature"), "{got}");
    assert_eq!(got.matches("refused: not this").count(), 2);
}

#[test]
fn what_google_ran_is_judged_and_its_result_goes_with_it() {
    let (got, questions, seen) = stream([CODE.as_bytes()], &[]).unwrap();
    assert_eq!(got, CODE);
    assert_eq!(
        questions,
        [r#"hosted_tool google/codeExecution {"args":{"code":"print(6 * 7)\n","language":"PYTHON"}}"#]
    );
    assert_eq!((seen.input_tokens, seen.output_tokens), (Some(72), Some(30)));
    let (got, _, _) = stream([CODE.as_bytes()], &["codeExecution"]).unwrap();
    let texts: Vec<_> = parts(&got).into_iter().map(|part| part["text"].clone()).collect();
    assert_eq!(texts, ["I will calculate.", NO, "", "It is 42."]);
    let (_, result) = CODE.split_once("calculate.").unwrap();
    let (_, alone) =
        result.split_once("\n\ndata: {\"candidates\": [{\"content\": {\"parts\": [{\"exec").unwrap();
    let (_, alone) = alone.split_once("\n\n").unwrap();
    assert!(stream([alone.as_bytes()], &[]).is_err(), "a result that no call led to");
}

#[test]
fn a_whole_answer_is_told_without_what_was_refused() {
    let read = || WholeAnswer::read(&expected(false), WHOLE.into(), &Bounds::default()).unwrap();
    let asked: Vec<String> = read().questions().iter().map(asked).collect();
    assert_eq!(
        asked,
        [
            r#"tool refund {"args":{"amount":10,"order":"A-1"}}"#,
            r#"hosted_tool google/googleSearch {"args":{"queries":["orders"]}}"#,
            r#"tool get_order {"args":{}}"#
        ]
    );
    assert_eq!(read().observed().input_tokens, Some(20));
    assert_eq!(read().told(vec![Judgement::Released; 3]).unwrap(), WHOLE);
    let no = || Judgement::Refused { text: NO.to_owned() };
    let told = read().told(vec![no(), no(), Judgement::Released]).unwrap();
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    let texts = serde_json::json!([{"text": "Refunding."}, {"text": NO}, {"text": NO}, {"text": ""}]);
    assert_eq!(told["candidates"][0]["content"]["parts"], texts);
    assert_eq!(told["candidates"][1]["content"]["parts"][0]["functionCall"]["name"], "get_order");
}

#[test]
fn both_spellings_are_judged_alike() {
    let event = |part: &str| format!("data: {{\"candidates\":[{{\"content\":{{\"parts\":[{part}]}}}}]}}\n\n");
    for part in [
        r#"{"functionCall":{"name":"refund","args":{"a":1}}}"#,
        r#"{"function_call":{"name":"refund","args":{"a":1}}}"#,
    ] {
        let (got, questions, _) = stream([event(part).as_bytes()], &["refund"]).unwrap();
        assert_eq!(questions, [r#"tool refund {"args":{"a":1}}"#], "{part}");
        assert_eq!(parts(&got), [serde_json::json!({"text": NO})], "{part}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let call = r#"{"name":"refund","args":{}}"#;
    let event = |part: &str| format!("data: {{\"candidates\":[{{\"content\":{{\"parts\":[{part}]}}}}]}}\n\n");
    let fine = event(&format!(r#"{{"functionCall":{call}}}"#));
    assert!(stream([fine.as_bytes()], &[]).is_ok());
    for part in [
        format!(r#"{{"functionCall":{call},"function_call":{call}}}"#),
        format!(r#"{{"functionCall":{call},"executableCode":{{"code":"x"}}}}"#),
        format!(r#"{{"FunctionCall":{call}}}"#),
        format!(r#"{{"newKindOfCall":{call}}}"#),
        format!(r#"{{"functionResponse":{call}}}"#),
        r#"{"functionCall":"refund"}"#.to_owned(),
        r#"{"functionCall":{"name":"refund","partialArgs":[{"jsonPath":"$.a"}]}}"#.to_owned(),
        r#"{"functionCall":{"name":"refund","will_continue":true}}"#.to_owned(),
        "7".to_owned(),
    ] {
        assert!(stream([event(&part).as_bytes()], &[]).is_err(), "{part}");
    }
    for text in [
        fine.replace("candidates", "Candidates"),
        fine.replace("\"parts\":", "\"PARTS\":"),
        "data: [1]\n\n".to_owned(),
        "data: {\n\n".to_owned(),
    ] {
        assert!(stream([text.as_bytes()], &[]).is_err(), "{text}");
    }
    let (_, questions, _) = stream([fine.replace("refund", "re\\u200bfund").as_bytes()], &[]).unwrap();
    assert!(questions[0].starts_with("unreadable tool call"), "{questions:?}");
}

#[test]
fn a_request_is_tidy_without_the_tools_that_were_taken_out() {
    let check = |body: &str, due: &str| {
        let mut tree = Reader::new(body.as_bytes(), &Bounds::default()).unwrap().whole().unwrap();
        tidy(&mut tree);
        assert_eq!(tree.text(), due);
    };
    check(
        r#"{"tools":[{"functionDeclarations":[]},{}],"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}"#,
        "{}",
    );
    check(
        r#"{"tools":[{"function_declarations":[{"name":"a"}]}],"tool_config":{"function_calling_config":{"mode":"ANY","allowed_function_names":["a","b"]}}}"#,
        r#"{"tools":[{"function_declarations":[{"name":"a"}]}],"tool_config":{"function_calling_config":{"mode":"ANY","allowed_function_names":["a"]}}}"#,
    );
    check(
        r#"{"tools":[{"functionDeclarations":[{"name":"a"}],"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["b"]}}}"#,
        r#"{"tools":[{"functionDeclarations":[{"name":"a"}],"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}"#,
    );
}

proptest! {
    #[test]
    fn chunks_do_not_matter(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        refuses in prop::sample::subsequence(vec!["refund", "get_order", "codeExecution"], 0..=3),
    ) {
        for text in [PARALLEL, CODE] {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            let (got, questions, seen) = stream(pieces, &refuses).unwrap();
            prop_assert_eq!((got.clone(), questions, seen), stream([bytes], &refuses).unwrap());
            if refuses.is_empty() {
                prop_assert_eq!(got.as_str(), text);
            } else {
                parts(&got);
            }
        }
    }
}
