//! Upstreams that attack the agent, or help it.

use pactgate::evidence::{CutCause, Outcome, UpstreamFailure};

use crate::support::arena::{Answer, Arena, Ear, PACT, Way, request};

const GET: &str = "/web/open/a";

async fn facing(answer: &'static [u8]) -> Arena {
    Arena::facing(Ear::answering(answer, true).await)
}

async fn got(answer: &'static [u8]) -> (Answer, Outcome) {
    let arena = facing(answer).await;
    let got = arena.send(Way::Reverse, request("GET", GET, &[], "")).await;
    let records = arena.records_once(1).await;
    assert_eq!(records.len(), 1, "{records:?}");
    (got, records[0].outcome.unwrap())
}

#[tokio::test]
async fn no_answer_leads_around_the_sidecar() {
    for location in [
        "http://elsewhere.example/x",
        "//elsewhere.example/x",
        "https://127.0.0.1/web/x",
        "/openai/v1/models",
        "../../../x",
        "http://127.0.0.1@elsewhere.example/",
        "javascript:alert(1)",
    ] {
        let answer = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let (got, _) = got(Box::leak(answer.into_boxed_str()).as_bytes()).await;
        assert_eq!(got.status(), 302);
        assert!(!got.0.contains("location:"), "{location}: {got:?}");
    }
    let (got, _) = got(
        b"HTTP/1.1 200 OK\r\nalt-svc: h3=\":443\"\r\nconnection: x-hop\r\nx-hop: 1\r\nkeep-alive: 5\r\nupgrade: h2c\r\n\
          proxy-authenticate: Basic\r\nrefresh: 0; url=http://elsewhere.example/\r\npactgate-decision: forged\r\n\
          content-length: 0\r\n\r\n",
    )
    .await;
    let head = got.0.to_ascii_lowercase();
    for gone in ["alt-svc", "x-hop", "keep-alive: 5", "upgrade", "proxy-authenticate", "refresh", "forged"] {
        assert!(!head.contains(gone), "{gone}: {head}");
    }
}

