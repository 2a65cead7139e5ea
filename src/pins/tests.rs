//! Tests of pins.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::{AgentId, Digest, SystemClock, UpstreamName};
use crate::pins::table::TOOLS_MAX;

fn agent() -> AgentId {
    AgentId::new("mole").unwrap()
}

fn shop() -> UpstreamName {
    UpstreamName::new("shop").unwrap()
}

fn pins() -> Pins {
    Pins::in_memory(SystemClock::shared())
}

fn definition(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

#[test]
fn a_change_counts_until_somebody_accepts_it() {
    let pins = pins();
    let see = |text: &str| pins.see(&agent(), &shop(), "look", definition(text));
    let changed = |is_news| Seen::Changed { pinned: definition("a"), is_news };
    assert_eq!(see("a"), Seen::First);
    assert_eq!(see("a"), Seen::Same);
    assert!(!pins.is_changed("shop", "look"));
    assert_eq!(see("b"), changed(true));
    assert_eq!(see("b"), changed(false));
    assert!(pins.is_changed("shop", "look"));
    assert!(!pins.is_changed("shop", "refund"));
    // Going back undoes nothing: who changes twice may do so a third time.
    assert_eq!(see("a"), changed(true));
    assert!(pins.is_changed("shop", "look"));
    assert_eq!(see("c"), changed(true));
    let another = pins.accept("shop", "look", Some(definition("b")));
    assert!(matches!(another, Err(AcceptError::Another { seen }) if seen == definition("c")));
    assert!(matches!(pins.accept("shop", "refund", None), Err(AcceptError::Unknown)));
    assert_eq!(pins.accept("shop", "look", Some(definition("c"))).unwrap().pinned, definition("c"));
    assert!(!pins.is_changed("shop", "look"));
    assert_eq!(see("c"), Seen::Same);
    assert_eq!(see("a"), Seen::Changed { pinned: definition("c"), is_news: true });
}

#[test]
fn each_change_is_told_of_and_not_more_than_once_an_hour() {
    let pins = pins();
    for text in ["a", "b"] {
        pins.see(&agent(), &shop(), "look", definition(text));
    }
    let notice = pins.untold(9).pop().unwrap();
    assert_eq!((notice.pinned, notice.seen), (definition("a"), definition("b")));
    pins.see(&agent(), &shop(), "look", definition("c"));
    pins.told(&notice);
    let notice = pins.untold(9).pop().expect("it changed again before anybody was told");
    assert_eq!(notice.seen, definition("c"));
    pins.told(&notice);
    assert_eq!(pins.untold(9), []);
    pins.see(&agent(), &shop(), "look", definition("d"));
    assert_eq!(pins.untold(9), [], "within the hour");
}

#[test]
fn no_server_takes_the_places_of_another() {
    let pins = pins();
    for n in 0..TOOLS_MAX {
        assert_eq!(pins.see(&agent(), &shop(), &format!("t-{n}"), definition("a")), Seen::First);
    }
    assert_eq!(pins.see(&agent(), &shop(), "one-more", definition("a")), Seen::Full);
    assert_eq!(
        pins.see(&agent(), &shop(), "t-0", definition("b")),
        Seen::Changed { pinned: definition("a"), is_news: true }
    );
    let other = UpstreamName::new("other").unwrap();
    assert_eq!(pins.see(&agent(), &other, "t-0", definition("a")), Seen::First);
}

#[test]
fn a_restart_forgets_nothing_and_a_broken_file_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pins.json");
    let open = || Pins::open(file.clone(), SystemClock::shared()).unwrap();
    let pins = open();
    pins.see(&agent(), &shop(), "look", definition("a"));
    pins.see(&agent(), &shop(), "look", definition("b"));
    pins.see(&agent(), &shop(), "find", definition("a"));
    let before = pins.list();
    drop(pins);
    let pins = open();
    assert_eq!(pins.list(), before);
    assert!(pins.is_changed("shop", "look"));
    assert_eq!(pins.untold(9).len(), 1);
    pins.accept("shop", "look", None).unwrap();
    // Read while the first still lives: what was accepted is on disk at once.
    assert!(!open().is_changed("shop", "look"));
    drop(pins);
    for broken in ["", "{}", "{\"version\":2,\"tools\":[]}", "{\"version\":1,\"tools\":[{}]}"] {
        std::fs::write(&file, broken).unwrap();
        assert_eq!(open().list(), []);
        assert_eq!(std::fs::read_to_string(file.with_extension("broken")).unwrap(), broken);
    }
}

#[test]
fn what_cannot_be_written_is_not_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("inner").join("pins.json");
    std::fs::create_dir(folder.path().join("inner")).unwrap();
    let pins = Pins::open(file, SystemClock::shared()).unwrap();
    pins.see(&agent(), &shop(), "look", definition("a"));
    pins.see(&agent(), &shop(), "look", definition("b"));
    std::fs::remove_dir_all(folder.path().join("inner")).unwrap();
    assert!(matches!(pins.accept("shop", "look", None), Err(AcceptError::Unwritten(_))));
    assert!(pins.is_changed("shop", "look"));
}

#[tokio::test]
async fn whoever_tells_is_woken() {
    let pins = Arc::new(pins());
    let waiting = tokio::spawn({
        let pins = Arc::clone(&pins);
        async move { pins.wait_untold().await }
    });
    for text in ["a", "b"] {
        pins.see(&agent(), &shop(), "look", definition(text));
    }
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap();
}
