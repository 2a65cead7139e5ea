//! Starting and stopping: the rooms in the order in which they need each other.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::admin::pages::ListenerLine;
use crate::admin::{self, Admin, AdminError};
use crate::classify;
use crate::cli::sidecar::pacts::{self, PactsError};
use crate::cli::sidecar::rooms::{Shared, digest_key, make_folder, open_rooms};
use crate::cli::sidecar::routes::{self, RouteError};
use crate::cli::sidecar::view::{Loaded, Looking};
use crate::cli::sidecar::{reload, upkeep};
use crate::config;
use crate::domain::SharedClock;
use crate::enforce::{Enforcer, NoRandomness, Settings};
use crate::link::{self, Link, LinkError};
use crate::net::{
    self, Authority, AuthorityError, BindError, Connections, DialSettings, Dialer, Drain, Drained, Listener,
    ServeSettings, Server,
};
use crate::pact::Diagnostics;
use crate::proxy::{Bounds, Interception, ListenerSettings, Mode, Proxy};
use crate::spool::SpoolError;
use crate::wire::PublicKey;

/// How long an agent may take for its part of a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a tunnel may take to reach its upstream.
const TUNNEL_CONNECT: Duration = Duration::from_secs(5);
/// How long what was recorded last may take to reach the disk, and then the collector. Together with the default
/// drain this ends before Kubernetes kills (30 s); what is left is on disk, and delivered after the next start.
const LAST_FLUSH: Duration = Duration::from_secs(1);
const LAST_DELIVERY: Duration = Duration::from_secs(2);

