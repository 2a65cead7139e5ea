//! The world outside: a model API and an MCP server.

use std::sync::Arc;
use std::time::Duration;

use pactgate::cli::demo::stand_in_mcp::{self, Era};
use pactgate::cli::demo::{Handle, stand_in_model};
use pactgate::domain::Secret;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The key that the model API asks for. No agent has it.
pub const MODEL_KEY: &str = "key-of-the-model-api";
/// The key that the MCP server asks for. No agent has it.
pub const SHOP_KEY: &str = "key-of-the-shop";

/// A stand-in and whatever ends it with the test.
pub struct Standing {
    handle: Handle,
    scheme: &'static str,
    shutdown: CancellationToken,
}

impl Standing {
    /// Its base URL; by name where it speaks TLS, since its certificate has that name.
    pub fn url(&self) -> String {
        match self.scheme {
            "https" => format!("https://localhost:{}", self.handle.address().port()),
            _ => format!("http://{}", self.handle.address()),
        }
    }

    pub fn seen(&self) -> Vec<pactgate::cli::demo::SeenCall> {
        self.handle.seen()
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Starts the model API.
pub async fn model(tls: Option<Arc<ServerConfig>>) -> Standing {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let settings =
        stand_in_model::Settings { key: Secret::new(MODEL_KEY.to_owned()), cadence: Duration::ZERO, tls };
    let shutdown = CancellationToken::new();
    let handle = stand_in_model::start(loopback().await, settings, shutdown.clone()).await.unwrap();
    Standing { handle, scheme, shutdown }
}

/// Starts the MCP server named `shop`.
pub async fn shop(era: Era, tls: Option<Arc<ServerConfig>>) -> Standing {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let settings = stand_in_mcp::Settings { key: Some(Secret::new(SHOP_KEY.to_owned())), era, tls };
    let shutdown = CancellationToken::new();
    let handle = stand_in_mcp::start(loopback().await, settings, shutdown.clone()).await.unwrap();
    Standing { handle, scheme, shutdown }
}

async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}
