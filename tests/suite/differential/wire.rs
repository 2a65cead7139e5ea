//! The same over real sockets: one call in every framing, by every way in, has one verdict on record.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pactgate::domain::Ruling;
use tokio::net::TcpStream;

use crate::answers;
use crate::differential::print;
use crate::support::arena::{Arena, Ear, Way, request};

/// A request's body, and where it goes.
struct Sent {
    target: &'static str,
    body: String,
}

/// The forms of a refund: as a plain call, and as a tool of an MCP server.
fn sent(amount: &str) -> [Sent; 2] {
    let message = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"refund","arguments":{{"amount":{amount}}}}}}}"#
    );
    [
        Sent { target: "/web/refunds", body: format!(r#"{{"amount":{amount}}}"#) },
        Sent { target: "/shop/mcp", body: message },
    ]
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn chunked(target: &str, body: &str, size: usize, extension: &str) -> Vec<u8> {
    let mut bytes = format!(
        "POST {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for piece in body.as_bytes().chunks(size) {
        bytes.extend(format!("{:x}{extension}\r\n", piece.len()).into_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

fn gzipped(target: &str, body: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body.as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    let head = format!(
        "POST {target} HTTP/1.1\r\nHOST: 127.0.0.1\r\nConnection: close\r\nCONTENT-TYPE: Application/Json;Charset=utf-8\r\nContent-Encoding: GZIP\r\ncontent-length: {}\r\n\r\n",
        bytes.len()
    );
    [head.as_bytes(), &bytes].concat()
}

/// By HTTP/2 with prior knowledge (RFC 9113, section 3.3).
async fn by_http2(arena: &Arena, sent: &Sent) {
    let stream = TcpStream::connect(arena.at(Way::Reverse)).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let uri = format!("http://127.0.0.1{}", sent.target);
    let body: Full<Bytes> = Full::new(Bytes::from(sent.body.clone()));
    let request = Request::post(uri).header(JSON.0, JSON.1).body(body).unwrap();
    sender.send_request(request).await.unwrap().into_body().collect().await.unwrap();
}

/// As to a proxy, the upstream named in full.
fn absolute(arena: &Arena, sent: &Sent) -> String {
    let upstream = arena.ear.address();
    let target = format!("http://{upstream}{}", sent.target);
    request("POST", &target, &[JSON, ("host", &upstream.to_string())], &sent.body)
}

/// Inside a tunnel that the sidecar opens.
fn tunneled(arena: &Arena, sent: &Sent) -> String {
    let upstream = arena.ear.address().to_string();
    let connect = format!("CONNECT {upstream} HTTP/1.1\r\nhost: {upstream}\r\n\r\n");
    connect + &request("POST", sent.target, &[JSON, ("host", &upstream)], &sent.body)
}

#[tokio::test]
async fn one_call_has_one_verdict_by_every_way_in() {
    let pact = answers::PACT
        .replace("UNPERMITTED", "")
        .replace("2/h", "9000/min")
        .replace("burst: 2", "burst: 9000");
    let arena = Arena::built(Ear::fine().await, &pact, |config| {
        config.approvals.patience = std::time::Duration::from_millis(1);
    });
    let amounts = [
        ("80", Ruling::Allow, "refund-small"),
        ("8e1", Ruling::Allow, "refund-small"),
        ("500", Ruling::Ask, "refund-large"),
        ("\"80\"", Ruling::Ask, "refund-large"),
        ("5000", Ruling::Deny, ""),
    ];
    let mut cells = 0;
    for (amount, ruling, clause) in amounts {
        for sent in sent(amount) {
            let plain = request("POST", sent.target, &[JSON], &sent.body).into_bytes();
            let forms = [
                ("content-length", Way::Reverse, plain),
                ("one chunk", Way::Reverse, chunked(sent.target, &sent.body, usize::MAX, "")),
                ("chunks of a byte", Way::Reverse, chunked(sent.target, &sent.body, 1, "")),
                ("chunk extensions", Way::Reverse, chunked(sent.target, &sent.body, 7, ";a=b;\"c\"")),
                ("gzip, headers in capitals", Way::Reverse, gzipped(sent.target, &sent.body)),
                ("absolute form", Way::Forward, absolute(&arena, &sent).into_bytes()),
                ("a tunnel", Way::Forward, tunneled(&arena, &sent).into_bytes()),
            ];
            for (form, way, bytes) in forms {
                let before = arena.records().await.len() as u64;
                arena.send(way, bytes).await;
                agrees(&arena, before, form, &sent, ruling, clause).await;
                cells += 1;
            }
            let before = arena.records().await.len() as u64;
            by_http2(&arena, &sent).await;
            agrees(&arena, before, "HTTP/2", &sent, ruling, clause).await;
            cells += 1;
        }
    }
    print(&format!("differential proof on the wire: {cells} cells\n"));
}

/// The one record since then tells of that verdict, or of a form that is refused outright.
async fn agrees(arena: &Arena, before: u64, form: &str, sent: &Sent, ruling: Ruling, clause: &str) {
    let records = arena.records_once(before + 1).await;
    let [record] = &records[usize::try_from(before).unwrap()..] else { panic!("{form}: {records:?}") };
    let clauses: Vec<&str> = record.clauses.iter().map(|clause| clause.as_str()).collect();
    let expected: &[&str] = if clause.is_empty() { &[] } else { &[clause] };
    assert_eq!((record.verdict, clauses.as_slice()), (ruling, expected), "{form}: {}", sent.body);
    assert_eq!(record.action.capability.as_deref(), Some("shop.refund"), "{form}: {}", sent.body);
}
