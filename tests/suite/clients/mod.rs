//! Real clients, unmodified.

/// Without a sidecar between: the stand-ins are true enough for every client.
mod direct;
/// Through the sidecar, by base URL and as a proxy.
mod through;
