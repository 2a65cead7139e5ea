//! The collector's socket.

use axum::Router;
use hyper_util::service::TowerToHyperService;

use crate::net::{Connections, Drain, Listener, ServeSettings, Server};

/// Serves until `drain` begins, then finishes what is under way.
pub async fn serve(routes: Router, listener: Listener, connections_max: usize, drain: Drain) {
    let server = Server::new(ServeSettings::default(), &drain);
    let connections = Connections::new(connections_max);
    listener
        .run(&connections, &drain, |accepted| {
            let (server, service) = (server.clone(), TowerToHyperService::new(routes.clone()));
            async move {
                server.serve(accepted.stream, service).await;
            }
        })
        .await;
}
