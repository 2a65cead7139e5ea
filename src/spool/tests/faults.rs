//! A disk that fails, before and after it has done what it was asked.

use std::io;
use std::sync::{Mutex, PoisonError};

use super::*;
use crate::evidence::RECORD_BYTES_MAX;
use crate::spool::disk::{Disk, Folder};
use crate::spool::note::Note;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    BeginSegment,
    Append,
    Sync,
    Cut,
    WriteNote,
    RemoveSegment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Before,
    HalfWay,
    After,
}

/// What fails from now on, and how often.
#[derive(Debug, Default)]
struct Plan {
    failing: Vec<(Operation, Moment, io::ErrorKind)>,
    left: usize,
}

struct Faulty {
    folder: Folder,
    plan: Arc<Mutex<Plan>>,
}

impl Faulty {
    fn act<T>(
        &mut self,
        operation: Operation,
        half: impl FnOnce(&mut Folder),
        whole: impl FnOnce(&mut Folder) -> io::Result<T>,
    ) -> io::Result<T> {
        let fault = {
            let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
            let fault = plan.failing.iter().find(|(failing, ..)| *failing == operation).copied();
            fault.filter(|_| {
                plan.left = plan.left.saturating_sub(1);
                plan.left > 0
            })
        };
        match fault {
            None => whole(&mut self.folder),
            Some((_, Moment::Before, kind)) => Err(kind.into()),
            Some((_, Moment::HalfWay, kind)) => {
                half(&mut self.folder);
                Err(kind.into())
            }
            Some((_, Moment::After, kind)) => {
                let _ = whole(&mut self.folder);
                Err(kind.into())
            }
        }
    }
}

