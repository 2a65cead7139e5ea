//! The judge: admit before the call, settle after it.
