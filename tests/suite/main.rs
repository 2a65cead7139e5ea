//! The one integration binary. Each module tells one story.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

/// A collector on a real socket: evidence in, tiers out, people's decisions.
#[cfg(feature = "plane")]
mod collector;
/// TLS towards agents: leaves that every client accepts, and names that must agree.
mod interception;
/// Sockets: what is dialed, served, bounded and drained.
mod net;
/// Properties of the source tree itself: floors, purity, file headers.
mod tidy;
