//! A sidecar, put together from its config: what `pactgate proxy` and the demo run.

mod pacts;
mod routes;
mod start;

pub use pacts::PactsError;
pub use routes::RouteError;
pub use start::{Sidecar, StartError};
