//! A sidecar that is killed in the middle of its work: what it was told is durable is there, and the log goes on.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use pactgate::domain::{Digest, SidecarId, SystemClock};
use pactgate::evidence::{Event, Verifier};
use pactgate::spool::{Recorder, Settings, Sync};

use crate::support::calls::{number, settled};

const DIR: &str = "PACTGATE_TEST_SPOOL";

fn open(dir: &Path, sync: Sync) -> (Arc<Recorder>, pactgate::spool::Opened) {
    let settings = Settings {
        // Small, so that segments change while the process is killed.
        segment_bytes: 32 << 10,
        sync,
        ..Settings::new(dir.to_owned(), SidecarId::new("checkout-1").unwrap())
    };
    Recorder::start(settings, SystemClock::shared()).unwrap()
}

/// Everything in the spool, each record checked against the one before.
fn whole_log(recorder: &Recorder) -> Vec<Event> {
    let mut verifier = Verifier::new();
    let mut events = Vec::new();
    while verifier.sequence() < recorder.durable() {
        for entry in recorder.read_after(verifier.sequence(), 100, 1 << 20).unwrap() {
            events.push(verifier.push(&entry.bytes).unwrap());
        }
    }
    events
}

/// What the killed process does: records calls one after the other, and says which are durable. Without its folder
/// in the environment this is no test.
#[tokio::test]
async fn a_process_that_will_be_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let (recorder, opened) = open(Path::new(&dir), Sync::Batch);
    for n in opened.resumed_at.. {
        // Some records that nobody waits for, then one that somebody does.
        if n % 4 != 0 {
            recorder.reserve().unwrap().record(settled(n));
        } else {
            recorder.reserve().unwrap().record_durably(settled(n)).await.unwrap();
            println!("durable {n}");
        }
    }
}

#[test]
fn what_was_durable_survives_kill_9_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut durable = 0;
    for round in 1..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["spool::a_process_that_will_be_killed", "--exact", "--nocapture", "--test-threads=1"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let told = lines.filter_map(|line| line.strip_prefix("durable ").and_then(|n| n.parse::<u64>().ok()));
        durable = told.take(7 * round).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (recorder, opened) = open(dir.path(), Sync::Batch);
    assert!(opened.after_crash && opened.resumed_at > durable, "{opened:?}");
    let events = whole_log(&recorder);
    // Calls are numbered from 0 and records from 1, over all five lives.
    assert!(events.iter().zip(0..).all(|(event, n)| number(&event.record) == n));
    assert_eq!(events.iter().filter(|event| event.gap.after_crash).count(), 4);
}

#[tokio::test]
async fn a_log_of_many_lives_is_one_chain_and_a_lost_disk_begins_another() {
    let dir = tempfile::tempdir().unwrap();
    let mut end = (0, Digest::default());
    for life in 0..5_u64 {
        let (recorder, opened) = open(dir.path(), Sync::None);
        assert_eq!((opened.resumed_at, opened.after_crash), (life * 30, false));
        for n in life * 30..life * 30 + 30 {
            recorder.reserve().unwrap().record(settled(n));
        }
        recorder.flush().await.unwrap();
        let events = whole_log(&recorder);
        if life > 0 {
            assert_eq!(events[usize::try_from(end.0).unwrap()].prevhash, end.1);
        }
        let last = events.last().unwrap();
        end = (last.sequence, last.hash);
    }
    let (before, _) = open(dir.path(), Sync::None);
    let source = before.source().clone();
    drop(before);
    std::fs::remove_dir_all(dir.path()).unwrap();
    let (recorder, opened) = open(dir.path(), Sync::None);
    assert_eq!(opened.resumed_at, 0);
    assert_eq!(recorder.source().sidecar(), source.sidecar());
    assert_ne!(recorder.source(), &source);
}
