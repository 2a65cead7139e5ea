//! Which tier an agent has now.
