//! From an agent's history to a score, a tier and a consequence.
