//! TLS towards agents: leaves that every client accepts, and names that must agree.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pactgate::domain::SystemClock;
use pactgate::net::{
    AcceptError, Accepted, Authority, AuthorityFiles, Body, ClientSettings, ClientTls, Connections,
    DialSettings, Dialer, Drain, Failure, HttpClient, Interception, InterceptionStats, Listener, Reach,
    ServeSettings, Server, TrustRoots,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(20);

/// A TLS server in the name of one host, as the sidecar is one after a CONNECT.
struct World {
    dir: tempfile::TempDir,
    interception: Interception,
    port: u16,
    // Dropped last; the listener runs until the runtime ends.
    _drain: Drain,
}

/// Answers with the version it was asked in, a trailer, or an upgrade to an echo.
async fn answer(mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if request.headers().contains_key(header::UPGRADE) {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut stream = TokioIo::new(upgrade.await.unwrap());
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(&word).await.unwrap();
        });
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("echo"));
        return Ok(response);
    }
    let trailers = HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static("sum"))]);
    let frames = [Frame::data(Bytes::from(format!("{:?}", request.version()))), Frame::trailers(trailers)];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>)));
    Ok(Response::builder().header(header::TRAILER, "etag").body(Body::stream(body)).unwrap())
}

fn world(host: &'static str) -> World {
    let dir = tempfile::tempdir().unwrap();
    let clock = SystemClock::shared();
    let authority = Authority::create(dir.path(), "Test authority", clock.now()).unwrap();
    let interception = Interception::new(authority, clock, PATIENCE).unwrap();
    let drain = Drain::default();
    let server = Server::new(ServeSettings::default(), &drain);
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = listener.address().port();
    let (accepting, draining) = (interception.clone(), drain.clone());
    tokio::spawn(async move {
        let handle = |accepted: Accepted| {
            let (server, interception) = (server.clone(), accepting.clone());
            async move {
                if let Ok(stream) = interception.accept(accepted.stream, host).await {
                    server.serve(stream, service_fn(answer)).await;
                }
            }
        };
        listener.run(&Connections::new(16), &draining, handle).await;
    });
    World { dir, interception, port, _drain: drain }
}

impl World {
    /// A client that trusts the authority, to which every name in these tests is this machine.
    fn client(&self) -> HttpClient {
        let pem = std::fs::read(AuthorityFiles::in_dir(self.dir.path()).certificate).unwrap();
        client(&TrustRoots::none().and_pem(&pem).unwrap())
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/", self.port)
    }

    /// Waits until the server has counted what the client saw a moment before.
    async fn stats(&self, settled: fn(&InterceptionStats) -> bool) -> InterceptionStats {
        let wait = async {
            while !settled(&self.interception.stats()) {
                tokio::task::yield_now().await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, wait).await;
        self.interception.stats()
    }
}

fn client(roots: &TrustRoots) -> HttpClient {
    let here = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
    let names = ["api.test", "other.test"].map(|name| (name.to_owned(), here.clone()));
    let dialer = Dialer::new(DialSettings { hosts: BTreeMap::from(names), ..DialSettings::default() });
    let reach = Reach::Declared { private: true };
    let settings = ClientSettings { reach, head: PATIENCE, connect: PATIENCE, ..ClientSettings::default() };
    HttpClient::new(&dialer, &ClientTls::new(roots).unwrap(), &settings)
}

fn get(url: String) -> Request<Body> {
    Request::get(url).header(header::TE, "trailers").body(Body::Empty).unwrap()
}

#[tokio::test]
async fn http2_with_trailers_passes_and_the_leaf_is_minted_once() {
    let world = world("api.test");
    let client = world.client();
    for _ in 0..3 {
        let response = client.request(get(world.url("api.test"))).await.unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().and_then(|trailers| trailers.get(header::ETAG)).unwrap(), "sum");
        assert_eq!(body.to_bytes(), "HTTP/2.0");
    }
    let stats = world.interception.stats();
    assert_eq!((stats.minted, stats.accepted), (1, 1));
}

#[tokio::test]
async fn an_upgrade_goes_over_http1() {
    let world = world("api.test");
    let request = Request::get(world.url("api.test"))
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "echo")
        .body(Body::Empty)
        .unwrap();
    let response = world.client().request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.version(), Version::HTTP_11);
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    stream.write_all(b"echo").await.unwrap();
    let mut word = [0; 4];
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"echo");
}

