//! The one integration binary. Each module tells one story.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

/// Real clients, unmodified.
mod clients;
/// Records on their way to the collector, and its word on the way back.
mod delivery;
/// What is built in: bans, licenses, sources.
mod supply;
/// What the stories need: stand-ins for the outside world, an authority they share, real clients.
mod support;
/// TLS towards agents: leaves that every client accepts, and names that must agree.
mod interception;
/// Sockets: what is dialed, served, bounded and drained.
mod net;
/// Evidence on disk: what survives a kill.
mod spool;
/// Properties of the source tree itself: floors, purity, file headers.
mod tidy;
