//! Where one message ends and the next begins.

use crate::support::arena::{Arena, Way};

/// What would be a second request, if anybody took it for one.
const HIDDEN: &str = "GET /web/open/secret/hidden HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn nothing_is_smuggled_behind_two_lengths() {
    let heads = [
        ("cl.te", "content-length: 4\r\ntransfer-encoding: chunked"),
        ("te.cl", "transfer-encoding: chunked\r\ncontent-length: 4"),
        ("two lengths", "content-length: 0\r\ncontent-length: 60"),
        ("a list of lengths", "content-length: 0, 60"),
        ("a signed length", "content-length: +0"),
        ("a spaced length", "content-length: 0 0"),
        ("a hex length", "content-length: 0x0"),
        ("a negative length", "content-length: -1"),
        ("unknown coding", "transfer-encoding: xchunked"),
        ("chunked is not last", "transfer-encoding: chunked, identity"),
        ("chunked twice", "transfer-encoding: chunked\r\ntransfer-encoding: identity"),
        ("a tab before the colon", "transfer-encoding\t: chunked"),
        ("a space before the colon", "transfer-encoding : chunked"),
        ("a vertical tab", "transfer-encoding:\u{b}chunked"),
        ("folded", "transfer-encoding:\r\n chunked"),
        ("folded elsewhere", "x-a: b\r\n transfer-encoding: chunked"),
        ("quoted", "transfer-encoding: \"chunked\""),
        ("in the name", "transfer_encoding: chunked"),
        ("a null", "x-a: b\u{0}c"),
        ("a bare carriage return", "x-a: b\rtransfer-encoding: chunked"),
    ];
    for (what, head) in heads {
        let arena = Arena::new().await;
        let attack = format!(
            "POST /web/open/a HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n{head}\r\n\r\n0\r\n\r\n{HIDDEN}"
        );
        let mut closing = attack.clone();
        closing.push_str("GET /web/open/end HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        arena.send(Way::Reverse, closing).await;
        let heard = arena.ear.heard();
        assert!(!heard.contains("hidden HTTP"), "{what}: {heard}");
        assert!(!heard.contains("transfer-encoding: chunked, identity"), "{what}: {heard}");
        let framings = heard.matches("content-length:").count() + heard.matches("transfer-encoding:").count();
        assert!(framings <= heard.matches(" HTTP/1.1\r\n").count(), "{what}: one framing each: {heard}");
        assert!(!arena.records().await.is_empty(), "{what}: on record");
    }
}

#[tokio::test]
async fn what_is_not_http_is_refused_and_on_record() {
    for (what, attack, status) in [
        ("no version", "GET /web/open/a\r\n\r\n", 400),
        ("a future version", "GET /web/open/a HTTP/3.0\r\n\r\n", 400),
        ("a space in the target", "GET /web/open/a b HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        ("a null in the target", "GET /web/op\u{0}en/a HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        ("a name that is none", "GET /web/open/a HTTP/1.1\r\nhost: x\r\nb(d: x\r\n\r\n", 400),
        ("tls", "\u{16}\u{3}\u{1}\u{0}\u{5}hello", 400),
        ("a length that is none", "POST /web/open/a HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n", 400),
        ("an unknown coding", "POST /web/open/a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n", 400),
    ] {
        let arena = Arena::new().await;
        arena.refuses(what, Way::Reverse, attack, status, "unreadable").await;
    }
}

#[tokio::test]
async fn chunks_with_extensions_and_trailers_change_nothing() {
    let arena = Arena::new().await;
    let head = "POST /web/open/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\ntrailer: \
                authorization\r\n\r\n";
    let body = "3;a=\"b\";c\r\nabc\r\n0\r\nauthorization: Bearer mine\r\n\r\n";
    arena.send(Way::Reverse, format!("{head}{body}")).await;
    let heard = arena.ear.heard();
    assert!(!heard.contains(";c"), "{heard}");
    let long = format!("{head}3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(100_000));
    let answer = arena.send(Way::Reverse, long).await;
    assert_ne!(answer.status(), 200);
    let overflow = format!("{head}ffffffffffffffffff\r\nabc\r\n0\r\n\r\n");
    let answer = arena.send(Way::Reverse, overflow).await;
    assert_ne!(answer.status(), 200);
    let records = arena.records_once(1).await;
    assert!(!records.is_empty());
}
