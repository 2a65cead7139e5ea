//! Headers that end at a proxy: hop-by-hop ones, in both directions, and those that lead around us.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Headers that speak of one connection only (RFC 9110, section 7.6.1), and older ones that proxies still meet.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
];

/// Headers in which agents carry a credential to an upstream. Replaced where the sidecar holds one.
pub(super) const CREDENTIALS: [HeaderName; 5] = [
    header::AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("x-amz-security-token"),
];

/// Parameters of the query in which agents carry one to Google.
pub(super) const CREDENTIAL_PARAMETERS: [&str; 3] = ["key", "access_token", "oauth_token"];

/// The header of the agent's own token towards the sidecar, for listeners where `Authorization` belongs to the
/// upstream.
pub(super) const AGENT_TOKEN: HeaderName = HeaderName::from_static("pactgate-agent-token");

/// The header that names the decision, on refusals and on what went through.
pub(super) const DECISION: HeaderName = HeaderName::from_static("pactgate-decision");

/// The one protocol that a connection may be turned over to, where a clause allows that.
pub(super) const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Takes off a request what ends here. The body's framing is set anew by the HTTP client.
pub(super) fn strip_request(headers: &mut HeaderMap) {
    let trailers = headers.get(header::TE).is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    let websocket =
        headers.get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    strip_hop_by_hop(headers);
    if websocket {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, WEBSOCKET);
    }
    headers.remove(header::TE);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    headers.remove(header::EXPECT);
    headers.remove(header::HOST);
    headers.remove(AGENT_TOKEN);
    headers.remove(DECISION);
}

/// Takes off a response what ends here, and what would lead the agent around us.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    headers.remove(header::ALT_SVC);
    headers.remove(DECISION);
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
            .filter(|name| !is_end_to_end(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Headers that a `Connection` header must not take away: removing them would change what was judged.
fn is_end_to_end(name: &HeaderName) -> bool {
    let mcp = name.as_str().starts_with("mcp-") || name.as_str().starts_with("anthropic-");
    mcp || CREDENTIALS.contains(name)
        || [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LENGTH, header::HOST]
            .contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let parse =
            |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        pairs.iter().map(parse).collect()
    }

    #[test]
    fn what_ends_here_is_taken_off() {
        let mut request = headers(&[
            ("connection", "close, X-Secret-Hop"),
            ("x-secret-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic eA=="),
            ("te", "trailers"),
            ("expect", "100-continue"),
            ("host", "127.0.0.1:8080"),
            ("accept", "*/*"),
        ]);
        strip_request(&mut request);
        assert_eq!(request, headers(&[("te", "trailers"), ("accept", "*/*")]));
    }

    #[test]
    fn a_connection_header_cannot_take_away_what_was_judged() {
        let mut request = headers(&[
            ("connection", "content-type, mcp-method"),
            ("content-type", "application/json"),
            ("mcp-method", "ping"),
        ]);
        strip_request(&mut request);
        assert_eq!(request.len(), 2);
    }

    #[test]
    fn a_response_does_not_lead_around_us() {
        let mut response = headers(&[("connection", "keep-alive"), ("alt-svc", "h3=\":443\""), ("x-a", "b")]);
        strip_response(&mut response);
        assert_eq!(response, headers(&[("x-a", "b")]));
    }
}
