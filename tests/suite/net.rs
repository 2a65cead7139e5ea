//! Sockets: what is dialed, served, bounded and drained.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use pactgate::net::{
    Body, BodyBounds, BodyError, ClientSettings, ClientTls, Connections, DialError, DialSettings, Dialer,
    Drain, Drained, Failure, HttpClient, Listener, Range, Reach, ServeSettings, Server, TimedBody,
    TrustRoots,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::frames::{self, Frames};

/// Far longer than anything takes, so that a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(20);
/// A bound short enough to be met in a test.
const SHORT: Duration = Duration::from_millis(60);
const PRIVATE: Reach = Reach::Declared { private: true };

/// A dialer to which `upstream.test` is this machine, and `mixed.test` is partly forbidden.
fn dialer(own: Vec<SocketAddr>) -> Dialer {
    let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
    let hosts = BTreeMap::from([
        ("upstream.test".to_owned(), ips(&["127.0.0.1"])),
        (
            "mixed.test".to_owned(),
            ips(&["169.254.169.254", "10.0.0.1", "8.8.8.8", "::ffff:8.8.4.4", "fe80::1"]),
        ),
        ("metadata.test".to_owned(), ips(&["169.254.169.254"])),
    ]);
    Dialer::new(DialSettings { own, hosts, ..DialSettings::default() })
}

fn client(settings: ClientSettings) -> HttpClient {
    let tls = ClientTls::new(&TrustRoots::none()).unwrap();
    HttpClient::new(&dialer(Vec::new()), &tls, &settings)
}

fn private_client() -> HttpClient {
    client(ClientSettings { reach: PRIVATE, head: PATIENCE, ..ClientSettings::default() })
}

fn get(url: &str) -> Request<Body> {
    Request::get(url).body(Body::Empty).unwrap()
}

/// What answers in these tests.
struct World {
    address: SocketAddr,
    drain: Drain,
    connections: Connections,
    server: Server,
}

/// Answers `/echo` with the body it got, cut by `bounds`, and `/never` never.
async fn answer(request: Request<Incoming>, bounds: BodyBounds) -> Result<Response<Body>, Infallible> {
    if request.uri().path() == "/never" {
        std::future::pending::<()>().await;
    }
    let response = match TimedBody::new(request.into_body(), bounds).collect().await {
        Ok(body) => Response::new(Body::from(body.to_bytes())),
        Err(error) => {
            let status = match error {
                BodyError::Stalled { .. } | BodyError::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
                BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                BodyError::Broken(_) => StatusCode::BAD_REQUEST,
            };
            let mut response = Response::new(Body::Empty);
            *response.status_mut() = status;
            response
        }
    };
    Ok(response)
}

fn world(settings: ServeSettings, bounds: BodyBounds, connections_max: usize) -> World {
    let drain = Drain::default();
    let connections = Connections::new(connections_max);
    let server = Server::new(settings, &drain);
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.address();
    let (serving, places, draining) = (server.clone(), connections.clone(), drain.clone());
    tokio::spawn(async move {
        let handle = |accepted: pactgate::net::Accepted| {
            let server = serving.clone();
            async move {
                server.serve(accepted.stream, service_fn(move |request| answer(request, bounds))).await;
            }
        };
        listener.run(&places, &draining, handle).await;
    });
    World { address, drain, connections, server }
}

const ROOMY: BodyBounds = BodyBounds { idle: PATIENCE, total: None, bytes_max: 1 << 20 };

fn plain_world() -> World {
    world(ServeSettings::default(), ROOMY, 16)
}

/// Sends raw bytes and returns everything that comes back before the connection is closed.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is as good an end as any.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it closes");
    String::from_utf8_lossy(&answer).into_owned()
}

/// An upstream that sends `answer` to whatever it reads first, then closes; `None` never answers.
async fn upstream(answer: Option<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        match answer {
            Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            None => std::future::pending().await,
        }
    });
    address
}

async fn failure(client: &HttpClient, request: Request<Body>) -> Failure {
    tokio::time::timeout(PATIENCE, client.request(request)).await.unwrap().unwrap_err().failure()
}

#[tokio::test]
async fn connections_are_reused() {
    let world = plain_world();
    let client = private_client();
    for _ in 0..5 {
        let url = format!("http://upstream.test:{}/echo", world.address.port());
        let request = Request::post(url).body(Body::from(Bytes::from_static(b"hello"))).unwrap();
        let response = client.request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    }
    assert_eq!(world.connections.stats().accepted, 1);
}

