//! Names what a request is, strictly: bytes to actions.
