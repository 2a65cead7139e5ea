//! Who calls: bearer tokens (RFC 6750), compared in constant time.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::domain::Secret;

/// Longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 4_096;

/// The callers that are known, each by a token of its own.
#[derive(Clone, Debug)]
pub struct Roster<N> {
    entries: Vec<(N, Secret)>,
}

impl<N> Roster<N> {
    /// A roster of these callers. Whoever makes it sees to it that no two have the same token.
    #[must_use]
    pub const fn new(entries: Vec<(N, Secret)>) -> Self {
        Self { entries }
    }

    /// The callers' names.
    pub fn names(&self) -> impl Iterator<Item = &N> {
        self.entries.iter().map(|(name, _)| name)
    }

    /// The caller whose token the request carries. Every token is compared, whichever fits, so that the time
    /// taken tells nothing.
    #[must_use]
    pub fn caller(&self, headers: &HeaderMap) -> Option<&N> {
        let token = bearer(headers)?;
        let mut found = None;
        for (name, secret) in &self.entries {
            if secret.matches(token) {
                found = Some(name);
            }
        }
        found
    }
}

/// The one bearer token of a request; none when there are two, as one of them is somebody else's.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let is_token = !token.is_empty() && token.len() <= TOKEN_BYTES_MAX;
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then_some(token)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_one_whole_token_names_a_caller() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let roster = Roster::new(vec![("ada", secret("token-a")), ("bob", secret("token-b"))]);
        let check = |values: &[&str], expected: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(roster.caller(&headers).copied(), expected, "{values:?}");
        };
        check(&["Bearer token-b"], Some("bob"));
        check(&["bearer  token-a"], Some("ada"));
        check(&["Bearer token-c"], None);
        check(&["Bearer token-"], None);
        check(&["Bearer "], None);
        check(&["token-a"], None);
        check(&["Basic token-a"], None);
        check(&["Bearer token-a", "Bearer token-b"], None);
        check(&[], None);
    }
}
