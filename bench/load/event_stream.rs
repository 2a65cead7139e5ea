//! Streamed answers of the stand-in upstream: server-sent events as OpenAI's chat API writes them.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::stream::unfold;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use tokio::time::{Instant, sleep_until};

use crate::workload::{FUNCTION, Says, Streamed};

/// Text of the chunks, in turn.
const WORDS: [&str; 8] = [" I", " am", " sorry", " to", " hear", " that", ",", " your"];

/// The arguments of the tool call, before they are cut into pieces.
const ARGUMENTS: &str = r#"{"order":"A-17340","amount":40,"currency":"EUR","note":"It came late and its box was torn; half of it is to be paid back, and she is to hear of it."}"#;

/// The pieces of one answer, one event each: its chunks, why the model stopped, the usage, and the end.
pub fn pieces(streamed: Streamed) -> Arc<[Bytes]> {
    let count = usize::try_from(streamed.chunks).unwrap_or(usize::MAX);
    let (deltas, reason) = match streamed.says {
        Says::Text => (WORDS.iter().cycle().map(|word| text(word)).take(count).collect(), "stop"),
        Says::ToolCall => (tool_call(count), "tool_calls"),
    };
    let mut pieces: Vec<Bytes> = deltas.iter().map(|delta| chunk(delta, "null")).collect();
    pieces.push(chunk("{}", &format!("\"{reason}\"")));
    let (written, all) = (streamed.chunks, 412 + streamed.chunks);
    let usage = format!(r#"{{"prompt_tokens":412,"completion_tokens":{written},"total_tokens":{all}}}"#);
    pieces.push(event("", &usage));
    pieces.push(Bytes::from_static(b"data: [DONE]\n\n"));
    pieces.into()
}

fn text(word: &str) -> String {
    format!(r#"{{"content":"{word}"}}"#)
}

/// A call in so many chunks: what is called, then the arguments in pieces of about one size.
fn tool_call(chunks: usize) -> Vec<String> {
    let call = format!(
        r#"{{"index":0,"id":"call_Zq8Xw2Lr5TnVb7Kc9MdP3Fh1","type":"function","function":{{"name":"{FUNCTION}","arguments":""}}}}"#
    );
    let mut deltas =
        vec![format!(r#"{{"role":"assistant","content":null,"tool_calls":[{call}],"refusal":null}}"#)];
    let fragments = chunks.saturating_sub(1).max(1);
    let arguments: Vec<char> = ARGUMENTS.chars().collect();
    for fragment in arguments.chunks(arguments.len().div_ceil(fragments)) {
        let text = serde_json::Value::String(fragment.iter().collect());
        deltas.push(format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":{text}}}}}]}}"#));
    }
    deltas
}

fn chunk(delta: &str, reason: &str) -> Bytes {
    let choice = format!(r#"{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}"#);
    event(&choice, "null")
}

/// One event, in the order in which the API writes its members: about 280 bytes around one word of text.
fn event(choice: &str, usage: &str) -> Bytes {
    let event = format!(
        r#"data: {{"id":"chatcmpl-CkT4mVw9ZrXq2LdY7NfPbHs8JgUaE","object":"chat.completion.chunk","created":1767225600,"model":"gpt-4o-mini-2024-07-18","system_fingerprint":"fp_3392a90d29","choices":[{choice}],"usage":{usage}}}"#
    );
    Bytes::from(event + "\n\n")
}

/// The pieces as a body: the first at once, then a pause before each chunk. Each leaves by itself, also where there is no
/// pause.
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
