//! The data path: listeners, and the life of a call.

mod body;
mod connect;
mod entry;
mod exchange;
mod headers;
mod identity;
mod lingering;
mod refusal_response;
mod response_tap;
mod route;
mod switch;
mod tunnel;
mod upstream;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Method;
use hyper::service::service_fn;

pub use connect::Interception;
pub use identity::Credentials;
pub use route::{Elsewhere, Routes, Upstream};

use crate::classify;
use crate::domain::AgentId;
use crate::enforce::Enforcer;
use crate::evidence::{CutCause, Outcome, Proof};
use crate::net::{Accepted, Connections, Dialer, Drain, Listener, Server};
use crate::proxy::entry::{Entry, Way};

/// A listener as the config asks for it.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// How agents speak to it.
    pub mode: Mode,
    /// The one agent that it serves; without one, each request has to prove its own.
    pub agent: Option<AgentId>,
}

/// How agents speak to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As to the upstream itself, with the upstream's name as the first path segment.
    Reverse,
    /// As to a proxy: absolute-form requests and CONNECT.
    Forward,
}

impl Mode {
    /// The name used in config, records and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reverse => "reverse",
            Self::Forward => "forward",
        }
    }
}

/// What one exchange may cost in bytes and time.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How much of a request is read.
    pub classify: classify::Bounds,
    /// The most fields in a request's head.
    pub fields_max: usize,
    /// The longest silence inside a request's body.
    pub body_idle: Duration,
    /// The longest time for a request's body that is read whole.
    pub body_total: Duration,
    /// How long a tunnel may take to reach its upstream.
    pub connect: Duration,
    /// How long a tunnel may stand still.
    pub tunnel_idle: Duration,
}

/// Everything that carries calls. One for each process.
#[derive(Debug)]
pub struct Proxy {
    /// The judge.
    pub enforcer: Arc<Enforcer>,
    /// Replaced whole when the config changes; each call reads them once.
    pub routes: ArcSwap<Routes>,
    /// Replaced whole when the config changes.
    pub credentials: ArcSwap<Credentials>,
    /// Whose tunnels are opened; `None`: nobody's, and each is opaque.
    pub interception: Option<Interception>,
    /// What one exchange may cost.
    pub bounds: Bounds,
    /// Speaks HTTP towards agents.
    pub server: Server,
    /// Opens tunnels.
    pub dialer: Dialer,
    /// The connections of all listeners.
    pub connections: Connections,
    /// How it all stops.
    pub drain: Drain,
}

impl Proxy {
    /// Why a call ends whose task is dropped.
    fn dropped(&self) -> Outcome {
        if self.drain.is_cutting() { Outcome::Cut { why: CutCause::Drain } } else { Outcome::ClientGone }
    }

    /// Serves a listener until the drain begins.
    pub async fn run(self: Arc<Self>, listener: Listener, settings: ListenerSettings) {
        let name = format!("{} {}", settings.mode.name(), listener.address());
        let entry = Arc::new(Entry {
            way: match settings.mode {
                Mode::Reverse => Way::Reverse,
                Mode::Forward => Way::Forward,
            },
            known: settings.agent.map(|agent| (agent, Proof::Listener)),
            listener: name.into(),
        });
        let (connections, drain) = (self.connections.clone(), self.drain.clone());
        let serve = |accepted| serve(Arc::clone(&self), Arc::clone(&entry), accepted);
        listener.run(&connections, &drain, serve).await;
    }
}

async fn serve(proxy: Arc<Proxy>, entry: Arc<Entry>, accepted: Accepted) {
    proxy.enforcer.metrics().connected(entry.way.port());
    let Accepted { stream, place, .. } = accepted;
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let (proxy, entry, place) = (Arc::clone(&proxy), Arc::clone(&entry), Arc::clone(&place));
        async move {
            let is_connect = request.method() == Method::CONNECT && matches!(entry.way, Way::Forward);
            let response = if is_connect {
                connect::connect(&proxy, &entry, place, request).await
            } else {
                exchange::exchange(&proxy, &entry, Some(place), request).await
            };
            Ok::<_, Infallible>(response)
        }
    });
    let ended = proxy.server.serve(stream, service).await;
    entry.ended(&proxy, ended);
    drop(place);
}
