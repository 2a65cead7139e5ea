//! What the stories need: stand-ins for the outside world, an authority they share, real clients.

/// An authority for one test, and what it certifies.
pub mod authority;
/// Real client programs, run to their end.
pub mod programs;
/// The built sidecar as a process of its own.
pub mod sidecar;
/// The world outside: a model API and an MCP server.
pub mod world;
