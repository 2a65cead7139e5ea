#![doc = include_str!("README.md")]

// Floor 0: words.
pub mod domain;

// Floor 1: reason. Pure: no I/O, no async, no clock.
pub mod classify;
pub mod evidence;
pub mod pact;
#[cfg(feature = "plane")]
pub mod scoring;
pub mod wire;

// Floor 2: hold. State, disk, sockets.
pub mod approvals;
pub mod limits;
pub mod net;
pub mod pins;
pub mod spool;
#[cfg(feature = "plane")]
pub mod store;
pub mod telemetry;
pub mod trust;

// Floor 3: judge.
pub mod enforce;

// Floor 4: speak.
pub mod admin;
#[cfg(feature = "plane")]
pub mod center;
#[cfg(feature = "plane")]
pub mod collector;
pub mod link;
pub mod proxy;

// Floor 5: assemble.
pub mod cli;
pub mod config;
pub mod rehearsal;
