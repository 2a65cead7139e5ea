//! A person's answer to a held action.
