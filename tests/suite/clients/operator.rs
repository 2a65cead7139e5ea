//! What an operator does at the collector: by curl, as the README says.

use serde_json::{Value, json};

use crate::support::collector::{Collector, OPERATOR_TOKEN};
use crate::support::process::until;
use crate::support::programs::curl;

/// An operator of that collector.
pub struct Operator<'a>(pub &'a Collector);

impl Operator<'_> {
    /// An answer to a question: `grant` or `refuse`.
    pub async fn answer(&self, approval: &str, answer: &str) -> Value {
        let body = json!({"answer": answer, "why": "looked at it"}).to_string();
        let path = format!("/v1/approvals/{approval}");
        self.operate(&path, &["-H", "Content-Type: application/json", "-d", &body]).await
    }

    /// The one question that waits, as soon as there is one.
    pub async fn question(&self) -> Value {
        let look = || async {
            let page = self.operate("/v1/approvals?state=pending", &[]).await;
            page["approvals"].as_array().unwrap().first().cloned()
        };
        until("a question waits", look).await
    }

    /// The `data` of the records of an agent, as soon as there are so many.
    pub async fn records(&self, agent: &str, count: usize) -> Vec<Value> {
        self.records_with(&format!("agent={agent}"), count).await
    }

    /// The `data` of the records that a query finds, as soon as there are so many.
    pub async fn records_with(&self, query: &str, count: usize) -> Vec<Value> {
        let path = format!("/v1/records?{query}&limit=500");
        let look = || async {
            let page = self.operate(&path, &[]).await;
            let records = page["records"].as_array().unwrap();
            let data = || records.iter().map(|record| record["event"]["data"].clone()).collect();
            (records.len() >= count).then(data)
        };
        until("the records arrive", look).await
    }

    async fn operate(&self, path: &str, options: &[&str]) -> Value {
        let bearer = format!("Authorization: Bearer {OPERATOR_TOKEN}");
        let url = format!("{}{path}", self.0.url());
        let told = curl(&[&["--fail-with-body", "-H", &bearer], options, &[&url]].concat(), &[]).await;
        serde_json::from_str(&told).unwrap()
    }
}
