//! AdminSocket: a Unix socket that only the sidecar's own user can open.

use std::fs;
use std::future::Future;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::net::Drain;

/// Connections at once; the surplus waits in the system's queue.
const CONNECTIONS_MAX: usize = 16;
/// Connections that the system holds ready for accepting.
const BACKLOG: i32 = 16;
/// The pause after the system could not give a connection.
const PAUSE: Duration = Duration::from_millis(200);
/// Everybody may write to a folder.
const WORLD_WRITABLE: u32 = 0o002;
/// Only the owner of a file may remove it from a folder.
const STICKY: u32 = 0o1000;

/// Why there is no admin socket.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the admin socket `{}`: {problem}", path.display())]
pub struct SocketError {
    /// Its path.
    pub path: PathBuf,
    /// What is wrong, and what helps.
    pub problem: SocketProblem,
}

/// What can be wrong with a socket's path.
#[derive(Debug, thiserror::Error)]
pub enum SocketProblem {
    /// There is no such folder.
    #[error("its folder does not exist; create it, owned by the user that the sidecar runs as")]
    NoFolder,
    /// Everybody could put a socket of their own in its place.
    #[error(
        "everybody may replace files in its folder; run `chmod o-w` on the folder, or choose another one"
    )]
    OpenFolder,
    /// The system's bound for the paths of sockets.
    #[error("its path is too long for a socket; choose one of at most 100 bytes")]
    TooLong,
    /// A file or folder that somebody may need.
    #[error("something that is not a socket stands there; move it away, or choose another path")]
    NotASocket,
    /// Another process serves it.
    #[error("a running process serves it; stop that one, or choose another path")]
    InUse,
    /// The system refused.
    #[error("the system refused to {doing}: {why}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What it said.
        why: io::Error,
    },
}

/// The socket, bound. Its file is removed when this is dropped.
#[derive(Debug)]
pub(super) struct AdminSocket {
    listener: UnixListener,
    file: SocketFile,
}

/// The file of a socket that was bound here.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode: what tells it from a file that took its place.
    identity: (u64, u64),
}

impl AdminSocket {
    pub(super) fn bind(path: &Path) -> Result<Self, SocketError> {
        bind(path).map_err(|problem| SocketError { path: path.to_owned(), problem })
    }

    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }

    /// Accepts until `drain` begins. Each connection runs in a task of the drain.
    pub(super) async fn run<H, F>(self, drain: &Drain, handle: H)
    where
        H: Fn(UnixStream) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let accepting = async {
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                let serving = handle(self.accept().await);
                drain.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
        };
        tokio::select! {
            biased;
            () = drain.stopping() => {}
            () = accepting => {}
        }
    }

    async fn accept(&self) -> UnixStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                // Without descriptors the next try would fail at once.
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // What stays behind is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn bind(path: &Path) -> Result<AdminSocket, SocketProblem> {
    check_folder(path)?;
    let address = SockAddr::unix(path).map_err(|_| SocketProblem::TooLong)?;
    make_room(path, &address)?;
    let socket = unix_socket()?;
    socket.bind(&address).map_err(|why| match why.kind() {
        io::ErrorKind::AddrInUse => SocketProblem::InUse,
        _ => SocketProblem::System { doing: "create it", why },
    })?;
    let identity = identity(path).map_err(system("look at it"))?;
    let file = SocketFile { path: path.to_owned(), identity };
    // Before listening: until then nobody can connect, whatever the file's first mode was.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(system("close it to others"))?;
    socket.listen(BACKLOG).map_err(system("listen on it"))?;
    let listener = UnixListener::from_std(socket.into()).map_err(system("wait for it"))?;
    Ok(AdminSocket { listener, file })
}

fn check_folder(path: &Path) -> Result<(), SocketProblem> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let found = fs::metadata(folder).map_err(|why| match why.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SocketProblem::NoFolder,
        _ => SocketProblem::System { doing: "look at its folder", why },
    })?;
    if !found.is_dir() {
        return Err(SocketProblem::NoFolder);
    }
    if found.mode() & WORLD_WRITABLE != 0 && found.mode() & STICKY == 0 {
        return Err(SocketProblem::OpenFolder);
    }
    Ok(())
}

/// Removes the socket file of a dead process, and nothing else.
fn make_room(path: &Path, address: &SockAddr) -> Result<(), SocketProblem> {
    let found = match fs::symlink_metadata(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(system("look at what stands there"))?,
    };
    if !found.file_type().is_socket() {
        return Err(SocketProblem::NotASocket);
    }
    match unix_socket()?.connect(address) {
        // The second: its queue is full.
        Ok(()) => Err(SocketProblem::InUse),
        Err(why) if why.kind() == io::ErrorKind::WouldBlock => Err(SocketProblem::InUse),
        Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(system("remove the file that a dead process left"))
        }
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(SocketProblem::System { doing: "ask whether it is served", why }),
    }
}

fn unix_socket() -> Result<Socket, SocketProblem> {
    let made = Socket::new(Domain::UNIX, Type::STREAM, None).and_then(|socket| {
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    made.map_err(system("make a socket"))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

fn system(doing: &'static str) -> impl FnOnce(io::Error) -> SocketProblem {
    move |why| SocketProblem::System { doing, why }
}
