//! What an attacker tries, and what comes of it: the right refusal, a record, silence upstream.

/// Other agents: messages that say more than they show, cards that lead around.
mod agents;
/// Approvals: replayed, borrowed, outlived, abandoned.
mod asking;
/// Calls to models of Bedrock, signed and not, and what those ask for.
mod bedrock;
/// Bodies that say two things, or are not what they say.
mod bodies;
/// Records: before the byte, or not at all.
mod evidence;
/// Too much, too slow, too often.
mod floods;
/// Frames of HTTP/2, in orders and numbers that no client sends.
mod frames;
/// Where one message ends and the next begins.
mod framing;
/// Calls to Gemini, and what it asks for.
mod gemini;
/// Messages of MCP.
mod mcp;
/// Calls to models.
mod models;
/// What breaks a naive enforcing proxy, item by item.
mod naive;
/// Names and addresses.
mod names;
/// Tools and state of the provider's, in a call to OpenAI's responses.
mod provider_state;
/// Upstreams that attack the agent, or help it.
mod responses;
/// Credentials, on both sides.
mod secrets;
