//! The one integration binary. Each module tells one story.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

/// Requests as they stand on the wire, and what they are read as.
mod classify_corpus;
/// Inputs saved from fuzz runs, and the corpus cut short and changed, through every parser.
mod fuzz_corpus;
/// A request as text, shared with the fuzz targets.
#[path = "../fuzz/src/request.rs"]
mod request;
/// Properties of the source tree itself: floors, purity, file headers.
mod tidy;
