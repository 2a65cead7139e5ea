//! Signed statements: what a collector says, in a form that can be checked and kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::wire::{PAYLOAD_BYTES_MAX, PublicKey, SigningKey};

/// What a statement is about. The topic is part of what is signed, so that no statement can pass for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Tiers of agents.
    Trust,
    /// The answer to one question.
    Approval,
}

impl Topic {
    /// The name of the feed's event that carries it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trust => "trust",
            Self::Approval => "approval",
        }
    }

    /// What is signed: the topic and its version on a line, then the payload.
    fn message(self, payload: &[u8]) -> Vec<u8> {
        let mut message = format!("dev.pactgate.{}.v1\n", self.name()).into_bytes();
        message.extend_from_slice(payload);
        message
    }
}

/// Why a statement is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum StatementError {
    /// Signed with a key that this sidecar was not told of.
    #[error(
        "the statement is signed with another key: compare `collector.public_key` with the collector's `/v1/key`"
    )]
    UnknownKey,
    /// The signature does not belong to the payload.
    #[error("the statement's signature does not fit its payload")]
    BadSignature,
    /// Payload or signature are not base64, or too long.
    #[error("the statement's payload or signature is not base64, or is too long")]
    Malformed,
    /// The payload is not what its topic and version promise.
    #[error("the statement's payload is not a message of this version")]
    Payload,
}

impl StatementError {
    /// A label for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownKey => "unknown-key",
            Self::BadSignature => "bad-signature",
            Self::Malformed => "malformed",
            Self::Payload => "payload",
        }
    }
}

/// A payload and its signature. It may be stored and shown as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Base64 of the payload's JSON bytes.
    pub payload: String,
    /// Base64 of the Ed25519 signature.
    pub signature: String,
    /// Which key signed: see [`PublicKey::id`].
    pub key: String,
}

impl Signed {
    /// Signs a payload.
    #[must_use]
    pub fn seal(topic: Topic, payload: &[u8], key: &SigningKey) -> Self {
        Self {
            payload: STANDARD.encode(payload),
            signature: STANDARD.encode(key.sign(&topic.message(payload))),
            key: key.public().id(),
        }
    }

    /// The payload's bytes, if `key` signed them for this topic.
    ///
    /// # Errors
    /// When the statement is malformed, signed by another key, or altered.
    pub fn open(&self, topic: Topic, key: &PublicKey) -> Result<Vec<u8>, StatementError> {
        if self.key != key.id() {
            return Err(StatementError::UnknownKey);
        }
        if self.payload.len() > PAYLOAD_BYTES_MAX.div_ceil(3) * 4 || self.signature.len() > 128 {
            return Err(StatementError::Malformed);
        }
        let payload = STANDARD.decode(&self.payload).map_err(|_| StatementError::Malformed)?;
        let signature = STANDARD.decode(&self.signature).map_err(|_| StatementError::Malformed)?;
        if !key.verifies(&topic.message(&payload), &signature) {
            return Err(StatementError::BadSignature);
        }
        Ok(payload)
    }
}
