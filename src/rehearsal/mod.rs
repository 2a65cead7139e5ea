//! Runs written calls through the real pact.
