//! The sidecar's own surfaces over real sockets: what each door tells, and to whom.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pactgate::admin::{
    Admin, Check, Declined, Page, Readiness, Settings, SocketProblem, ToolName, View, bind,
};
use pactgate::net::{Drain, Drained};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

/// A sidecar that is ready or not, and whose configuration page cannot be made.
#[derive(Default)]
struct Sidecar {
    is_broken: AtomicBool,
}

impl View for Sidecar {
    fn metrics(&self) -> String {
        "pactgate_build_info 1\n".to_owned()
    }

    fn readiness(&self) -> Readiness {
        let spool = !self.is_broken.load(Ordering::Relaxed);
        Readiness::of(vec![Check::pacts(2, true), Check::new("spool", spool, "as the test wants")])
    }

    fn page(&self, page: Page) -> Value {
        assert!(page != Page::Config, "this page fails");
        json!({"page": page.path()})
    }

    fn accept_tool(&self, tool: &ToolName) -> Result<Value, Declined> {
        match tool.tool.as_str() {
            "a b/c" => {
                Ok(json!({"server": tool.server, "definition": tool.definition.map(|digest| digest.hex())}))
            }
            "other" => Err(Declined::Conflict("another one".to_owned())),
            _ => Err(Declined::Absent("no such tool".to_owned())),
        }
    }
}

/// Both doors, served.
struct Served {
    view: Arc<Sidecar>,
    address: SocketAddr,
    socket: PathBuf,
    drain: Drain,
    running: tokio::task::JoinHandle<()>,
    folder: TempDir,
}

impl Served {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("admin.sock");
        let admin = open(&socket).unwrap();
        let (address, view, drain) = (admin.address(), Arc::<Sidecar>::default(), Drain::default());
        assert_eq!(admin.socket(), Some(socket.as_path()));
        let running = tokio::spawn({
            let (view, drain) = (Arc::clone(&view), drain.clone());
            async move { admin.run(view, &drain).await }
        });
        Self { view, address, socket, drain, running, folder }
    }

    async fn at_port(&self, request: &str) -> String {
        talk(TcpStream::connect(self.address).await.unwrap(), request).await
    }

    async fn at_socket(&self, request: &str) -> String {
        talk(UnixStream::connect(&self.socket).await.unwrap(), request).await
    }
}

fn open(socket: &Path) -> Result<Admin, SocketProblem> {
    let settings = Settings { address: "127.0.0.1:0".parse().unwrap(), socket: Some(socket.to_owned()) };
    bind(&settings).map_err(|error| match error {
        pactgate::admin::AdminError::Socket(error) => {
            assert!(error.to_string().contains(&format!("`{}`", socket.display())), "{error}");
            error.problem
        }
        other => panic!("{other}"),
    })
}

/// Sends bytes and reads until the other side closes.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, request: &str) -> String {
    // A side that has seen enough may close before it has read everything.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

fn ask(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: sidecar\r\nconnection: close\r\n\r\n")
}

fn get(path: &str) -> String {
    ask("GET", path)
}

#[track_caller]
fn check(answer: &str, status: u16, field: &str, body: &str) {
    let (head, told) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(head.contains(field), "no `{field}` in {answer}");
    assert_eq!(told, body, "{answer}");
}