/// RFC 9110, section 2.5: the version is of one connection. A client that believed 1.0 would give up keep-alive.
#[tokio::test]
async fn the_upstreams_http_version_stays_with_its_connection() {
    let (got, _) = got(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    assert!(got.0.starts_with("HTTP/1.1 200"), "{got:?}");
}

#[tokio::test]
async fn an_upstream_does_not_open_a_tunnel_that_nobody_judged() {
    let arena =
        facing(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nfree bytes")
            .await;
    for offer in ["h2c", "websocket2", "anything"] {
        let attack = request("GET", GET, &[("upgrade", offer), ("connection", "upgrade")], "");
        let answer = arena.send(Way::Reverse, attack).await;
        assert_ne!(answer.status(), 101, "{offer}: {answer:?}");
        assert!(!answer.0.contains("free bytes"), "{offer}: {answer:?}");
    }
    let plain = arena.send(Way::Reverse, request("GET", GET, &[], "")).await;
    assert_eq!(plain.status(), 502, "{plain:?}");
    let records = arena.records().await;
    assert_eq!(records.len(), 4, "{records:?}");
    let outcome = records[3].outcome.unwrap();
    assert_eq!(outcome, Outcome::UpstreamFailed { what: UpstreamFailure::Protocol });
    let websocket = request("GET", GET, &[("upgrade", "websocket"), ("connection", "upgrade")], "");
    arena.refuses("websocket", Way::Reverse, websocket, 403, "opaque").await;
}

#[tokio::test]
async fn a_wrong_answer_is_a_bad_gateway() {
    for answer in [
        &b"nonsense\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n",
        b"",
        b"HTTP/1.1 200",
    ] {
        let (got, outcome) = got(answer).await;
        assert_eq!(got.status(), 502, "{}: {got:?}", String::from_utf8_lossy(answer));
        assert!(matches!(outcome, Outcome::UpstreamFailed { .. }), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_huge_head_is_a_bad_gateway() {
    let head = format!("HTTP/1.1 200 OK\r\nx-a: {}\r\ncontent-length: 0\r\n\r\n", "a".repeat(1 << 20));
    let (answer, outcome) = got(Box::leak(head.into_boxed_str()).as_bytes()).await;
    assert_eq!(answer.status(), 502);
    assert!(matches!(outcome, Outcome::UpstreamFailed { .. }), "{outcome:?}");
    let head = format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "x-a: a\r\n".repeat(5000));
    let (answer, _) = got(Box::leak(head.into_boxed_str()).as_bytes()).await;
    assert_eq!(answer.status(), 502);
}

#[tokio::test]
async fn an_answer_is_one_answer() {
    let split = b"HTTP/1.1 204 No Content\r\ncontent-length: 40\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n....";
    let (answer, _) = got(split).await;
    assert_eq!(answer.0.matches("HTTP/1.1").count(), 1, "{answer:?}");
    let informed = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let (answer, outcome) = got(informed).await;
    assert_eq!((answer.status(), answer.body()), (200, "ok"));
    assert_eq!(outcome, Outcome::Completed { status: 200 });
    let both =
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n";
    let (answer, _) = got(both).await;
    let framings = answer.0.matches("content-length").count() + answer.0.matches("transfer-encoding").count();
    assert!(framings == 1, "{answer:?}");
}

#[tokio::test]
async fn a_cut_answer_does_not_end_cleanly() {
    for (what, answer) in [
        ("chunked", &b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n6\r\ndata: \r\n"[..]),
        ("counted", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this"),
        ("bad chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"),
    ] {
        let (got, outcome) = got(answer).await;
        let body = got.body();
        assert!(!body.ends_with("0\r\n\r\n"), "{what}: {got:?}");
        assert!(!got.0.contains("content-length: 9\r\n"), "{what}: {got:?}");
        assert!(matches!(outcome, Outcome::UpstreamFailed { .. }), "{what}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_agent_that_hangs_up_is_on_record() {
    let arena = Arena::facing(
        Ear::answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", false).await,
    );
    let mut stream = arena.open(Way::Reverse, request("GET", GET, &[], "")).await;
    let mut some = [0; 64];
    tokio::io::AsyncReadExt::read(&mut stream, &mut some).await.unwrap();
    drop(stream);
    let records = arena.records_once(1).await;
    assert_eq!(records[0].outcome, Some(Outcome::ClientGone), "{records:?}");

    let silent = Arena::facing(Ear::answering(b"", false).await);
    let stream = silent.open(Way::Reverse, request("GET", GET, &[], "")).await;
    while silent.ear.heard().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    let records = silent.records_once(1).await;
    assert_eq!(records[0].outcome, Some(Outcome::ClientGone), "{records:?}");
}

#[tokio::test]
async fn a_silent_upstream_is_cut() {
    let ear =
        Ear::answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", false).await;
    let arena = Arena::built(ear, PACT, |config| {
        for upstream in &mut config.upstreams {
            upstream.timeouts.idle = std::time::Duration::from_millis(100);
        }
    });
    let answer = arena.send(Way::Reverse, request("GET", GET, &[], "")).await;
    assert!(!answer.0.ends_with("0\r\n\r\n"), "{answer:?}");
    let records = arena.records_once(1).await;
    assert_eq!(records[0].outcome, Some(Outcome::Cut { why: CutCause::Idle }), "{records:?}");
}

#[tokio::test]
async fn a_tunnel_that_was_judged_is_counted_and_ends_with_its_agent() {
    let pact = PACT.replace("  clauses:", "  clauses:\n    - id: sockets\n      allow: {opaque: \"EAR\"}");
    let answer =
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello";
    let arena = Arena::built(Ear::answering(answer, false).await, &pact, |_| {});
    let asking = request("GET", GET, &[("upgrade", "websocket"), ("connection", "upgrade")], "");
    let mut stream = arena.open(Way::Reverse, asking.replace("connection: close\r\n", "")).await;
    let mut got = Vec::new();
    while !got.ends_with(b"hello") {
        let mut some = [0; 256];
        let count = tokio::io::AsyncReadExt::read(&mut stream, &mut some).await.unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&got));
        got.extend_from_slice(&some[..count]);
    }
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"bytes").await.unwrap();
    drop(stream);
    let records = arena.records_once(1).await;
    let usage = records[0].usage.as_ref().unwrap();
    assert_eq!(usage.bytes_received, 5, "{records:?}");
    assert_eq!(records[0].coverage.request, pactgate::evidence::Seen::Unread);
}
