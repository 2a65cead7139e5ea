//! Ed25519 keys of a collector: who signs, and who checks (RFC 8032).

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::domain::Digest;
use crate::wire::WireError;

/// The private key with which a collector signs its statements. It is made from key material; where that lives
/// is the business of whoever holds it.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// The key that this seed gives (RFC 8032, section 5.1.5: the private key is 32 random bytes).
    ///
    /// # Errors
    /// When the cryptographic library refuses the seed.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, WireError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| WireError::new("the signing key is not usable: expected 32 random bytes"))?;
        let bytes = <[u8; 32]>::try_from(pair.public_key().as_ref())
            .map_err(|_| WireError::new("the signing key has a public part of the wrong length"))?;
        Ok(Self { pair, public: PublicKey(bytes) })
    }

    /// The part that checks.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(in crate::wire) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id())
    }
}

/// The key with which a sidecar checks what its collector says. Printed and read as base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a key from base64, as `GET /v1/key` and the sidecar's config spell it.
    ///
    /// # Errors
    /// When the text is not base64 of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, WireError> {
        let bytes = STANDARD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.map(Self).ok_or_else(|| {
            WireError::new(
                "a public key is base64 of 32 bytes: copy `public_key` from the collector's `/v1/key`",
            )
        })
    }

    /// A key from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Names the key in a statement: the first sixteen hexadecimal digits of its SHA-256.
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = Digest::of(&self.0).hex();
        id.truncate(16);
        id
    }

    pub(in crate::wire) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

/// Answer of `GET /v1/key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// See [`PublicKey::id`].
    pub key: String,
    /// The key in base64, for the sidecars' config.
    pub public_key: String,
}
