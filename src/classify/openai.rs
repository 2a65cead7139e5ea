//! OpenAI's API: chat completions, and the list of models.

use http::Method;

use crate::classify::fault::Fault;
use crate::classify::model::{self, Form, Settings};
use crate::classify::{Bounds, Part, Peer, Problem, Reading, Reply, RequestView, Speech, betas, content};
use crate::domain::{Dialect, HttpTarget};

/// The endpoints that are read. All others are opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Models,
}

const FORM: Form = Form {
    dialect: Dialect::OpenAi,
    reply: Reply::OpenAi,
    speech: Speech::Chat,
    judged: &[
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
    ],
    conversation: &["messages"],
    hosted: &["web_search_options"],
    is_run_by_caller: |kind| matches!(kind, "function" | "custom"),
    own: |_, _, _, _, _| Ok(false),
    finish: |_| {},
    settle: settle_token_bound,
};

/// The endpoint of that method and normalized path.
pub(super) fn recognizes(method: &Method, path: &str) -> Option<Endpoint> {
    match path {
        "/v1/chat/completions" if *method == Method::POST => Some(Endpoint::Chat),
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
    let part = match recognizes(view.method, &target.path) {
        Some(Endpoint::Chat) => {
            content::demand_json(view.headers)?;
            betas::in_header(peer, view.headers, "openai-beta")?;
            return model::read(&FORM, peer, None, body, bounds);
        }
        Some(Endpoint::Models) => {
            betas::in_header(peer, view.headers, "openai-beta")?;
            model::preparing(&FORM, peer, "models", body)?
        }
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
