//! Who calls: the listener's fixed agent, or the owner of a credential. Never what a caller says of itself.

use std::collections::HashMap;

use base64::Engine as _;
use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};

use crate::domain::{AgentId, Digest, Secret};
use crate::proxy::headers::{AGENT_TOKEN, CREDENTIALS};

/// The agents known by a credential. Looked up by digest, so that the time a look-up takes says nothing of a token.
#[derive(Debug, Default)]
pub struct Credentials {
    agents: HashMap<Digest, AgentId>,
}

impl Credentials {
    /// The agents and their tokens. Of two agents with one token, neither is known.
    #[must_use]
    pub fn new(agents: impl IntoIterator<Item = (AgentId, Secret)>) -> Self {
        let mut known = HashMap::new();
        let mut shared = Vec::new();
        for (agent, token) in agents {
            let digest = Digest::of(token.expose().as_bytes());
            if known.insert(digest, agent).is_some() {
                shared.push(digest);
            }
        }
        known.retain(|digest, _| !shared.contains(digest));
        Self { agents: known }
    }

    fn owner(&self, token: &str) -> Option<&AgentId> {
        self.agents.get(&Digest::of(token.as_bytes()))
    }

    /// The agent that the request's own headers prove. Whatever proves one is taken off, so that no token of an
    /// agent goes any further. Two agents in one request are none.
    pub(super) fn take(&self, headers: &mut HeaderMap) -> Option<AgentId> {
        if self.agents.is_empty() {
            return None;
        }
        let mut found: Option<&AgentId> = None;
        let mut is_one = true;
        for name in std::iter::once(AGENT_TOKEN).chain(CREDENTIALS) {
            let values = headers.get_all(&name).iter();
            let owner = |value: &HeaderValue| self.owner(&token(value.to_str().ok()?)?);
            let owners: Vec<Option<&AgentId>> = values.map(owner).collect();
            let Some(owner) = owners.iter().flatten().next() else { continue };
            is_one &= owners.len() == 1 && found.is_none_or(|found| found == *owner);
            found = Some(owner);
            headers.remove(&name);
        }
        found.filter(|_| is_one).cloned()
    }

    /// The agent that a request to a forward listener proves to be, by `Proxy-Authorization` alone
    /// (RFC 9110, section 11.7.1): the other credentials are for the upstream.
    pub(super) fn of_proxy_request(&self, headers: &HeaderMap) -> Option<AgentId> {
        self.owner_of(headers, &header::PROXY_AUTHORIZATION)
    }

    fn owner_of(&self, headers: &HeaderMap, name: &HeaderName) -> Option<AgentId> {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        if values.next().is_some() {
            return None;
        }
        self.owner(&token(value)?).cloned()
    }
}

/// The token in `Bearer TOKEN`, in `Basic` credentials (its password, or its user name where that is all there is),
/// or standing alone.
fn token(value: &str) -> Option<String> {
    let Some((scheme, rest)) = value.trim().split_once(' ') else {
        return Some(value.trim().to_owned());
    };
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':').unwrap_or((&text, ""));
    Some(if password.is_empty() { user } else { password }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Credentials {
        let entry = |id: &str, token: &str| (AgentId::new(id).unwrap(), Secret::new(token.to_owned()));
        Credentials::new([
            entry("a", "token-a"),
            entry("b", "token-b"),
            entry("c", "same"),
            entry("d", "same"),
        ])
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())])
    }

    #[test]
    fn a_credential_proves_an_agent_and_goes_no_further() {
        for (name, value) in [
            ("authorization", "Bearer token-a"),
            ("x-api-key", "token-a"),
            ("pactgate-agent-token", "token-a"),
            ("authorization", "Basic dG9rZW4tYTo="),
            ("authorization", "basic dXNlcjp0b2tlbi1h"),
        ] {
            let mut request = headers(name, value);
            assert_eq!(known().take(&mut request).unwrap().as_str(), "a", "{value}");
            assert!(request.is_empty());
        }
    }

    #[test]
    fn what_a_caller_says_of_itself_proves_nothing() {
        for (name, value) in [
            ("authorization", "Bearer a"),
            ("x-agent-id", "token-a"),
            ("authorization", "Digest token-a"),
            ("authorization", "Bearer same"),
            ("authorization", ""),
        ] {
            let mut request = headers(name, value);
            assert_eq!(known().take(&mut request), None, "{name}: {value}");
            assert_eq!(request.len(), 1);
        }
        let mut twice = headers("authorization", "Bearer token-a");
        twice.append("authorization", "Bearer token-b".parse().unwrap());
        assert_eq!(known().take(&mut twice), None);
        assert!(twice.is_empty());
        assert_eq!(known().of_proxy_request(&headers("authorization", "Bearer token-a")), None);
    }
}
