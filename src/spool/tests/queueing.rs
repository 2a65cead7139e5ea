//! Places, order, acknowledgments, bounds.

use std::time::Duration;

use super::*;
use crate::evidence::RECORD_BYTES_MAX;

#[tokio::test]
async fn what_is_recorded_is_read_back_in_order_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, opened) = open(dir.path());
    assert_eq!((opened.resumed_at, opened.repaired_bytes, opened.after_crash), (0, 0, false));
    record(&recorder, 0..50).await;
    assert_eq!(numbers(&events(&recorder)), (0..50).collect::<Vec<_>>());
    drop(recorder);

    let (recorder, again) = open(dir.path());
    assert_eq!((again.resumed_at, again.repaired_bytes, again.after_crash), (50, 0, false));
    assert_eq!(again.source, opened.source);
    record(&recorder, 50..60).await;
    let all = events(&recorder);
    assert_eq!(numbers(&all), (0..60).collect::<Vec<_>>());
    assert!(all.iter().all(|event| event.gap.is_none()));
}

#[tokio::test]
async fn many_callers_leave_one_gapless_chain() {
    for sync in [Sync::Each, Sync::Batch, Sync::None] {
        let dir = tempfile::tempdir().unwrap();
        let (recorder, _) = Recorder::start(Settings { sync, ..settings(dir.path()) }, clock()).unwrap();
        let callers: Vec<_> = (0..8_u64)
            .map(|caller| {
                let recorder = Arc::clone(&recorder);
                std::thread::spawn(move || {
                    for n in 0..200 {
                        recorder.reserve().unwrap().record(settled(caller * 1000 + n));
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().unwrap();
        }
        recorder.flush().await.unwrap();
        let mut found = numbers(&events(&recorder));
        found.sort_unstable();
        let expected: Vec<_> = (0..8).flat_map(|caller| (0..200).map(move |n| caller * 1000 + n)).collect();
        assert_eq!(found, expected, "{sync:?}");
        assert_eq!((recorder.stats().outstanding, recorder.stats().written), (0, 1600));
    }
}

#[tokio::test]
async fn a_durable_record_is_on_disk_when_the_answer_comes() {
    for sync in [Sync::Each, Sync::Batch, Sync::None] {
        let dir = tempfile::tempdir().unwrap();
        let (recorder, _) = Recorder::start(Settings { sync, ..settings(dir.path()) }, clock()).unwrap();
        recorder.reserve().unwrap().record(settled(0));
        recorder.reserve().unwrap().record_durably(settled(1)).await.unwrap();
        // As `kill -9` would leave it: the folder as it is now, while the process still has it open.
        let copy = repair::copy_of(dir.path());
        let (survivor, opened) = open(copy.path());
        assert_eq!((opened.resumed_at, opened.after_crash), (2, true), "{sync:?}");
        record(&survivor, 2..3).await;
        let all = events(&survivor);
        assert_eq!(numbers(&all), vec![0, 1, 2]);
        assert!(all[2].gap.after_crash && !all[1].gap.after_crash);
    }
}

#[tokio::test]
async fn a_record_is_made_even_when_nobody_waits_for_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, _) = open(dir.path());
    drop(recorder.reserve().unwrap().record_durably(settled(0)));
    recorder.flush().await.unwrap();
    assert_eq!(numbers(&events(&recorder)), vec![0]);
}

#[tokio::test]
async fn places_are_bounded_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, _) = Recorder::start(Settings { queue_max: 2, ..settings(dir.path()) }, clock()).unwrap();
    let (first, second) = (recorder.reserve().unwrap(), recorder.reserve().unwrap());
    assert_eq!(recorder.reserve().unwrap_err(), Unavailable::QueueFull);
    assert_eq!(recorder.healthy(), Err(Unavailable::QueueFull));
    drop(first);
    second.record(settled(0));
    recorder.flush().await.unwrap();
    assert_eq!(recorder.stats().outstanding, 0);
    assert_eq!(recorder.stats().refused, 1);
    assert!(recorder.reserve().is_ok());
}

