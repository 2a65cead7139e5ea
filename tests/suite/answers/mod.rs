//! Calls that a model makes, in answers over real sockets: judged before the agent sees them.

/// Anthropic's messages.
mod anthropic;
