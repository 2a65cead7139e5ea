//! A sidecar, put together from its config: what `pactgate proxy` and the demo run.

mod pacts;
mod reload;
mod rooms;
mod routes;
mod start;
mod upkeep;
mod view;

pub use pacts::{PactsError, check as check_pacts};
pub use rooms::Shared;
pub use routes::RouteError;
pub use start::{Sidecar, StartError};
