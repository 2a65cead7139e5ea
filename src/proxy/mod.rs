//! The data path: listeners, and the life of a call.
