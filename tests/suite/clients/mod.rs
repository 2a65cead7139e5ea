//! Real clients, unmodified: first against the stand-ins alone, then with the sidecar between.

/// Other agents, by Agent2Agent.
mod agents;
/// Answers that hold tool calls.
mod answers;
/// Calls that wait for a person.
mod approvals;
/// curl, for whatever speaks plain HTTP.
mod curl;
/// Without a sidecar between.
mod direct;
/// An agent framework, from the model's first word to its last.
mod framework;
/// Clients of Gemini and Bedrock.
mod google_and_aws;
/// Clients of model APIs.
mod models;
/// What an operator does at the collector.
mod operator;
/// A sidecar before its upstreams, and the ways through it.
mod scene;
/// Clients and servers of MCP.
mod tools;
/// Bytes that the sidecar does not read.
mod tunnels;
