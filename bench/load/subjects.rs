//! The subjects: what stands between the load and the upstream.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::children::{Core, Running, free_port, on};
use crate::generator::Target;
use crate::plane::{Account, Plane, Standing};
use crate::workload::Workload;
use crate::{Outcome, pactgate};

/// Every subject, in the order of the tables.
const NAMES: [&str; 4] = ["direct", "nginx", "floor", "pactgate"];

/// One subject. The direct path has no process.
pub struct Subject {
    pub name: &'static str,
    pub address: SocketAddr,
    /// Whether its paths begin with the upstream's name.
    pub named_paths: bool,
    pub process: Option<Running>,
    /// Where its evidence goes, for the one that leaves any.
    pub plane: Option<Plane>,
    /// Its files, removed with it.
    pub _folder: Option<TempDir>,
    /// Calls through it that were answered.
    pub answered: Arc<AtomicU64>,
}

/// The readings before a measurement.
pub struct Before {
    cpu: Duration,
    plane: Option<Standing>,
}

/// What a measurement took of the processors.
pub struct Spent {
    /// The subject's time, until the last record of the measurement was delivered.
    pub cpu: Duration,
    pub evidence: Option<Delivered>,
}

/// What became of the evidence of a measurement.
#[derive(Clone, Copy)]
pub struct Delivered {
    pub records: u64,
    /// Those that arrived while the load still ran.
    pub under_load: u64,
    /// The collector's time.
    pub cpu: Duration,
}

impl Subject {
    /// A subject without anything but a name and an address.
    pub fn at(name: &'static str, address: SocketAddr) -> Self {
        let answered = Arc::default();
        Self { name, address, named_paths: false, process: None, plane: None, _folder: None, answered }
    }

    pub fn target(&self, workload: Workload) -> Target {
        let upstream = if workload == Workload::McpCall { "/shop" } else { "/openai" };
        let prefix = if self.named_paths { upstream } else { "" };
        Target {
            address: self.address,
            path: format!("{prefix}{}", workload.path()),
            workload,
            answered: Arc::clone(&self.answered),
            events: Arc::default(),
        }
    }

    pub fn cpu(&self) -> Outcome<Duration> {
        self.process.as_ref().map_or(Ok(Duration::ZERO), Running::cpu)
    }

    pub fn memory_kib(&self) -> Outcome<Option<u64>> {
        self.process.as_ref().map(Running::memory_kib).transpose()
    }

    /// Waits until all evidence so far is delivered: nobody's next measurement is to be disturbed by it.
    pub async fn quiet(&self) -> Outcome<Option<Account>> {
        let Some(plane) = &self.plane else { return Ok(None) };
        plane.caught_up(self.answered.load(Ordering::Relaxed)).await.map(Some)
    }

    /// Begins a measurement.
    pub async fn begin(&self) -> Outcome<Before> {
        self.quiet().await?;
        Ok(Before { cpu: self.cpu()?, plane: self.standing().await? })
    }

    /// Ends it, with the load: delivery of what is left counts as well.
    pub async fn end(&self, before: Before) -> Outcome<Spent> {
        let stopped = self.standing().await?;
        self.quiet().await?;
        let cpu = self.cpu()?.saturating_sub(before.cpu);
        let standings = before.plane.zip(stopped).zip(self.standing().await?);
        let evidence = standings.map(|((before, stopped), after)| Delivered {
            records: after.held - before.held,
            under_load: stopped.held - before.held,
            cpu: after.cpu.saturating_sub(before.cpu),
        });
        Ok(Spent { cpu, evidence })
    }

    async fn standing(&self) -> Outcome<Option<Standing>> {
        match &self.plane {
            Some(plane) => plane.standing().await.map(Some),
            None => Ok(None),
        }
    }
}

/// Starts all subjects, or the named ones. Second comes what could not be started, and the remedy.
pub async fn start(upstream: SocketAddr, only: &[String]) -> Outcome<(Vec<Subject>, Vec<String>)> {
    if let Some(unknown) = only.iter().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(format!("there is no subject `{unknown}`; there are {}", NAMES.join(", ")).into());
    }
    let mut subjects = Vec::new();
    let mut missing = Vec::new();
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
    for name in NAMES.into_iter().filter(|name| is_wanted(name)) {
        let begun = match name {
            "nginx" => nginx(upstream).await,
            "floor" => floor(upstream).await,
            "pactgate" => pactgate::start(upstream).await,
            _ => Ok(Subject::at(name, upstream)),
        };
        match begun {
            Ok(subject) => subjects.push(subject),
            Err(error) => missing.push(format!("{name}: {error}")),
        }
    }
    Ok((subjects, missing))
}

async fn floor(upstream: SocketAddr) -> Outcome<Subject> {
    let address = free_port()?;
    let this = std::env::current_exe()?;
    let mut command = on(Core::Subject, &this.display().to_string());
    command.arg("floor").arg(address.to_string()).arg(upstream.to_string());
    let process = Some(Running::start(&mut command, address).await?);
    Ok(Subject { process, ..Subject::at("floor", address) })
}

async fn nginx(upstream: SocketAddr) -> Outcome<Subject> {
    if Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_err() {
        return Err("nginx is not installed; on Debian: apt-get install nginx-light".into());
    }
    let address = free_port()?;
    let folder = tempfile::tempdir()?;
    let config = format!(
        "daemon off; master_process off; pid {place}/pid; error_log {place}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off; client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
    client_body_buffer_size 64k; keepalive_requests 1000000000;
    upstream stand_in {{ server {upstream}; keepalive 1024; keepalive_requests 1000000000; }}
    server {{
        listen {address};
        location / {{ proxy_pass http://stand_in; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}
    }}
}}
",
        place = folder.path().display()
    );
    fs::write(folder.path().join("nginx.conf"), config)?;
    let mut command = on(Core::Subject, "nginx");
    command
        .arg("-p")
        .arg(folder.path())
        .arg("-c")
        .arg(folder.path().join("nginx.conf"))
        .stderr(Stdio::null());
    let process = Some(Running::start(&mut command, address).await?);
    Ok(Subject { process, _folder: Some(folder), ..Subject::at("nginx", address) })
}
