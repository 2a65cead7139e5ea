//! Admin: binds the two doors and serves them until the process stops.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::admin::answer::{Answerer, Door};
use crate::admin::socket::{AdminSocket, SocketError};
use crate::admin::view::View;
use crate::net::{BindError, Connections, Drain, Listener, ServeSettings, Server};

/// Connections to the port at once: scrapers and probes are few.
const PORT_CONNECTIONS_MAX: usize = 64;

/// Where the sidecar shows itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The port for machines. Whoever can reach it can read it.
    pub address: SocketAddr,
    /// The admin socket; `None` for none. Its folder must exist, and not everybody may replace files in it.
    pub socket: Option<PathBuf>,
}

/// Why a door could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The port.
    #[error(transparent)]
    Port(#[from] BindError),
    /// The socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// Both doors, bound and not yet served.
#[derive(Debug)]
pub struct Admin {
    port: Listener,
    socket: Option<AdminSocket>,
}

/// Opens the doors. A socket file that a dead process left behind is replaced. Must be called inside a tokio
/// runtime.
///
/// # Errors
/// [`AdminError`], naming the place and the remedy.
pub fn bind(settings: &Settings) -> Result<Admin, AdminError> {
    let port = Listener::bind(settings.address)?;
    let socket = settings.socket.as_deref().map(AdminSocket::bind).transpose()?;
    Ok(Admin { port, socket })
}

impl Admin {
    /// The address of the port, with the number that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The path of the socket.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_ref().map(AdminSocket::path)
    }

    /// Serves both doors until `drain` begins, then closes them and removes the socket file. Connections run in
    /// tasks of the drain.
    pub async fn run(self, view: Arc<dyn View>, drain: &Drain) {
        let server = Server::new(serve_settings(), drain);
        let connections = Connections::new(PORT_CONNECTIONS_MAX);
        let at_port = Arc::new(Answerer::new(Door::Port, Arc::clone(&view)));
        let at_socket = Arc::new(Answerer::new(Door::Socket, view));
        let port = self.port.run(&connections, drain, |accepted| {
            let (server, answerer) = (server.clone(), Arc::clone(&at_port));
            async move {
                serve(server, accepted.stream, answerer).await;
                drop(accepted.place);
            }
        });
        let socket = async {
            let Some(socket) = self.socket else { return };
            let handle = |stream| serve(server.clone(), stream, Arc::clone(&at_socket));
            socket.run(drain, handle).await;
        };
        tokio::join!(port, socket);
    }
}

async fn serve<I>(server: Server, io: I, answerer: Arc<Answerer>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| {
        let answerer = Arc::clone(&answerer);
        async move { Ok::<_, Infallible>(answerer.answer(request).await) }
    });
    server.serve(io, service).await;
}

/// Tighter than for calls: nobody who reads a page needs more.
fn serve_settings() -> ServeSettings {
    ServeSettings {
        head: Duration::from_secs(5),
        idle: Duration::from_secs(30),
        fields_max: 64,
        head_bytes_max: 8 * 1024,
        streams_max: 8,
        ..ServeSettings::default()
    }
}
