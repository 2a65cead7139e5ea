//! Trust: the last tiers heard from the collector, how old that news is, and how stale news sinks a tier.

mod cache;
mod keeper;
mod saved;
mod staleness;

pub use cache::{AGENTS_MAX, Change, Freshness, NotApplied, Standing, Stats, TierCache, TierView};
pub use staleness::{News, Staleness};

#[cfg(test)]
mod tests;