#[tokio::test]
async fn the_port_tells_machines_three_things() {
    let served = Served::start();
    let metrics = served.at_port(&get("/metrics?name[]=x")).await;
    check(&metrics, 200, "content-type: text/plain; version=0.0.4; charset=utf-8", "pactgate_build_info 1\n");
    check(&served.at_port(&get("/livez")).await, 200, "cache-control: no-store", "live\n");
    let ready = r#"{"ready":true,"checks":[{"name":"pacts","ok":true,"detail":"2 pacts are loaded"},{"name":"spool","ok":true,"detail":"as the test wants"}]}"#;
    check(&served.at_port(&get("/readyz")).await, 200, "content-type: application/json", ready);

    served.view.is_broken.store(true, Ordering::Relaxed);
    let not_ready = served.at_port(&get("/readyz")).await;
    assert!(not_ready.starts_with("HTTP/1.1 503 "), "{not_ready}");
    assert!(not_ready.contains(r#"{"name":"spool","ok":false,"detail":"as the test wants"}"#), "{not_ready}");
    check(&served.at_port(&get("/livez")).await, 200, "", "live\n");
}

#[tokio::test]
async fn the_socket_tells_its_owner_the_rest() {
    let served = Served::start();
    for page in Page::ALL.into_iter().filter(|page| *page != Page::Config) {
        let answer = served.at_socket(&get(page.path())).await;
        check(&answer, 200, "content-type: application/json", &format!(r#"{{"page":"{}"}}"#, page.path()));
    }
    check(&served.at_socket(&get("/config")).await, 500, "content-length: 0", "");
    // One page that fails takes no turn away from the others.
    assert!(served.at_socket(&get("/status")).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_tool_is_accepted_through_the_socket_alone() {
    let served = Served::start();
    let digest = "ab".repeat(32);
    let accept = |query: &str| ask("POST", &format!("/tools/accept?{query}"));
    let said = served.at_socket(&accept(&format!("server=s&tool=a+b%2Fc&definition={digest}"))).await;
    check(&said, 200, "application/json", &format!(r#"{{"definition":"{digest}","server":"s"}}"#));
    check(&served.at_socket(&accept("server=s&tool=other")).await, 409, "", r#"{"detail":"another one"}"#);
    for query in ["", "server=s&tool=a+b%2Fc&definition=ab", "server=s&tool=a+b%2Fc&force=1"] {
        check(&served.at_socket(&accept(query)).await, 404, "", r#"{"detail":"no such tool"}"#);
    }
    check(&served.at_socket(&get("/tools/accept?server=s&tool=other")).await, 405, "allow: POST", "");
    assert!(served.at_port(&accept("server=s&tool=other")).await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn each_door_knows_only_its_own_paths() {
    let served = Served::start();
    for path in ["/", "/status", "/config", "/trust", "/metrics/", "//metrics", "/METRICS", "/%6detrics", "*"]
    {
        for method in ["GET", "POST", "DELETE"] {
            check(&served.at_port(&ask(method, path)).await, 404, "content-length: 0", "");
        }
    }
    for path in ["/", "/metrics", "/livez", "/readyz", "/status/", "/agents"] {
        check(&served.at_socket(&get(path)).await, 404, "content-length: 0", "");
    }
    check(&served.at_port(&ask("CONNECT", "example.com:443")).await, 404, "", "");
}

#[tokio::test]
async fn only_reading_is_possible() {
    let served = Served::start();
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        check(&served.at_port(&ask(method, "/readyz")).await, 405, "allow: GET, HEAD", "");
        check(&served.at_socket(&ask(method, "/status")).await, 405, "allow: GET, HEAD", "");
    }
    check(&served.at_port(&ask("HEAD", "/metrics")).await, 200, "content-length: 22", "");
    check(&served.at_socket(&ask("HEAD", "/pacts")).await, 200, "content-length: 17", "");
    check(&served.at_port(&ask("HEAD", "/nothing")).await, 404, "", "");
}

#[tokio::test]
async fn a_body_is_not_waited_for() {
    let served = Served::start();
    // Keep-alive, and a body that never comes: the answer comes, and the connection ends.
    let request = "GET /livez HTTP/1.1\r\nhost: sidecar\r\ncontent-length: 1000000\r\n\r\n";
    check(&served.at_port(request).await, 200, "", "live\n");
    let chunked = "POST /livez HTTP/1.1\r\nhost: sidecar\r\ntransfer-encoding: chunked\r\n\r\n";
    check(&served.at_port(chunked).await, 405, "", "");
}

#[tokio::test]
async fn heads_are_bounded() {
    let served = Served::start();
    let long = format!("GET /livez HTTP/1.1\r\nhost: sidecar\r\nx: {}\r\n\r\n", "a".repeat(20_000));
    assert!(served.at_port(&long).await.starts_with("HTTP/1.1 431 "));
    let many = format!("GET /livez HTTP/1.1\r\nhost: sidecar\r\n{}\r\n", "x: a\r\n".repeat(80));
    assert!(served.at_port(&many).await.starts_with("HTTP/1.1 431 "));
    let wrong = served.at_socket("\u{0}\u{0}\r\n\r\n").await;
    assert!(wrong.starts_with("HTTP/1.1 400 "), "{wrong}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_more_is_left() {
    let served = Served::start();
    let began = tokio::time::Instant::now();
    assert_eq!(served.at_port("GET /metrics HTTP/1.1\r\nhost:").await, "");
    assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(served.at_socket("").await, "");
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_socket_has_sixteen_places() {
    let served = Served::start();
    let keep = "GET /status HTTP/1.1\r\nhost: sidecar\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..16 {
        let mut stream = UnixStream::connect(&served.socket).await.unwrap();
        stream.write_all(keep.as_bytes()).await.unwrap();
        stream.read_u8().await.unwrap();
        held.push(stream);
    }
    let request = get("/status");
    let surplus = served.at_socket(&request);
    let mut surplus = std::pin::pin!(surplus);
    tokio::select! {
        biased;
        answer = surplus.as_mut() => panic!("answered out of turn: {answer}"),
        () = async { for _ in 0..100 { tokio::task::yield_now().await } } => {}
    }
    drop(held.pop());
    assert!(surplus.await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn stopping_closes_both_doors_and_removes_the_socket() {
    let served = Served::start();
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: sidecar\r\n\r\n").await.unwrap();
    idle.read_u8().await.unwrap();
    assert_eq!(served.drain.finish(Duration::from_secs(30)).await, Drained::Clean);
    served.running.await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
    assert!(!served.socket.exists());
    assert_eq!(fs::read_dir(served.folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_socket_belongs_to_its_user_alone() {
    let served = Served::start();
    let mode = fs::metadata(&served.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[tokio::test]
async fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
    let served = Served::start();
    assert!(matches!(open(&served.socket), Err(SocketProblem::InUse)));
    assert!(served.at_socket(&get("/status")).await.starts_with("HTTP/1.1 200 "));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let admin = open(&path).unwrap();
    assert!(UnixStream::connect(&path).await.is_ok());

    // A file that took the place is somebody else's, and stays.
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(admin);
    assert!(path.exists());
}

#[tokio::test]
async fn a_socket_is_made_only_where_nobody_can_replace_it() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    let opened_to = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();

    opened_to(0o777);
    let error = open(&inside("a.sock")).unwrap_err();
    assert!(error.to_string().contains("chmod o-w"), "{error}");
    opened_to(0o1777);
    assert!(open(&inside("a.sock")).is_ok());
    opened_to(0o700);

    assert!(matches!(open(&inside("missing/a.sock")), Err(SocketProblem::NoFolder)));
    fs::write(inside("file"), "kept").unwrap();
    assert!(matches!(open(&inside("file/a.sock")), Err(SocketProblem::NoFolder)));
    assert!(matches!(open(&inside("file")), Err(SocketProblem::NotASocket)));
    assert_eq!(fs::read_to_string(inside("file")).unwrap(), "kept");
    std::os::unix::fs::symlink(inside("file"), inside("link")).unwrap();
    assert!(matches!(open(&inside("link")), Err(SocketProblem::NotASocket)));
    assert!(matches!(open(&inside(&"a".repeat(200))), Err(SocketProblem::TooLong)));
}

#[tokio::test]
async fn a_sidecar_without_a_socket_has_its_port() {
    let admin = bind(&Settings { address: "127.0.0.1:0".parse().unwrap(), socket: None }).unwrap();
    assert_eq!(admin.socket(), None);
    let taken = Settings { address: admin.address(), socket: None };
    assert!(bind(&taken).unwrap_err().to_string().contains("choose another port"));
    let (address, drain) = (admin.address(), Drain::default());
    let running = tokio::spawn({
        let drain = drain.clone();
        async move { admin.run(Arc::<Sidecar>::default(), &drain).await }
    });
    let answer = talk(TcpStream::connect(address).await.unwrap(), &get("/livez")).await;
    check(&answer, 200, "", "live\n");
    drain.begin();
    running.await.unwrap();
}
