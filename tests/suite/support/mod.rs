//! What the stories need: stand-ins for the outside world, an authority they share, real clients.

/// What an attacker plays against: a sidecar in this process.
pub mod arena;
/// An authority for one test, and what it certifies.
pub mod authority;
/// Records of calls that never happened.
pub mod calls;
/// A collector that fails on demand.
pub mod collector_double;
/// Real client programs, run to their end.
pub mod programs;
/// The built sidecar as a process of its own.
pub mod sidecar;
/// The world outside: a model API and an MCP server.
pub mod world;