#[tokio::test]
async fn a_full_spool_denies_until_the_collector_has_taken_something() {
    let dir = tempfile::tempdir().unwrap();
    let segment_bytes = RECORD_BYTES_MAX as u64;
    let bytes_max = 5 * segment_bytes;
    let small = || Settings { segment_bytes, bytes_max, ..settings(dir.path()) };
    let (recorder, _) = Recorder::start(small(), clock()).unwrap();
    let mut count = 0;
    while let Ok(slot) = recorder.reserve() {
        slot.record(settled(count));
        recorder.flush().await.unwrap();
        count += 1;
    }
    assert_eq!(recorder.healthy(), Err(Unavailable::SpoolFull));
    let stats = recorder.stats();
    assert!(stats.disk_bytes <= bytes_max && stats.segments > 2, "{stats:?}");
    assert_eq!(stats.oldest_unacknowledged, Some(Duration::ZERO));

    let before = events(&recorder);
    recorder.acknowledge(count - 1);
    until(|| recorder.stats().segments == 1).await;
    record(&recorder, count..count + 1).await;
    let rest = events_after(&recorder, count - 1, before[before.len() - 2].hash);
    assert_eq!(numbers(&rest), vec![count - 1, count]);
    drop(recorder);

    let (recorder, opened) = Recorder::start(small(), clock()).unwrap();
    assert_eq!((opened.resumed_at, recorder.acknowledged()), (count + 1, count - 1));
}

#[tokio::test]
async fn when_told_to_drop_it_counts_and_the_next_record_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { queue_max: 1, when_full: WhenFull::Drop, ..settings(dir.path()) };
    let (recorder, _) = Recorder::start(settings, clock()).unwrap();
    let held = recorder.reserve().unwrap();
    recorder.reserve().unwrap().record(settled(8));
    let refused = recorder.reserve().unwrap().record_durably(settled(9)).await;
    assert_eq!(refused, Err(Unavailable::QueueFull));
    held.record(settled(0));
    recorder.flush().await.unwrap();
    record(&recorder, 1..2).await;
    let all = events(&recorder);
    assert_eq!(numbers(&all), vec![0, 1]);
    assert_eq!((all[0].gap.lost, all[1].gap.lost), (2, 0));
    assert_eq!(recorder.stats().dropped, 2);
}

#[tokio::test]
async fn an_acknowledgment_never_passes_what_is_durable_and_never_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, _) = open(dir.path());
    record(&recorder, 0..3).await;
    recorder.acknowledge(2);
    recorder.acknowledge(1);
    assert_eq!(recorder.acknowledged(), 2);
    recorder.acknowledge(99);
    assert_eq!(recorder.acknowledged(), 3);
    assert_eq!(recorder.stats().oldest_unacknowledged, None);
}

#[tokio::test]
async fn a_reader_is_woken_by_new_records() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, _) = open(dir.path());
    let reader = Arc::clone(&recorder);
    let woken = tokio::spawn(async move {
        reader.wait_new(1).await;
        reader.durable()
    });
    record(&recorder, 0..1).await;
    assert!(!woken.is_finished());
    record(&recorder, 1..2).await;
    assert_eq!(woken.await.unwrap(), 2);
}

#[tokio::test]
async fn reading_goes_on_across_segments_while_they_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let segment_bytes = RECORD_BYTES_MAX as u64;
    let (recorder, _) = Recorder::start(Settings { segment_bytes, ..settings(dir.path()) }, clock()).unwrap();
    let mut verifier = Verifier::new();
    for n in 0..150 {
        record(&recorder, n..n + 1).await;
        for entry in recorder.read_after(verifier.sequence(), 1, usize::MAX).unwrap() {
            verifier.push(&entry.bytes).unwrap();
        }
    }
    assert_eq!(verifier.sequence(), 150);
    assert!(recorder.stats().segments > 2);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let bad = [
        Settings { queue_max: 0, ..settings(dir.path()) },
        Settings { segment_bytes: 100, ..settings(dir.path()) },
        Settings { bytes_max: 32 << 20, ..settings(dir.path()) },
    ];
    for settings in bad {
        assert!(matches!(Recorder::start(settings, clock()), Err(SpoolError::Settings { .. })));
    }
}

#[tokio::test]
async fn a_closed_spool_takes_nothing_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, _) = open(dir.path());
    let slot = recorder.reserve().unwrap();
    drop(recorder);
    assert_eq!(slot.record_durably(settled(0)).await, Err(Unavailable::Closed));
}
