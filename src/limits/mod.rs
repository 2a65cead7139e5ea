//! Reserve before the call, settle after it.
