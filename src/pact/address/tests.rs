//! Address patterns, by example.

use super::*;

fn target(method: &str, scheme: &str, host: &str, port: u16, path: &str) -> HttpTarget {
    HttpTarget {
        method: method.to_owned(),
        scheme: scheme.to_owned(),
        host: host.to_owned(),
        port,
        path: path.to_owned(),
    }
}

#[test]
fn a_call_matches_by_all_its_parts() {
    let delete = target("DELETE", "https", "api.shop.example", 443, "/v1/orders/7");
    for (pattern, expected) in [
        ("DELETE *.shop.example/**", true),
        ("* API.Shop.Example/v1/orders/*", true),
        ("GET *.shop.example/**", false),
        ("DELETE http://*.shop.example/**", false),
        ("DELETE https://*.shop.example:8443/**", false),
        ("DELETE *.shop.example:*/**", true),
        ("DELETE *.example/**", false),
        ("DELETE **.example/**", true),
        ("DELETE *.shop.example/v1/*", false),
        ("DELETE *.shop.example/V1/**", false),
    ] {
        assert_eq!(HttpPattern::parse(pattern).unwrap().matches(&delete), expected, "{pattern}");
    }
}

#[test]
fn a_pattern_that_can_never_match_is_refused_with_what_to_write() {
    for (pattern, remedy) in [
        ("api.shop.example/v1", "write `GET api.shop.example/v1`, or `* api.shop.example/v1` for any method"),
        ("get a.example/", "write `GET`, or `*` for any method"),
        ("GET a.example", "write `a.example/**` for any path, `a.example/` for the root"),
        ("GET ftp://a.example/", "write `https://a.example/` or `http://a.example/`"),
        ("GET a.example:0/", "write a number from 1 to 65535, or `*` for any port"),
        ("GET a.example/x?y=1", "write `/x`, and `where: {query.NAME: …}` for the query"),
        ("GET a.example/x/../y", "write the path without `.` and `..`"),
        ("GET a.example/%7euser/%3f", "write `/~user/%3F`"),
        ("GET a.example/c++", "write `/c%2B%2B`"),
        ("GET a.example/a//b", "write `/a/b`"),
        ("GET a.example/100%", "write `%25` for the sign itself"),
        ("GET a.example/a%2fb", "write it without `;`, backslashes, and escapes of slashes or of escapes"),
        ("GET a.example/a%252fb", "write it without `;`, backslashes, and escapes of slashes or of escapes"),
        ("GET a.example/a;b=c", "write it without `;`, backslashes, and escapes of slashes or of escapes"),
        ("GET a.example/a%5Cb", "write it without `;`, backslashes, and escapes of slashes or of escapes"),
        ("GET [2001:DB8:0::1]/", "write `[2001:db8::1]`"),
        ("GET [::ffff:192.0.2.1]/", "write `192.0.2.1`"),
        (
            "GET [::1%25lo]/",
            "write a host name without a final dot, an address, or a glob such as `*.shop.example`",
        ),
        ("GET 2001:db8::1/", "write `[2001:db8::1]`, and the port behind it"),
        ("GET 127.1/", "write the address as `192.0.2.1`"),
        ("GET 0x7f000001/", "write the address as `192.0.2.1`"),
        ("GET 0177.0.0.1/", "write the address as `192.0.2.1`"),
        (
            "GET a..example/",
            "write the name in lower-case letters, digits and hyphens, or in its `xn--` form",
        ),
        (
            "GET xn--a.example/",
            "write the name in lower-case letters, digits and hyphens, or in its `xn--` form",
        ),
        ("GET a.example/ä", "write `/%C3%A4`"),
        ("GET bücher.example/", "write the name in its `xn--` form"),
        (
            "GET a.example./",
            "write a host name without a final dot, an address, or a glob such as `*.shop.example`",
        ),
    ] {
        assert_eq!(HttpPattern::parse(pattern).unwrap_err().remedy, remedy, "{pattern}");
    }
}

#[test]
fn an_endpoint_has_a_port_even_where_none_is_written() {
    let endpoint = |text| EndpointPattern::parse(text, 443).unwrap();
    assert!(endpoint("pinned.example").matches("pinned.example", 443));
    assert!(!endpoint("pinned.example").matches("pinned.example", 8443));
    assert!(endpoint("[2001:db8::1]:8443").matches("2001:db8::1", 8443));
    assert!(endpoint("*.example:*").matches("a.example", 1));
}
