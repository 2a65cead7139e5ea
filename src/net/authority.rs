//! Authority: the sidecar's own certification authority, as files and in memory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData as _,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use crate::domain::{Digest, Timestamp};
use crate::net::validity;

/// How long a new authority is good for: three years.
const LIFE: Duration = Duration::from_secs(3 * 365 * 86_400);
/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where the files of an authority lie in its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityFiles {
    /// The certificate, PEM. Public: for clients that add roots to their own.
    pub certificate: PathBuf,
    /// The key, PKCS #8 PEM. Whoever reads it can pose as any host towards those who trust the certificate.
    pub key: PathBuf,
    /// The machine's roots and the certificate, PEM. Public: for clients whose setting replaces their roots.
    pub bundle: PathBuf,
}

impl AuthorityFiles {
    /// The files of the authority in `dir`.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self { certificate: dir.join("ca.pem"), key: dir.join("ca.key"), bundle: dir.join("bundle.pem") }
    }
}

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// `create` never overwrites.
    #[error("`{}` exists already and is not overwritten; choose another directory or remove it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error(
        "cannot read `{}`; create an authority with `pactgate ca init`, or let this user read it",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write `{}`", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        why: io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{}` does not hold {expected}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// Everyone on the machine can read the key.
    #[error("`{}` can be read by every user; allow only the sidecar's (mode 0400 or 0440)", path.display())]
    KeyExposed {
        /// The file.
        path: PathBuf,
    },
    /// The key is not that of the certificate.
    #[error("`{}` is not the key of `{}`", key.display(), certificate.display())]
    KeyMismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// The certificate's time is over, or has not come.
    #[error("the authority is valid from {from} until {until}, and it is {now}; create a new one")]
    NotValid {
        /// Begin of its life.
        from: Timestamp,
        /// End of its life.
        until: Timestamp,
        /// The clock.
        now: Timestamp,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate for `{name}`")]
    Unmintable {
        /// For whom.
        name: String,
        /// What the library said.
        #[source]
        why: rcgen::Error,
    },
    /// TLS could not be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
}

/// The public part of an authority.
#[derive(Clone, Debug)]
pub struct AuthorityCertificate {
    /// The file's text.
    pub pem: String,
    /// The distinguished name.
    pub subject: String,
    /// SHA-256 of the certificate.
    pub fingerprint: Digest,
    /// Begin of its life.
    pub from: Timestamp,
    /// End of its life.
    pub until: Timestamp,
    /// What follows a leaf in a handshake: nothing when the authority is a root, else its chain.
    pub(super) chain: Vec<CertificateDer<'static>>,
    own: CertificateDer<'static>,
}

impl AuthorityCertificate {
    /// Reads the certificate in `dir`; the key is not touched.
    ///
    /// # Errors
    /// When the file cannot be read, or is not the certificate of an authority.
    pub fn read(dir: &Path) -> Result<Self, AuthorityError> {
        let path = AuthorityFiles::in_dir(dir).certificate;
        let pem = read_text(&path)?;
        Self::parse(pem)
            .ok_or(AuthorityError::Malformed { path, expected: "the certificate of an authority" })
    }

    /// Whether the authority is good at `now`.
    ///
    /// # Errors
    /// [`AuthorityError::NotValid`].
    pub fn check_validity(&self, now: Timestamp) -> Result<(), AuthorityError> {
        if self.from <= now && now < self.until {
            return Ok(());
        }
        Err(AuthorityError::NotValid { from: self.from, until: self.until, now })
    }

    fn parse(pem: String) -> Option<Self> {
        let mut chain = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            chain.push(certificate.ok()?);
        }
        let own = chain.first()?.clone();
        let (_, x509) = X509Certificate::from_der(&own).ok()?;
        let signs = x509.key_usage().ok()?.is_none_or(|usage| usage.value.key_cert_sign());
        if !x509.is_ca() || !signs {
            return None;
        }
        let seconds = |at: i64| Timestamp::from_micros(at.saturating_mul(1_000_000));
        let (from, until) = (x509.validity().not_before.timestamp(), x509.validity().not_after.timestamp());
        let subject = x509.subject().to_string();
        if x509.subject() == x509.issuer() {
            chain.clear();
        }
        let fingerprint = Digest::of(&own);
        Some(Self { pem, subject, fingerprint, from: seconds(from), until: seconds(until), chain, own })
    }
}

