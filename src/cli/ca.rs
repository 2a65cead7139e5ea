//! `pactgate ca`: makes the interception authority and shows how agents come to trust it.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::domain::{Clock as _, SystemClock, Timestamp};
use crate::net::{Authority, AuthorityCertificate, AuthorityError, AuthorityFiles};

/// What to do with the authority.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Makes a new authority: a key, its certificate, and a bundle of the machine's roots with it
    Init {
        /// Where to put the files; nothing in it is overwritten
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// The name that people will see in the certificate
        #[arg(long, value_name = "NAME", default_value = "Pactgate interception authority")]
        name: String,
    },
    /// Shows the certificate and the variables that make clients trust it
    Show {
        /// Where the files are
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
}

/// Does it, and prints what came of it.
#[must_use]
pub fn run(command: Command) -> ExitCode {
    let now = SystemClock::new().now();
    let text = match command {
        Command::Init { dir, name } => init(&dir, &name, now),
        Command::Show { dir } => show(&dir, now),
    };
    match text {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {}", with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

/// Who a client is, and the variable by which it is told whom to trust. All but the last replace the client's own
/// roots, so they get the bundle.
const CLIENTS: [(&str, &str); 6] = [
    ("SSL_CERT_FILE", "Python ssl, httpx, aiohttp, the OpenAI and Anthropic SDKs, OpenSSL, Go, Rust"),
    ("REQUESTS_CA_BUNDLE", "Python requests"),
    ("CURL_CA_BUNDLE", "curl"),
    ("AWS_CA_BUNDLE", "boto3, AWS CLI"),
    ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "gRPC"),
    ("NODE_EXTRA_CA_CERTS", "Node"),
];

fn init(dir: &Path, name: &str, now: Timestamp) -> Result<String, AuthorityError> {
    let authority = Authority::create(dir, name, now)?;
    let files = files_in(dir);
    let mut text = String::new();
    let _ = writeln!(text, "authority    {}", authority.certificate().subject);
    let _ = writeln!(text, "certificate  {}", files.certificate.display());
    let _ = writeln!(text, "bundle       {}", files.bundle.display());
    let _ = writeln!(text, "key          {}  (keep it from the agents)", files.key.display());
    describe(&mut text, authority.certificate(), &files);
    Ok(text)
}

fn show(dir: &Path, now: Timestamp) -> Result<String, AuthorityError> {
    let certificate = AuthorityCertificate::read(dir)?;
    let mut text = certificate.pem.clone();
    let _ = writeln!(text, "subject      {}", certificate.subject);
    describe(&mut text, &certificate, &files_in(dir));
    certificate.check_validity(now)?;
    Ok(text)
}

fn describe(text: &mut String, certificate: &AuthorityCertificate, files: &AuthorityFiles) {
    let _ = writeln!(text, "fingerprint  {}", colons(certificate.fingerprint.as_bytes()));
    let _ = writeln!(text, "valid        {} to {}", certificate.from, certificate.until);
    let _ = writeln!(text, "\nSo that agents trust it, set for");
    for (variable, client) in CLIENTS {
        let file = if variable == "NODE_EXTRA_CA_CERTS" { &files.certificate } else { &files.bundle };
        let _ = writeln!(text, "  # {client}\n  export {variable}='{}'", file.display());
    }
}

/// The files by absolute paths, because the variables outlive the directory that this command runs in.
fn files_in(dir: &Path) -> AuthorityFiles {
    AuthorityFiles::in_dir(&std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf()))
}

/// A fingerprint as `openssl x509 -fingerprint -sha256` prints it.
fn colons(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-20T10:00:00Z").unwrap()
    }

    #[test]
    fn what_init_makes_show_shows() {
        let dir = tempfile::tempdir().unwrap();
        let made = init(dir.path(), "Test authority", now()).unwrap();
        let shown = show(dir.path(), now()).unwrap();
        assert!(shown.starts_with("-----BEGIN CERTIFICATE-----\n"), "{shown}");
        for text in [&made, &shown] {
            assert!(text.contains("CN=Test authority"), "{text}");
            assert!(text.contains("/bundle.pem'\n"), "{text}");
            assert!(text.contains("export NODE_EXTRA_CA_CERTS="), "{text}");
            assert!(!text.contains("PRIVATE KEY"), "{text}");
        }
        let fingerprint =
            |text: &str| text.lines().find(|line| line.starts_with("finger")).map(str::to_owned);
        assert_eq!(fingerprint(&made), fingerprint(&shown));
    }

    #[test]
    fn a_missing_authority_is_reported_with_its_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let error = show(dir.path(), now()).unwrap_err();
        let message = with_causes(&error);
        assert!(message.contains("ca.pem"), "{message}");
        assert!(message.contains("`pactgate ca init`"), "{message}");
        assert!(message.contains("No such file"), "{message}");
    }
}
