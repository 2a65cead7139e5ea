//! Interception: TLS towards agents, in the name of the host they asked for and of no other.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustls::AlertDescription;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::domain::SharedClock;
use crate::net::authority::{Authority, AuthorityCertificate, AuthorityError};
use crate::net::leaf::Leaves;

/// A fatal alert `unrecognized_name` (RFC 6066, section 3), sent before any key is agreed.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Why no TLS connection with an agent came about.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The agent asked for one host and speaks to another.
    #[error("the connection was opened to `{host}`, but TLS names `{}`", sni.as_deref().unwrap_or("nobody"))]
    NameMismatch {
        /// The host that the connection was opened to.
        host: String,
        /// The name in the handshake (RFC 6066, section 3).
        sni: Option<String>,
    },
    /// It does not trust the authority.
    #[error(
        "the agent does not trust the sidecar's authority; point it to the bundle that `pactgate ca show` names"
    )]
    NotTrusted(#[source] io::Error),
    /// It did not finish in time.
    #[error("the handshake did not end within {} ms", after.as_millis())]
    Timeout {
        /// The bound.
        after: Duration,
    },
    /// What came is not TLS, no version or cipher is common, or the connection broke off.
    #[error("the handshake failed")]
    Handshake(#[source] io::Error),
    /// The authority cannot vouch for the host.
    #[error("no certificate for `{host}`")]
    Certificate {
        /// The host.
        host: String,
        /// Why not.
        #[source]
        why: AuthorityError,
    },
}

/// Handshakes with agents since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterceptionStats {
    /// Leaves minted.
    pub minted: u64,
    /// Handshakes completed.
    pub accepted: u64,
    /// Handshakes for another name than that of the connection.
    pub mismatched: u64,
    /// Handshakes broken off because the agent does not trust the authority.
    pub not_trusted: u64,
    /// Handshakes that failed otherwise.
    pub failed: u64,
}

/// Speaks TLS as the hosts that agents connect to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Interception(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    leaves: Leaves,
    certificate: AuthorityCertificate,
    patience: Duration,
    accepted: AtomicU64,
    mismatched: AtomicU64,
    not_trusted: AtomicU64,
    failed: AtomicU64,
}

impl Interception {
    /// Interception in the name of `authority`; a handshake may take `patience`.
    ///
    /// # Errors
    /// [`AuthorityError`] when no key could be made or TLS could not be set up.
    pub fn new(authority: Authority, clock: SharedClock, patience: Duration) -> Result<Self, AuthorityError> {
        let certificate = authority.certificate().clone();
        let leaves = Leaves::new(authority, clock)?;
        Ok(Self(Arc::new(Inner {
            leaves,
            certificate,
            patience,
            accepted: AtomicU64::new(0),
            mismatched: AtomicU64::new(0),
            not_trusted: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })))
    }

    /// The authority that agents must trust.
    #[must_use]
    pub fn certificate(&self) -> &AuthorityCertificate {
        &self.0.certificate
    }

    /// How long an agent may take for its part of a handshake.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.0.patience
    }

    /// Speaks TLS on `stream` as `host`, the host of the CONNECT. The handshake must name that host; only where
    /// the host is an IP address, which a handshake cannot name, may it name nobody.
    ///
    /// # Errors
    /// [`AcceptError`].
    pub async fn accept<S>(&self, stream: S, host: &str) -> Result<TlsStream<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let patience = self.0.patience;
        let outcome = tokio::time::timeout(patience, self.shake_hands(stream, &host)).await;
        let outcome = outcome.unwrap_or(Err(AcceptError::Timeout { after: patience }));
        let counter = match &outcome {
            Ok(_) => &self.0.accepted,
            Err(AcceptError::NameMismatch { .. }) => &self.0.mismatched,
            Err(AcceptError::NotTrusted(_)) => &self.0.not_trusted,
            Err(_) => &self.0.failed,
        };
        counter.fetch_add(1, Relaxed);
        outcome
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> InterceptionStats {
        InterceptionStats {
            minted: self.0.leaves.minted(),
            accepted: self.0.accepted.load(Relaxed),
            mismatched: self.0.mismatched.load(Relaxed),
            not_trusted: self.0.not_trusted.load(Relaxed),
            failed: self.0.failed.load(Relaxed),
        }
    }

    async fn shake_hands<S>(&self, stream: S, host: &str) -> Result<TlsStream<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = LazyConfigAcceptor::new(Acceptor::default(), stream);
        let mut start = acceptor.await.map_err(AcceptError::Handshake)?;
        let sni = start.client_hello().server_name().map(str::to_owned);
        if !names_agree(host, sni.as_deref()) {
            // The agent may have gone; the refusal stands.
            let _ = start.io.write_all(&UNRECOGNIZED_NAME).await;
            let _ = start.io.shutdown().await;
            return Err(AcceptError::NameMismatch { host: host.to_owned(), sni });
        }
        let config = self
            .0
            .leaves
            .config_for(host)
            .map_err(|why| AcceptError::Certificate { host: host.to_owned(), why })?;
        start.into_stream(config).await.map_err(|why| {
            if is_distrust(&why) { AcceptError::NotTrusted(why) } else { AcceptError::Handshake(why) }
        })
    }
}

fn names_agree(host: &str, sni: Option<&str>) -> bool {
    match sni {
        Some(sni) => sni.eq_ignore_ascii_case(host),
        None => host.parse::<IpAddr>().is_ok(),
    }
}

/// Whether the agent broke off because of our certificate.
fn is_distrust(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(
        cause,
        Some(rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnsupportedCertificate
        ))
    )
}
