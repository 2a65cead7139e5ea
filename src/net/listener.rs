//! Listener: binds, accepts with patience, holds no more connections than allowed.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::net::dial::keepalive;
use crate::net::drain::Drain;

/// Connections that the system holds ready for accepting.
const BACKLOG: u32 = 1024;
/// The first and the longest pause after the system could not give a connection.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));
/// How long bytes sent may stay unread by the peer before the system gives the connection up (RFC 5482).
#[cfg(target_os = "linux")]
const UNREAD_MAX: Duration = Duration::from_secs(120);

/// Why an address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`: {}", remedy(.why))]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub why: io::Error,
}

fn remedy(why: &io::Error) -> &'static str {
    match why.kind() {
        io::ErrorKind::AddrInUse => "something listens there already; stop it or choose another port",
        io::ErrorKind::PermissionDenied => {
            "the system does not permit it; choose a port from 1024 up or grant CAP_NET_BIND_SERVICE"
        }
        io::ErrorKind::AddrNotAvailable => {
            "it is no address of this machine; choose one of its own, 127.0.0.1 or 0.0.0.0"
        }
        _ => "the system refused it",
    }
}

/// The connections that one process may hold, over all its listeners.
#[derive(Clone, Debug)]
pub struct Connections {
    places: Arc<Semaphore>,
    counters: Arc<Counters>,
    max: usize,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    vanished: AtomicU64,
    starved: AtomicU64,
    full: AtomicU64,
}

/// Connections accepted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenStats {
    /// Open now.
    pub open: usize,
    /// Accepted in all.
    pub accepted: u64,
    /// Gone before they could be accepted.
    pub vanished: u64,
    /// Times the system had no descriptor or memory for another one.
    pub starved: u64,
    /// Times a listener waited because all places were taken.
    pub full: u64,
}

impl Connections {
    /// Places for `max` connections.
    #[must_use]
    pub fn new(max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(max)), counters: Arc::default(), max }
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> ListenStats {
        ListenStats {
            open: self.max.saturating_sub(self.places.available_permits()),
            accepted: self.counters.accepted.load(Relaxed),
            vanished: self.counters.vanished.load(Relaxed),
            starved: self.counters.starved.load(Relaxed),
            full: self.counters.full.load(Relaxed),
        }
    }

    /// Waits for a place before accepting, so that the surplus waits in the system's queue and costs nothing.
    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        self.counters.full.fetch_add(1, Relaxed);
        Arc::clone(&self.places).acquire_owned().await.ok()
    }
}

/// An accepted connection.
#[derive(Debug)]
pub struct Accepted {
    /// Its bytes.
    pub stream: TcpStream,
    /// Who opened it.
    pub peer: SocketAddr,
    /// Its place, held while the handler runs. A task that outlives it, such as a tunnel, takes a clone along.
    pub place: Arc<Place>,
}

/// A connection's place among those allowed; free again when the last clone is dropped. The drain waits for it.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
    _held: TaskTrackerToken,
}

/// A bound address.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds `address`; port 0 lets the system choose. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`BindError`], naming the address and the remedy.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let bound = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // A restart must not wait for the connections of the process before.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let socket = socket.listen(BACKLOG)?;
            let address = socket.local_addr()?;
            Ok(Self { socket, address })
        };
        bound().map_err(|why| BindError { address, why })
    }

    /// The address, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until `drain` begins, then closes the socket. Each connection runs in a task of its own, which the
    /// drain waits for and cuts at its deadline.
    pub async fn run<H, F>(self, connections: &Connections, drain: &Drain, handle: H)
    where
        H: Fn(Accepted) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let accepting = async {
            while let Some(permit) = connections.place().await {
                let (stream, peer) = accept(|| self.socket.accept(), &connections.counters).await;
                prepare(&stream);
                let place = Arc::new(Place { _permit: permit, _held: drain.hold() });
                let handled = handle(Accepted { stream, peer, place: Arc::clone(&place) });
                drain.spawn(async move {
                    handled.await;
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
}

/// The next connection. Errors of one connection are skipped; after errors of the system it pauses, longer each
/// time, because the connection stays in the queue and the next try would fail at once.
async fn accept<T, F>(mut next: impl FnMut() -> F, counters: &Counters) -> T
where
    F: Future<Output = io::Result<T>>,
{
    let mut pause = PAUSES.0;
    loop {
        match next().await {
            Ok(accepted) => {
                counters.accepted.fetch_add(1, Relaxed);
                return accepted;
            }
            Err(error) if is_of_one_connection(&error) => {
                counters.vanished.fetch_add(1, Relaxed);
            }
            Err(_) => {
                counters.starved.fetch_add(1, Relaxed);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Sets the options of an accepted socket; one without them is slower, but right.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(stream);
    let _ = socket.set_tcp_keepalive(&keepalive());
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNREAD_MAX));
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_starved_system_is_asked_ever_more_seldom() {
        let counters = Counters::default();
        let mut failures = 0;
        let began = Instant::now();
        let next = || {
            failures += 1;
            // EMFILE: too many open files.
            ready(if failures <= 20 { Err(io::Error::from_raw_os_error(24)) } else { Ok("connection") })
        };
        let got = accept(next, &counters).await;
        assert_eq!(got, "connection");
        assert_eq!(counters.starved.load(Relaxed), 20);
        assert!(began.elapsed() > Duration::from_secs(10), "{:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_vanished_costs_no_pause() {
        let counters = Counters::default();
        let mut failures = 0;
        let began = Instant::now();
        let next = || {
            failures += 1;
            ready(if failures <= 5 { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) })
        };
        accept(next, &counters).await;
        assert_eq!((counters.vanished.load(Relaxed), counters.accepted.load(Relaxed)), (5, 1));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_taken_address_is_named_with_a_remedy() {
        let first = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = Listener::bind(first.address()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(&first.address().to_string()), "{message}");
        assert!(message.contains("choose another port"), "{message}");
        let error = Listener::bind("192.0.2.1:80".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("no address of this machine"), "{error}");
    }
}
