//! The built sidecar as a process of its own, with files made for one test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::collector::Collector;
use crate::support::environment::{self, Variables};
use crate::support::process::{Process, pactgate};

/// The id of every sidecar under test.
pub const SIDECAR: &str = "under-test";

/// What a sidecar is to be.
pub struct Setup {
    agents: Vec<String>,
    upstreams: String,
    pacts: String,
    /// Sections of the config that differ from the usual ones.
    sections: BTreeMap<&'static str, String>,
    /// Files beside the config.
    files: Vec<(&'static str, String)>,
    /// Environment of the sidecar, for credentials.
    env: Vec<(String, String)>,
}

impl Default for Setup {
    fn default() -> Self {
        let usual = [
            ("trust", "{fixed: standard}"),
            ("approvals", "{patience: 1s, expire: 1m}"),
            ("log", "{format: json, level: info}"),
        ];
        Self {
            agents: Vec::new(),
            upstreams: String::new(),
            pacts: String::new(),
            sections: usual.map(|(name, text)| (name, text.to_owned())).into(),
            files: Vec::new(),
            env: Vec::new(),
        }
    }
}

impl Setup {
    /// An agent, known by [`token`].
    pub fn agent(mut self, id: &str) -> Self {
        self.agents.push(id.to_owned());
        self
    }

    /// An upstream on loopback that is given `key` in its `header`, where there is one.
    pub fn upstream(self, name: &str, dialect: &str, url: &str, key: Option<(&str, &str, &str)>) -> Self {
        let mut setup = self;
        let credential = key.map_or_else(String::new, |(header, prefix, key)| {
            let variable = format!("KEY_OF_{}", name.replace('-', "_").to_uppercase());
            let text = format!(", credential: {{header: {header}, prefix: \"{prefix}\", env: {variable}}}");
            setup.env.push((variable, key.to_owned()));
            text
        });
        let roots = if url.starts_with("https") { ", roots: upstreams.pem" } else { "" };
        setup.upstream_as(name, dialect, url, &format!("{roots}{credential}"))
    }

