//! How the APIs of models write an answer with tool calls, and what a client reads out of one.

/// OpenAI's chat completions.
mod chat;

use serde_json::Value;

pub use chat::CHAT;

/// The model that every answer here is from.
pub const MODEL: &str = "small";

/// A tool call as a model makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// By which its result comes back.
    pub id: String,
    /// The function.
    pub name: String,
    /// Its arguments, as JSON text.
    pub arguments: String,
}

/// An answer of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What it says.
    pub text: String,
    /// What it asks for.
    pub calls: Vec<Call>,
}

/// One API. To add one is to write a constant of this type.
pub struct Speech {
    /// Its name, for messages.
    pub name: &'static str,
    /// Where a client sends its request, through a reverse listener; with or without streaming.
    pub path: fn(bool) -> String,
    /// What it asks there; with or without streaming.
    pub request: fn(bool) -> Value,
    /// Writes a whole answer.
    pub write: fn(&Said) -> String,
    /// Writes the same as a stream of events.
    pub write_stream: fn(&Said) -> String,
    /// Reads a whole answer as a client does, and fails on one that is not complete and valid.
    pub read: fn(&str) -> Said,
    /// Reads a stream in the same manner.
    pub read_stream: fn(&str) -> Said,
}

/// The `data` of every event of a stream.
fn data(stream: &str) -> Vec<&str> {
    assert!(stream.ends_with("\n\n"), "a stream ends inside an event: {stream}");
    stream.lines().filter_map(|line| line.strip_prefix("data:").map(str::trim_start)).collect()
}

/// Pieces of a text, as a model streams them: of `most` characters.
fn pieces(text: &str, most: usize) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    all.chunks(most).map(|piece| piece.iter().collect()).collect()
}

/// A whole HTTP answer.
pub fn answer(body: &str) -> Vec<u8> {
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json";
    format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

/// A streamed HTTP answer, cut wherever `next_length` says and not where an event or a character ends.
pub fn streamed_answer(stream: &str, mut next_length: impl FnMut() -> usize) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut wire = head.as_bytes().to_vec();
    let mut rest = stream.as_bytes();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(next_length().clamp(1, rest.len()));
        wire.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        wire.extend_from_slice(piece);
        wire.extend_from_slice(b"\r\n");
        rest = after;
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}
