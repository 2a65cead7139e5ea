//! The built collector, and what its operator does with it: by curl, as the README says.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::programs::curl;
use crate::support::role::{Role, pactgate};

/// The token of the one sidecar.
pub const SIDECAR_TOKEN: &str = "token-of-the-sidecar";
const OPERATOR_TOKEN: &str = "token-of-the-operator";

/// A running collector, ended when dropped.
pub struct Collector {
    url: String,
    public_key: String,
    _role: Role,
    _folder: TempDir,
}

impl Collector {
    /// Starts it on a free port, for a sidecar of this id and one operator.
    pub fn start(sidecar: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        fs::write(place.join("sidecar.token"), SIDECAR_TOKEN).unwrap();
        fs::write(place.join("operator.token"), OPERATOR_TOKEN).unwrap();
        let config = format!(
            "apiVersion: pactgate.dev/v1
kind: Collector
address: \"127.0.0.1:0\"
data: data
sidecars:
  - {{id: {sidecar}, token: {{file: sidecar.token}}}}
operators:
  - {{name: ada, token: {{file: operator.token}}}}
"
        );
        fs::write(place.join("collector.yaml"), config).unwrap();
        let mut command = pactgate();
        command.arg("collector").arg("--config").arg(place.join("collector.yaml"));
        let (mut url, mut public_key) = (String::new(), String::new());
        let role = Role::start(command, |told| {
            if let (Some(address), Some(key)) = (told["address"].as_str(), told["public_key"].as_str()) {
                url = format!("http://{address}");
                key.clone_into(&mut public_key);
            }
            !url.is_empty()
        });
        Self { url, public_key, _role: role, _folder: folder }
    }

    /// Its base URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The key that its statements are signed with, as a sidecar's config has it.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// What an operator reads at this path.
    pub async fn look(&self, path: &str) -> Value {
        self.operate(&[&format!("{}{path}", self.url)]).await
    }

    /// An operator's answer to a question: `grant` or `refuse`.
    pub async fn answer(&self, approval: &str, answer: &str) -> Value {
        let body = json!({"answer": answer, "why": "looked at it"}).to_string();
        let url = format!("{}/v1/approvals/{approval}", self.url);
        self.operate(&["-H", "Content-Type: application/json", "-d", &body, &url]).await
    }

    /// The one question that waits, as soon as there is one.
    pub async fn question(&self) -> Value {
        until("a question waits", async || {
            let page = self.look("/v1/approvals?state=pending").await;
            page["approvals"].as_array().unwrap().first().cloned()
        })
        .await
    }

    /// The `data` of the records of an agent, as soon as there are so many.
    pub async fn records(&self, agent: &str, count: usize) -> Vec<Value> {
        let path = format!("/v1/records?agent={agent}&limit=500");
        self.records_at(&path, count).await
    }

    /// The `data` of the records on a page, as soon as there are so many.
    pub async fn records_at(&self, path: &str, count: usize) -> Vec<Value> {
        until("the records arrive", async || {
            let page = self.look(path).await;
            let records = page["records"].as_array().unwrap();
            let data = || records.iter().map(|record| record["event"]["data"].clone()).collect();
            (records.len() >= count).then(data)
        })
        .await
    }

    async fn operate(&self, arguments: &[&str]) -> Value {
        let bearer = format!("Authorization: Bearer {OPERATOR_TOKEN}");
        let told = curl(&[&["--fail-with-body", "-H", &bearer], arguments].concat(), &[]).await;
        serde_json::from_str(&told).unwrap()
    }
}

/// Looks until there is something to see; a story that never gets there fails.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let patience = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        loop {
            pace.tick().await;
            if let Some(seen) = look().await {
                return seen;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), patience).await.unwrap_or_else(|_| panic!("never: {what}"))
}
