//! What the stories need: stand-ins for the outside world, an authority they share, real clients.

/// An authority for one test, and what it certifies.
pub mod authority;
/// Records of calls that never happened.
pub mod calls;
/// The built collector, and what its operator does with it.
pub mod collector;
/// A collector that fails on demand.
pub mod collector_double;
/// An upstream that tells what reached it, and turns into an echo.
pub mod echo;
/// The variables by which agents are pointed at a sidecar.
pub mod environment;
/// Real client programs, run to their end.
pub mod programs;
/// A role of the built binary as a process of its own.
pub mod role;
/// The built sidecar, with files made for one test.
pub mod sidecar;
/// The world outside: a model API and an MCP server.
pub mod world;
