//! Anthropic's API: messages, counting their tokens, and the list of models.

use http::Method;

use crate::classify::fault::Fault;
use crate::classify::model::{self, Form};
use crate::classify::{Bounds, Part, Peer, Problem, Reading, Reply, RequestView, Speech, content};
use crate::domain::{Dialect, HttpTarget, Json};

/// The endpoints that are read. All others are opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Messages,
    Models,
}

const FORM: Form = Form {
    dialect: Dialect::Anthropic,
    reply: Reply::Anthropic,
    speech: Speech::Anthropic,
    judged: &[
        "model",
        "models",
        "fallbacks",
        "stream",
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "tools",
        "mcp_servers",
        BETA,
    ],
    conversation: &["messages", "system"],
    hosted: &["mcp_servers"],
    is_run_by_caller,
    settle: |_| Ok(()),
};

/// The setting that holds the `anthropic-beta` header, under which the API has other capabilities.
const BETA: &str = "anthropic_beta";

/// Types of tools that the API defines and the caller runs. Every other type, also one not known here, is taken for
/// a tool that the provider runs.
const CALLER_RUN: [&str; 4] = ["bash_2", "text_editor_2", "memory_2", "computer_2"];

fn is_run_by_caller(kind: &str) -> bool {
    kind == "custom" || CALLER_RUN.iter().any(|prefix| kind.starts_with(prefix))
}

/// The endpoint of that method and normalized path.
pub(super) fn recognizes(method: &Method, path: &str) -> Option<Endpoint> {
    match path {
        "/v1/messages" | "/v1/messages/count_tokens" if *method == Method::POST => Some(Endpoint::Messages),
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
        Some(Endpoint::Messages) => {
            content::demand_json(view.headers)?;
            let betas = betas(view)?;
            return model::read(&FORM, peer, betas, body, bounds);
        }
        Some(Endpoint::Models) => model::preparing(&FORM, peer, "models", body)?,
        None => None,
    };
    let part = part.unwrap_or_else(|| Part::opaque(FORM.dialect, target, FORM.reply));
    Ok(Reading::plain(part))
}

/// The betas that the caller switches on, as a setting that a pact may bound with `subset_of`.
fn betas(view: &RequestView<'_>) -> Result<Option<(&'static str, Json)>, Fault> {
    let mut names = Vec::new();
    for value in view.headers.get_all("anthropic-beta") {
        let text = value.to_str().map_err(|_| {
            Fault::new(Problem::HeaderMismatch, "header `anthropic-beta` has a byte that is not ASCII text")
        })?;
        let listed = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.extend(listed.map(|name| Json::String(name.to_owned())));
    }
    Ok((!names.is_empty()).then_some((BETA, Json::Array(names))))
}