#[tokio::test]
async fn a_handshake_for_another_host_is_refused() {
    let world = world("api.test");
    let error = world.client().request(get(world.url("other.test"))).await.unwrap_err();
    assert_eq!(error.failure(), Failure::Tls);
    let stats = world.stats(|stats| stats.mismatched > 0).await;
    assert_eq!((stats.mismatched, stats.minted, stats.accepted), (1, 0, 0));
}

#[tokio::test]
async fn only_an_address_may_go_unnamed() {
    let world = world("127.0.0.1");
    let response = world.client().request(get(world.url("127.0.0.1"))).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);

    let world = self::world("api.test");
    let error = world.client().request(get(world.url("127.0.0.1"))).await.unwrap_err();
    assert_eq!(error.failure(), Failure::Tls);
    assert_eq!(world.stats(|stats| stats.mismatched > 0).await.mismatched, 1);
}

#[tokio::test]
async fn an_agent_that_does_not_trust_the_authority_is_recognized() {
    let world = world("api.test");
    let error = client(&TrustRoots::none()).request(get(world.url("api.test"))).await.unwrap_err();
    assert_eq!(error.failure(), Failure::Tls);
    assert_eq!(world.stats(|stats| stats.not_trusted > 0).await.not_trusted, 1);
}

#[tokio::test]
async fn what_is_not_tls_or_never_ends_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let clock = SystemClock::shared();
    let authority = Authority::create(dir.path(), "Test authority", clock.now()).unwrap();
    let interception = Interception::new(authority, Arc::clone(&clock), Duration::from_millis(60)).unwrap();
    let garbage = interception.accept(arrived(b"GET / HTTP/1.1\r\n\r\n").await, "api.test").await;
    assert!(matches!(garbage, Err(AcceptError::Handshake(_))));
    let half = interception.accept(arrived(b"\x16\x03\x01").await, "api.test").await;
    assert!(matches!(half, Err(AcceptError::Timeout { .. })));
}

/// A connection on which `sent` has arrived and nothing follows.
async fn arrived(sent: &[u8]) -> tokio::io::DuplexStream {
    let (near, mut far) = tokio::io::duplex(1024);
    far.write_all(sent).await.unwrap();
    tokio::spawn(async move {
        let _ = far.read_to_end(&mut Vec::new()).await;
        std::future::pending::<()>().await;
    });
    near
}

/// Runs another program against the world; `None` when this machine does not have it.
async fn outside(program: &'static str, args: Vec<String>, roots: &Path) -> Option<Output> {
    let roots = roots.to_owned();
    let run = move || {
        Command::new(program).args(args).env("NODE_EXTRA_CA_CERTS", roots).stdin(Stdio::null()).output()
    };
    tokio::task::spawn_blocking(run).await.unwrap().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_accepts_the_leaf_in_its_strict_mode() {
    let world = world("localhost");
    let files = AuthorityFiles::in_dir(world.dir.path());
    let args = format!(
        "s_client -brief -x509_strict -verify_return_error -verify_hostname localhost -servername localhost \
         -CAfile {} -connect 127.0.0.1:{}",
        files.certificate.display(),
        world.port
    );
    let Some(output) =
        outside("openssl", args.split(' ').map(str::to_owned).collect(), &files.certificate).await
    else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("Verification: OK"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_accepts_the_leaf_with_both_versions() {
    let world = world("localhost");
    let files = AuthorityFiles::in_dir(world.dir.path());
    let bundle = files.bundle.display().to_string();
    for (flag, version) in [("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2.0")] {
        let args = ["-sS", "--noproxy", "*", flag, "--cacert", &bundle, &world.url("localhost")];
        let Some(output) = outside("curl", args.map(str::to_owned).to_vec(), &files.bundle).await else {
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), version);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_accepts_the_leaf_beside_its_own_roots() {
    let world = world("localhost");
    let files = AuthorityFiles::in_dir(world.dir.path());
    let script = format!(
        "require('https').get('{}', {{family: 4}}, answer => answer.pipe(process.stdout))",
        world.url("localhost")
    );
    let args = vec!["-e".to_owned(), script];
    let Some(output) = outside("node", args, &files.certificate).await else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "HTTP/1.1", "{said}");
}

#[tokio::test]
async fn a_listener_that_speaks_no_tls_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    let tls = ClientTls::new(&TrustRoots::none()).unwrap();
    let reach = Reach::Declared { private: true };
    let connect = Duration::from_millis(60);
    let settings = ClientSettings { reach, connect, ..ClientSettings::default() };
    let client = HttpClient::new(&Dialer::new(DialSettings::default()), &tls, &settings);
    let error = tokio::time::timeout(PATIENCE, client.request(get(url))).await.unwrap().unwrap_err();
    assert_eq!(error.failure(), Failure::Tls);
}
