//! The collector beside the sidecar: it takes the evidence in and states the tier while the load runs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::children::{Core, Running, free_port, on};
use crate::{Outcome, pages};

/// The sidecar's credential at the collector; stands in the environment of both as [`TOKEN_NAME`].
pub const TOKEN: &str = "token-of-the-sidecar";
pub const TOKEN_NAME: &str = "SIDECAR_TOKEN";

/// The longest time in which no record arrives while some are missing.
const STUCK: Duration = Duration::from_secs(30);
/// Between two looks at the collector.
const LOOK: Duration = Duration::from_millis(100);

/// A running collector.
pub struct Collector {
    process: Running,
    pub address: SocketAddr,
    /// What the sidecar has to know of it.
    pub public_key: String,
}

impl Collector {
    /// Starts one over SQLite in that folder. An agent without a fault rises as soon as the evidence supports it, so
    /// that the load need not wait for a day.
    pub async fn start(folder: &Path) -> Outcome<Self> {
        let address = free_port()?;
        let config = format!(
            "apiVersion: pactgate.dev/v1
kind: Collector
address: \"{address}\"
data: {place}/collector
sidecars:
  - {{id: load, token: {{env: {TOKEN_NAME}}}}}
scoring: {{standard_dwell_s: 0, review_every_s: 1}}
log: {{format: json, level: error}}
",
            place = folder.display()
        );
        let file = folder.join("collector.yaml");
        fs::write(&file, config)?;
        let mut command = on(Core::Collector, env!("CARGO_BIN_EXE_pactgate"));
        command.arg("collector").arg("--config").arg(file).env(TOKEN_NAME, TOKEN).stdout(Stdio::null());
        let process = Running::start(&mut command, address).await?;
        let key = pages::json(address, "/v1/key").await?;
        let public_key = key.get("public_key").and_then(Value::as_str).ok_or("the collector has no key")?;
        Ok(Self { process, address, public_key: public_key.to_owned() })
    }
}

/// The sidecar's evidence, seen from both ends.
pub struct Plane {
    pub collector: Collector,
    /// The sidecar's port for machines, and its socket for operators.
    pub admin: SocketAddr,
    pub socket: PathBuf,
}

/// Where the collector stands.
#[derive(Clone, Copy)]
pub struct Standing {
    pub held: u64,
    pub cpu: Duration,
}

/// What became of all evidence of a run.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// Calls that the load was answered.
    answered: u64,
    /// Records that the sidecar wrote.
    written: u64,
    /// Those that it knows the collector has.
    acknowledged: u64,
    /// Those that the collector has.
    held: u64,
    /// Those given up for want of room, and calls refused for it.
    dropped: u64,
    refused: u64,
}

impl Plane {
    /// Where the collector stands now.
    pub async fn standing(&self) -> Outcome<Standing> {
        let metrics = pages::metrics(self.collector.address).await?;
        let held = metrics.count("pactgate_collector_records_held")?;
        Ok(Standing { held, cpu: self.collector.process.cpu()? })
    }

    /// Waits until the collector has, by both sides' word, a record of every call that was answered.
    pub async fn caught_up(&self, answered: u64) -> Outcome<Account> {
        // The collector is asked, and the sidecar only in the end: what it spends is being measured.
        let (mut last, mut moved) = (0, Instant::now());
        loop {
            let held = self.standing().await?.held;
            if held >= answered {
                let account = self.account(answered).await?;
                if account.is_settled() {
                    return Ok(account);
                }
            }
            if held > last {
                (last, moved) = (held, Instant::now());
            } else if moved.elapsed() > STUCK {
                let account = self.account(answered).await?;
                return Err(format!("evidence is lost, or no longer delivered: {account:?}").into());
            }
            sleep(LOOK).await;
        }
    }

    async fn account(&self, answered: u64) -> Outcome<Account> {
        let sidecar = pages::metrics(self.admin).await?;
        Ok(Account {
            answered,
            written: sidecar.count("pactgate_evidence_sequence")?,
            acknowledged: sidecar.count("pactgate_evidence_acknowledged_sequence")?,
            held: self.standing().await?.held,
            dropped: sidecar.count("pactgate_evidence_dropped_total")?,
            refused: sidecar.count("pactgate_evidence_unavailable_total")?,
        })
    }

    /// The agent's tier at the sidecar, if it came over the trust feed.
    pub async fn tier(&self, agent: &str) -> Outcome<Option<String>> {
        let page = pages::json_at(&self.socket, "/trust").await?;
        let was_heard = page.pointer("/news/state").is_some_and(|state| state == "heard");
        let agents =
            page.pointer("/agents/entries").and_then(Value::as_array).ok_or("no agents at /trust")?;
        let line = agents.iter().find(|line| line.get("agent").is_some_and(|name| name == agent));
        let tier = line.and_then(|line| line.get("tier")?.as_str()).filter(|_| was_heard);
        Ok(tier.map(ToOwned::to_owned))
    }

    /// The collector's resident memory.
    pub fn memory_kib(&self) -> Outcome<u64> {
        self.collector.process.memory_kib()
    }
}

impl Account {
    fn is_settled(self) -> bool {
        let Self { answered, written, acknowledged, held, .. } = self;
        written >= answered && written == acknowledged && written == held
    }

    /// Says what became of the evidence.
    ///
    /// # Errors
    /// When a record was lost.
    pub fn close(self) -> Outcome<String> {
        let Self { answered, written, acknowledged, held, dropped, refused } = self;
        if !self.is_settled() || dropped > 0 || refused > 0 {
            return Err(format!("evidence was lost: {self:?}").into());
        }
        Ok(format!(
            "{answered} calls answered, {written} records written, {acknowledged} acknowledged, {held} held by the \
             collector, none lost"
        ))
    }
}
