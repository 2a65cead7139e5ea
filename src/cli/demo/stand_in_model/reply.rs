//! What the stand-in says, and the frames in which it says it, whichever API asked.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};

/// The models that are listed. Any other name is answered too.
const MODELS: [&str; 3] = ["gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5"];

/// The moment at which everything here was made: 2026-01-01T00:00:00Z. Answers do not depend on the clock.
pub(super) const CREATED: i64 = 1_767_225_600;

/// Words of the last message that are repeated; more are cut off.
const WORDS_MAX: usize = 64;

/// One message of a conversation, as both APIs write it.
#[derive(Debug, Deserialize)]
pub(super) struct Said {
    #[serde(default)]
    content: Option<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Blocks(Vec<Block>),
}

#[derive(Debug, Deserialize)]
struct Block {
    #[serde(default)]
    text: Option<String>,
}

impl Said {
    fn text(&self) -> String {
        match &self.content {
            None => String::new(),
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Blocks(blocks)) => {
                blocks.iter().filter_map(|block| block.text.as_deref()).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// An answer: its pieces make up its text when put together.
pub(super) struct Reply {
    pub(super) pieces: Vec<String>,
    /// Whether it was cut off because it may be no longer.
    pub(super) cut: bool,
    /// Words of the conversation, taken for tokens.
    pub(super) input_tokens: usize,
}

impl Reply {
    /// Repeats the last thing said, one word to a piece and to a token, of which there are at most `tokens_max`.
    pub(super) fn to(conversation: &[Said], tokens_max: Option<usize>) -> Self {
        let last = conversation.last().map(Said::text).unwrap_or_default();
        let mut words = vec!["You", "said:"];
        words.extend(last.split_whitespace().take(WORDS_MAX));
        let allowed = tokens_max.unwrap_or(words.len());
        let cut = words.len() > allowed;
        words.truncate(allowed);
        let pieces = words.iter().enumerate().map(|(index, word)| match index {
            0 => (*word).to_owned(),
            _ => format!(" {word}"),
        });
        Self {
            pieces: pieces.collect(),
            cut,
            input_tokens: conversation.iter().map(|said| said.text().split_whitespace().count()).sum(),
        }
    }

    pub(super) fn text(&self) -> String {
        self.pieces.concat()
    }

    pub(super) fn output_tokens(&self) -> usize {
        self.pieces.len()
    }
}

/// Sends server-sent events, each already framed, waiting `cadence` between two of them.
pub(super) fn event_stream(events: Vec<String>, cadence: Duration) -> Response {
    let paced = stream::iter(events.into_iter().enumerate()).then(move |(index, event)| async move {
        if index > 0 && !cadence.is_zero() {
            tokio::time::sleep(cadence).await;
        }
        Ok::<_, std::convert::Infallible>(Bytes::from(event))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(paced)).into_response()
}

/// The list of models, with the members that either SDK reads.
pub(super) fn models() -> Response {
    let data: Vec<Value> = MODELS
        .iter()
        .map(|id| {
            json!({
                "id": id, "object": "model", "created": CREATED, "owned_by": "stand-in",
                "type": "model", "display_name": id, "created_at": "2026-01-01T00:00:00Z",
            })
        })
        .collect();
    let [first, .., last] = MODELS;
    Json(json!({"object": "list", "data": data, "has_more": false, "first_id": first, "last_id": last}))
        .into_response()
}
