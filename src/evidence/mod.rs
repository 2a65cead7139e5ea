//! What happened, and the proof that it was not rewritten.
