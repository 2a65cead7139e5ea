//! The sidecar's line to the collector.
