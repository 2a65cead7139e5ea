//! Telemetry: what is measured, what is logged, and in which shape.

mod decisions;
mod log;
mod metrics;
mod readings;
mod table;

pub use log::{Format, Level, LogError, LogSettings, start};
pub use metrics::{Direction, Effect, FailOpen, InFlight, Metrics, Port, Reloaded};
pub use readings::{ApprovalReading, EvidenceReading, LimitReading, Readings, TrustReading};
pub use table::{Row, TABLE};

#[cfg(test)]
mod tests;
