//! Hosts, paths and URIs: one spelling each, and none for the doubtful.

use proptest::prelude::*;

use super::*;

#[test]
fn a_host_has_one_spelling() {
    for (host, expected) in [
        ("api.openai.com", "api.openai.com"),
        ("API.OpenAI.com.", "api.openai.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("ｅｘａｍｐｌｅ.com", "example.com"),
        ("my_service", "my_service"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[::1.2.3.4]", "::102:304"),
        ("a\u{3002}example", "a.example"),
        ("exam\u{ad}ple.com", "example.com"),
        ("①②⑦.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("straße.example", "xn--strae-oqa.example"),
    ] {
        assert_eq!(normalize_host(host).as_deref(), Ok(expected), "{host}");
    }
}

#[test]
fn a_doubtful_host_is_refused() {
    for host in [
        "127.1",
        "127.0.0.01",
        "127.0.0.0x1",
        "１２７.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "1.2.3.4.5",
        "foo.127",
        "256.1.1.1",
        "a.0x",
    ] {
        assert_eq!(normalize_host(host), Err(AddressError::HostNumber), "{host}");
    }
    for host in [
        "",
        ".",
        "a..b",
        ".a",
        "a b",
        "a/b",
        "a@b",
        "a%41",
        "a\\b",
        "a*b",
        "[::1",
        "::1]",
        "[fe80::1%25eth0]",
        "[]",
        "host:80",
        "a\0b",
        "xn--a",
        "xn--",
        "xn--\u{e4}",
        "example.com..",
        "fe80::1%eth0",
        "[v1.x]",
        "[1.2.3.4]",
        "a,b",
        "\u{202e}a",
    ] {
        assert_eq!(normalize_host(host), Err(AddressError::Host), "{host}");
    }
    for host in ["[::ffff:127.0.0.1]", "::FFFF:7f00:1", "[0:0:0:0:0:ffff:10.0.0.1]"] {
        assert_eq!(normalize_host(host), Err(AddressError::HostMapped), "{host}");
    }
    assert_eq!(normalize_host(&"a.".repeat(200)), Err(AddressError::Host));
    assert_eq!(normalize_host(&"a".repeat(64)), Err(AddressError::Host));
}

#[test]
fn a_path_has_one_spelling() {
    for (path, expected) in [
        ("/", "/"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/%63hat/%7euser", "/v1/chat/~user"),
        ("/a/./b/../c", "/a/c"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/..", "/"),
        ("/a/b/.", "/a/b/"),
        ("/a/", "/a/"),
        ("/x%3agenerate", "/x:generate"),
        ("/u%40example.com", "/u@example.com"),
        ("/c++", "/c%2B%2B"),
        ("/c%2b%2B", "/c%2B%2B"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a%20b", "/a%20b"),
        ("/{id}|x", "/%7Bid%7D%7Cx"),
        ("/100%25", "/100%25"),
        ("/what%3Fnow", "/what%3Fnow"),
        ("/%EF%BC%A1", "/%EF%BC%A1"),
        ("/v1./x", "/v1./x"),
    ] {
        assert_eq!(normalize_path(path).as_deref(), Ok(expected), "{path}");
    }
}

#[test]
fn a_doubtful_path_is_refused() {
    for (path, error) in [
        ("", AddressError::PathStart),
        ("*", AddressError::PathStart),
        ("http://x/", AddressError::PathStart),
        ("//a", AddressError::EmptySegment),
        ("/a//b", AddressError::EmptySegment),
        ("/a/.//b", AddressError::EmptySegment),
        ("/..", AddressError::AboveRoot),
        ("/a/../../b", AddressError::AboveRoot),
        ("/%2e%2e/b", AddressError::AboveRoot),
        ("/a%2fb", AddressError::HiddenSeparator),
        ("/a%252fb", AddressError::HiddenSeparator),
        ("/a%2541%25zz", AddressError::HiddenSeparator),
        ("/a%5cb", AddressError::PathCharacter),
        ("/a\\b", AddressError::PathCharacter),
        ("/a%00", AddressError::PathCharacter),
        ("/a%0d%0ab", AddressError::PathCharacter),
        ("/a%7F", AddressError::PathCharacter),
        ("/é", AddressError::PathCharacter),
        ("/a;b", AddressError::Parameter),
        ("/..;/b", AddressError::Parameter),
        ("/a%3Bb", AddressError::Parameter),
        ("/a%", AddressError::Escape),
        ("/a%4", AddressError::Escape),
        ("/a%zz", AddressError::Escape),
        ("/a%u0041", AddressError::Escape),
        ("/a%EF%BC%8Fb", AddressError::Compatibility),
        ("/%EF%BC%8E%EF%BC%8E/b", AddressError::Compatibility),
        ("/%E2%80%A5/b", AddressError::Compatibility),
        ("/a%EF%BC%BCb", AddressError::Compatibility),
        ("/a%EF%BC%9Bb", AddressError::Compatibility),
        ("/a%EF%BC%852e", AddressError::Compatibility),
        ("/a%c0%af", AddressError::PathText),
        ("/a%ff", AddressError::PathText),
    ] {
        assert_eq!(normalize_path(path), Err(error), "{path}");
    }
    assert_eq!(normalize_path(&"/a".repeat(5000)), Err(AddressError::PathLength));
}

#[test]
fn a_uri_is_judged_in_one_spelling() {
    for (uri, expected) in [
        ("file:///etc/hosts", "file:///etc/hosts"),
        ("FILE:///etc/h%6Fsts", "file:///etc/hosts"),
        ("note://internal/t%C3%A9", "note://internal/t%C3%A9"),
        ("note://internal/té", "note://internal/t%C3%A9"),
        ("file:///c%3A/x", "file:///c:/x"),
        ("db://rows?id=7#a", "db://rows?id=7#a"),
        ("memo:today", "memo:today"),
        ("memo:", "memo:"),
        ("note://a%20b/%20", "note://a%20b/%20"),
        ("file:///{path}", "file:///{path}"),
    ] {
        assert_eq!(judged_uri(uri).as_deref(), Ok(expected), "{uri}");
    }
    for uri in [
        "",
        "nothing",
        "/etc/hosts",
        ":x",
        "1a:x",
        "file:///a/../b",
        "file:///a/%2e%2e/b",
        "file:///a/./b",
        "file:///a//b",
        "file:////a",
        "file:///a%2fb",
        "file:///a%5Cb",
        "file:///a\\b",
        "file:///a%252e",
        "memo:../x",
        "file://localhost/a",
        "file:///a%00",
        "x://h/?p=../..",
        "file:///a%",
        "file:///a%ff",
        "file:///a%EF%BC%8Fb",
        "file:///\u{ff0e}\u{ff0e}/b",
        "file:///%E2%80%A5/b",
        "file:///a%EF%BC%852e",
        "file:///a%E2%80%8Bb",
        "file:///%E2%80%AEgpj.exe",
        "note://e%CC%81te",
    ] {
        assert!(judged_uri(uri).is_err(), "{uri}");
    }
}

#[test]
fn a_method_is_written_in_capitals() {
    let target = |method: &[u8]| {
        let method = Method::from_bytes(method).unwrap();
        http_target(&method, "https", "Example.com", 443, "/a/../b").map(|target| target.to_string())
    };
    assert_eq!(target(b"GET").as_deref(), Ok("GET https://example.com/b"));
    assert_eq!(target(b"delete"), Err(AddressError::Method));
}

proptest! {
    #[test]
    fn normalizing_twice_changes_nothing(path in "(/([a-z.;+%@ é\\\\]|%2[0-9a-f]|%c3%a9){0,5}){1,5}") {
        if let Ok(once) = normalize_path(&path) {
            prop_assert_eq!(normalize_path(&once), Ok(once));
        }
    }

    #[test]
    fn no_normal_path_climbs_or_hides(path in "/[ -~]{0,30}") {
        if let Ok(normal) = normalize_path(&path) {
            prop_assert!(normal.starts_with('/'));
            prop_assert!(normal.split('/').skip(1).all(|segment| segment != "." && segment != ".."));
            prop_assert!(!normal.contains("//") && !normal.contains(['\\', ';', '+']));
        }
    }

    #[test]
    fn any_text_is_safe(text in ".{0,60}") {
        let _ = (normalize_path(&text), normalize_host(&text), judged_uri(&text));
        if let Ok(host) = normalize_host(&text) {
            prop_assert_eq!(normalize_host(&host), Ok(host));
        }
        if let Ok(uri) = judged_uri(&text) {
            prop_assert_eq!(judged_uri(&uri), Ok(uri));
        }
    }
}
