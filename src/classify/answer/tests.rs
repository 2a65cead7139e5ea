//! What a tap sees, whatever the chunks.

use proptest::prelude::*;

use super::*;

const OPENAI: &str = concat!(
    ": keep-alive\n\n",
    "data: {\"id\":\"c1\",\"model\":\"gpt-4o-mini-2024\",\"choices\":[{\"delta\":{\"content\":\"Hé\"}}],\"usage\":null}\n\n",
    "data: {\"id\":\"c1\",\"model\":\"gpt-4o-mini-2024\",\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\"\"}}],\"usage\":null}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[],\"usage\": {\"prompt_tokens\":12,\"completion_tokens\":7,\"total_tokens\":19}}\n\n",
    "data: [DONE]\n\n",
);

const ANTHROPIC: &str = concat!(
    "event: message_start\r\n",
    "data: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-sonnet-5\",\"usage\":{\"input_tokens\":10,",
    "\"cache_creation_input_tokens\":3,\"cache_read_input_tokens\":20,\"output_tokens\":1}}}\r\n\r\n",
    "event: content_block_start\r\n",
    "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\r\n\r\n",
    "event: content_block_delta\r\n",
    "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",",
    "\"text\":\"say \\\"message_stop\\\"\"}}\r\n\r\n",
    "event: content_block_stop\r\n",
    "data: {\"type\":\"content_block_stop\",\"index\":0}\r\n\r\n",
    "event: message_delta\r\n",
    "data: {\"type\":\"message_delta\",\"delta\":{},\r\n",
    "data:  \"usage\":{\"output_tokens\":42}}\r\n\r\n",
    "event: message_stop\r\n",
    "data: {\"type\":\"message_stop\"}\r\n\r\n",
);

/// What is seen of an answer; nothing of one that cannot be read.
fn watch<'a>(speech: &Speech, content_type: &str, chunks: impl IntoIterator<Item = &'a [u8]>) -> Observed {
    let streamed = content_type.starts_with("text/event-stream");
    let expected = Expected { speech: speech.clone(), streamed, ..Expected::unread() };
    let bounds = Bounds::default();
    let chunks: Vec<Bytes> = chunks.into_iter().map(Bytes::copy_from_slice).collect();
    match expected.form(200, Some(content_type), &bounds) {
        Ok(AnswerForm::Stream(mut reader)) => {
            for chunk in chunks {
                if reader.push(chunk).is_err() || !pass(&mut reader) {
                    return reader.observed();
                }
            }
            if reader.close().is_ok() {
                pass(&mut reader);
            }
            reader.observed()
        }
        Ok(AnswerForm::Whole) => WholeAnswer::read(&expected, chunks.concat().into(), &bounds)
            .map(|whole| whole.observed().clone())
            .unwrap_or_default(),
        _ => Observed::default(),
    }
}

/// Releases every call.
fn pass(reader: &mut AnswerReader) -> bool {
    loop {
        match reader.step() {
            Ok(Step::Send(_)) => {}
            Ok(Step::Ask(_)) => {
                if reader.judged(Judgement::Released).is_err() {
                    return false;
                }
            }
            Ok(Step::More | Step::End) => return true,
            Err(_) => return false,
        }
    }
}

fn stream(speech: &Speech, text: &str) -> Observed {
    watch(speech, "text/event-stream; charset=utf-8", [text.as_bytes()])
}

fn observed(input: u64, output: u64, model: &str, ended: bool) -> Observed {
    Observed {
        input_tokens: Some(input),
        output_tokens: Some(output),
        response_model: Some(model.to_owned()),
        ended,
    }
}

#[test]
fn streams_are_read_to_their_end() {
    assert_eq!(stream(&Speech::Chat, OPENAI), observed(12, 7, "gpt-4o-mini-2024", true));
    assert_eq!(stream(&Speech::Anthropic, ANTHROPIC), observed(33, 42, "claude-sonnet-5", true));
}

#[test]
fn a_cut_stream_has_not_ended() {
    let (cut, _) = OPENAI.split_once("data: [DONE]").unwrap();
    assert_eq!(stream(&Speech::Chat, cut), observed(12, 7, "gpt-4o-mini-2024", false));
    let (cut, _) = ANTHROPIC.split_once("event: message_delta").unwrap();
    assert_eq!(stream(&Speech::Anthropic, cut), observed(33, 1, "claude-sonnet-5", false));
}

#[test]
fn an_end_without_its_last_line_break_is_an_end() {
    assert!(stream(&Speech::Chat, OPENAI.trim_end()).ended);
    assert!(stream(&Speech::Anthropic, ANTHROPIC.trim_end()).ended);
}

#[test]
fn whole_responses_are_read_at_their_end() {
    let openai = br#"{"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6}}"#;
    assert_eq!(watch(&Speech::Chat, "application/json", openai.chunks(7)), observed(5, 6, "gpt-4o", true));
    let anthropic = br#"{"type":"message","model":"claude","usage":{"input_tokens":5,"output_tokens":6}}"#;
    assert_eq!(
        watch(&Speech::Anthropic, "application/json", anthropic.chunks(7)),
        observed(5, 6, "claude", true)
    );
    assert_eq!(watch(&Speech::Chat, "application/json", openai[..40].chunks(7)), Observed::default());
}

#[test]
fn nonsense_is_not_reported() {
    for text in [
        "",
        "data",
        "data:\n\n",
        "data: {\"usage\":7}\n\n",
        "data: {\"usage\":{\"prompt_tokens\":-1}}\n\n",
        "\r\r\n\n",
    ] {
        assert_eq!(stream(&Speech::Chat, text), Observed::default(), "{text:?}");
    }
    assert_eq!(watch(&Speech::Chat, "text/html", [OPENAI.as_bytes()]), Observed::default());
    let long_name = format!("data: {{\"model\":\"{}\"}}\n\n", "m".repeat(600));
    assert_eq!(stream(&Speech::Chat, &long_name), Observed::default());
}

/// Streams made of pieces that matter, in any order.
fn streams() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "data: [DONE]",
        "data:[DONE]",
        "data: {\"usage\":{\"prompt_tokens\":3,",
        "\"completion_tokens\":4}}",
        "data: \"model\":\"m\"",
        "data: {\"model\":\"m\"}",
        "data: {\"type\":\"message_stop\"}",
        "event: x",
        ": c",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "\r\n\r\n",
        "\r\r",
        "data:",
        "é",
        "\"usage\"",
        "data: {\"usage\":{\"prompt_tokens\":9,\"input_tokens\":8,\"output_tokens\":7}}",
    ]);
    prop::collection::vec(pieces, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn chunks_do_not_matter(text in streams(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        for speech in [&Speech::Chat, &Speech::Anthropic] {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            let split = watch(speech, "text/event-stream", pieces);
            prop_assert_eq!(&split, &stream(speech, &text));
            let singly = watch(speech, "text/event-stream", bytes.chunks(1));
            prop_assert_eq!(split, singly);
        }
    }

    #[test]
    fn any_bytes_are_safe(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..10)) {
        for content_type in ["text/event-stream", "application/json"] {
            for speech in [&Speech::Chat, &Speech::Responses("openai".to_owned()), &Speech::Anthropic, &Speech::Gemini("google".to_owned())] {
                watch(speech, content_type, chunks.iter().map(Vec::as_slice));
            }
        }
    }
}
