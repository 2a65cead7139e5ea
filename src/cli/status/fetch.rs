//! Reads a page from the admin socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::admin::Page;

/// How long the whole exchange may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest page that is read.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Unread {
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    #[error(
        "there is no socket `{}`; is the sidecar running? \
        `admin.socket` in its configuration says where it is, and `--socket` names it here", path.display()
    )]
    Absent { path: PathBuf },
    #[error("nobody serves the socket `{}`; the sidecar that made it is gone: start it again", path.display())]
    Dead { path: PathBuf },
    #[error(
        "this user may not open the socket `{}`; run this as the user that the sidecar runs as, or as root",
        path.display()
    )]
    NotPermitted { path: PathBuf },
    #[error("cannot open the socket `{}`: {why}", path.display())]
    Unopened { path: PathBuf, why: io::Error },
    #[error("nothing came from the socket `{}` in {} s; the sidecar is stuck or busy", path.display(),
        PATIENCE.as_secs())]
    Silent { path: PathBuf },
    #[error("the socket `{}` answered {status}; its sidecar is of another version, or failed", path.display())]
    Refused { path: PathBuf, status: StatusCode },
    #[error("what came from the socket `{}` is no status of a sidecar", path.display())]
    Garbled { path: PathBuf },
}

/// The status page, as sent.
pub(super) async fn status(path: &Path) -> Result<Bytes, Unread> {
    let (status, page) = ask(path, Method::GET, Page::Status.path()).await?;
    match status {
        StatusCode::OK => Ok(page),
        status => Err(Unread::Refused { path: path.to_owned(), status }),
    }
}

/// What the socket answers, whatever that is.
pub(in crate::cli) async fn ask(
    path: &Path,
    method: Method,
    target: &str,
) -> Result<(StatusCode, Bytes), Unread> {
    match tokio::time::timeout(PATIENCE, exchange(path, method, target)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Unread::Silent { path: path.to_owned() }),
    }
}

async fn exchange(path: &Path, method: Method, target: &str) -> Result<(StatusCode, Bytes), Unread> {
    let stream = UnixStream::connect(path).await.map_err(|why| unopened(path, why))?;
    let garbled = || Unread::Garbled { path: path.to_owned() };
    let request = Request::builder().method(method).uri(target).header(HOST, "pactgate");
    let request = request.body(Empty::<Bytes>::new());
    let request = request.map_err(|_| garbled())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| garbled())?;
    let asking = async {
        let response = sender.send_request(request).await.map_err(|_| garbled())?;
        let status = response.status();
        let page = Limited::new(response.into_body(), PAGE_BYTES_MAX).collect().await;
        page.map(|page| (status, page.to_bytes())).map_err(|_| garbled())
    };
    let mut asking = std::pin::pin!(asking);
    tokio::select! {
        biased;
        page = asking.as_mut() => page,
        // The connection ends first when the peer closes it; what it has read is still there for the asking.
        _ = connection => asking.await,
    }
}

pub(super) fn unopened(path: &Path, why: io::Error) -> Unread {
    let path = path.to_owned();
    match why.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Unread::Absent { path },
        io::ErrorKind::PermissionDenied => Unread::NotPermitted { path },
        io::ErrorKind::ConnectionRefused => Unread::Dead { path },
        _ => Unread::Unopened { path, why },
    }
}
