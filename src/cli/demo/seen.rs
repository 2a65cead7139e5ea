//! What a stand-in saw of each request: enough to prove what reached it, never a secret.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, request::Parts};
use serde::Serialize;

use crate::domain::Secret;

/// Requests remembered; the oldest is forgotten first.
const CALLS_MAX: usize = 1_024;

/// Whether the key that a stand-in was given at its start came with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// No credential header at all.
    Absent,
    /// Every credential header carried the expected key.
    Expected,
    /// Some credential header carried another key, as when the agent's own one comes through.
    Other,
}

impl Credential {
    /// Reads `Authorization: Bearer` and `x-api-key`, the headers in which model APIs and MCP servers look for a key.
    pub(super) fn read(headers: &HeaderMap, expected: &Secret) -> Self {
        let bearer = headers.get_all("authorization").iter().map(|value| {
            value
                .to_str()
                .ok()
                .and_then(|text| text.strip_prefix("Bearer "))
                .is_some_and(|key| expected.matches(key))
        });
        let plain = headers
            .get_all("x-api-key")
            .iter()
            .map(|value| value.to_str().is_ok_and(|key| expected.matches(key)));
        bearer.chain(plain).fold(Self::Absent, |so_far, matches| match (so_far, matches) {
            (Self::Other, _) | (_, false) => Self::Other,
            (_, true) => Self::Expected,
        })
    }
}

/// One request as it arrived. Header names are kept, header values are not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeenCall {
    /// The request method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// Names of all headers, in the order of arrival, lower case.
    pub header_names: Vec<String>,
    /// Whether the expected key arrived.
    pub credential: Credential,
    /// Length of the body in bytes.
    pub body_bytes: usize,
    /// What was asked for: a model's name, or an MCP method with the tool, prompt or resource it names.
    pub asked: Option<String>,
}

impl SeenCall {
    pub(super) fn new(
        parts: &Parts,
        credential: Credential,
        body_bytes: usize,
        asked: Option<String>,
    ) -> Self {
        Self {
            method: parts.method.to_string(),
            target: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            version: format!("{:?}", parts.version),
            header_names: parts.headers.keys().map(ToString::to_string).collect(),
            credential,
            body_bytes,
            asked,
        }
    }
}

/// The requests that one stand-in has seen, and how many there were in all.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    calls: Mutex<VecDeque<SeenCall>>,
}

impl Ledger {
    pub(super) fn add(&self, call: SeenCall) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() == CALLS_MAX {
            calls.pop_front();
        }
        calls.push_back(call);
    }

    pub(super) fn calls(&self) -> Vec<SeenCall> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_foreign_key_spoils_the_expected_one() {
        let expected = Secret::new("right".to_owned());
        let check = |headers: &[(&'static str, &'static str)], credential| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().unwrap());
            }
            assert_eq!(Credential::read(&map, &expected), credential, "{headers:?}");
        };
        check(&[], Credential::Absent);
        check(&[("authorization", "Bearer right")], Credential::Expected);
        check(&[("x-api-key", "right")], Credential::Expected);
        check(&[("authorization", "Bearer right"), ("x-api-key", "right")], Credential::Expected);
        check(&[("authorization", "Bearer right"), ("x-api-key", "wrong")], Credential::Other);
        check(&[("authorization", "Bearer wrong"), ("authorization", "Bearer right")], Credential::Other);
        check(&[("authorization", "Basic right")], Credential::Other);
    }
}
