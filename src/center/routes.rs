//! Which path leads where.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get, post};

use crate::center::{Center, agents, approvals, records, signals};

/// A method and a path.
pub type Path = (&'static str, &'static str);

fn routes() -> Vec<(Path, MethodRouter<Arc<Center>>)> {
    vec![
        (("GET", "/v1/agents"), get(agents::list)),
        (("GET", "/v1/agents/{id}/trust"), get(agents::trust)),
        (("POST", "/v1/agents/{id}/override"), post(agents::overrule)),
        (("GET", "/v1/approvals"), get(approvals::list)),
        (("GET", "/v1/approvals/{id}"), get(approvals::show)),
        (("POST", "/v1/approvals/{id}"), post(approvals::answer)),
        (("GET", "/v1/signals"), get(signals::list)),
        (("GET", "/v1/records"), get(records::list)),
    ]
}

/// Every method and path that [`router`] answers.
#[must_use]
pub fn paths() -> Vec<Path> {
    routes().into_iter().map(|(path, _)| path).collect()
}

/// The routes for operators.
pub fn router(center: Arc<Center>) -> Router {
    let routes = routes().into_iter();
    routes.fold(Router::new(), |router, ((_, path), route)| router.route(path, route)).with_state(center)
}
