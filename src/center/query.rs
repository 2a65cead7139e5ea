//! Queries and path segments, read strictly.

use axum::extract::Query;
use http::Uri;
use serde::de::DeserializeOwned;

use crate::center::failure::Failure;
use crate::wire::ProblemKind;

/// Rows on a page when the query does not say.
pub(in crate::center) const PAGE: u32 = 100;

/// Reads the query of an address.
pub(in crate::center) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Failure> {
    let Query(query) = Query::try_from_uri(uri)
        .map_err(|error| Failure::new(ProblemKind::Malformed, format!("the query: {}", error.body_text())))?;
    Ok(query)
}

/// Reads an id out of a path.
pub(in crate::center) fn id<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error: T::Err| Failure::new(ProblemKind::Malformed, error.to_string()))
}
