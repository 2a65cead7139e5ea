//! The built sidecar as a process of its own, with files made for one test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::collector::{Collector, SIDECAR_TOKEN};
use crate::support::environment::{self, Variables};
use crate::support::role::{Role, pactgate};

/// The id of every sidecar here.
pub const ID: &str = "under-test";

/// What a sidecar is to be.
#[derive(Default)]
pub struct Setup {
    agents: Vec<String>,
    upstreams: String,
    pacts: Vec<String>,
    except: Vec<String>,
    collector: Option<String>,
    patience: Option<&'static str>,
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
            let variable = format!("KEY_OF_{}", name.replace('-', "_").to_uppercase());
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

    /// A pact, in a file of its own.
    pub fn pact(mut self, text: &str) -> Self {
        self.pacts.push(text.to_owned());
        self
    }

    /// A place whose TLS is not opened, as `host:port`.
    pub fn except(mut self, place: &str) -> Self {
        self.except.push(format!("\"{place}\""));
        self
    }

    /// Sends its records there, and hears tiers and answers from there. Without one, agents are on `standard`.
    pub fn collector(mut self, collector: &Collector) -> Self {
        let (url, key) = (collector.url(), collector.public_key());
        let link = format!("{{url: \"{url}\", token: {{env: COLLECTOR_TOKEN}}, public_key: \"{key}\"}}");
        self.collector = Some(link);
        self.env.push(("COLLECTOR_TOKEN".to_owned(), SIDECAR_TOKEN.to_owned()));
        self
    }

    /// How long a call is held for an answer, other than a second.
    pub fn patience(mut self, patience: &'static str) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Starts the sidecar and waits until it listens. `roots` certify its upstreams.
    pub fn start(self, roots: &Path) -> Sidecar {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        fs::create_dir(place.join("pacts")).unwrap();
        for (number, pact) in self.pacts.iter().enumerate() {
            fs::write(place.join(format!("pacts/{number}.yaml")), pact).unwrap();
        }
        fs::copy(roots, place.join("upstreams.pem")).unwrap();
        fs::write(place.join("sidecar.yaml"), self.config(place)).unwrap();
        let authority = place.join("ca");
        let made = pactgate().arg("ca").arg("init").arg("--dir").arg(&authority).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

        let mut command = pactgate();
        command.arg("proxy").arg("--config").arg(place.join("sidecar.yaml")).envs(self.env);
        let mut addresses = BTreeMap::new();
        let role = Role::start(command, |told| {
            if told["message"] == "listening"
                && let (Some(mode), Some(address)) = (told["mode"].as_str(), told["address"].as_str())
            {
                addresses.insert(mode.to_owned(), address.parse().unwrap());
            }
            ["reverse", "forward", "admin"].iter().all(|mode| addresses.contains_key(*mode))
        });
        Sidecar { addresses, _role: role, folder }
    }

    fn config(&self, place: &Path) -> String {
        let mut agents = String::new();
        for id in &self.agents {
            fs::write(place.join(format!("{id}.token")), token(id)).unwrap();
            writeln!(agents, "  - {{id: {id}, token: {{file: {id}.token}}}}").unwrap();
        }
        let trust = match &self.collector {
            Some(link) => format!("collector: {link}"),
            None => "trust: {fixed: standard}".to_owned(),
        };
        format!(
            "apiVersion: pactgate.dev/v1
kind: Sidecar
id: {ID}
data: {place}/data
pacts: [pacts/]
agents:
{agents}listeners:
  - {{mode: reverse, address: \"127.0.0.1:0\"}}
  - {{mode: forward, address: \"127.0.0.1:0\"}}
upstreams:
{upstreams}interception: {{authority: ca/, except: [{except}]}}
{trust}
approvals: {{patience: {patience}, expire: 5m}}
admin: {{address: \"127.0.0.1:0\", socket: {place}/admin.sock}}
log: {{format: json, level: info}}
",
            place = place.display(),
            upstreams = self.upstreams,
            except = self.except.join(", "),
            patience = self.patience.unwrap_or("1s"),
        )
    }
}

/// The token of an agent: its credential towards the sidecar, and of no use anywhere else.
pub fn token(agent: &str) -> String {
    format!("token-of-{agent}")
}

/// A running sidecar, ended when dropped.
pub struct Sidecar {
    addresses: BTreeMap<String, SocketAddr>,
    _role: Role,
    folder: TempDir,
}

impl Sidecar {
    /// The address of a listener: `reverse` or `forward`.
    pub fn address(&self, mode: &str) -> SocketAddr {
        self.addresses[mode]
    }

    /// The base URL of an upstream on the reverse listener.
    pub fn reverse(&self, upstream: &str) -> String {
        format!("http://{}/{upstream}", self.address("reverse"))
    }

    /// The forward listener as a proxy URL with which an agent proves itself.
    pub fn proxy(&self, agent: &str) -> String {
        format!("http://{agent}:{}@{}", token(agent), self.address("forward"))
    }

    /// The folder of its authority.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca")
    }

    /// The variables by which an agent goes through the forward listener and trusts it. No upstream has a
    /// certificate that these roots vouch for, so that a connection past the sidecar fails.
    pub fn variables(&self, agent: &str) -> Variables {
        let proxy = self.proxy(agent);
        let mut variables = environment::forward(&proxy, &self.authority());
        variables.extend(environment::unencrypted(&proxy));
        variables
    }
}
