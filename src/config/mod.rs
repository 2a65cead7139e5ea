//! Config: load, check, print.
