//! OpenAI's API: chat completions, responses, completions, embeddings, and the list of models.

use http::Method;

use crate::classify::fault::Fault;
use crate::classify::model::{self, Form, Settings};
use crate::classify::responses;
use crate::classify::{Bounds, Part, Peer, Problem, Reading, Reply, RequestView, Speech, betas, content};
use crate::domain::{Dialect, HttpTarget};

/// The endpoints that are read. All others are opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Responses,
    /// Counts the tokens of a call to responses; no model answers.
    ResponseTokens,
    /// The API before chat: a text goes on.
    Completions,
    Embeddings,
    Models,
}

const FORM: Form = Form {
    dialect: Dialect::OpenAi,
    reply: Reply::OpenAi,
    speech: Speech::Chat,
    judged: &[
        "messages",
        "prompt",
        "input",
        "model",
        "models",
        "fallbacks",
        "stream",
        "max_tokens",
        "max_completion_tokens",
        "n",
        "temperature",
        "top_p",
        "tools",
        "functions",
        "web_search_options",
        "plugins",
        "search_parameters",
        "mcp_servers",
        "data_sources",
    ],
    conversation: &["messages"],
    // All but the first are of other providers who speak this dialect.
    hosted: &["web_search_options", "plugins", "search_parameters", "mcp_servers", "data_sources"],
    is_run_by_caller: |kind| matches!(kind, "function" | "custom"),
    own: |_, _, _, _, _| Ok(false),
    finish: |_| {},
    settle: settle_token_bound,
};

/// What comes back holds no call, so nobody reads it.
const COMPLETIONS: Form = Form { speech: Speech::Unread, conversation: &["prompt", "suffix"], ..FORM };
const EMBEDDINGS: Form = Form { speech: Speech::Unread, conversation: &["input"], ..FORM };

/// The endpoint of that method and normalized path.
pub(super) fn recognizes(method: &Method, path: &str) -> Option<Endpoint> {
    match path {
        "/v1/chat/completions" if *method == Method::POST => Some(Endpoint::Chat),
        "/v1/responses" if *method == Method::POST => Some(Endpoint::Responses),
        "/v1/responses/input_tokens" if *method == Method::POST => Some(Endpoint::ResponseTokens),
        "/v1/completions" if *method == Method::POST => Some(Endpoint::Completions),
        "/v1/embeddings" if *method == Method::POST => Some(Endpoint::Embeddings),
        "/v1/models" if *method == Method::GET => Some(Endpoint::Models),
        _ if *method == Method::GET && path.starts_with("/v1/models/") => Some(Endpoint::Models),
        _ => None,
    }
}

/// Reads a request.
pub(super) fn read(
    peer: &Peer,
    view: &RequestView<'_>,
    target: &HttpTarget,
    body: &[u8],
    bounds: &Bounds,
) -> Result<Reading, Fault> {
    let endpoint = recognizes(view.method, &target.path);
    if endpoint.is_some_and(|endpoint| endpoint != Endpoint::Models) {
        content::demand_json(view.headers)?;
    }
    if endpoint.is_some() {
        betas::in_header(peer, view.headers, "openai-beta")?;
    }
    let part = match endpoint {
        Some(Endpoint::Chat) => return responses::read_chat(&FORM, peer, body, bounds),
        Some(Endpoint::Responses) => return responses::read(peer, false, body, bounds),
        Some(Endpoint::ResponseTokens) => return responses::read(peer, true, body, bounds),
        Some(Endpoint::Completions) => return model::read(&COMPLETIONS, peer, None, body, bounds),
        Some(Endpoint::Embeddings) => return model::read(&EMBEDDINGS, peer, None, body, bounds),
        Some(Endpoint::Models) => model::preparing(&FORM, peer, "models", body)?,
        None => None,
    };
    let part = part.unwrap_or_else(|| Part::opaque(FORM.dialect, target, FORM.reply));
    Ok(Reading::plain(part))
}

/// `max_tokens` and its successor `max_completion_tokens` bound the same thing. A pact may speak of either, so each
/// stands in for the other; two that differ are refused, as the API does.
fn settle_token_bound(settings: &mut Settings) -> Result<(), Fault> {
    let (old, new) = ("max_tokens", "max_completion_tokens");
    match (settings.value(old).cloned(), settings.value(new).cloned()) {
        (Some(a), Some(b)) if a != b => {
            let what = "`max_tokens` and `max_completion_tokens` differ; send the second alone";
            Err(Fault::new(Problem::Conflict, what))
        }
        (Some(bound), None) => {
            settings.set(new, bound);
            Ok(())
        }
        (None, Some(bound)) => {
            settings.set(old, bound);
            Ok(())
        }
        _ => Ok(()),
    }
}
