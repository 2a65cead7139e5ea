//! What an attacker tries, and what comes of it: the right refusal, a record, silence upstream.

/// Approvals: replayed, borrowed, outlived, abandoned.
mod asking;
/// Bodies that say two things, or are not what they say.
mod bodies;
/// Records: before the byte, or not at all.
mod evidence;
/// Too much, too slow, too often.
mod floods;
/// Where one message ends and the next begins.
mod framing;
/// Messages of MCP.
mod mcp;
/// Calls to models.
mod models;
/// Names and addresses.
mod names;
/// Tools and state of the provider's, in a call to OpenAI's responses.
mod provider_state;
/// Upstreams that attack the agent, or help it.
mod responses;
/// Credentials, on both sides.
mod secrets;
