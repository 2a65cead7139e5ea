//! What an agent may do: load a pact, decide an action.
