//! Bodies that say two things, or are not what they say.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::arena::{Arena, Way, post, request};

const CHAT: &str = "/openai/v1/chat/completions";

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn encoded(target: &str, coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-encoding: {coding}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn a_second_model_does_not_hide_behind_the_first() {
    let arena = Arena::new().await;
    for body in [
        r#"{"model":"small","messages":[],"model":"big"}"#,
        r#"{"model":"small","messages":[],"\u006dodel":"big"}"#,
        r#"{"model":"small","messages":[],"Model":"big"}"#,
        r#"{"model":"small","messages":[],"MODEL":"big"}"#,
        r#"{"model":"small","messages":[]}{"model":"big"}"#,
        "{\"model\":\"small\",\"messages\":[]} \u{0}",
        r#"{"model":"sm\ud800all","messages":[]}"#,
        r#"{"model":["small"],"messages":[]}"#,
        r#"[{"model":"small","messages":[]}]"#,
        r#"{'model':'small'}"#,
        r#"{"messages":[]}"#,
        "\u{feff}{\"model\":\"small\",\"messages\":[]}",
    ] {
        let answer = arena.refuses(body, Way::Reverse, post(CHAT, body), 400, "unreadable").await;
        assert!(answer.body().contains("\"invalid_request_error\""), "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn a_body_is_json_in_utf8_and_says_so_once() {
    let arena = Arena::new().await;
    let body = r#"{"model":"small","messages":[]}"#;
    for (kind, status) in [
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/json; charset=utf-16", 415),
        ("application/json\r\ncontent-type: text/plain", 400),
        ("", 415),
    ] {
        let wrong = request("POST", CHAT, &[("content-type", kind)], body);
        arena.refuses(kind, Way::Reverse, wrong, status, "unreadable").await;
    }
    let untyped = request("POST", CHAT, &[], body);
    arena.refuses("no type", Way::Reverse, untyped, 415, "unreadable").await;
    let grpc = request("POST", CHAT, &[("content-type", "application/grpc")], body);
    arena.refuses("grpc", Way::Reverse, grpc, 400, "unreadable").await;
}

#[tokio::test]
async fn a_compressed_body_is_judged_by_what_it_holds_and_leaves_uncompressed() {
    let arena = Arena::new().await;
    let (small, big) = (br#"{"model":"small","messages":[]}"#, br#"{"model":"big","messages":[]}"#);
    arena
        .refuses("forbidden inside", Way::Reverse, encoded(CHAT, "gzip", &gzip(big)), 403, "no-clause")
        .await;
    let two = [gzip(small), gzip(big)].concat();
    for (what, coding, body, status) in [
        ("two members", "gzip", two, 415),
        ("twice", "gzip, gzip", gzip(&gzip(small)), 415),
        ("unknown", "br", small.to_vec(), 415),
        ("not what it says", "gzip", small.to_vec(), 415),
        ("cut", "gzip", gzip(small)[..20].to_vec(), 415),
        ("a bomb", "gzip", gzip(&vec![b' '; 32 << 20]), 413),
    ] {
        arena.refuses(what, Way::Reverse, encoded(CHAT, coding, &body), status, "unreadable").await;
    }
    arena.passes("allowed inside", Way::Reverse, encoded(CHAT, "gzip", &gzip(small))).await;
    let heard = arena.ear.heard();
    assert!(heard.ends_with(std::str::from_utf8(small).unwrap()), "{heard}");
    assert!(!heard.contains("content-encoding"), "{heard}");
}

#[tokio::test]
async fn a_body_larger_than_is_read_is_refused_announced_or_not() {
    let arena = Arena::with(|config| config.bounds.body_bytes_max = 2048).await;
    let head =
        format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n");
    let announced = format!("{head}content-length: 4096\r\n\r\n{{");
    arena.refuses("announced", Way::Reverse, announced, 413, "unreadable").await;
    let beyond = format!("{head}content-length: 18446744073709551615\r\n\r\n{{");
    let answer = arena.send(Way::Reverse, beyond).await;
    assert!(matches!(answer.status(), 400 | 413 | 431), "{answer:?}");
    let chunk = format!("400\r\n{}\r\n", " ".repeat(1024));
    let silent = format!("{head}transfer-encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(4));
    arena.refuses("not announced", Way::Reverse, silent, 413, "unreadable").await;
}

#[tokio::test]
async fn depth_and_breadth_are_bounded() {
    let arena = Arena::new().await;
    let deep = format!(r#"{{"model":"small","messages":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    arena.refuses("deep", Way::Reverse, post(CHAT, &deep), 400, "unreadable").await;
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"look","arguments":{{"a":{}1{}}}}}}}"#,
        "[".repeat(1000),
        "]".repeat(1000)
    );
    arena.refuses("deep arguments", Way::Reverse, post("/shop/mcp", &deep), 400, "unreadable").await;
}
