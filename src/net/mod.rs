//! Sockets and TLS, ignorant of pacts.

mod activity;
mod address;
mod authority;
mod body;
mod connector;
mod dial;
mod drain;
mod failure;
mod http_client;
mod leaf;
mod listener;
mod lookup;
mod opening;
mod own;
mod provider;
mod serve;
mod timed_body;
mod tls_client;
mod tls_server;
mod untaken;
mod validity;

pub use address::{Forbidden, Range, Reach, check_address};
pub use authority::{Authority, AuthorityCertificate, AuthorityError, AuthorityFiles};
pub use body::{Body, BoxError};
pub use dial::{DialError, DialSettings, DialStats, Dialer};
pub use drain::{Drain, Drained};
pub use failure::{Failure, why};
pub use http_client::{ClientError, ClientSettings, HttpClient};
pub use listener::{Accepted, BindError, Connections, ListenStats, Listener, Place};
pub use lookup::LookupError;
pub use opening::{Opening, Rewound, look_at_opening};
pub use provider::install_crypto_provider;
pub use serve::{Ended, ServeSettings, ServeStats, Server};
pub use timed_body::{BodyBounds, BodyError, TimedBody};
pub use tls_client::{ClientTls, RootsError, TrustRoots};
pub use tls_server::{AcceptError, Interception, InterceptionStats};
