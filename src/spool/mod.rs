//! A queue on disk: append, read in order, acknowledge.
