//! The built sidecar as a process of its own, with files made for one test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

/// What a sidecar is to be.
#[derive(Default)]
pub struct Setup {
    agents: Vec<String>,
    upstreams: String,
    pacts: String,
    /// Environment of the sidecar, for credentials.
    env: Vec<(String, String)>,
}

impl Setup {
    /// An agent, known by [`token`].
    pub fn agent(mut self, id: &str) -> Self {
        self.agents.push(id.to_owned());
        self
    }

    /// An upstream on loopback that is given `key` in its `header`, where there is one.
    pub fn upstream(mut self, name: &str, dialect: &str, url: &str, key: Option<(&str, &str, &str)>) -> Self {
        let credential = key.map_or_else(String::new, |(header, prefix, key)| {
            let variable = format!("KEY_OF_{}", name.to_uppercase());
            let text = format!(", credential: {{header: {header}, prefix: \"{prefix}\", env: {variable}}}");
            self.env.push((variable, key.to_owned()));
            text
        });
        let roots = if url.starts_with("https") { ", roots: upstreams.pem" } else { "" };
        writeln!(
            self.upstreams,
            "  - {{name: {name}, dialect: {dialect}, url: \"{url}\", private: true{roots}{credential}}}"
        )
        .unwrap();
        self
    }

    /// A pact, as a document of its own.
    pub fn pact(mut self, text: &str) -> Self {
        self.pacts =
            if self.pacts.is_empty() { text.to_owned() } else { format!("{}---\n{text}", self.pacts) };
        self
    }

    /// Starts the sidecar and waits until it listens. `roots` certify its upstreams.
    pub fn start(self, roots: &Path) -> Sidecar {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        for (number, pact) in self.pacts.split("---\n").enumerate() {
            fs::create_dir_all(place.join("pacts")).unwrap();
            fs::write(place.join(format!("pacts/{number}.yaml")), pact).unwrap();
        }
        fs::copy(roots, place.join("upstreams.pem")).unwrap();
        fs::write(place.join("sidecar.yaml"), self.config(place)).unwrap();
        let authority = place.join("ca");
        let made = pactgate().arg("ca").arg("init").arg("--dir").arg(&authority).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

        let mut command = pactgate();
        command.arg("proxy").arg("--config").arg(place.join("sidecar.yaml"));
        command.envs(self.env).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Log::default();
        let mut reader = BufReader::new(child.stderr.take().unwrap());
        let addresses = log.listening(&mut reader);
        log.follow(reader);
        Sidecar { child, addresses, log, folder }
    }

    fn config(&self, place: &Path) -> String {
        let mut agents = String::new();
        for id in &self.agents {
            fs::write(place.join(format!("{id}.token")), token(id)).unwrap();
            writeln!(agents, "  - {{id: {id}, token: {{file: {id}.token}}}}").unwrap();
        }
        format!(
            "apiVersion: pactgate.dev/v1
kind: Sidecar
id: under-test
data: {place}/data
pacts: [pacts/]
agents:
{agents}listeners:
  - {{mode: reverse, address: \"127.0.0.1:0\"}}
  - {{mode: forward, address: \"127.0.0.1:0\"}}
upstreams:
{upstreams}interception: {{authority: ca/}}
trust: {{fixed: standard}}
approvals: {{patience: 1s, expire: 1m}}
admin: {{address: \"127.0.0.1:0\", socket: {place}/admin.sock}}
log: {{format: json, level: info}}
",
            place = place.display(),
            upstreams = self.upstreams,
        )
    }
}

/// The token of an agent: its credential towards the sidecar, and of no use anywhere else.
pub fn token(agent: &str) -> String {
    format!("token-of-{agent}")
}

fn pactgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pactgate"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// A running sidecar, ended when dropped. A failing test shows its log.
pub struct Sidecar {
    child: Child,
    addresses: BTreeMap<String, SocketAddr>,
    log: Log,
    folder: TempDir,
}

impl Sidecar {
    /// The base URL of an upstream on the reverse listener.
    pub fn reverse(&self, upstream: &str) -> String {
        format!("http://{}/{upstream}", self.addresses["reverse"])
    }

    /// The forward listener as a proxy URL with which an agent proves itself.
    pub fn proxy(&self, agent: &str) -> String {
        format!("http://{agent}:{}@{}", token(agent), self.addresses["forward"])
    }

    /// The certificate of its authority and nothing else, so that a connection past the sidecar fails.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca/ca.pem")
    }

    /// The variables by which agents go through the forward listener and trust it.
    pub fn variables(&self, agent: &str) -> Vec<(&'static str, String)> {
        let certificate = self.certificate().display().to_string();
        let proxy = self.proxy(agent);
        vec![
            ("HTTP_PROXY", proxy.clone()),
            ("http_proxy", proxy.clone()),
            ("HTTPS_PROXY", proxy),
            ("SSL_CERT_FILE", certificate.clone()),
            ("NODE_EXTRA_CA_CERTS", certificate),
        ]
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the sidecar's log:\n{}", self.log.text());
        }
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Reads until each listener has told where it listens.
    fn listening(&self, reader: &mut BufReader<ChildStderr>) -> BTreeMap<String, SocketAddr> {
        let mut addresses = BTreeMap::new();
        while !["reverse", "forward", "admin"].iter().all(|mode| addresses.contains_key(*mode)) {
            let mut line = String::new();
            let read = reader.read_line(&mut line).unwrap();
            assert!(read > 0, "the sidecar ended before it listened:\n{}", self.text());
            let told: Value = serde_json::from_str(&line).unwrap_or_default();
            let fields = told.get("fields").unwrap_or(&told);
            if fields["message"] == "listening"
                && let (Some(mode), Some(address)) = (fields["mode"].as_str(), fields["address"].as_str())
            {
                addresses.insert(mode.to_owned(), address.parse().unwrap());
            }
            self.0.lock().unwrap().push(line);
        }
        addresses
    }

    /// Keeps reading, so that a full pipe never holds the sidecar up.
    fn follow(&self, reader: BufReader<ChildStderr>) {
        let log = self.clone();
        thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                log.0.lock().unwrap().push(line + "\n");
            }
        });
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().concat()
    }
}