/// Why a sidecar does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its pacts cannot be put in force.
    #[error(transparent)]
    Pacts(#[from] PactsError),
    /// An upstream cannot be set up.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The spool cannot be opened.
    #[error("cannot open the evidence spool")]
    Spool(#[from] SpoolError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The interception authority cannot be used.
    #[error("cannot use the interception authority in `{}`", dir.display())]
    Authority {
        /// Its folder.
        dir: PathBuf,
        /// Why not.
        #[source]
        why: AuthorityError,
    },
    /// A file in the data folder cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// The metrics' table is wrong, which a test rules out.
    #[error("cannot set up metrics: {0}")]
    Metrics(String),
    /// The admin port or socket cannot be opened.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The line to the collector cannot be set up.
    #[error("cannot set up the line to the collector")]
    Link(#[from] LinkError),
    /// The collector's address is not a URL.
    #[error("the collector's address is not a URL")]
    CollectorUrl,
    /// The system has no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

/// A sidecar at work.
#[derive(Debug)]
pub struct Sidecar {
    /// Where it listens, in the order of the config.
    pub listening: Vec<(Mode, SocketAddr)>,
    /// What it was warned of.
    pub warnings: Diagnostics,
    /// Where machines look at it.
    pub admin: SocketAddr,
    /// The data path.
    pub proxy: Arc<Proxy>,
    /// The rooms that other parts look into.
    pub rooms: Shared,
    looking: Arc<Looking>,
    unlink: CancellationToken,
}

impl Sidecar {
    /// Opens everything, then serves.
    ///
    /// # Errors
    /// At the first thing that cannot be opened; nothing is served then.
    pub fn start(
        file: Option<PathBuf>,
        config: config::Sidecar,
        clock: SharedClock,
    ) -> Result<Self, StartError> {
        let started = clock.monotonic();
        make_folder(&config.data)?;
        let (pact_set, warnings) = pacts::load(&config.pacts)?;
        let rooms = open_rooms(&config, &clock)?;
        pacts::introduce(&pact_set, &rooms.metrics);
        rooms.metrics.know_upstreams(config.upstreams.iter().map(|upstream| &upstream.name));
        let settings = Settings { digest_key: digest_key(&config)?, patience: config.approvals.patience };
        let enforcer = Enforcer::new(pact_set, rooms.for_the_judge(), settings)?;
        let admin = admin::bind(&admin::Settings {
            address: config.admin.address,
            socket: Some(config.admin.socket.clone()),
        })?;
        let bound = config.listeners.iter().map(|listener| Listener::bind(listener.address));
        let bound = bound.collect::<Result<Vec<_>, _>>()?;
        let own = bound.iter().map(Listener::address).chain([admin.address()]).collect();
        let proxy = carry(&config, enforcer, own, &clock)?;
        let unread = config.collector.is_none().then_some(config.evidence.bytes_max);
        let unlink = CancellationToken::new();
        let link = config.collector.as_ref().map(|wanted| link(wanted, &rooms, &unlink)).transpose()?;

        let listening = listen(&proxy, &config, bound);
        let looking = Arc::new(Looking {
            enforcer: Arc::clone(&proxy.enforcer),
            rooms: rooms.clone(),
            link,
            listeners: lines(&listening, &config),
            started,
            pacts_loaded: Mutex::new(Loaded { at: clock.now(), problem: None }),
            config_loaded: Mutex::new(Loaded { at: clock.now(), problem: None }),
            config: ArcSwap::from_pointee(config),
        });
        let admin_address = admin.address();
        tracing::info!(mode = "admin", address = %admin_address, "listening");
        look(admin, &looking, &proxy.drain);
        tokio::spawn(reload::follow(file, Arc::clone(&looking), Arc::clone(&proxy)));
        upkeep::sweep(&proxy.drain, Arc::clone(&rooms.limits));
        if let Some(bytes_max) = unread {
            upkeep::rotate(&proxy.drain, Arc::clone(&rooms.recorder), bytes_max);
        }
        Ok(Self { listening, warnings, admin: admin_address, proxy, rooms, looking, unlink })
    }

    /// The config in force.
    #[must_use]
    pub fn config(&self) -> Arc<config::Sidecar> {
        self.looking.config.load_full()
    }

    /// Stops: no new call, those under way may end, then what was recorded is brought to the disk.
    pub async fn stop(self) -> Drained {
        let patience = self.config().bounds.drain;
        let drained = self.proxy.drain.finish(patience).await;
        match tokio::time::timeout(LAST_FLUSH, self.rooms.recorder.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => tracing::error!("the last records are not on disk: {why}"),
            Err(_) => tracing::error!("the last records did not reach the disk in time"),
        }
        // Last, because the link takes along what was recorded until now.
        self.unlink.cancel();
        if let Some(link) = &self.looking.link {
            link.ended().await;
        }
        drained
    }
}

pub(super) fn data(path: &Path, why: io::Error) -> StartError {
    StartError::Data { path: path.to_owned(), why }
}

fn carry(
    config: &config::Sidecar,
    enforcer: Arc<Enforcer>,
    own: Vec<SocketAddr>,
    clock: &SharedClock,
) -> Result<Arc<Proxy>, StartError> {
    let drain = Drain::default();
    let closed = config.collector.as_ref().map(|link| (link.url.host.clone(), link.url.port));
    let dialer = Dialer::new(DialSettings { own, closed, ..DialSettings::default() });
    let interception = config.interception.as_ref().map(|wanted| intercept(wanted, clock)).transpose()?;
    Ok(Arc::new(Proxy {
        enforcer,
        routes: ArcSwap::from_pointee(routes::routes(&config.upstreams, &dialer)?),
        credentials: ArcSwap::from_pointee(routes::credentials(&config.agents)),
        interception,
        bounds: bounds(&config.bounds),
        server: Server::new(serving(&config.bounds), &drain),
        dialer,
        connections: Connections::new(size(config.bounds.connections_max)),
        drain,
    }))
}

fn intercept(wanted: &config::Interception, clock: &SharedClock) -> Result<Interception, StartError> {
    let dir = &wanted.authority;
    let wrong = |why| StartError::Authority { dir: dir.clone(), why };
    let authority = Authority::load(dir, clock.now()).map_err(wrong)?;
    let tls = net::Interception::new(authority, Arc::clone(clock), HANDSHAKE).map_err(wrong)?;
    let except = wanted.except.iter().map(|place| (place.host.clone(), place.port)).collect();
    Ok(Interception { tls, except })
}

fn bounds(from: &config::Bounds) -> Bounds {
    Bounds {
        classify: classify::Bounds {
            body_bytes: size(from.body_bytes_max),
            decoded_bytes: size(from.decoded_bytes_max),
            ..classify::Bounds::default()
        },
        fields_max: size(from.headers_max),
        body_idle: from.body_timeout,
        // A body that is read whole must end; four silences long is slow enough for anybody honest.
        body_total: from.body_timeout * 4,
        connect: TUNNEL_CONNECT,
        tunnel_idle: from.idle,
    }
}

fn serving(from: &config::Bounds) -> ServeSettings {
    ServeSettings {
        head: from.header_timeout,
        idle: from.idle,
        fields_max: size(from.headers_max),
        head_bytes_max: size(from.header_bytes_max),
        ..ServeSettings::default()
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn listen(proxy: &Arc<Proxy>, config: &config::Sidecar, bound: Vec<Listener>) -> Vec<(Mode, SocketAddr)> {
    let mut listening = Vec::new();
    for (listener, wanted) in bound.into_iter().zip(&config.listeners) {
        let mode = match wanted.mode {
            config::ListenerMode::Reverse => Mode::Reverse,
            config::ListenerMode::Forward => Mode::Forward,
        };
        let address = listener.address();
        tracing::info!(mode = mode.name(), %address, "listening");
        listening.push((mode, address));
        let settings = ListenerSettings { mode, agent: wanted.agent.clone() };
        tokio::spawn(Arc::clone(proxy).run(listener, settings));
    }
    listening
}

fn lines(listening: &[(Mode, SocketAddr)], config: &config::Sidecar) -> Vec<ListenerLine> {
    let both = listening.iter().zip(&config.listeners);
    let line = |((mode, address), wanted): (&(Mode, SocketAddr), &config::Listener)| ListenerLine {
        mode: mode.name().to_owned(),
        address: address.to_string(),
        agent: wanted.agent.as_ref().map(ToString::to_string),
    };
    both.map(line).collect()
}

fn link(wanted: &config::Link, rooms: &Shared, unlink: &CancellationToken) -> Result<Link, StartError> {
    let url = wanted.url.to_string().parse().map_err(|_| StartError::CollectorUrl)?;
    let roots = match &wanted.roots {
        Some(path) => routes::roots(path, &net::TrustRoots::system())?,
        None => net::TrustRoots::system(),
    };
    let key = PublicKey::from_bytes(wanted.public_key);
    let settings = link::Settings {
        farewell: LAST_DELIVERY,
        ..link::Settings::new(url, wanted.token.secret.clone(), key, roots)
    };
    let (recorder, tiers) = (Arc::clone(&rooms.recorder), Arc::clone(&rooms.tiers));
    let pins = Arc::clone(&rooms.pins);
    Ok(Link::start(settings, recorder, tiers, rooms.desk.clone(), pins, unlink.clone())?)
}

fn look(admin: Admin, looking: &Arc<Looking>, drain: &Drain) {
    let (view, drain) = (Arc::clone(looking), drain.clone());
    tokio::spawn(async move { admin.run(view, &drain).await });
}
