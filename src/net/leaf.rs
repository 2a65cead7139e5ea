//! Leaves: a certificate per host, minted on demand, in time thrown away.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType, SerialNumber,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};

use crate::domain::{SharedClock, Timestamp};
use crate::net::authority::{Authority, AuthorityError};
use crate::net::provider::provider;
use crate::net::validity;

/// How long a leaf is good for, and after how long the next one is minted.
const LIFE: Duration = Duration::from_secs(23 * 3600);
const RENEW: Duration = Duration::from_secs(12 * 3600);
/// How many hosts have their leaf kept.
const HOSTS_MAX: u64 = 1024;

/// Mints leaves of one authority. The leaf key lives as long as the process and is never written down.
pub(super) struct Leaves {
    authority: Authority,
    clock: SharedClock,
    key: KeyPair,
    signing: Arc<dyn SigningKey>,
    // What all hosts share: versions, tickets, protocols.
    base: ServerConfig,
    recent: moka::sync::Cache<String, Arc<Leaf>>,
    minted: AtomicU64,
}

struct Leaf {
    config: Arc<ServerConfig>,
    renew_at: Timestamp,
}

impl Leaves {
    pub(super) fn new(authority: Authority, clock: SharedClock) -> Result<Self, AuthorityError> {
        let unmintable = |why| AuthorityError::Unmintable { name: "the leaf key".to_owned(), why };
        let key = KeyPair::generate().map_err(unmintable)?;
        let der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let signing = provider().key_provider.load_private_key(der).map_err(AuthorityError::Tls)?;
        let recent = moka::sync::Cache::builder().max_capacity(HOSTS_MAX).time_to_live(RENEW).build();
        Ok(Self { base: base()?, authority, clock, key, signing, recent, minted: AtomicU64::new(0) })
    }

    /// The TLS configuration that shows a certificate for `host`: a DNS name or an IP address, in lower case,
    /// without brackets.
    pub(super) fn config_for(&self, host: &str) -> Result<Arc<ServerConfig>, AuthorityError> {
        let now = self.clock.now();
        if let Some(leaf) = self.recent.get(host) {
            if now < leaf.renew_at {
                return Ok(Arc::clone(&leaf.config));
            }
            self.recent.invalidate(host);
        }
        // The clock that certificates live by can jump, unlike the one of the cache: hence both.
        self.authority.certificate().check_validity(now)?;
        let leaf = Arc::new(self.mint(host, now)?);
        self.recent.insert(host.to_owned(), Arc::clone(&leaf));
        Ok(Arc::clone(&leaf.config))
    }

    /// How many leaves were minted.
    pub(super) fn minted(&self) -> u64 {
        self.minted.load(Relaxed)
    }

    fn mint(&self, host: &str, now: Timestamp) -> Result<Leaf, AuthorityError> {
        let unmintable = |why| AuthorityError::Unmintable { name: host.chars().take(64).collect(), why };
        let issued = leaf_params(host, now, self.authority.certificate().until)
            .and_then(|params| params.signed_by(&self.key, self.authority.issuer()))
            .map_err(unmintable)?;
        let mut chain = vec![issued.der().clone()];
        chain.extend_from_slice(&self.authority.certificate().chain);
        let certified = CertifiedKey::new(chain, Arc::clone(&self.signing));
        let mut config = self.base.clone();
        config.cert_resolver = Arc::new(SingleCertAndKey::from(certified));
        self.minted.fetch_add(1, Relaxed);
        Ok(Leaf { config: Arc::new(config), renew_at: now.plus(RENEW) })
    }
}

/// What a leaf says: this host, as a TLS server, for a day. Its subject is the same for all, because a common name
/// is too short for many hosts and nobody matches it any more (RFC 9525).
fn leaf_params(host: &str, now: Timestamp, until: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "pactgate interception");
    params.subject_alt_names = vec![match host.parse::<IpAddr>() {
        Ok(ip) => SanType::IpAddress(ip),
        // Only what a client could ask for: no wildcard, nothing but a DNS name.
        Err(_) if ServerName::try_from(host).is_ok() => SanType::DnsName(host.try_into()?),
        Err(_) => return Err(rcgen::Error::InvalidNameType),
    }];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // OpenSSL in its strict mode, the default of Python 3.13, asks for the issuer's key id.
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(serial()?);
    validity::set(&mut params, now, now.plus(LIFE).min(until));
    Ok(params)
}

/// All leaves have one key, from which the library would derive one serial number for all.
fn serial() -> Result<SerialNumber, rcgen::Error> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| rcgen::Error::RingUnspecified)?;
    // Positive, and not shortened by a leading zero (RFC 5280, section 4.1.2.2).
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

/// Tickets are stateless, so that sessions cost no memory here. A ticket is bound to the name it was issued for.
fn base() -> Result<ServerConfig, AuthorityError> {
    let mut base = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(AuthorityError::Tls)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(NoCertificate));
    base.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    base.session_storage = Arc::new(NoServerSessionStorage {});
    base.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(AuthorityError::Tls)?;
    Ok(base)
}

/// Stands in the shared configuration where each host's own certificate goes.
#[derive(Debug)]
struct NoCertificate;

impl rustls::server::ResolvesServerCert for NoCertificate {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

impl fmt::Debug for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaves").field("minted", &self.minted()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "tests/leaf.rs"]
mod tests;
