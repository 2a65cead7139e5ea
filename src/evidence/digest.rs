//! Argument digest: shows that two calls had the same arguments, and not what they were.

use aws_lc_rs::hmac;

use crate::domain::{Digest, Json};

/// HMAC-SHA256 (RFC 2104) over the canonical form of the arguments.
///
/// Keyed, because arguments are often easy to guess: an amount, an order number. The key is the sidecar's own and
/// never leaves it, so only its holder can test a guess.
#[must_use]
pub fn argument_digest(key: &[u8; 32], arguments: &Json) -> Digest {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, arguments.canonical().as_bytes());
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    Digest::from_bytes(bytes)
}
