//! Pactgate with everything on: its files, and the wait until the agent has earned its tier.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;

use crate::Outcome;
use crate::children::{Core, Running, free_port, on};
use crate::generator;
use crate::plane::{Collector, Plane, TOKEN, TOKEN_NAME};
use crate::subjects::Subject;
use crate::workload::{FUNCTION, Workload};

/// Clauses of the pact that Pactgate is measured with.
const CLAUSES: usize = 100;

/// The agent that stands behind the load.
const AGENT: &str = "load";
/// The tier that it is measured on. Nobody begins there: it has to come over the trust feed.
const TIER: &str = "standard";

/// Calls with which the agent earns it, and how often the sidecar is asked whether it has heard, 100 ms apart.
const PROBATION: u32 = 100;
const LOOKS: u32 = 300;

/// Starts the collector and the sidecar, and lets the agent earn its tier.
pub async fn start(upstream: SocketAddr) -> Outcome<Subject> {
    let folder = tempfile::tempdir()?;
    let collector = Collector::start(folder.path()).await?;
    let (address, admin) = (free_port()?, free_port()?);
    fs::create_dir(folder.path().join("pacts"))?;
    fs::write(folder.path().join("pacts/load.yaml"), pact()?)?;
    let file = folder.path().join("sidecar.yaml");
    fs::write(&file, sidecar(folder.path(), address, admin, upstream, &collector))?;
    let mut command = on(Core::Subject, env!("CARGO_BIN_EXE_pactgate"));
    command.arg("proxy").arg("--config").arg(file).env(TOKEN_NAME, TOKEN);
    command.env("UPSTREAM_KEY", "key-of-the-upstream").stdout(Stdio::null());
    let process = Running::start(&mut command, address).await?;
    let plane = Plane { collector, admin, socket: folder.path().join("admin.sock") };
    let subject = subject(address, process, plane, folder);
    earn(&subject).await?;
    Ok(subject)
}

fn subject(address: SocketAddr, process: Running, plane: Plane, folder: TempDir) -> Subject {
    Subject {
        named_paths: true,
        process: Some(process),
        plane: Some(plane),
        _folder: Some(folder),
        ..Subject::at("pactgate", address)
    }
}

/// Behaves well until the collector says so.
async fn earn(subject: &Subject) -> Outcome<()> {
    let target = subject.target(Workload::Chat2K);
    for connection in &mut generator::connect(&target, 1).await? {
        for _ in 0..PROBATION {
            connection.exchange(&target).await?;
        }
    }
    for _ in 0..LOOKS {
        if check_tier(subject).await.is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    check_tier(subject).await
}

/// Holds the agent to the tier that it is to be measured on.
///
/// # Errors
/// When the sidecar has another, or has it from elsewhere than the trust feed.
pub async fn check_tier(subject: &Subject) -> Outcome<()> {
    let Some(plane) = &subject.plane else { return Ok(()) };
    match plane.tier(AGENT).await? {
        Some(tier) if tier == TIER => Ok(()),
        tier => Err(format!("the trust feed gave the agent the tier {tier:?}, not `{TIER}`").into()),
    }
}

fn sidecar(
    folder: &Path,
    address: SocketAddr,
    admin: SocketAddr,
    upstream: SocketAddr,
    collector: &Collector,
) -> String {
    format!(
        "apiVersion: pactgate.dev/v1
kind: Sidecar
id: load
data: {place}/data
pacts: [pacts/]
listeners:
  - {{mode: reverse, address: \"{address}\", agent: {AGENT}}}
upstreams:
  - {{name: openai, url: \"http://{upstream}\", dialect: openai, credential: {{header: authorization, prefix: \"Bearer \", env: UPSTREAM_KEY}}}}
  - {{name: shop, url: \"http://{upstream}/shop\", dialect: mcp}}
collector: {{url: \"http://{collector}\", token: {{env: {TOKEN_NAME}}}, public_key: \"{key}\"}}
evidence: {{sync: batch, bytes_max: 16GiB, when_full: deny}}
admin: {{address: \"{admin}\", socket: {place}/admin.sock}}
log: {{format: json, level: warn}}
",
        place = folder.display(),
        collector = collector.address,
        key = collector.public_key,
    )
}

/// A pact of a hundred clauses with argument rules, one of them in CEL, and limits by tier. An agent on probation
/// could not make a hundredth of the calls, so that a run whose tier is lost fails.
fn pact() -> Outcome<String> {
    let mut text = format!(
        "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {{name: load, version: 1}}
spec:
  agents: [{AGENT}]
  risk: medium
  owner: bench
  clauses:
    - {{id: ask-models, allow: {{model: \"openai/gpt-4o*\"}}, where: {{max_tokens: {{max: 4096}}}}}}
    - id: refund
      allow: {{tool: shop.refund}}
      where: {{args.amount: {{max: 100}}, args.currency: {{in: [EUR, USD]}}}}
      when: \"args.order != '' && args.amount > 0\"
    - {{id: never-delete, deny: {{tool: shop.delete_order}}}}
    - id: propose
      allow: {{tool: {FUNCTION}}}
      where: {{args.amount: {{max: 100}}, args.currency: {{in: [EUR, USD]}}}}
",
    );
    for number in 5..=CLAUSES {
        writeln!(
            text,
            "    - {{id: other-{number}, allow: {{tool: \"desk{number}.*\"}}, where: {{args.amount: {{max: {number}}}}}}}"
        )?;
    }
    text.push_str(
        "  limits:
    - {id: calls, on: {tool: \"*\"}, rate: {standard: 100000000/min, probation: 600/min}, burst: 1000}
    - {id: answers, on: {model: \"*\"}, rate: {standard: 100000000/min, probation: 600/min}, burst: 1000}
",
    );
    Ok(text)
}
