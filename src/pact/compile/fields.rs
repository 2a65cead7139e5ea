//! The fields that `where` may name, for each kind of action.

use crate::domain::ActionKind;

/// What a field holds, in the words of JSON Schema; `any` where that differs.
type FieldType = &'static str;

/// Settings of a call to a model, in the dialects' own words.
const MODEL: &[(&str, FieldType)] = &[
    ("anthropic_beta", "array"),
    ("background", "boolean"),
    ("candidate_count", "number"),
    ("container", "any"),
    ("context_management", "any"),
    ("conversation", "any"),
    ("fallbacks", "array"),
    ("frequency_penalty", "number"),
    ("function_call", "any"),
    ("functions", "array"),
    ("guardrail_identifier", "string"),
    ("guardrail_version", "string"),
    ("include", "array"),
    ("logit_bias", "object"),
    ("logprobs", "any"),
    ("max_completion_tokens", "number"),
    ("max_output_tokens", "number"),
    ("max_tokens", "number"),
    ("max_tool_calls", "number"),
    ("mcp_servers", "array"),
    ("media_resolution", "string"),
    ("metadata", "object"),
    ("modalities", "array"),
    ("models", "array"),
    ("n", "number"),
    ("parallel_tool_calls", "boolean"),
    ("presence_penalty", "number"),
    ("previous_response_id", "string"),
    ("prompt_cache_key", "string"),
    ("reasoning", "object"),
    ("reasoning_effort", "string"),
    ("response_format", "object"),
    ("response_logprobs", "boolean"),
    ("response_mime_type", "string"),
    ("safety_identifier", "string"),
    ("seed", "number"),
    ("service_tier", "string"),
    ("stop", "any"),
    ("stop_sequences", "array"),
    ("store", "boolean"),
    ("stream", "boolean"),
    ("stream_options", "object"),
    ("temperature", "number"),
    ("thinking", "object"),
    ("tool_choice", "any"),
    ("tools", "array"),
    ("top_k", "number"),
    ("top_logprobs", "number"),
    ("top_p", "number"),
    ("truncation", "string"),
    ("user", "string"),
    ("verbosity", "string"),
    ("web_search_options", "object"),
];

/// Arguments and query parameters are the callee's own; any name and any type may stand below them.
const ARGS: (&str, FieldType) = ("args", "object");
const QUERY: (&str, FieldType) = ("query", "object");
/// What a request says of a tool that the provider runs: `definition.url` of an MCP server, `definition.max_uses`.
const DEFINITION: (&str, FieldType) = ("definition", "object");

/// What is known of a message to another agent. `parts` counts its parts by what they hold: `text`, `data`, `raw`,
/// `url`.
const AGENT: &[(&str, FieldType)] = &[
    ARGS,
    ("parts", "object"),
    ("stream", "boolean"),
    ("extensions", "array"),
    ("tenant", "string"),
    ("context_id", "string"),
    ("task_id", "string"),
];

/// The fields an action of that kind can have.
pub(crate) const fn value_fields(kind: ActionKind) -> &'static [(&'static str, FieldType)] {
    match kind {
        ActionKind::Model => MODEL,
        ActionKind::Tool | ActionKind::Http => &[ARGS, QUERY],
        ActionKind::Agent => AGENT,
        ActionKind::HostedTool => &[ARGS, DEFINITION],
        ActionKind::Prompt => &[ARGS],
        ActionKind::Resource | ActionKind::Opaque | ActionKind::Protocol => &[],
    }
}

/// The type of a field; `None` when no action of that kind has it.
pub(crate) fn field_type(kind: ActionKind, names: &[Box<str>]) -> Option<FieldType> {
    let (first, deeper) = names.split_first()?;
    let (_, own) = value_fields(kind).iter().find(|(name, _)| **name == **first)?;
    match (deeper.is_empty(), *own) {
        (true, own) => Some(own),
        (false, "object" | "any") if deeper.iter().all(|name| !name.is_empty()) => Some("any"),
        (false, _) => None,
    }
}
