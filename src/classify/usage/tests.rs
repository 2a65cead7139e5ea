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
    "event: content_block_delta\r\n",
    "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"say \\\"message_stop\\\"\"}}\r\n\r\n",
    "event: message_delta\r\n",
    "data: {\"type\":\"message_delta\",\"delta\":{},\r\n",
    "data:  \"usage\":{\"output_tokens\":42}}\r\n\r\n",
    "event: message_stop\r\n",
    "data: {\"type\":\"message_stop\"}\r\n\r\n",
);

fn watch<'a>(dialect: Dialect, content_type: &str, chunks: impl IntoIterator<Item = &'a [u8]>) -> Observed {
    let mut tap = UsageTap::for_response(dialect, Some(content_type), &Bounds::default());
    chunks.into_iter().for_each(|chunk| tap.push(chunk));
    tap.finish()
}

fn stream(dialect: Dialect, text: &str) -> Observed {
    watch(dialect, "text/event-stream; charset=utf-8", [text.as_bytes()])
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
    assert_eq!(stream(Dialect::OpenAi, OPENAI), observed(12, 7, "gpt-4o-mini-2024", true));
    assert_eq!(stream(Dialect::Anthropic, ANTHROPIC), observed(33, 42, "claude-sonnet-5", true));
}

#[test]
fn a_cut_stream_has_not_ended() {
    let (cut, _) = OPENAI.split_once("data: [DONE]").unwrap();
    assert_eq!(stream(Dialect::OpenAi, cut), observed(12, 7, "gpt-4o-mini-2024", false));
    let (cut, _) = ANTHROPIC.split_once("event: message_delta").unwrap();
    assert_eq!(stream(Dialect::Anthropic, cut), observed(33, 1, "claude-sonnet-5", false));
}

#[test]
fn an_end_without_its_last_line_break_is_an_end() {
    assert!(stream(Dialect::OpenAi, OPENAI.trim_end()).ended);
    assert!(stream(Dialect::Anthropic, ANTHROPIC.trim_end()).ended);
}

#[test]
fn whole_responses_are_read_at_their_end() {
    let openai = br#"{"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6}}"#;
    assert_eq!(watch(Dialect::OpenAi, "application/json", openai.chunks(7)), observed(5, 6, "gpt-4o", true));
    let anthropic = br#"{"type":"message","model":"claude","usage":{"input_tokens":5,"output_tokens":6}}"#;
    assert_eq!(
        watch(Dialect::Anthropic, "application/json", anthropic.chunks(7)),
        observed(5, 6, "claude", true)
    );
    assert_eq!(watch(Dialect::OpenAi, "application/json", openai[..40].chunks(7)), Observed::default());
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
        assert_eq!(stream(Dialect::OpenAi, text), Observed::default(), "{text:?}");
    }
    assert_eq!(watch(Dialect::Mcp, "text/event-stream", [OPENAI.as_bytes()]), Observed::default());
    assert_eq!(watch(Dialect::OpenAi, "text/html", [OPENAI.as_bytes()]), Observed::default());
    let long_name = format!("data: {{\"model\":\"{}\"}}\n\n", "m".repeat(600));
    assert_eq!(stream(Dialect::OpenAi, &long_name), Observed::default());
}

#[test]
fn an_endless_line_is_passed_over_and_the_next_event_is_read() {
    let mut text = format!("data: {}", "x".repeat(1 << 20));
    text.push_str("\n\n");
    text.push_str(OPENAI);
    assert_eq!(stream(Dialect::OpenAi, &text), observed(12, 7, "gpt-4o-mini-2024", true));
    let mut tap = UsageTap::for_response(Dialect::OpenAi, Some("text/event-stream"), &Bounds::default());
    text.as_bytes().chunks(1000).for_each(|chunk| tap.push(chunk));
    assert_eq!(tap.finish(), observed(12, 7, "gpt-4o-mini-2024", true));
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
        for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            let split = watch(dialect, "text/event-stream", pieces);
            prop_assert_eq!(&split, &stream(dialect, &text));
            let singly = watch(dialect, "text/event-stream", bytes.chunks(1));
            prop_assert_eq!(split, singly);
        }
    }

    #[test]
    fn any_bytes_are_safe(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..10)) {
        for content_type in ["text/event-stream", "application/json"] {
            for dialect in Dialect::ALL {
                watch(dialect, content_type, chunks.iter().map(Vec::as_slice));
            }
        }
    }
}
