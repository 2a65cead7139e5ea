//! Too much, too slow, too often.

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::support::arena::{Arena, PATIENCE, Way, request, rest};

const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_and_on_record() {
    let arena = Arena::with(|config| config.bounds.header_timeout = SHORT).await;
    let slow = arena.open(Way::Reverse, "GET /web/open/a HTTP/1.1\r\nhost: x\r\nx-a: ").await;
    rest(slow).await;
    let records = arena.records_once(1).await;
    assert_eq!(records[0].reason.unwrap().name(), "unreadable");
    assert_eq!(arena.ear.heard(), "");
}

#[tokio::test]
async fn a_body_that_does_not_end_is_cut_and_on_record() {
    let arena = Arena::with(|config| config.bounds.body_timeout = SHORT).await;
    let head = "POST /openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                connection: close\r\ncontent-length: 100\r\n\r\n{";
    let answer = arena.send(Way::Reverse, head).await;
    assert!((400..500).contains(&answer.status()), "{answer:?}");
    let records = arena.records_once(1).await;
    assert_eq!(records[0].reason.unwrap().name(), "unreadable");
    assert_eq!(arena.ear.heard(), "");
}

#[tokio::test]
async fn heads_are_bounded_in_size_and_number() {
    let arena = Arena::new().await;
    let large = "a".repeat(200_000);
    let attack = request("GET", "/web/open/a", &[("x-a", &large)], "");
    arena.refuses("a large field", Way::Reverse, attack, 431, "unreadable").await;
    let many = vec![("x-a", "1"); 200];
    arena
        .refuses("many fields", Way::Reverse, request("GET", "/web/open/a", &many, ""), 431, "unreadable")
        .await;
    let attack = request("GET", &format!("/web/open/{}", "a".repeat(200_000)), &[], "");
    let before = arena.records().await.len() as u64;
    let answer = arena.send(Way::Reverse, attack).await;
    assert!(matches!(answer.status(), 400 | 414 | 431), "{answer:?}");
    assert_eq!(arena.records_once(before + 1).await.len() as u64, before + 1);
}

#[tokio::test]
async fn rapid_resets_end_the_connection_and_nothing_else() {
    let arena = Arena::new().await;
    let stream = TcpStream::connect(arena.at(Way::Reverse)).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, Empty<bytes::Bytes>>(
        TokioExecutor::new(),
        TokioIo::new(stream),
    )
    .await
    .unwrap();
    let ended = tokio::spawn(connection);
    for _ in 0..5000 {
        if sender.ready().await.is_err() {
            break;
        }
        let get = Request::get(format!("http://{}/web/open/secret/a", arena.at(Way::Reverse)));
        // Dropped unanswered: a stream opened and reset.
        drop(sender.send_request(get.body(Empty::new()).unwrap()));
        tokio::task::yield_now().await;
    }
    drop(sender);
    let _ = tokio::time::timeout(PATIENCE, ended).await.expect("it ends");
    arena.passes("afterwards", Way::Reverse, request("GET", "/web/open/a", &[], "")).await;
    assert!(!arena.ear.heard().contains("secret"));
    arena.records().await;
}

#[tokio::test]
async fn http2_is_judged_like_http1() {
    let arena = Arena::new().await;
    let stream = TcpStream::connect(arena.at(Way::Forward)).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let address = arena.ear.address();
    for (what, uri, host, status) in [
        ("agreeing", format!("http://{address}/web/open/a"), None, 200),
        ("disagreeing", format!("http://{address}/web/open/a"), Some("other.example"), 421),
        ("denied", format!("http://{address}/web/open/secret/a"), None, 403),
        ("nowhere", "http://127.0.0.1:1/web/open/a".to_owned(), None, 403),
    ] {
        let mut get = Request::get(uri);
        if let Some(host) = host {
            get = get.header("host", host);
        }
        let response = sender.send_request(get.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), status, "{what}");
        let _ = response.into_body().collect().await;
    }
    assert_eq!(arena.records_once(4).await.len(), 4);
    assert_eq!(arena.ear.heard().matches("HTTP/1.1").count(), 1);
}

#[tokio::test]
async fn fragments_of_random_bytes_break_nothing() {
    let arena = Arena::new().await;
    let good = request(
        "POST",
        "/openai/v1/chat/completions",
        &[("content-type", "application/json")],
        r#"{"model":"big"}"#,
    );
    // Every prefix, and every byte changed: the end of a request is not the end of the sidecar.
    for cut in (0..good.len()).step_by(7) {
        let stream = arena.open(Way::Reverse, &good.as_bytes()[..cut]).await;
        drop(stream);
        let mut changed = good.clone().into_bytes();
        changed[cut] ^= 0x80;
        changed.extend_from_slice(b"\r\n\r\n");
        let stream = arena.open(Way::Reverse, changed).await;
        drop(stream);
    }
    arena.passes("afterwards", Way::Reverse, request("GET", "/web/open/a", &[], "")).await;
    arena.records().await;
}
