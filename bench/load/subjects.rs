//! The subjects: what stands between the load and the upstream.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::Outcome;
use crate::children::{Running, free_port, pinned};
use crate::generator::Target;
use crate::workload::Workload;

/// Clauses of the pact that Pactgate is measured with.
const CLAUSES: usize = 100;

/// One subject. The direct path has no process.
pub struct Subject {
    pub name: &'static str,
    address: SocketAddr,
    /// Whether its paths begin with the upstream's name.
    named_paths: bool,
    process: Option<Running>,
    /// Its files, removed with it.
    _folder: Option<TempDir>,
}

impl Subject {
    pub fn target(&self, workload: Workload) -> Target {
        let upstream = match workload {
            Workload::McpCall => "/shop",
            Workload::Chat2K | Workload::Chat32K => "/openai",
        };
        let prefix = if self.named_paths { upstream } else { "" };
        Target { address: self.address, path: format!("{prefix}{}", workload.path()), workload }
    }

    pub fn cpu(&self) -> Outcome<Duration> {
        self.process.as_ref().map_or(Ok(Duration::ZERO), Running::cpu)
    }

    pub fn memory_kib(&self) -> Outcome<Option<u64>> {
        self.process.as_ref().map(Running::memory_kib).transpose()
    }
}

type Begin = fn(SocketAddr) -> Outcome<Subject>;

/// Starts all subjects, or the named ones. Second comes what could not be started, and the remedy.
pub async fn start(upstream: SocketAddr, only: &[String]) -> Outcome<(Vec<Subject>, Vec<String>)> {
    let mut subjects = Vec::new();
    let mut missing = Vec::new();
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
    let all: [(&str, Begin); 4] =
        [("direct", direct), ("nginx", nginx), ("floor", floor), ("pactgate", pactgate)];
    for (name, begin) in all.into_iter().filter(|(name, _)| is_wanted(name)) {
        match tokio::task::spawn_blocking(move || begin(upstream)).await? {
            Ok(subject) => subjects.push(subject),
            Err(error) => missing.push(format!("{name}: {error}")),
        }
    }
    Ok((subjects, missing))
}

fn direct(upstream: SocketAddr) -> Outcome<Subject> {
    Ok(Subject { name: "direct", address: upstream, named_paths: false, process: None, _folder: None })
}

fn floor(upstream: SocketAddr) -> Outcome<Subject> {
    let address = free_port()?;
    let this = std::env::current_exe()?;
    let mut command = pinned(&this.display().to_string());
    command.arg("floor").arg(address.to_string()).arg(upstream.to_string());
    let process = Some(Running::start(&mut command, address)?);
    Ok(Subject { name: "floor", address, named_paths: false, process, _folder: None })
}

fn nginx(upstream: SocketAddr) -> Outcome<Subject> {
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
    upstream stand_in {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}
    server {{
        listen {address};
        location / {{ proxy_pass http://stand_in; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}
    }}
}}
",
        place = folder.path().display()
    );
    fs::write(folder.path().join("nginx.conf"), config)?;
    let mut command = pinned("nginx");
    command
        .arg("-p")
        .arg(folder.path())
        .arg("-c")
        .arg(folder.path().join("nginx.conf"))
        .stderr(Stdio::null());
    let process = Some(Running::start(&mut command, address)?);
    Ok(Subject { name: "nginx", address, named_paths: false, process, _folder: Some(folder) })
}

fn pactgate(upstream: SocketAddr) -> Outcome<Subject> {
    let (address, admin) = (free_port()?, free_port()?);
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("pacts"))?;
    fs::write(folder.path().join("pacts/load.yaml"), pact()?)?;
    fs::write(folder.path().join("sidecar.yaml"), sidecar(folder.path(), address, admin, upstream))?;
    let mut command = pinned(env!("CARGO_BIN_EXE_pactgate"));
    command.arg("proxy").arg("--config").arg(folder.path().join("sidecar.yaml"));
    command.env("UPSTREAM_KEY", "key-of-the-upstream").stdout(Stdio::null());
    let process = Some(Running::start(&mut command, address)?);
    Ok(Subject { name: "pactgate", address, named_paths: true, process, _folder: Some(folder) })
}

fn sidecar(folder: &Path, address: SocketAddr, admin: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        "apiVersion: pactgate.dev/v1
kind: Sidecar
id: load
data: {place}/data
pacts: [pacts/]
listeners:
  - {{mode: reverse, address: \"{address}\", agent: load}}
upstreams:
  - {{name: openai, url: \"http://{upstream}\", dialect: openai, credential: {{header: authorization, prefix: \"Bearer \", env: UPSTREAM_KEY}}}}
  - {{name: shop, url: \"http://{upstream}/shop\", dialect: mcp}}
trust: {{fixed: standard}}
evidence: {{sync: batch, bytes_max: 4GiB, when_full: drop}}
admin: {{address: \"{admin}\", socket: {place}/admin.sock}}
log: {{format: json, level: warn}}
",
        place = folder.display()
    )
}

/// A pact of a hundred clauses with argument rules, one of them in CEL, and a limit by tier.
fn pact() -> Outcome<String> {
    let mut text = String::from(
        "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: load, version: 1}
spec:
  agents: [load]
  risk: medium
  owner: bench
  clauses:
    - {id: ask-models, allow: {model: \"openai/gpt-4o*\"}, where: {max_tokens: {max: 4096}}}
    - id: refund
      allow: {tool: shop.refund}
      where: {args.amount: {max: 100}, args.currency: {in: [EUR, USD]}}
      when: \"args.order != '' && args.amount > 0\"
    - {id: never-delete, deny: {tool: shop.delete_order}}
",
    );
    for number in 4..=CLAUSES {
        writeln!(
            text,
            "    - {{id: other-{number}, allow: {{tool: \"desk{number}.*\"}}, where: {{args.amount: {{max: {number}}}}}}}"
        )?;
    }
    text.push_str(
        "  limits:
    - {id: calls, on: {tool: \"*\"}, rate: {standard: 100000000/min}, burst: 1000000}
    - {id: answers, on: {model: \"*\"}, rate: {standard: 100000000/min}, burst: 1000000}
",
    );
    Ok(text)
}
