//! CONNECT: opens a tunnel that is intercepted, or one that stays closed to us. One flat decision.

use std::collections::HashSet;
use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::classify::{Coverage, Part, Reply};
use crate::domain::{Action, Dialect, Json, Reason, Target};
use crate::enforce::{Attempted, Caller, Outbound, Settlement};
use crate::evidence::Outcome;
use crate::net::{self, AcceptError, Body, Opening, Place, Reach};
use crate::proxy::entry::Entry;
use crate::proxy::exchange::{Answer, answer, exchange};
use crate::proxy::route::bracketed;
use crate::proxy::{Proxy, tunnel};

/// Whose tunnels are opened, and with what authority.
#[derive(Debug)]
pub struct Interception {
    /// Speaks as the upstreams that agents ask for, with leaf certificates of the sidecar's own authority.
    pub tls: net::Interception,
    /// Hosts and ports whose tunnels stay closed: clients that pin certificates.
    pub except: HashSet<(String, u16)>,
}

/// Answers a CONNECT request.
pub(super) async fn connect(
    proxy: &Arc<Proxy>,
    entry: &Entry,
    place: Arc<Place>,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (mut head, _) = request.into_parts();
    match open(proxy, entry, &mut head, Tunnel { place, upgrade }).await {
        Ok(()) => Response::new(Body::Empty),
        Err(refused) => answer(refused),
    }
}

/// The agent's side of a tunnel to be: its bytes, and its place among the connections, which it keeps.
struct Tunnel {
    place: Arc<Place>,
    upgrade: OnUpgrade,
}

async fn open(proxy: &Arc<Proxy>, entry: &Entry, head: &mut Parts, tunnel: Tunnel) -> Result<(), Answer> {
    let routes = proxy.routes.load_full();
    let caller = entry.identify(proxy, &routes, head)?;
    let (host, port) = entry.tunnel_end(proxy, &caller, head)?;
    match &proxy.interception {
        Some(interception) if !interception.except.contains(&(host.clone(), port)) => {
            let opened = intercept(Arc::clone(proxy), entry.clone(), caller, host, port, tunnel);
            proxy.drain.spawn(opened);
            Ok(())
        }
        _ => pass_closed(proxy, &caller, &host, port, tunnel).await,
    }
}

/// Speaks TLS as the host towards the agent, or HTTP where the agent does without, and judges every request inside.
async fn intercept(proxy: Arc<Proxy>, entry: Entry, caller: Caller, host: String, port: u16, tunnel: Tunnel) {
    let Some(interception) = &proxy.interception else { return };
    let Tunnel { place, upgrade } = tunnel;
    let Ok(upgraded) = upgrade.await else { return };
    let refuse = |reason, detail| {
        let attempted = Attempted {
            caller: Some(caller.clone()),
            listener: entry.listener.clone(),
            name: format!("CONNECT {}:{port}", bracketed(&host)),
            dialect: Dialect::Opaque,
        };
        proxy.enforcer.refuse(&attempted, reason, detail);
    };
    match net::look_at_opening(TokioIo::new(upgraded), interception.tls.patience()).await {
        Ok((Opening::Tls, stream)) => match interception.tls.accept(stream, &host).await {
            Ok(stream) => {
                let inside = entry.inside(&caller, "https", host, port);
                serve_inside(&proxy, inside, stream).await;
            }
            Err(error @ AcceptError::NameMismatch { .. }) => refuse(Reason::NameMismatch, error.to_string()),
            Err(error) => refuse(Reason::Unreadable, error.to_string()),
        },
        Ok((Opening::Http, stream)) => {
            let inside = entry.inside(&caller, "http", host, port);
            serve_inside(&proxy, inside, stream).await;
        }
        Ok((Opening::Other | Opening::Silent, _)) => {
            refuse(Reason::Unreadable, "the tunnel carries neither TLS nor HTTP".to_owned());
        }
        // Whoever hung up asked for nothing.
        Ok((Opening::Closed, _)) | Err(_) => {}
    }
    drop(place);
}

async fn serve_inside<S>(proxy: &Arc<Proxy>, inside: Entry, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let inside = Arc::new(inside);
    let service = hyper::service::service_fn(|request| {
        let (proxy, inside) = (Arc::clone(proxy), Arc::clone(&inside));
        async move { Ok::<_, std::convert::Infallible>(exchange(&proxy, &inside, None, request).await) }
    });
    let ended = proxy.server.serve(stream, service).await;
    inside.ended(proxy, ended);
}

/// Bytes that nobody reads: only where a clause allows that.
async fn pass_closed(
    proxy: &Arc<Proxy>,
    caller: &Caller,
    host: &str,
    port: u16,
    tunnel: Tunnel,
) -> Result<(), Answer> {
    let action = Action {
        target: Target::Opaque { host: host.to_owned(), port, path: None },
        fields: Json::Object(Vec::new()),
        dialect: Dialect::Opaque,
    };
    let part = Part {
        action,
        reply: Reply::Problem,
        coverage: Coverage::Unread,
        withheld: Vec::new(),
        refers: None,
    };
    let authority = format!("{}:{port}", bracketed(host));
    let mut outbound = Outbound::default();
    if let Ok(uri) = authority.parse() {
        *outbound.request.uri_mut() = uri;
    }
    let admitted = proxy.enforcer.admit(caller, vec![part], outbound).await;
    let permit = admitted.map_err(|parts| Answer::Refused { parts, batch: false })?;
    let routes = proxy.routes.load_full();
    let reach = routes.declares(host, port).map_or(Reach::Public, |upstream| upstream.reach);
    let (permit, upstream) = tunnel::open(&proxy.dialer, permit, reach, proxy.bounds.connect).await?;
    let idle = proxy.bounds.tunnel_idle;
    proxy.drain.spawn(async move {
        match tunnel.upgrade.await {
            Ok(agent) => tunnel::run(permit, TokioIo::new(agent), upstream, idle).await,
            Err(_) => permit.settle(Settlement::of(Outcome::ClientGone)),
        }
        drop(tunnel.place);
    });
    Ok(())
}
