//! A process that dies without a warning: the next one goes on where it was, and nothing that arrived is lost.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::Method;

use crate::operation::{AGENT, PACT, call, calls_until, delivered, get, of_path, sample, setup};
use crate::support::collector::Collector;
use crate::support::fickle::Fickle;
use crate::support::http::try_send;
use crate::support::process::until;
use crate::support::sidecar::Setup;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_under_load_leaves_no_gap_and_loses_nothing_acknowledged() {
    let collector = Collector::start("{}");
    let upstream = Fickle::start().await;
    // Each admission is on disk before its call leaves, so that what was answered can be counted to the last one.
    let first = PACT.replace("risk: medium", "risk: high");
    let works = Setup::default().agent(AGENT).pact(&first).upstream("works", "http", &upstream.url(), None);
    let mut sidecar = works.collector(&collector).start_plain();
    let mut answered = 0;
    for _ in 0..3 {
        let (address, stop) = (sidecar.at("reverse"), Arc::new(AtomicBool::new(false)));
        let done = Arc::new(AtomicUsize::new(0));
        let load: Vec<_> = (0..8)
            .map(|_| {
                let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        if try_send(address, call(Method::GET, "/load")).await.is_some() {
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        until("it is under load", || async { (done.load(Ordering::Relaxed) > 100).then_some(()) }).await;
        let acknowledged = sample(&sidecar, "pactgate_evidence_acknowledged_sequence").await;
        sidecar.kill_and_start();
        stop.store(true, Ordering::Relaxed);
        for one in load {
            one.await.unwrap();
        }
        answered += done.load(Ordering::Relaxed);
        let first = sample(&sidecar, "pactgate_evidence_sequence").await;
        assert!(first >= acknowledged, "what was acknowledged is still counted: {first} < {acknowledged}");
    }
    calls_until(&sidecar, "/after", 200).await;
    let records = until("the last record arrives", || async {
        let records = collector.records().await;
        (!of_path(&records, "/after").is_empty()).then_some(records)
    })
    .await;
    let sequences: Vec<u64> =
        records.iter().map(|record| record["sequence"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(sequences, (1..=records.len() as u64).collect::<Vec<_>>(), "one log, gapless");
    collector.verify().await;
    let crashed = records.iter().filter(|record| record["data"]["gap"]["after_crash"] == true).count();
    assert!((1..=3).contains(&crashed), "the first record after a crash tells of it: {crashed}");
    let load = of_path(&records, "/load").into_iter();
    let admitted = load.filter(|record| record["type"] == "dev.pactgate.call.admitted.v1").count();
    assert!(admitted >= answered, "{admitted} admissions recorded, {answered} calls answered");
}

#[tokio::test]
async fn a_torn_write_is_cut_off_counted_and_told() {
    let collector = Collector::start("{}");
    let upstream = Fickle::start().await;
    let mut sidecar = setup(&upstream).collector(&collector).start_plain();
    assert_eq!(get(&sidecar, "/before").await.status, 200);
    delivered(&collector, 1).await;
    sidecar.process().kill();

    let spool = sidecar.folder().join("data/spool");
    let mut segments: Vec<_> = fs::read_dir(&spool).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments
        .retain(|path| path.is_file() && fs::read(path).unwrap().windows(7).any(|part| part == b"/before"));
    let torn = [40_u8, 0, 0, 0, 1, 2, 3];
    OpenOptions::new().append(true).open(&segments[0]).unwrap().write_all(&torn).unwrap();

    sidecar.start_again();
    assert_eq!(sample(&sidecar, "pactgate_evidence_repaired_bytes_total").await, torn.len() as f64);
    assert_eq!(get(&sidecar, "/after").await.status, 200);
    let records = delivered(&collector, 2).await;
    assert_eq!(records.len(), 2);
    assert_eq!(records[1]["data"]["gap"]["torn_bytes"], torn.len());
    collector.verify().await;
}
