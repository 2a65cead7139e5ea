//! What an attacker plays against: a sidecar in this process, and an ear where its upstreams are.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pactgate::cli::sidecar::Sidecar;
use pactgate::config;
use pactgate::domain::SystemClock;
use pactgate::evidence::{Effect, Kind, Record, Verifier};
use pactgate::net::Authority;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Far longer than anything takes, so that a test that hangs fails instead.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// The credential of the model API. No agent has it, and none may see it.
pub const KEY: &str = "key-of-the-model-api";
/// The token by which `mole` is known. No upstream may see it.
pub const TOKEN: &str = "token-of-the-mole";
/// The token by which `twin` is known.
pub const TWIN: &str = "token-of-the-twin";
/// An answer that every client understands.
pub const FINE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/// The usual pact; `EAR` stands for the upstream.
pub const PACT: &str = "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: held, version: 1}
spec:
  agents: [mole, twin]
  risk: low
  owner: the tests
  clauses:
    - id: small-model
      allow: {model: [openai/small, anthropic/haiku]}
    - id: look
      allow: {tool: shop.look}
    - id: refund
      ask: {tool: shop.refund}
    - id: open-pages
      allow: {http: [\"GET http://EAR/web/open/**\", \"POST http://EAR/web/open/**\"]}
    - id: no-secrets
      deny: {http: \"* http://EAR/web/open/secret/**\"}
";

/// What an upstream says, for as long as it stands there.
pub type Said = Arc<Mutex<&'static [u8]>>;

/// An upstream that writes down every byte it gets.
pub struct Ear {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Ear {
    /// Answers each request with these bytes; closes afterwards where told so.
    pub async fn answering(answer: &'static [u8], closes: bool) -> Self {
        Self::telling(|_| answer, closes).await
    }

    /// The same where the answer depends on the address.
    pub async fn telling(answer: impl FnOnce(SocketAddr) -> &'static [u8], closes: bool) -> Self {
        Self::saying(|address| Arc::new(Mutex::new(answer(address))), closes).await
    }

    /// Answers each request with the bytes that stand there at that moment.
    pub async fn saying(answer: impl FnOnce(SocketAddr) -> Said, closes: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let answer = answer(listener.local_addr().unwrap());
        Self::at(listener, move |_| answer.lock().unwrap().to_vec(), closes)
    }

    /// Answers each request with the bytes made for it; stays open.
    pub async fn acting(act: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").await.unwrap(), act, false)
    }

    fn at(
        listener: TcpListener,
        act: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
        closes: bool,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (hearing, act) = (Arc::clone(&heard), Arc::new(act));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (heard, act) = (Arc::clone(&hearing), Arc::clone(&act));
                tokio::spawn(async move {
                    while let Some(request) = hear(&mut stream, &heard).await {
                        if stream.write_all(&act(&request)).await.is_err() || closes {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, heard }
    }

    /// Answers the usual.
    pub async fn fine() -> Self {
        Self::answering(FINE, false).await
    }

    /// Every byte so far.
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Reads one request as far as its framing tells; `None` at the end of the connection.
async fn hear(stream: &mut TcpStream, heard: &Mutex<Vec<u8>>) -> Option<String> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => {
                request.extend_from_slice(&chunk[..count]);
                heard.lock().unwrap().extend_from_slice(&chunk[..count]);
            }
            _ => return None,
        }
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let is_whole = match length {
            Some(length) => body.len() >= length,
            None => !head.contains("transfer-encoding: chunked") || body.ends_with("0\r\n\r\n"),
        };
        if is_whole {
            return Some(String::from_utf8_lossy(&request).into_owned());
        }
    }
}

/// A way in.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// The reverse listener of `mole`.
    Reverse,
    /// The reverse listener where each request has to prove its agent.
    Open,
    /// The forward listener of `mole`.
    Forward,
}

/// What came back.
#[derive(Debug)]
pub struct Answer(pub String);

impl Answer {
    /// The status of the first head in it; 0 where there is none.
    pub fn status(&self) -> u16 {
        self.0.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// What follows the first head.
    pub fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

/// The sidecar under attack.
pub struct Arena {
    pub sidecar: Sidecar,
    pub ear: Ear,
    folder: TempDir,
}

impl Arena {
    /// The usual one.
    pub async fn new() -> Self {
        Self::built(Ear::fine().await, PACT, |_| {})
    }

    /// With another upstream.
    pub fn facing(ear: Ear) -> Self {
        Self::built(ear, PACT, |_| {})
    }

    /// With other settings.
    pub async fn with(change: impl FnOnce(&mut config::Sidecar)) -> Self {
        Self::built(Ear::fine().await, PACT, change)
    }

    /// With another pact, in which `EAR` stands for the upstream.
    pub async fn under(pact: &str) -> Self {
        Self::built(Ear::fine().await, pact, |_| {})
    }

    /// With everything of its own.
    pub fn built(ear: Ear, pact: &str, change: impl FnOnce(&mut config::Sidecar)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        std::fs::create_dir(place.join("pacts")).unwrap();
        let pact = pact.replace("EAR", &ear.address.to_string());
        std::fs::write(place.join("pacts/held.yaml"), pact).unwrap();
        std::fs::write(place.join("sidecar.yaml"), config_text(place, ear.address)).unwrap();
        Authority::create(&place.join("ca"), "Test authority", SystemClock::shared().now()).unwrap();
        let env = |name: &str| match name {
            "KEY" => Some(KEY.to_owned()),
            "TOKEN" => Some(TOKEN.to_owned()),
            "TWIN" => Some(TWIN.to_owned()),
            _ => None,
        };
        let loaded = config::load_sidecar(&place.join("sidecar.yaml"), &env);
        let (mut config, _) = loaded.unwrap_or_else(|wrong| panic!("{wrong}"));
        change(&mut config);
        let sidecar = Sidecar::start(None, config, SystemClock::shared()).unwrap();
        Self { sidecar, ear, folder }
    }

    /// The address of a way in.
    pub fn at(&self, way: Way) -> SocketAddr {
        let place = match way {
            Way::Reverse => 0,
            Way::Open => 1,
            Way::Forward => 2,
        };
        self.sidecar.listening[place].1
    }

    /// The admin socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("admin.sock")
    }

    /// The certificate of the interception authority.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca/ca.pem")
    }

    /// Replaces the pact in force, and its file, which the sidecar follows.
    pub fn replace_pact(&self, pact: &str) {
        let pact = pact.replace("EAR", &self.ear.address.to_string());
        std::fs::write(self.folder.path().join("pacts/held.yaml"), &pact).unwrap();
        let loaded = pactgate::pact::load("held.yaml", &pact).unwrap_or_else(|wrong| panic!("{wrong}"));
        let set = pactgate::pact::PactSet::build(vec![loaded.pact]).unwrap_or_else(|wrong| panic!("{wrong}"));
        self.sidecar.proxy.enforcer.replace_pacts(set);
    }

    /// Opens a connection and writes.
    pub async fn open(&self, way: Way, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = TcpStream::connect(self.at(way)).await.unwrap();
        // The sidecar may have heard enough before the end.
        let _ = stream.write_all(bytes.as_ref()).await;
        stream
    }

    /// Writes, and reads all that comes back until the connection is closed.
    pub async fn send(&self, way: Way, bytes: impl AsRef<[u8]>) -> Answer {
        let stream = self.open(way, bytes).await;
        rest(stream).await
    }

    /// Everything on record, its chain unbroken and each record as the collector demands it.
    pub async fn records(&self) -> Vec<Record> {
        let recorder = &self.sidecar.rooms.recorder;
        recorder.flush().await.unwrap();
        let mut verifier = Verifier::new();
        let entries = recorder.read_after(0, usize::MAX, usize::MAX).unwrap();
        entries.iter().map(|entry| verifier.push(&entry.bytes).expect("a sound record").record).collect()
    }

    /// Waits until there are so many records, and returns them.
    pub async fn records_once(&self, count: u64) -> Vec<Record> {
        let waiting = self.sidecar.rooms.recorder.wait_new(count - 1);
        tokio::time::timeout(PATIENCE, waiting).await.expect("it is recorded");
        self.records().await
    }

    /// Sends a request that must be refused: with this status, on record with this reason, unheard by the upstream.
    pub async fn refuses(
        &self,
        what: &str,
        way: Way,
        bytes: impl AsRef<[u8]>,
        status: u16,
        reason: &str,
    ) -> Answer {
        let (before, heard) = (self.records().await.len(), self.ear.heard());
        let answer = self.send(way, bytes).await;
        assert_eq!(answer.status(), status, "{what}: {answer:?}");
        // An answer of the HTTP server itself is on record once its connection has ended.
        let records = self.records_once(before as u64 + 1).await;
        assert_eq!(records.len(), before + 1, "{what}: {records:?}");
        let record = &records[before];
        assert_eq!((record.kind, record.effect), (Kind::Refused, Effect::Refused), "{what}: {record:?}");
        assert_eq!(record.reason.map(|reason| reason.name()), Some(reason), "{what}: {record:?}");
        assert_eq!(self.ear.heard(), heard, "{what}: the upstream heard of it");
        assert!(!answer.0.contains(KEY), "{what}: the agent saw the upstream's credential");
        answer
    }

    /// Sends a request that must go through.
    pub async fn passes(&self, what: &str, way: Way, bytes: impl AsRef<[u8]>) -> Answer {
        let answer = self.send(way, bytes).await;
        assert_eq!(answer.status(), 200, "{what}: {answer:?}");
        answer
    }
}

/// Reads to the end. A reset after the answer is as good an end as any.
pub async fn rest(mut stream: TcpStream) -> Answer {
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(PATIENCE, reading).await.expect("the connection is closed");
    Answer(String::from_utf8_lossy(&answer).into_owned())
}

fn config_text(place: &Path, ear: SocketAddr) -> String {
    format!(
        "apiVersion: pactgate.dev/v1
kind: Sidecar
id: under-attack
data: {place}/data
pacts: [pacts/]
agents:
  - {{id: mole, token: {{env: TOKEN}}}}
  - {{id: twin, token: {{env: TWIN}}}}
listeners:
  - {{mode: reverse, address: \"127.0.0.1:0\", agent: mole}}
  - {{mode: reverse, address: \"127.0.0.1:0\"}}
  - {{mode: forward, address: \"127.0.0.1:0\", agent: mole}}
upstreams:
  - {{name: openai, dialect: openai, url: \"http://{ear}/openai\", private: true, credential: {{header: authorization, prefix: \"Bearer \", env: KEY}}}}
  - {{name: claude, dialect: anthropic, url: \"http://{ear}/claude\", private: true}}
  - {{name: gemini, dialect: gemini, url: \"http://{ear}/gemini\", private: true, credential: {{header: x-goog-api-key, env: KEY}}}}
  - {{name: bedrock, dialect: bedrock, url: \"http://{ear}/bedrock\", private: true, credential: {{header: authorization, prefix: \"Bearer \", env: KEY}}}}
  - {{name: aws, dialect: bedrock, url: \"http://{ear}/aws\", private: true}}
  - {{name: shop, dialect: mcp, url: \"http://{ear}/shop\", private: true}}
  - {{name: peer, dialect: a2a, url: \"http://{ear}/peer\", private: true}}
  - {{name: web, dialect: http, url: \"http://{ear}/web\", private: true}}
interception: {{authority: ca/}}
trust: {{fixed: standard}}
approvals: {{patience: 1s, expire: 1m}}
admin: {{address: \"127.0.0.1:0\", socket: {place}/admin.sock}}
log: {{format: json, level: info}}
",
        place = place.display(),
    )
}

/// A request with its framing, on a connection that ends with it.
pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text.push_str("host: 127.0.0.1\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text + "\r\n" + body
}

/// A JSON body, posted.
pub fn post(target: &str, body: &str) -> String {
    request("POST", target, &[("content-type", "application/json")], body)
}
