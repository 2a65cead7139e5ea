//! The variables by which agents are pointed at a sidecar. The README shows these, and a test compares.

use std::path::Path;

/// Names and values.
pub type Variables = Vec<(&'static str, String)>;

/// By base URL, through the reverse listener at `listener`.
pub fn reverse(listener: &str, key: &str) -> Variables {
    base_urls(&format!("{listener}/openai"), &format!("{listener}/anthropic"), key)
}

/// By the base URLs of the two model APIs, and the key that the agent believes to need there.
pub fn base_urls(openai: &str, anthropic: &str, key: &str) -> Variables {
    vec![
        ("OPENAI_BASE_URL", format!("{openai}/v1")),
        ("OPENAI_API_KEY", key.to_owned()),
        ("ANTHROPIC_BASE_URL", anthropic.to_owned()),
        ("ANTHROPIC_API_KEY", key.to_owned()),
    ]
}

/// Through the forward listener at `proxy`, whose authority keeps its files in `authority`.
pub fn forward(proxy: &str, authority: &Path) -> Variables {
    let file = |name: &str| authority.join(name).display().to_string();
    vec![
        ("HTTPS_PROXY", proxy.to_owned()),
        ("SSL_CERT_FILE", file("bundle.pem")),
        ("REQUESTS_CA_BUNDLE", file("bundle.pem")),
        ("CURL_CA_BUNDLE", file("bundle.pem")),
        ("NODE_USE_ENV_PROXY", "1".to_owned()),
        ("NODE_EXTRA_CA_CERTS", file("ca.pem")),
    ]
}

/// Calls without TLS, through the forward listener at `proxy`. curl reads the lower-case name only.
pub fn unencrypted(proxy: &str) -> Variables {
    vec![("HTTP_PROXY", proxy.to_owned()), ("http_proxy", proxy.to_owned())]
}
