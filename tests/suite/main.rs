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
/// What the stories need: stand-ins for the outside world, an authority they share, real clients.
mod support;
/// Properties of the source tree itself: floors, purity, file headers.
mod tidy;
