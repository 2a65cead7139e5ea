//! What holds for every route: bounds of time, headers, and answers where there is no route.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};

use crate::collector::failure::Failure;
use crate::wire::ProblemKind;

/// Closes the surface over all routes: unknown paths and methods get a problem, answers that do not begin in
/// time too, and nothing is cached.
pub fn surface(routes: Router, patience: Duration) -> Router {
    // The handlers' own bounds come first; this one is for what they do not foresee.
    let patience = patience.saturating_mul(2);
    routes
        .fallback(nothing_there)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(move |request: Request, next: Next| bounded(request, next, patience)))
}

async fn nothing_there() -> Failure {
    Failure::new(ProblemKind::NotFound, "no such path: `/openapi.json` has them all")
}

async fn method_not_allowed() -> Failure {
    Failure::new(ProblemKind::MethodNotAllowed, "`/openapi.json` has the methods of each path")
}

async fn bounded(request: Request, next: Next, patience: Duration) -> Response {
    let mut response = match tokio::time::timeout(patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Failure::new(ProblemKind::Unavailable, "this took too long: try again").into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