impl Disk for Faulty {
    fn begin_segment(&mut self, first: u64, header: &[u8]) -> io::Result<()> {
        self.act(Operation::BeginSegment, |_| (), |folder| folder.begin_segment(first, header))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let half = |folder: &mut Folder| folder.append(&bytes[..bytes.len() / 2]).unwrap();
        self.act(Operation::Append, half, |folder| folder.append(bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.act(Operation::Sync, |_| (), Folder::sync)
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.act(Operation::Cut, |_| (), |folder| folder.cut(bytes))
    }

    fn write_note(&mut self, name: &str, note: Note) -> io::Result<()> {
        self.act(Operation::WriteNote, |_| (), |folder| folder.write_note(name, note))
    }

    fn remove_note(&mut self, name: &str) -> io::Result<()> {
        self.folder.remove_note(name)
    }

    fn remove_segment(&mut self, first: u64) -> io::Result<()> {
        self.act(Operation::RemoveSegment, |_| (), |folder| folder.remove_segment(first))
    }
}

fn open_faulty(settings: Settings) -> (Arc<Recorder>, Arc<Mutex<Plan>>) {
    let plan = Arc::new(Mutex::new(Plan::default()));
    let shared = Arc::clone(&plan);
    let (recorder, _) =
        Recorder::start_on(settings, clock(), |folder| Box::new(Faulty { folder, plan: shared })).unwrap();
    (recorder, plan)
}

fn fail(plan: &Mutex<Plan>, failing: &[(Operation, Moment, io::ErrorKind)], times: usize) {
    *plan.lock().unwrap() = Plan { failing: failing.to_vec(), left: times.saturating_add(1) };
}

/// Every operation fails in every way, several times over; the log is whole all the same, now and after a restart.
#[tokio::test]
async fn nothing_that_got_a_place_is_lost_and_nothing_is_recorded_twice() {
    use Moment::{After, Before, HalfWay};
    use Operation::{Append, BeginSegment, Cut, RemoveSegment, Sync, WriteNote};
    let eio = io::ErrorKind::Other;
    let full = io::ErrorKind::StorageFull;
    let table: &[&[(Operation, Moment, io::ErrorKind)]] = &[
        &[(Append, Before, full)],
        &[(Append, HalfWay, full)],
        &[(Append, After, eio)],
        &[(Sync, Before, eio)],
        &[(Sync, After, eio)],
        &[(BeginSegment, Before, full)],
        &[(BeginSegment, After, eio)],
        &[(Append, HalfWay, eio), (Cut, Before, eio)],
        &[(Append, After, eio), (Cut, After, eio)],
        &[(Sync, After, eio), (Cut, Before, eio), (BeginSegment, After, eio)],
        &[(WriteNote, Before, full)],
        &[(WriteNote, After, eio)],
        &[(RemoveSegment, Before, eio)],
        &[(RemoveSegment, After, eio)],
    ];
    for failing in table {
        for times in 1..4 {
            let dir = tempfile::tempdir().unwrap();
            let small = Settings { segment_bytes: RECORD_BYTES_MAX as u64, ..settings(dir.path()) };
            let (recorder, plan) = open_faulty(small);
            record(&recorder, 0..60).await;
            fail(&plan, failing, times);
            for n in (60..120).step_by(5) {
                // Places first: the disk may fail as soon as the first of them is used.
                let slots: Vec<_> = (n..n + 5).map(|n| (n, recorder.reserve().unwrap())).collect();
                slots.into_iter().for_each(|(n, slot)| slot.record(settled(n)));
                recorder.acknowledge(n / 2);
                // The disk may be failing just now.
                while recorder.flush().await.is_err() {
                    until(|| recorder.healthy().is_ok()).await;
                }
            }
            let gone = recorder.read_after(0, 1, 1).unwrap()[0].sequence;
            assert!(gone <= recorder.acknowledged() + 1);
            let all = rest_of(&recorder);
            assert_eq!(all.last(), Some(&119), "{failing:?} {times}");
            drop(recorder);
            let (recorder, opened) = open(dir.path());
            assert_eq!(opened.resumed_at, 120, "{failing:?} {times}");
            // The last thing to fail may have been the note that it was closed.
            let may_be_unclosed = failing.iter().any(|(operation, ..)| *operation == WriteNote);
            assert!(may_be_unclosed || !opened.after_crash, "{failing:?} {times}");
            assert_eq!(rest_of(&recorder).last(), Some(&119), "{failing:?} {times}");
        }
    }
}

/// The numbers of all records that the collector does not have, each checked against the one before. What it has may
/// be removed while this reads.
fn rest_of(recorder: &Recorder) -> Vec<u64> {
    let first = recorder.read_after(recorder.acknowledged(), 1, 1).unwrap();
    let event = crate::evidence::read(&first[0].bytes).unwrap();
    let mut all = numbers(std::slice::from_ref(&event));
    all.extend(numbers(&events_after(recorder, event.sequence, event.hash)));
    all
}

#[tokio::test]
async fn a_crash_while_the_disk_fails_leaves_a_log_that_can_be_continued() {
    for failing in [
        [
            (Operation::Append, Moment::HalfWay, io::ErrorKind::Other),
            (Operation::Cut, Moment::Before, io::ErrorKind::Other),
        ],
        [
            (Operation::Sync, Moment::After, io::ErrorKind::Other),
            (Operation::BeginSegment, Moment::After, io::ErrorKind::Other),
        ],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (recorder, plan) = open_faulty(settings(dir.path()));
        record(&recorder, 0..5).await;
        fail(&plan, &failing, usize::MAX - 1);
        recorder.reserve().unwrap().record(settled(5));
        until(|| recorder.healthy().is_err()).await;
        let copy = repair::copy_of(dir.path());
        let (survivor, opened) = open(copy.path());
        assert!(opened.after_crash && (5..=6).contains(&opened.resumed_at), "{opened:?}");
        record(&survivor, 6..7).await;
        assert!(numbers(&events(&survivor)).starts_with(&[0, 1, 2, 3, 4]));
    }
}

#[tokio::test]
async fn a_failing_disk_denies_and_heals_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, plan) = open_faulty(settings(dir.path()));
    fail(&plan, &[(Operation::Sync, Moment::Before, io::ErrorKind::StorageFull)], 3);
    let (before, held) = (recorder.reserve().unwrap(), recorder.reserve().unwrap());
    assert_eq!(before.record_durably(settled(0)).await, Err(Unavailable::DiskFull));
    assert_eq!(recorder.reserve().unwrap_err(), Unavailable::DiskFull);
    // Who had a place before still records, and is told at once that it is not durable.
    assert_eq!(held.record_durably(settled(1)).await, Err(Unavailable::DiskFull));
    assert_eq!(recorder.flush().await, Err(Unavailable::DiskFull));
    until(|| recorder.healthy().is_ok()).await;
    record(&recorder, 2..3).await;
    let all = events(&recorder);
    assert_eq!(numbers(&all), vec![0, 1, 2]);
    assert!(all.iter().all(|event| event.gap.is_none()));
    assert!(recorder.stats().disk_errors >= 3);
}

#[tokio::test]
async fn when_told_to_drop_a_failing_disk_costs_records_and_never_silently() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, plan) = open_faulty(Settings { when_full: WhenFull::Drop, ..settings(dir.path()) });
    fail(&plan, &[(Operation::Append, Moment::HalfWay, io::ErrorKind::Other)], 3);
    recorder.reserve().unwrap().record(settled(0));
    until(|| recorder.healthy().is_err()).await;
    recorder.reserve().unwrap().record(settled(1));
    recorder.reserve().unwrap().record(settled(2));
    until(|| recorder.healthy().is_ok()).await;
    record(&recorder, 3..4).await;
    let all = events(&recorder);
    assert_eq!(numbers(&all), vec![0, 3]);
    assert_eq!(all[1].gap.lost, 2);
}

#[tokio::test]
async fn a_spool_that_ends_on_a_failing_disk_is_not_closed_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, plan) = open_faulty(settings(dir.path()));
    record(&recorder, 0..2).await;
    fail(&plan, &[(Operation::Sync, Moment::Before, io::ErrorKind::Other)], usize::MAX - 1);
    recorder.reserve().unwrap().record(settled(2));
    drop(recorder);
    let (_, opened) = open(dir.path());
    assert!(opened.after_crash);
}