    /// An upstream on loopback with more settings, each after a comma.
    pub fn upstream_as(mut self, name: &str, dialect: &str, url: &str, more: &str) -> Self {
        writeln!(
            self.upstreams,
            "  - {{name: {name}, dialect: {dialect}, url: \"{url}\", private: true{more}}}"
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

    /// A section of the config, instead of the usual one.
    pub fn section(mut self, name: &'static str, text: &str) -> Self {
        self.sections.insert(name, text.to_owned());
        self
    }

    /// Leaves a section of the config out.
    pub fn without(mut self, name: &str) -> Self {
        self.sections.remove(name);
        self
    }

    /// A file beside the config.
    pub fn file(mut self, name: &'static str, text: &str) -> Self {
        self.files.push((name, text.to_owned()));
        self
    }

    /// Its collector, from which tiers come then.
    pub fn collector(mut self, collector: &Collector) -> Self {
        self.env.push(("COLLECTOR_TOKEN".to_owned(), collector.sidecar_token().to_owned()));
        let link = format!(
            "{{url: \"{}\", token: {{env: COLLECTOR_TOKEN}}, public_key: \"{}\"}}",
            collector.url(),
            collector.key()
        );
        self.without("trust").section("collector", &link)
    }

    /// Starts the sidecar and waits until it listens. `roots` certify its upstreams.
    pub fn start(mut self, roots: &Path) -> Sidecar {
        let folder = self.write();
        let place = folder.path();
        fs::copy(roots, place.join("upstreams.pem")).unwrap();
        let authority = place.join("ca");
        let made = pactgate().arg("ca").arg("init").arg("--dir").arg(&authority).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        self.sections.entry("interception").or_insert_with(|| "{authority: ca/}".to_owned());
        Sidecar::start(folder, self)
    }

    /// Starts a sidecar that speaks no TLS at all.
    pub fn start_plain(self) -> Sidecar {
        Sidecar::start(self.write(), self)
    }

    /// Writes all files but the config.
    fn write(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        for (number, pact) in self.pacts.split("---\n").enumerate() {
            fs::create_dir_all(place.join("pacts")).unwrap();
            fs::write(place.join(format!("pacts/{number}.yaml")), pact).unwrap();
        }
        for id in &self.agents {
            fs::write(place.join(format!("{id}.token")), token(id)).unwrap();
        }
        for (name, text) in &self.files {
            fs::write(place.join(name), text).unwrap();
        }
        folder
    }

    fn config(&self, place: &Path) -> String {
        let mut text = format!(
            "apiVersion: pactgate.dev/v1
kind: Sidecar
id: {SIDECAR}
data: {place}/data
pacts: [pacts/]
listeners:
  - {{mode: reverse, address: \"127.0.0.1:0\"}}
  - {{mode: forward, address: \"127.0.0.1:0\"}}
admin: {{address: \"127.0.0.1:0\", socket: {place}/admin.sock}}
upstreams:
{upstreams}agents:
",
            place = place.display(),
            upstreams = self.upstreams,
        );
        for id in &self.agents {
            writeln!(text, "  - {{id: {id}, token: {{file: {id}.token}}}}").unwrap();
        }
        for (name, section) in &self.sections {
            writeln!(text, "{name}: {section}").unwrap();
        }
        text
    }
}

/// The token of an agent: its credential towards the sidecar, and of no use anywhere else.
pub fn token(agent: &str) -> String {
    format!("token-of-{agent}")
}

/// A running sidecar, ended when dropped. A failing test shows its log.
pub struct Sidecar {
    process: Process,
    addresses: BTreeMap<&'static str, SocketAddr>,
    env: Vec<(String, String)>,
    folder: TempDir,
}

impl Sidecar {
    fn start(folder: TempDir, setup: Setup) -> Self {
        fs::write(folder.path().join("sidecar.yaml"), setup.config(folder.path())).unwrap();
        let process = run(folder.path(), &setup.env);
        let addresses = addresses(&process);
        Self { process, addresses, env: setup.env, folder }
    }

    /// Kills it without a warning, and starts it again from the same folder.
    pub fn kill_and_start(&mut self) {
        self.process.kill();
        self.start_again();
    }

    /// Starts it again from the same folder, after it has ended.
    pub fn start_again(&mut self) {
        self.process = run(self.folder.path(), &self.env);
        self.addresses = addresses(&self.process);
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Everything it has said since it was started last.
    pub fn text(&self) -> String {
        self.process.text()
    }

    /// The base URL of an upstream on the reverse listener.
    pub fn reverse(&self, upstream: &str) -> String {
        format!("http://{}/{upstream}", self.addresses["reverse"])
    }

    /// The address of its `reverse` or `forward` listener, or of its `admin` port.
    pub fn at(&self, door: &str) -> SocketAddr {
        self.addresses[door]
    }

    /// The forward listener as a proxy URL with which an agent proves itself.
    pub fn proxy(&self, agent: &str) -> String {
        format!("http://{agent}:{}@{}", token(agent), self.addresses["forward"])
    }

    /// Its admin socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("admin.sock")
    }

    /// Its folder, with `sidecar.yaml`, `pacts/` and `data/`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces a file of its folder as editors do: in one step.
    pub fn replace(&self, name: &str, text: &str) {
        let fresh = self.folder.path().join(".fresh");
        fs::write(&fresh, text).unwrap();
        fs::rename(fresh, self.folder.path().join(name)).unwrap();
    }

    /// Changes its config by replacing one part of the text with another.
    pub fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.folder.path().join("sidecar.yaml")).unwrap();
        assert!(text.contains(from), "{text}");
        self.replace("sidecar.yaml", &text.replace(from, to));
    }

    /// The variables by which an agent goes through the forward listener and trusts it. No upstream has a
    /// certificate that these roots vouch for, so that a connection past the sidecar fails.
    pub fn variables(&self, agent: &str) -> Variables {
        let proxy = self.proxy(agent);
        let mut variables = environment::forward(&proxy, &self.folder.path().join("ca"));
        variables.extend(environment::unencrypted(&proxy));
        variables
    }
}

fn run(folder: &Path, env: &[(String, String)]) -> Process {
    let mut command = pactgate();
    command.arg("proxy").arg("--config").arg(folder.join("sidecar.yaml"));
    command.envs(env.iter().map(|(name, value)| (name, value)));
    Process::start(command)
}

/// Waits until each listener has told where it listens.
fn addresses(process: &Process) -> BTreeMap<&'static str, SocketAddr> {
    let listening = |door: &'static str| {
        let find = |line: &Value| {
            let told = line["message"] == "listening" && line["mode"] == door;
            told.then(|| line["address"].as_str().unwrap().parse().unwrap())
        };
        (door, process.hears(&format!("where `{door}` listens"), find))
    };
    ["reverse", "forward", "admin"].map(listening).into()
}
