//! What a leaf says, and when the next one is minted.

use crate::domain::{Clock as _, ManualClock};

use super::*;

fn leaves() -> (tempfile::TempDir, Arc<ManualClock>, Leaves) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::parse_rfc3339("2026-11-20T10:00:00Z").unwrap()));
    let authority = Authority::create(dir.path(), "Test authority", clock.now()).unwrap();
    let shared: SharedClock = Arc::clone(&clock) as SharedClock;
    (dir, clock, Leaves::new(authority, shared).unwrap())
}

#[test]
fn a_host_keeps_its_leaf_until_it_is_due() {
    let (_dir, clock, leaves) = leaves();
    let first = leaves.config_for("api.example").unwrap();
    assert!(Arc::ptr_eq(&first, &leaves.config_for("api.example").unwrap()));
    assert!(!Arc::ptr_eq(&first, &leaves.config_for("other.example").unwrap()));
    clock.advance(RENEW);
    assert!(!Arc::ptr_eq(&first, &leaves.config_for("api.example").unwrap()));
    assert_eq!(leaves.minted(), 3);
}

#[test]
fn an_authority_that_expired_vouches_for_nobody() {
    let (_dir, clock, leaves) = leaves();
    clock.advance(Duration::from_secs(4 * 365 * 86_400));
    assert!(matches!(leaves.config_for("api.example"), Err(AuthorityError::NotValid { .. })));
}

#[test]
fn only_names_of_hosts_are_vouched_for() {
    let (_dir, _clock, leaves) = leaves();
    for host in ["*.example.com", "", "a b", "-", "exa\u{e4}mple", "a..b", "host:443"] {
        let refused = leaves.config_for(host);
        assert!(matches!(refused, Err(AuthorityError::Unmintable { .. })), "{host:?}");
    }
    for host in ["localhost", "10.0.0.1", "2606:4700::1111", "xn--exmple-cua.example"] {
        assert!(leaves.config_for(host).is_ok(), "{host}");
    }
}

#[test]
fn serial_numbers_differ_and_are_positive() {
    let (first, second) = (serial().unwrap().to_bytes(), serial().unwrap().to_bytes());
    assert_ne!(first, second);
    assert_eq!((first.len(), first[0] & 0xc0), (16, 0x40));
}
