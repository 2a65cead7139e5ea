//! Names and ids: newtypes validated on entry, cheap to clone.

use std::fmt;
use std::sync::Arc;

/// Why a string is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{text}` {problem}")]
pub struct IdError {
    what: &'static str,
    text: String,
    problem: &'static str,
}

fn check(what: &'static str, text: &str, longest: usize, allowed: fn(u8) -> bool) -> Result<(), IdError> {
    let problem = if text.is_empty() {
        "is empty"
    } else if text.len() > longest {
        "is too long"
    } else if !text.bytes().all(allowed) {
        "has a character that is not allowed there"
    } else {
        return Ok(());
    };
    Err(IdError { what, text: text.chars().take(64).collect(), problem })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $longest:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks length and characters.
            ///
            /// # Errors
            /// When the text is empty, too long, or has a character outside the allowed set.
            pub fn new(text: &str) -> Result<Self, IdError> {
                check($what, text, $longest, $allowed)?;
                Ok(Self(Arc::from(text)))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
    };
}

fn word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')
}

fn label(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
}

fn identity(b: u8) -> bool {
    word(b) || matches!(b, b':' | b'/' | b'@')
}

id! {
    /// Who acts: proved by a credential or fixed by the sidecar's own config. A plain name or a SPIFFE id.
    AgentId, "agent id", 255, identity
}
id! {
    /// `metadata.name` of a pact.
    PactName, "pact name", 100, word
}
id! {
    /// `id` of a clause, unique in its pact.
    ClauseId, "clause id", 100, word
}
id! {
    /// `id` of a limit, unique in its pact.
    LimitId, "limit id", 100, word
}
id! {
    /// The config's name of an upstream. Lower-case letters, digits and `-`: it is a path segment, and the
    /// server part of tool names, where a dot would be ambiguous.
    UpstreamName, "upstream name", 63, label
}
id! {
    /// The name of one sidecar, unique in the fleet: the last part of its records' `source`.
    SidecarId, "sidecar id", 128, word
}
id! {
    /// One question to a person.
    ApprovalId, "approval id", 64, word
}
id! {
    /// One decision: stands in the refusal, the record and the log line of the same call.
    DecisionId, "decision id", 64, word
}

impl DecisionId {
    /// The id in the form of a UUID (RFC 9562, section 4).
    #[must_use]
    pub fn from_uuid(id: uuid::Uuid) -> Self {
        let mut text = uuid::Uuid::encode_buffer();
        Self(Arc::from(&*id.hyphenated().encode_lower(&mut text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked_on_entry() {
        assert!(AgentId::new("spiffe://corp/ns/a/sa/refunds").is_ok());
        assert!(AgentId::new("").is_err());
        assert!(AgentId::new("a\nb").is_err());
        assert!(AgentId::new(&"a".repeat(256)).is_err());
        assert!(UpstreamName::new("open.ai").is_err());
        let said = UpstreamName::new("Open AI").unwrap_err().to_string();
        assert_eq!(said, "upstream name `Open AI` has a character that is not allowed there");
    }
}
