//! Upstreams and agents, from config to the data path. Made anew whenever the config changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};

use crate::classify::Peer;
use crate::config;
use crate::net::{ClientSettings, ClientTls, Dialer, HttpClient, Reach, RootsError, TrustRoots};
use crate::proxy::{Credentials, Elsewhere, Routes, Upstream};

/// How long an undeclared place may stand still in its answer.
const ELSEWHERE_IDLE: Duration = Duration::from_secs(300);

/// Why an upstream cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// Its trust roots cannot be read.
    #[error("cannot read the trust roots `{}`", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        why: std::io::Error,
    },
    /// They are not certificates.
    #[error("cannot use the trust roots `{}`", path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        why: RootsError,
    },
    /// TLS cannot be set up at all.
    #[error("cannot set up TLS towards upstreams")]
    Tls(#[source] RootsError),
    /// Its credential is not a header.
    #[error("the credential of upstream `{upstream}` cannot stand in a header")]
    Credential {
        /// The upstream's name.
        upstream: String,
    },
}

/// The declared upstreams, each with connections of its own, and what serves every other place.
///
/// # Errors
/// At the first upstream that cannot be set up.
pub fn routes(upstreams: &[config::Upstream], dialer: &Dialer) -> Result<Routes, RouteError> {
    let system = TrustRoots::system();
    let everywhere = ClientTls::new(&system).map_err(RouteError::Tls)?;
    let elsewhere = HttpClient::new(dialer, &everywhere, &ClientSettings::default());
    let declared = upstreams.iter().map(|upstream| declare(upstream, dialer, &system, &everywhere));
    let declared = declared.collect::<Result<Vec<_>, _>>()?;
    Ok(Routes::new(declared, Elsewhere::new(elsewhere, ELSEWHERE_IDLE)))
}

/// The agents that a token proves.
#[must_use]
pub fn credentials(agents: &[config::Agent]) -> Credentials {
    let proved = agents.iter().filter_map(|agent| Some((agent.id.clone(), agent.token.as_ref()?)));
    Credentials::new(proved.map(|(id, token)| (id, token.secret.clone())))
}

fn declare(
    upstream: &config::Upstream,
    dialer: &Dialer,
    system: &TrustRoots,
    everywhere: &ClientTls,
) -> Result<Upstream, RouteError> {
    let tls = match &upstream.roots {
        Some(path) => ClientTls::new(&roots(path, system)?).map_err(RouteError::Tls)?,
        None => everywhere.clone(),
    };
    let reach = Reach::Declared { private: upstream.private };
    let settings = ClientSettings {
        reach,
        connect: upstream.timeouts.connect,
        head: upstream.timeouts.head,
        ..ClientSettings::default()
    };
    Ok(Upstream {
        name: upstream.name.clone(),
        scheme: upstream.url.scheme.clone(),
        host: upstream.url.host.clone(),
        port: upstream.url.port,
        prefix: upstream.url.prefix.clone(),
        peer: Peer {
            name: Some(upstream.name.clone()),
            dialect: upstream.dialect,
            provider: upstream.provider.clone(),
            mcp_versions: Vec::new(),
            betas: upstream.betas.clone(),
        },
        credential: upstream.credential.as_ref().map(|held| credential(upstream, held)).transpose()?,
        idle_timeout: upstream.timeouts.idle,
        client: HttpClient::new(dialer, &tls, &settings),
        reach,
    })
}

/// The machine's trust roots, and those in a file.
pub(super) fn roots(path: &Path, system: &TrustRoots) -> Result<TrustRoots, RouteError> {
    let pem = fs::read(path).map_err(|why| RouteError::Unread { path: path.to_owned(), why })?;
    system.and_pem(&pem).map_err(|why| RouteError::Roots { path: path.to_owned(), why })
}

fn credential(
    upstream: &config::Upstream,
    held: &config::Credential,
) -> Result<(HeaderName, HeaderValue), RouteError> {
    let wrong = || RouteError::Credential { upstream: upstream.name.to_string() };
    let name = HeaderName::from_bytes(held.header.as_bytes()).map_err(|_| wrong())?;
    let mut value = HeaderValue::from_str(held.value().expose()).map_err(|_| wrong())?;
    // Kept out of HPACK tables and debug output.
    value.set_sensitive(true);
    Ok((name, value))
}
