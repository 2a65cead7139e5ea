//! Takes evidence in, sends tiers out.
//!
//! [`Plane`] is what all handlers share; [`router`] answers sidecars, Prometheus and readers of the API document;
//! [`surface`] closes it together with the rooms beside it; [`serve`] puts it on a socket.

mod ask;
mod body;
mod caller;
mod failure;
mod feed;
mod ingest;
mod key_file;
mod metrics;
mod open;
mod plane;
mod routes;
mod serials;
mod serve;
mod settings;
mod signal;
mod surface;
mod upkeep;

pub use key_file::{KeyFileError, open_signing_key};
pub use metrics::{Metrics, Row, TABLE};
pub use plane::Plane;
pub use routes::{OPENAPI, Path, paths, router};
pub use serve::serve;
pub use settings::Settings;
pub use surface::surface;
pub use upkeep::upkeep;
