//! Addresses inside a message: where the agent is told to fetch from, or to send to.

use http::Method;

use crate::classify::address::http_target;
use crate::classify::fault::Fault;
use crate::classify::query::{check_query, read_query};
use crate::classify::{Bounds, Problem};
use crate::domain::{HttpTarget, Json};

/// An HTTP call that another agent is told to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) target: HttpTarget,
    pub(super) query: Json,
}

/// Reads an absolute URL. It travels on inside its message as it is, so what the agent could read as another place
/// than the one judged is refused.
pub(super) fn read_link(method: &Method, url: &str, bounds: &Bounds) -> Result<Link, Fault> {
    let wrong = |what: &'static str| Fault::new(Problem::Address, what);
    if url.len() > bounds.uri_bytes {
        return Err(Fault::new(
            Problem::Address,
            format!("the URL is longer than {} bytes", bounds.uri_bytes),
        ));
    }
    if !url.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'#')) {
        return Err(wrong("the URL has a blank, a backslash, a fragment or a character that is not ASCII"));
    }
    let (scheme, rest) =
        url.split_once("://").ok_or_else(|| wrong("an absolute `https` or `http` URL is due here"))?;
    let scheme = scheme.to_ascii_lowercase();
    let default = match scheme.as_str() {
        "https" => 443,
        "http" => 80,
        _ => return Err(wrong("only `https` and `http` URLs are judged; send one, or the bytes themselves")),
    };
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(wrong("the URL has a name or password before its host; leave them out"));
    }
    let (host, port) =
        split_port(authority, default).ok_or_else(|| wrong("the URL has no port that is one"))?;
    let target = http_target(method, &scheme, host, port, path)?;
    if !path.is_empty() && !target.path.eq_ignore_ascii_case(&path.replace('+', "%2B")) {
        return Err(wrong("the path of the URL has dot segments or needless escapes; write it plainly"));
    }
    let query = query.unwrap_or_default();
    check_query(query)?;
    Ok(Link { target, query: read_query(query)? })
}

/// Host and port of an authority; the host of an IPv6 address keeps its brackets.
fn split_port(authority: &str, default: u16) -> Option<(&str, u16)> {
    let behind_address = authority.rfind(']').map_or(0, |at| at + 1);
    let (_, tail) = authority.split_at_checked(behind_address)?;
    let Some(at) = tail.rfind(':') else { return Some((authority, default)) };
    let (host, port) = authority.split_at_checked(behind_address + at)?;
    let digits = port.strip_prefix(':')?;
    let is_port = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| is_port).map(|port| (host, port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Result<&str, Problem>) {
        let read = read_link(&Method::GET, url, &Bounds::default());
        let told = read.map(|link| link.target.to_string()).map_err(|fault| fault.problem());
        assert_eq!(told, expected.map(|told| format!("GET {told}")), "{url}");
    }

    #[test]
    fn a_url_is_read_as_the_call_it_stands_for() {
        check("https://files.example/a/b.pdf?v=1", Ok("https://files.example/a/b.pdf"));
        check("HTTPS://Files.Example:8443", Ok("https://files.example:8443/"));
        check("http://[2001:DB8::1]:8080/x", Ok("http://[2001:db8::1]:8080/x"));
        check("https://files.example/a%2fb", Err(Problem::Address));
        check("https://files.example/caf%c3%a9+1", Ok("https://files.example/caf%C3%A9%2B1"));
        let link = read_link(&Method::POST, "https://h.example/?to=a&to=b", &Bounds::default()).unwrap();
        assert_eq!(link.query.canonical(), r#"{"to":["a","b"]}"#);
    }

    #[test]
    fn a_url_that_could_be_read_in_two_ways_is_refused() {
        for url in [
            "",
            "files.example/a",
            "//files.example/a",
            "file:///etc/passwd",
            "gopher://files.example/",
            "data:text/plain,x",
            "https:/files.example",
            "https://",
            "https://files.example@evil.example/",
            "https://files.example\\@evil.example/",
            "https://files.example/#@evil.example",
            "https://files.example /",
            "https://files.example/a/../b",
            "https://files.example/%61",
            "https://files.example//a",
            "https://files.example:/a",
            "https://files.example:080/a",
            "https://files.example:+80/a",
            "https://files.example:99999/a",
            "https://2130706433/a",
            "https://0x7f.1/a",
            "https://[::1/a",
            "https://f\u{ef}les.example/",
            "https://files.example/?a=%zz",
        ] {
            check(url, Err(Problem::Address));
        }
    }

    proptest! {
        /// What is judged is what a client that follows the URL will call.
        #[test]
        fn a_url_is_read_as_clients_read_it(
            scheme in "(https|http|HTTP)",
            authority in "([a-zA-Z0-9.:@\\[\\]%-]{0,12}|h\\.example(:[0-9]{1,5})?)",
            path in "(/[a-zA-Z0-9.%+;,:@!*-]{0,6}){0,3}",
            query in "(\\?[a-z=&%0-9]{0,8})?",
        ) {
            let text = format!("{scheme}://{authority}{path}{query}");
            let Ok(link) = read_link(&Method::GET, &text, &Bounds::default()) else { return Ok(()) };
            let url = url::Url::parse(&text);
            prop_assert!(url.is_ok(), "{}", text);
            let url = url.unwrap();
            let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).trim_end_matches('.').to_owned();
            prop_assert_eq!(&link.target.scheme, url.scheme(), "{}", text);
            prop_assert_eq!(&link.target.host, &host, "{}", text);
            prop_assert_eq!(Some(link.target.port), url.port_or_known_default(), "{}", text);
            let same = link.target.path.eq_ignore_ascii_case(&url.path().replace('+', "%2B"));
            prop_assert!(same, "{}: {} and {}", text, link.target.path, url.path());
        }
    }
}
