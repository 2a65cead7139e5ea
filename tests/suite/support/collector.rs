//! The built collector as a process of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener};

use ::http::Method;
use pactgate::evidence::Verifier;
use pactgate::wire::{RecordPage, RecordView};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::http::{self, Answer};
use crate::support::process::{Process, pactgate};
use crate::support::sidecar::SIDECAR;

/// The token of the sidecar under test, at the collector.
const SIDECAR_TOKEN: &str = "sidecar-token-of-the-collector";
/// The operator who acts in tests, and their token.
pub const OPERATOR: &str = "night-shift";
pub const OPERATOR_TOKEN: &str = "operator-token-of-the-collector";

/// A collector that keeps its address and its data however often it is ended and started.
pub struct Collector {
    process: Option<Process>,
    address: SocketAddr,
    key: String,
    folder: TempDir,
}

impl Collector {
    /// Starts one. `scoring`: weights that differ, such as `{standard_samples: 5}`.
    pub fn start(scoring: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = format!(
            "apiVersion: pactgate.dev/v1
kind: Collector
address: {address}
data: data
sidecars:
  - {{id: {SIDECAR}, token: {{env: SIDECAR_TOKEN}}}}
operators:
  - {{name: {OPERATOR}, token: {{env: OPERATOR_TOKEN}}}}
scoring: {scoring}
"
        );
        fs::write(folder.path().join("collector.yaml"), config).unwrap();
        let mut collector = Self { process: None, address, key: String::new(), folder };
        collector.start_again();
        collector
    }

    /// Starts it again, where it was before.
    pub fn start_again(&mut self) {
        let mut command = pactgate();
        command.arg("collector").arg("--config").arg(self.folder.path().join("collector.yaml"));
        command.env("SIDECAR_TOKEN", SIDECAR_TOKEN).env("OPERATOR_TOKEN", OPERATOR_TOKEN);
        let process = Process::start(command);
        self.key = process.hears("its key", |line| Some(line["public_key"].as_str()?.to_owned()));
        self.process = Some(process);
    }

    /// Kills it without a warning.
    pub fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its public key, as it prints it.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn sidecar_token(&self) -> &'static str {
        SIDECAR_TOKEN
    }

    /// Every secret that it knows.
    pub fn secrets(&self) -> [&'static str; 2] {
        [SIDECAR_TOKEN, OPERATOR_TOKEN]
    }

    /// What an operator gets.
    pub async fn get(&self, path: &str) -> Answer {
        http::send(self.address, http::request(Method::GET, path, OPERATOR_TOKEN, None)).await
    }

    /// What an operator is told who sends something.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        http::send(self.address, http::request(Method::POST, path, OPERATOR_TOKEN, Some(body))).await
    }

    /// Suspends or reinstates an agent.
    pub async fn overrule(&self, agent: &str, action: &str, why: &str) {
        let body = json!({"action": action, "why": why});
        let answer = self.post(&format!("/v1/agents/{agent}/override"), &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// All records that it holds, in the order it got them.
    pub async fn records(&self) -> Vec<Value> {
        let pages = self.pages().await;
        pages.iter().map(|record| serde_json::from_str(record.event.get()).unwrap()).collect()
    }

    /// Walks the one log that it holds from the first record to the last.
    pub async fn verify(&self) {
        let mut verifier = Verifier::new();
        for record in self.pages().await {
            verifier.push(record.event.get().as_bytes()).unwrap();
        }
    }

    async fn pages(&self) -> Vec<RecordView> {
        let mut all = Vec::new();
        let mut path = "/v1/records?limit=100".to_owned();
        loop {
            let page: RecordPage = serde_json::from_slice(&self.get(&path).await.body).unwrap();
            all.extend(page.records);
            match page.next {
                Some(next) => path = format!("/v1/records?limit=100&after={next}"),
                None => return all,
            }
        }
    }
}
