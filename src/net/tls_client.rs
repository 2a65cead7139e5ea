//! TLS towards upstreams: whom to trust, and what to offer.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::net::dial::DialError;
use crate::net::provider::provider;

/// How many sessions are remembered for resumption, per set of roots.
const SESSIONS_MAX: usize = 256;

/// The certification authorities that upstreams may be vouched for by.
#[derive(Clone, Debug)]
pub struct TrustRoots(Arc<RootCertStore>);

/// Why trust roots could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The text is not PEM.
    #[error("the trust roots are not PEM")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// A certificate in it cannot be a trust root.
    #[error("certificate {number} of the trust roots cannot be used")]
    Certificate {
        /// Which one, counted from 1.
        number: usize,
        /// What is wrong with it.
        #[source]
        why: rustls::Error,
    },
    /// There is no certificate in it.
    #[error("the trust roots hold no certificate")]
    Empty,
    /// The provider lacks what TLS needs.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

impl TrustRoots {
    /// The machine's own roots, so that a company's decisions hold; where the machine has none, as in an image
    /// from scratch, those of the Mozilla program as built in. Reads files: call it once and add to it.
    #[must_use]
    pub fn system() -> Self {
        let mut store = RootCertStore::empty();
        let (added, _) = store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if added == 0 {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Self(Arc::new(store))
    }

    /// Trusts nobody yet.
    #[must_use]
    pub fn none() -> Self {
        Self(Arc::new(RootCertStore::empty()))
    }

    /// These roots and those in a PEM file's text.
    ///
    /// # Errors
    /// When the text is not PEM, holds no certificate, or one that cannot be a root.
    pub fn and_pem(&self, pem: &[u8]) -> Result<Self, RootsError> {
        let mut store = RootCertStore::clone(&self.0);
        let mut number = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            number += 1;
            store
                .add(certificate.map_err(RootsError::Pem)?)
                .map_err(|why| RootsError::Certificate { number, why })?;
        }
        if number == 0 { Err(RootsError::Empty) } else { Ok(Self(Arc::new(store))) }
    }
}

/// The client side of TLS for one set of roots.
#[derive(Clone, Debug)]
pub struct ClientTls {
    // Offers HTTP/2 and HTTP/1.1.
    either: Arc<ClientConfig>,
    // Offers HTTP/1.1 only, for requests that ask for an upgrade.
    http1: Arc<ClientConfig>,
}

impl ClientTls {
    /// TLS 1.3 and 1.2, verifying upstreams against `roots`.
    ///
    /// # Errors
    /// [`RootsError::Tls`] when the cryptographic provider lacks what TLS needs.
    pub fn new(roots: &TrustRoots) -> Result<Self, RootsError> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(RootsError::Tls)?
            .with_root_certificates(Arc::clone(&roots.0))
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut http1 = config.clone();
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { either: Arc::new(config), http1: Arc::new(http1) })
    }

    /// Speaks TLS on `stream`, expecting a certificate for `host`. The caller bounds the time.
    ///
    /// # Errors
    /// [`DialError::BadHost`] or [`DialError::Tls`].
    pub async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
        http1_only: bool,
    ) -> Result<TlsStream<TcpStream>, DialError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let bare = bare.strip_suffix('.').unwrap_or(bare);
        let name = ServerName::try_from(bare)
            .map_err(|_| DialError::BadHost { host: host.chars().take(64).collect() })?
            .to_owned();
        let config = if http1_only { &self.http1 } else { &self.either };
        let connector = TlsConnector::from(Arc::clone(config));
        connector.connect(name, stream).await.map_err(|why| DialError::Tls { host: host.to_owned(), why })
    }
}