#[tokio::test]
async fn forbidden_addresses_are_told_from_faults() {
    let public = client(ClientSettings::default());
    for (url, range) in [
        ("http://127.0.0.1:9/", Range::Loopback),
        ("http://[::1]:9/", Range::Loopback),
        ("http://localhost:9/", Range::Loopback),
        ("http://upstream.test:9/", Range::Loopback),
        ("https://metadata.test/latest/meta-data", Range::Metadata),
        ("http://169.254.169.254/", Range::Metadata),
        ("http://10.0.0.1/", Range::Private),
        ("http://[64:ff9b::a9fe:a9fe]/", Range::Metadata),
    ] {
        match failure(&public, get(url)).await {
            Failure::Forbidden(forbidden) => assert_eq!(forbidden.range, range, "{url}"),
            other => panic!("{url}: {other}"),
        }
    }
    let metadata = failure(&private_client(), get("http://metadata.test/")).await;
    assert!(matches!(metadata, Failure::Forbidden(_)), "{metadata}");
}

#[tokio::test]
async fn of_a_mixed_name_only_permitted_addresses_are_dialed() {
    let addresses = dialer(Vec::new()).resolve("Mixed.Test.", 443, Reach::Public).await.unwrap();
    assert_eq!(addresses, ["8.8.8.8:443".parse().unwrap(), "8.8.4.4:443".parse().unwrap()]);
    let addresses = dialer(Vec::new()).resolve("mixed.test", 443, PRIVATE).await.unwrap();
    assert_eq!(addresses[0], "10.0.0.1:443".parse().unwrap());
    let error = dialer(Vec::new()).resolve("", 443, PRIVATE).await.unwrap_err();
    assert!(matches!(error, DialError::BadHost { .. }), "{error}");
}

#[tokio::test]
async fn the_way_home_is_closed() {
    let world = plain_world();
    let everywhere = SocketAddr::new("0.0.0.0".parse().unwrap(), world.address.port());
    for own in [world.address, everywhere] {
        let dialer = dialer(vec![own]);
        for host in ["127.0.0.1", "upstream.test", "[::ffff:127.0.0.1]"] {
            let error = dialer.connect(host, own.port(), PRIVATE, PATIENCE).await.unwrap_err();
            let home = matches!(&error, DialError::Forbidden { why, .. } if why.range == Range::OwnListener);
            assert!(home, "{host}: {error}");
        }
        assert_eq!(dialer.stats().forbidden, 3);
    }
}

