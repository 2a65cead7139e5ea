//! What the stories need: stand-ins for the outside world, an authority they share, real clients.

/// Calls of a public corpus, with injected ones mixed in.
pub mod agentdojo;
/// What an attacker plays against: a sidecar in this process.
pub mod arena;
/// An authority for one test, and what it certifies.
pub mod authority;
/// Records of calls that never happened.
pub mod calls;
/// The built collector as a process of its own.
pub mod collector;
/// A collector that fails on demand.
pub mod collector_double;
/// The ways into a sidecar as bare connections.
pub mod doors;
/// An upstream that tells what reached it, and turns into an echo.
pub mod echo;
/// The variables by which agents are pointed at a sidecar.
pub mod environment;
/// An upstream that behaves as it is asked to, well or badly.
pub mod fickle;
/// HTTP/2 as an attacker speaks it.
pub mod frames;
/// HTTP as a test speaks it.
pub mod http;
/// The built program as a process: what it says, and how it ends.
pub mod process;
/// Real client programs, run to their end.
pub mod programs;
/// The text format of Prometheus, read strictly.
pub mod prometheus;
/// Gemini and Bedrock, as far as their clients need them.
pub mod recorded;
/// The built sidecar as a process of its own.
pub mod sidecar;
/// How the APIs of models write answers with tool calls, and what a client reads out of them.
pub mod speech;
/// An upstream that sends events when it is told to.
pub mod teller;
/// The world outside: a model API and an MCP server.
pub mod world;
