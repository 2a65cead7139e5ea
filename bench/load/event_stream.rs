//! Streamed answers of the stand-in upstream: server-sent events as OpenAI's chat API writes them.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::stream::unfold;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::workload::{FUNCTION, Says, Streamed};

/// Text of the chunks, in turn.
const WORDS: [&str; 8] = [" I", " am", " sorry", " to", " hear", " that", ",", " your"];

/// The arguments of the tool call, before they are cut into pieces.
const ARGUMENTS: &str = r#"{"order":"A-17340","amount":40,"currency":"EUR","note":"It came late and its box was torn; half of it is to be paid back, and she is to hear of it."}"#;

/// The pieces of one answer, in order: its chunks, and at last everything that ends it.
pub fn pieces(streamed: Streamed) -> Arc<[Bytes]> {
    let deltas: Vec<Value> = match streamed.says {
        Says::Text => {
            WORDS.iter().cycle().map(|word| json!({"content": word})).take(count(streamed)).collect()
        }
        Says::ToolCall => tool_call(count(streamed)),
    };
    let reason = if streamed.says == Says::Text { "stop" } else { "tool_calls" };
    let choice = |delta: &Value, reason: Value| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]);
    let mut pieces: Vec<Bytes> =
        deltas.iter().map(|delta| Bytes::from(event(&choice(delta, Value::Null), &Value::Null))).collect();
    let usage = json!({
        "prompt_tokens": 412,
        "completion_tokens": streamed.chunks,
        "total_tokens": 412 + streamed.chunks,
    });
    let end = event(&choice(&json!({}), json!(reason)), &Value::Null) + &event(&json!([]), &usage);
    pieces.push(Bytes::from(end + "data: [DONE]\n\n"));
    pieces.into()
}

fn count(streamed: Streamed) -> usize {
    usize::try_from(streamed.chunks).unwrap_or(usize::MAX)
}

/// A call in so many chunks: what is called, then the arguments in pieces of about one size.
fn tool_call(chunks: usize) -> Vec<Value> {
    let function = json!({"name": FUNCTION, "arguments": ""});
    let call =
        json!({"index": 0, "id": "call_Zq8Xw2Lr5TnVb7Kc9MdP3Fh1", "type": "function", "function": function});
    let mut deltas =
        vec![json!({"role": "assistant", "content": null, "tool_calls": [call], "refusal": null})];
    let fragments = chunks.saturating_sub(1).max(1);
    let arguments: Vec<char> = ARGUMENTS.chars().collect();
    for fragment in arguments.chunks(arguments.len().div_ceil(fragments)) {
        let text: String = fragment.iter().collect();
        deltas.push(json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}));
    }
    deltas
}

/// One event of 250 to 300 bytes, as the API writes it.
fn event(choices: &Value, usage: &Value) -> String {
    let chunk = json!({
        "id": "chatcmpl-CkT4mVw9ZrXq2LdY7NfPbHs8JgUaE",
        "object": "chat.completion.chunk",
        "created": 1_767_225_600,
        "model": "gpt-4o-mini-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_3392a90d29",
        "choices": choices,
        "usage": usage,
    });
    format!("data: {chunk}\n\n")
}

/// The pieces as a body: the first at once, then a pause before each chunk. Each leaves by itself, also without one.
pub fn body(pieces: Arc<[Bytes]>, streamed: Streamed) -> BoxBody<Bytes, Infallible> {
    let begun = Instant::now();
    let stream = unfold(0_u32, move |number| {
        let pieces = Arc::clone(&pieces);
        async move {
            let piece = pieces.get(usize::try_from(number).ok()?)?.clone();
            let is_chunk = (1..streamed.chunks).contains(&number);
            if is_chunk && !streamed.pause.is_zero() {
                sleep_until(begun + streamed.pause * number).await;
            } else if number > 0 {
                // Makes hyper write out what it has.
                tokio::task::yield_now().await;
            }
            Some((Ok(Frame::data(piece)), number + 1))
        }
    });
    StreamBody::new(stream).boxed()
}