#[tokio::test]
async fn each_fault_of_an_upstream_has_its_name() {
    let client = private_client();
    let at = |address: SocketAddr| get(&format!("http://{address}/"));
    assert_eq!(failure(&client, at(upstream(Some("SSH-2.0-OpenSSH_9\r\n")).await)).await, Failure::BadAnswer);
    assert_eq!(failure(&client, at(upstream(Some("")).await)).await, Failure::Closed);
    assert_eq!(failure(&client, at(upstream(Some("HTTP/1.1 200")).await)).await, Failure::Closed);
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(failure(&client, at(gone)).await, Failure::Refused);
    let unresolved = failure(&client, get("http://no-such-host.invalid/")).await;
    assert_eq!(unresolved, Failure::NoSuchHost);
    let plain = upstream(Some("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    assert_eq!(failure(&client, get(&format!("https://{plain}/"))).await, Failure::Tls);
    let hasty = self::client(ClientSettings { reach: PRIVATE, head: SHORT, ..ClientSettings::default() });
    assert_eq!(failure(&hasty, at(upstream(None).await)).await, Failure::HeadTimeout);
}

#[tokio::test]
async fn a_fault_of_the_sender_is_not_the_upstreams() {
    let world = plain_world();
    let never = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let bounds = BodyBounds { idle: SHORT, ..ROOMY };
    let url = format!("http://{}/echo", world.address);
    let request = Request::post(url).body(Body::stream(TimedBody::new(never, bounds))).unwrap();
    assert_eq!(failure(&private_client(), request).await, Failure::RequestBody);
}

#[tokio::test]
async fn a_slow_or_large_body_is_cut() {
    let bounds = BodyBounds { idle: SHORT, total: None, bytes_max: 64 };
    let world = world(ServeSettings::default(), bounds, 16);
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length:";
    let stalled = raw(world.address, format!("{head} 60\r\n\r\nhalf").as_bytes()).await;
    assert!(stalled.starts_with("HTTP/1.1 408"), "{stalled}");
    let large = raw(world.address, format!("{head} 65\r\n\r\n{}", "x".repeat(65)).as_bytes()).await;
    assert!(large.starts_with("HTTP/1.1 413"), "{large}");
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_closed() {
    let settings = ServeSettings { head: SHORT, idle: SHORT * 4, ..ServeSettings::default() };
    let world = world(settings, ROOMY, 16);
    assert_eq!(raw(world.address, b"GET / HTTP/1.1\r\nhost: slo").await, "");
    assert_eq!(raw(world.address, b"").await, "");
    let answered = raw(world.address, b"GET /echo HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    let stats = world.server.stats();
    assert_eq!((stats.slow_head, stats.idle), (1, 2));
}

#[tokio::test]
async fn malformed_and_oversized_heads_are_refused() {
    let world = plain_world();
    for (head, status) in [
        ("GET / HTTP/1.1\r\nhost: a\r\nbad header: x\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned(), "400"),
        (format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(70_000)), "431"),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(101)), "431"),
    ] {
        let answer = raw(world.address, head.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    assert_eq!(world.server.stats().malformed, 4);
}

#[tokio::test]
async fn a_surplus_connection_waits_for_a_place() {
    let world = world(ServeSettings::default(), ROOMY, 1);
    let mut first = TcpStream::connect(world.address).await.unwrap();
    first.write_all(b"GET /echo HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(first.read_u8().await.is_ok(), "the first is served");
    let second =
        tokio::spawn(raw(world.address, b"GET /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"));
    tokio::task::yield_now().await;
    assert!(!second.is_finished());
    let stats = world.connections.stats();
    assert_eq!((stats.open, stats.accepted, stats.full), (1, 1, 1));
    drop(first);
    let answer = tokio::time::timeout(PATIENCE, second).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_drain_finishes_what_is_under_way() {
    let world = plain_world();
    let mut idle = TcpStream::connect(world.address).await.unwrap();
    let mut busy = TcpStream::connect(world.address).await.unwrap();
    busy.write_all(b"POST /echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
        .await
        .unwrap();
    let mut interim = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    busy.read_exact(&mut interim).await.unwrap();
    let drain = world.drain.clone();
    let finish = tokio::spawn(async move { drain.finish(PATIENCE).await });
    // The idle one is closed at once, the busy one is answered.
    assert_eq!(idle.read(&mut [0]).await.unwrap_or(0), 0);
    busy.write_all(b"last").await.unwrap();
    let mut answer = String::new();
    busy.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("last"), "{answer}");
    assert_eq!(finish.await.unwrap(), Drained::Clean);
    assert!(TcpStream::connect(world.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_drain_cuts_what_does_not_end() {
    let world = plain_world();
    let stuck = tokio::spawn(raw(world.address, b"GET /never HTTP/1.1\r\nhost: a\r\n\r\n"));
    while world.connections.stats().accepted < 1 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(world.drain.finish(SHORT).await, Drained::Cut { tasks } if tasks > 0));
    assert_eq!(tokio::time::timeout(PATIENCE, stuck).await.unwrap().unwrap(), "");
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_dropped_alone() {
    let world = world(ServeSettings { untaken: SHORT, ..ServeSettings::default() }, ROOMY, 16);
    let stream = TcpStream::connect(world.address).await.unwrap();
    // No window for what is sent, until the client opens one.
    let mut frames = Frames::greet(Box::pin(stream), &[(frames::INITIAL_WINDOW, 0)]).await;
    let ask = |stream: u32| {
        let address = world.address.to_string();
        let head = [(":method", "POST"), (":scheme", "http"), (":authority", &*address), (":path", "/echo")];
        let mut asked = frames::frame(frames::HEADERS, frames::END_HEADERS, stream, &frames::block(&head));
        asked.extend(frames::frame(frames::DATA, frames::END_STREAM, stream, b"hello"));
        asked
    };
    frames.send(&ask(1)).await;
    let cut = frames.find(|frame| frame.kind == frames::RST_STREAM).await.expect("it is reset");
    assert_eq!((cut.stream, cut.code()), (1, frames::CANCEL));

    frames.send(&ask(3)).await;
    frames.find(|frame| (frame.kind, frame.stream) == (frames::HEADERS, 3)).await.expect("a head");
    frames.send(&frames::frame(frames::WINDOW_UPDATE, 0, 3, &5_u32.to_be_bytes())).await;
    let data = frames.find(|frame| frame.kind == frames::DATA && !frame.payload.is_empty()).await;
    assert_eq!(data.map(|frame| (frame.stream, frame.payload)), Some((3, b"hello".to_vec())));

    // An answer that has not come yet is nobody's fault.
    let never = [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", "/never")];
    let never = frames::block(&never);
    frames.send(&frames::frame(frames::HEADERS, frames::END_STREAM | frames::END_HEADERS, 5, &never)).await;
    tokio::time::sleep(SHORT * 4).await;
    frames.send(&frames::frame(frames::PING, 0, 0, b"anybody?")).await;
    let next = frames.find(|frame| matches!(frame.kind, frames::PING | frames::RST_STREAM)).await;
    assert_eq!(next.map(|frame| frame.kind), Some(frames::PING));
}
