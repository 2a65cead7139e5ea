//! Between columns and words of the domain.

use std::fmt::Display;
use std::str::FromStr;

use crate::domain::{Digest, Timestamp, TrustTier};
use crate::store::StoreError;

/// A number that is never negative, as the database keeps it. Beyond its range it saturates, which no counter of
/// ours reaches.
pub(in crate::store) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The way back.
pub(in crate::store) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(in crate::store) fn moment(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

pub(in crate::store) fn tier(text: &str) -> Result<TrustTier, StoreError> {
    TrustTier::parse(text).ok_or_else(|| StoreError::damaged(format!("`{text}` is not a tier")))
}

pub(in crate::store) fn id<T: FromStr<Err: Display>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error: T::Err| StoreError::damaged(error.to_string()))
}

pub(in crate::store) fn digest(bytes: &[u8]) -> Result<Digest, StoreError> {
    let bytes: [u8; 32] =
        bytes.try_into().map_err(|_| StoreError::damaged("a digest does not have 32 bytes"))?;
    Ok(Digest::from_bytes(bytes))
}