/// An authority that can vouch.
#[derive(Debug)]
pub struct Authority {
    certificate: AuthorityCertificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority called `name` and writes its files into `dir`, which is created when missing: a P-256
    /// key that only this user can read, the certificate, and the bundle.
    ///
    /// # Errors
    /// [`AuthorityError::Exists`] when `dir` holds an authority, or part of one; `Unwritable`.
    pub fn create(dir: &Path, name: &str, now: Timestamp) -> Result<Self, AuthorityError> {
        let unmintable = |why| AuthorityError::Unmintable { name: name.to_owned(), why };
        let files = AuthorityFiles::in_dir(dir);
        fs::create_dir_all(dir).map_err(|why| AuthorityError::Unwritable { path: dir.to_path_buf(), why })?;
        for path in [&files.certificate, &files.key, &files.bundle] {
            if path.exists() {
                return Err(AuthorityError::Exists { path: path.clone() });
            }
        }
        let key = KeyPair::generate().map_err(unmintable)?;
        let certificate = root_params(name, now).self_signed(&key).map_err(unmintable)?;
        // The key first: what is missing after a crash shows, and the next `create` names the file.
        let secret = Zeroizing::new(key.serialize_pem());
        write_new(&files.key, 0o600, secret.as_bytes())?;
        write_new(&files.certificate, 0o644, certificate.pem().as_bytes())?;
        write_new(&files.bundle, 0o644, bundle(&certificate.pem()).as_bytes())?;
        Self::load(dir, now)
    }

    /// Reads the authority in `dir` and checks it.
    ///
    /// # Errors
    /// When a file cannot be read or is not what it should be, when the key belongs to another certificate or is
    /// open to everyone, or when the certificate is not valid at `now`.
    pub fn load(dir: &Path, now: Timestamp) -> Result<Self, AuthorityError> {
        let files = AuthorityFiles::in_dir(dir);
        let certificate = AuthorityCertificate::read(dir)?;
        certificate.check_validity(now)?;
        let secret = Zeroizing::new(read_text(&files.key)?);
        let mode = fs::metadata(&files.key)
            .map_err(|why| AuthorityError::Unreadable { path: files.key.clone(), why })?
            .mode();
        if mode & 0o004 != 0 {
            return Err(AuthorityError::KeyExposed { path: files.key });
        }
        let Ok(key) = KeyPair::from_pem(&secret) else {
            return Err(AuthorityError::Malformed { path: files.key, expected: "a private key in PEM" });
        };
        let Ok((_, x509)) = X509Certificate::from_der(&certificate.own) else {
            return Err(AuthorityError::Malformed { path: files.certificate, expected: "a certificate" });
        };
        if x509.public_key().raw != key.subject_public_key_info() {
            return Err(AuthorityError::KeyMismatch { key: files.key, certificate: files.certificate });
        }
        let issuer = Issuer::from_ca_cert_der(&certificate.own, key)
            .map_err(|why| AuthorityError::Unmintable { name: certificate.subject.clone(), why })?;
        Ok(Self { certificate, issuer })
    }

    /// The public part.
    #[must_use]
    pub fn certificate(&self) -> &AuthorityCertificate {
        &self.certificate
    }

    pub(super) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }
}

/// What a root is: it signs leaves and nothing else.
fn root_params(name: &str, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity::set(&mut params, now, now.plus(LIFE));
    params
}

/// The machine's roots and `certificate`. Where the machine has none, the bundle holds the authority alone.
fn bundle(certificate: &str) -> String {
    let mut text = String::from(certificate);
    for root in rustls_native_certs::load_native_certs().certs {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let encoded = base64::engine::general_purpose::STANDARD.encode(&root);
        for (index, letter) in encoded.chars().enumerate() {
            if index > 0 && index % 64 == 0 {
                text.push('\n');
            }
            text.push(letter);
        }
        text.push_str("\n-----END CERTIFICATE-----\n");
    }
    text
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), AuthorityError> {
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    written().map_err(|why| match why.kind() {
        io::ErrorKind::AlreadyExists => AuthorityError::Exists { path: path.to_path_buf() },
        _ => AuthorityError::Unwritable { path: path.to_path_buf(), why },
    })
}

fn read_text(path: &Path) -> Result<String, AuthorityError> {
    let read = || {
        if fs::metadata(path)?.len() > FILE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is too large"));
        }
        fs::read_to_string(path)
    };
    read().map_err(|why| AuthorityError::Unreadable { path: path.to_path_buf(), why })
}

#[cfg(test)]
#[path = "tests/authority.rs"]
mod tests;
