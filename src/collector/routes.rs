//! Which path leads where.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get, post};

use crate::collector::{Plane, ask, feed, ingest, open, signal};

/// The API document (OpenAPI 3.1) of this room and of the operations center. A test holds it against both.
pub const OPENAPI: &str = include_str!("openapi.json");

/// A method and a path.
pub type Path = (&'static str, &'static str);

fn routes() -> Vec<(Path, MethodRouter<Arc<Plane>>)> {
    vec![
        (("POST", "/v1/events"), post(ingest::events)),
        (("GET", "/v1/events/position"), get(ingest::position)),
        (("GET", "/v1/trust/feed"), get(feed::feed)),
        (("POST", "/v1/approvals"), post(ask::ask)),
        (("POST", "/v1/signals"), post(signal::raise)),
        (("GET", "/v1/key"), get(open::key)),
        (("GET", "/livez"), get(open::livez)),
        (("GET", "/metrics"), get(open::metrics)),
        (("GET", "/openapi.json"), get(open::openapi)),
    ]
}

/// Every method and path that [`router`] answers.
#[must_use]
pub fn paths() -> Vec<Path> {
    routes().into_iter().map(|(path, _)| path).collect()
}

/// The routes for sidecars, Prometheus and readers of the API document.
pub fn router(plane: Arc<Plane>) -> Router {
    let routes = routes().into_iter();
    routes.fold(Router::new(), |router, ((_, path), route)| router.route(path, route)).with_state(plane)
}
