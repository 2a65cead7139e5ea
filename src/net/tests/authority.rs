//! What an authority refuses to be.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-20T10:00:00Z").unwrap()
}

fn created() -> (tempfile::TempDir, AuthorityFiles) {
    let dir = tempfile::tempdir().unwrap();
    Authority::create(dir.path(), "Test authority", now()).unwrap();
    let files = AuthorityFiles::in_dir(dir.path());
    (dir, files)
}

fn refusal(dir: &tempfile::TempDir, at: Timestamp) -> AuthorityError {
    Authority::load(dir.path(), at).unwrap_err()
}

#[test]
fn a_new_authority_can_be_loaded_and_keeps_its_key_to_itself() {
    let (dir, files) = created();
    let authority = Authority::load(dir.path(), now()).unwrap();
    assert_eq!(authority.certificate().subject, "CN=Test authority");
    assert_eq!(fs::metadata(&files.key).unwrap().mode() & 0o777, 0o600);
    let bundle = fs::read_to_string(&files.bundle).unwrap();
    assert!(bundle.starts_with(&authority.certificate().pem));
    assert!(CertificateDer::pem_slice_iter(bundle.as_bytes()).all(|certificate| certificate.is_ok()));
}

#[test]
fn nothing_is_overwritten() {
    let (dir, files) = created();
    let before = fs::read(&files.key).unwrap();
    let error = Authority::create(dir.path(), "Another", now()).unwrap_err();
    assert!(matches!(error, AuthorityError::Exists { .. }), "{error}");
    assert_eq!(fs::read(&files.key).unwrap(), before);
    fs::remove_file(&files.certificate).unwrap();
    let error = Authority::create(dir.path(), "Another", now()).unwrap_err();
    assert!(matches!(error, AuthorityError::Exists { path } if path == files.key));
}

#[test]
fn an_authority_has_its_time() {
    let (dir, _) = created();
    let later = |seconds| now().plus(Duration::from_secs(seconds));
    assert!(Authority::load(dir.path(), later(LIFE.as_secs() - 1)).is_ok());
    assert!(matches!(refusal(&dir, later(LIFE.as_secs())), AuthorityError::NotValid { .. }));
    let early = Timestamp::parse_rfc3339("2026-11-20T08:59:59Z").unwrap();
    assert!(matches!(refusal(&dir, early), AuthorityError::NotValid { .. }));
}

#[test]
fn files_that_are_not_what_they_should_be_are_named() {
    let (dir, files) = created();
    let (_other, others) = created();
    fs::copy(&others.key, &files.key).unwrap();
    assert!(matches!(refusal(&dir, now()), AuthorityError::KeyMismatch { .. }));
    fs::set_permissions(&files.key, Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(refusal(&dir, now()), AuthorityError::KeyExposed { .. }));
    fs::set_permissions(&files.key, Permissions::from_mode(0o600)).unwrap();
    fs::write(&files.key, "no key").unwrap();
    assert!(matches!(refusal(&dir, now()), AuthorityError::Malformed { path, .. } if path == files.key));
    fs::remove_file(&files.key).unwrap();
    assert!(matches!(refusal(&dir, now()), AuthorityError::Unreadable { path, .. } if path == files.key));
    for text in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "\0"] {
        fs::write(&files.certificate, text).unwrap();
        assert!(matches!(refusal(&dir, now()), AuthorityError::Malformed { .. }), "{text:?}");
    }
}

#[test]
fn a_leaf_is_no_authority() {
    let (dir, files) = created();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["host.example".to_owned()]).unwrap();
    validity::set(&mut params, now(), now().plus(LIFE));
    fs::write(&files.certificate, params.self_signed(&key).unwrap().pem()).unwrap();
    assert!(matches!(refusal(&dir, now()), AuthorityError::Malformed { .. }));
}
