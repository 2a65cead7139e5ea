//! Everything that the demo starts: as users would, from config files, but on loopback and in a folder of its own.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener as Probe};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::collector::{self, Running};
use crate::cli::demo::agent::{Agent, Mishap};
use crate::cli::demo::story::Cast;
use crate::cli::demo::{Handle, stand_in_mcp, stand_in_model};
use crate::cli::sidecar::Sidecar;
use crate::cli::with_causes;
use crate::config;
use crate::domain::{Secret, SystemClock};
use crate::net::Drain;

/// The pact that the demo's agent is held to.
const PACT: &str = include_str!("../../../policies/quickstart.yaml");
/// The demo's agent.
pub const AGENT: &str = "demo-agent";

/// What is running.
#[derive(Debug)]
pub struct Stage {
    folder: PathBuf,
    sidecar: Sidecar,
    collector: Running,
    collector_drain: Drain,
    stand_ins: Vec<Handle>,
    curtain: CancellationToken,
    operator_token: String,
}

/// Ports that people know by heart; another one where somebody else has it.
struct Ports {
    reverse: SocketAddr,
    forward: SocketAddr,
    admin: SocketAddr,
    collector: SocketAddr,
}

impl Stage {
    /// Starts it all.
    ///
    /// # Errors
    /// Where something cannot be started.
    pub async fn set() -> Result<Self, Mishap> {
        let folder = std::env::temp_dir().join(format!("pactgate-demo-{}", std::process::id()));
        fs::create_dir_all(folder.join("pacts")).map_err(Mishap::from)?;
        let ports = Ports::choose().map_err(Mishap::from)?;
        let curtain = CancellationToken::new();
        let (sidecar_token, operator_token) = (random_word()?, random_word()?);

        write(&folder, "sidecar.token", &sidecar_token)?;
        write(&folder, "operator.token", &operator_token)?;
        write(&folder, "collector.yaml", &collector_config(&ports))?;
        let collector_drain = Drain::default();
        let collector = start_collector(&folder.join("collector.yaml"), &collector_drain).await?;

        let (model_key, shop_key) = (random_word()?, random_word()?);
        write(&folder, "model.key", &model_key)?;
        write(&folder, "shop.key", &shop_key)?;
        let model = stand_in_model::Settings {
            key: Secret::new(model_key),
            cadence: Duration::from_millis(30),
            tls: None,
        };
        let shop = stand_in_mcp::Settings {
            key: Some(Secret::new(shop_key)),
            era: stand_in_mcp::Era::Both,
            tls: None,
        };
        let model =
            stand_in_model::start(loopback().await?, model, curtain.clone()).await.map_err(Mishap::from)?;
        let shop =
            stand_in_mcp::start(loopback().await?, shop, curtain.clone()).await.map_err(Mishap::from)?;

        write(&folder, "pacts/quickstart.yaml", PACT)?;
        let key = collector.public_key.to_string();
        let text = sidecar_config(&ports, &key, model.address(), shop.address());
        write(&folder, "sidecar.yaml", &text)?;
        let sidecar = start_sidecar(&folder.join("sidecar.yaml"))?;
        let stand_ins = vec![model, shop];
        Ok(Self { folder, sidecar, collector, collector_drain, stand_ins, curtain, operator_token })
    }

    /// Who takes part.
    #[must_use]
    pub fn cast(&self) -> Cast {
        Cast {
            agent: Agent::at(self.reverse()),
            name: AGENT.to_owned(),
            operator: Agent::with_token(self.collector.address, &self.operator_token),
        }
    }

    /// Where everything is, for people who want to try it themselves.
    #[must_use]
    pub fn addresses(&self) -> String {
        let (reverse, forward) = (self.reverse(), self.listening(1));
        let (collector, token) = (self.collector.address, &self.operator_token);
        let folder = self.folder.display();
        format!(
            "agents, by base URL   http://{reverse}/openai/v1   http://{reverse}/anthropic   http://{reverse}/shop/mcp\n\
             agents, as a proxy    http://{forward}\n\
             metrics, health       http://{}/metrics   /readyz\n\
             collector             http://{collector}   operator's token: {token}\n\
             config, pact, spool   {folder}\n\
             status                pactgate status --socket {folder}/admin.sock",
            self.sidecar.admin
        )
    }

