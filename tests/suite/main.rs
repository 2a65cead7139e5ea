//! The one integration binary. Each module tells one story.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

/// Health, metrics and inspection, over real sockets.
mod admin;
/// A public corpus of agents' tool calls with injected ones mixed in.
mod agentdojo;
/// What a model answers: text flows, and what it asks for is judged before the agent sees it.
mod answers;
/// What an attacker tries, and what comes of it: the right refusal, a record, silence upstream.
mod attacks;
/// Requests as they stand on the wire, and what they are read as.
mod classify_corpus;
/// Real clients, unmodified.
mod clients;
/// A collector on a real socket: evidence in, tiers out, people's decisions.
#[cfg(feature = "plane")]
mod collector;
/// Records on their way to the collector, and its word on the way back.
mod delivery;
/// One action, every form it can take, one answer.
mod differential;
/// What must hold of reading files, shared with the fuzz targets.
#[path = "../fuzz/src/files.rs"]
mod files;
/// Inputs saved from fuzz runs, and the corpus cut short and changed, through every parser.
mod fuzz_corpus;
/// TLS towards agents: leaves that every client accepts, and names that must agree.
mod interception;
/// What must hold of reading records and messages, shared with the fuzz targets.
#[path = "../fuzz/src/messages.rs"]
mod messages;
/// Sockets: what is dialed, served, bounded and drained.
mod net;
/// The built program as it runs at night.
mod operation;
/// What is said of pacts, right and wrong ones.
mod pacts;
/// The shipped pacts: they load, explain themselves and pass their tests.
mod policies;
/// The README: its commands run, its output comes.
mod readme;
/// A request as text, shared with the fuzz targets.
#[path = "../fuzz/src/request.rs"]
mod request;
/// The page of settings says what the code does; the examples load.
mod settings;
/// Evidence on disk: what survives a kill.
mod spool;
/// What is built in: bans, licenses, sources.
mod supply;
/// What the stories need: stand-ins for the outside world, an authority they share, real clients.
mod support;
/// Properties of the source tree itself: floors, purity, file headers.
mod tidy;
/// What must hold of reading answers that are no stream, shared with the fuzz targets.
#[path = "../fuzz/src/whole_answers.rs"]
mod whole_answers;
