//! The sidecar's line to the collector: records and questions up, tiers and answers down.
//!
//! Four tasks that do not wait for one another. None of them is on the way of a call: a collector that is slow,
//! absent or wrong costs calls nothing until the spool is full or the news of tiers has grown old, and what
//! happens then is the spool's and the tier cache's to say.

mod approval_relay;
mod backoff;
mod delivery;
mod door;
mod session;
mod settings;
mod stats;
mod tier_feed;
mod tool_news;
mod trouble;

pub use door::{Link, LinkError};
pub use settings::Settings;
pub use stats::Stats;