    /// What can be tried now, as commands to copy.
    #[must_use]
    pub fn commands(&self) -> String {
        let (reverse, collector, token) = (self.reverse(), self.collector.address, &self.operator_token);
        format!(
            "curl -s http://{reverse}/openai/v1/chat/completions -H 'content-type: application/json' \\\n  \
             -d '{{\"model\": \"gpt-4o-mini\", \"max_tokens\": 64, \"messages\": [{{\"role\": \"user\", \"content\": \"hello\"}}]}}'\n\
             curl -s http://{collector}/v1/agents/{AGENT}/trust -H 'authorization: Bearer {token}'\n\
             curl -s http://{collector}/openapi.json\n\
             # the story has cost the agent its tier; an operator gives it back:\n\
             curl -s http://{collector}/v1/agents/{AGENT}/override -H 'authorization: Bearer {token}' \\\n  \
             -H 'content-type: application/json' -d '{{\"action\": \"reinstate\", \"why\": \"the demo is over\"}}'"
        )
    }

    /// The ports that were not free, where another one had to serve.
    #[must_use]
    pub fn moved(&self) -> Vec<u16> {
        let taken = [(self.reverse(), 8080), (self.listening(1), 8081), (self.collector.address, 7070)];
        taken.into_iter().filter(|(at, wanted)| at.port() != *wanted).map(|(_, wanted)| wanted).collect()
    }

    fn reverse(&self) -> SocketAddr {
        self.listening(0)
    }

    fn listening(&self, place: usize) -> SocketAddr {
        self.sidecar.listening.get(place).map_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)), |(_, at)| *at)
    }

    /// Ends it all, and removes the demo's folder.
    pub async fn strike(self) {
        self.sidecar.stop().await;
        self.collector_drain.begin();
        self.collector.stopped().await;
        self.curtain.cancel();
        for stand_in in self.stand_ins {
            stand_in.stopped().await;
        }
        // A folder that cannot be removed is left to the system's own cleaning.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Ports {
    fn choose() -> io::Result<Self> {
        Ok(Self { reverse: free(8080)?, forward: free(8081)?, admin: free(9901)?, collector: free(7070)? })
    }
}

fn free(wanted: u16) -> io::Result<SocketAddr> {
    let at = |port| Probe::bind(("127.0.0.1", port)).and_then(|probe| probe.local_addr());
    at(wanted).or_else(|_| at(0))
}

async fn loopback() -> Result<TcpListener, Mishap> {
    TcpListener::bind("127.0.0.1:0").await.map_err(Mishap::from)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Mishap> {
    fs::write(folder.join(name), text).map_err(|why| Mishap(format!("cannot write `{name}`: {why}")))
}

fn random_word() -> Result<String, Mishap> {
    let mut bytes = [0; 24];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Mishap("the system gives no random bytes".to_owned()))?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

async fn start_collector(file: &Path, drain: &Drain) -> Result<Running, Mishap> {
    let (config, _) = config::load_collector(file, &environment).map_err(Mishap::from)?;
    let started = collector::start(collector::settings(config), SystemClock::shared(), drain.clone()).await;
    started.map_err(|why| Mishap(with_causes(&why)))
}

fn start_sidecar(file: &Path) -> Result<Sidecar, Mishap> {
    let (config, _) = config::load_sidecar(file, &environment).map_err(Mishap::from)?;
    let started = Sidecar::start(Some(file.to_owned()), config, SystemClock::shared());
    started.map_err(|why| Mishap(with_causes(&why)))
}

fn collector_config(ports: &Ports) -> String {
    format!(
        "apiVersion: pactgate.dev/v1
kind: Collector
address: {}
data: collector
sidecars:
  - {{id: demo-1, token: {{file: sidecar.token}}}}
operators:
  - {{name: you, token: {{file: operator.token}}}}
",
        ports.collector
    )
}

fn sidecar_config(ports: &Ports, key: &str, model: SocketAddr, shop: SocketAddr) -> String {
    let Ports { reverse, forward, admin, collector } = ports;
    format!(
        "apiVersion: pactgate.dev/v1
kind: Sidecar
id: demo-1
data: sidecar
pacts: [pacts/]
listeners:
  - {{mode: reverse, address: {reverse}, agent: {AGENT}}}
  - {{mode: forward, address: {forward}, agent: {AGENT}}}
upstreams:
  - name: openai
    url: http://{model}
    dialect: openai
    credential: {{header: authorization, prefix: \"Bearer \", file: model.key}}
  - name: anthropic
    url: http://localhost:{model_port}
    dialect: anthropic
    credential: {{header: x-api-key, file: model.key}}
  - name: shop
    url: http://{shop}
    dialect: mcp
    credential: {{header: authorization, prefix: \"Bearer \", file: shop.key}}
collector:
  url: http://{collector}
  token: {{file: sidecar.token}}
  public_key: {key}
approvals: {{patience: 20s, expire: 15m}}
admin: {{address: {admin}, socket: admin.sock}}
",
        model_port = model.port()
    )
}
