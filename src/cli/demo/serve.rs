//! One accept loop for all stand-ins: HTTP/1.1 and HTTP/2, plain or TLS, dropped as a whole at shutdown.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::demo::seen::{Ledger, SeenCall};

/// The largest request body that a stand-in reads, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A running stand-in. It runs until its shutdown token is cancelled, also when the handle is dropped.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    ledger: Arc<Ledger>,
    serving: JoinHandle<()>,
}

impl Handle {
    /// The address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests seen so far, oldest first; at most the last 1,024.
    #[must_use]
    pub fn seen(&self) -> Vec<SeenCall> {
        self.ledger.calls()
    }

    /// Resolves when the stand-in has stopped and closed its connections.
    pub async fn stopped(self) {
        // A serving task that panicked has stopped too.
        let _ = self.serving.await;
    }
}

/// Serves `router` on `listener`, speaking TLS if a configuration is given.
///
/// # Errors
/// When the listener has no address.
pub(super) fn spawn(
    listener: TcpListener,
    router: Router,
    ledger: Arc<Ledger>,
    tls: Option<Arc<rustls::ServerConfig>>,
    shutdown: CancellationToken,
) -> io::Result<Handle> {
    let address = listener.local_addr()?;
    let serving = tokio::spawn(accept(listener, router, tls.map(TlsAcceptor::from), shutdown));
    Ok(Handle { address, ledger, serving })
}

async fn accept(
    listener: TcpListener,
    router: Router,
    tls: Option<TlsAcceptor>,
    shutdown: CancellationToken,
) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let conversation = converse(stream, router.clone(), tls.clone());
                connections.spawn(shutdown.clone().run_until_cancelled_owned(conversation));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::error!(%error, "stand-in stopped accepting");
                break;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

async fn converse(stream: TcpStream, router: Router, tls: Option<TlsAcceptor>) {
    // Small events must leave at once; a socket that refuses the option still works.
    let _ = stream.set_nodelay(true);
    match tls {
        None => speak(stream, router).await,
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => speak(stream, router).await,
            Err(error) => tracing::debug!(%error, "stand-in: TLS handshake failed"),
        },
    }
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, router: Router) {
    let builder = auto::Builder::new(TokioExecutor::new());
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await
    {
        tracing::debug!(%error, "stand-in: connection broke off");
    }
}

/// The answer of the inspection route: every request seen, in JSON.
pub(super) fn inspection(ledger: &Ledger) -> Response {
    (StatusCode::OK, Json(ledger.calls())).into_response()
}
