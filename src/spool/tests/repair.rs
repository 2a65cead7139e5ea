//! Every state in which a spool can be found, and what is made of it.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::spool::segment::{FRAME_BYTES, HEADER_BYTES};
use crate::spool::writer::UNSYNCED_BYTES_MAX;

/// The folder as it is now: what `kill -9` would leave.
pub(super) fn copy_of(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("00000000000000000001.segment")
}

/// A spool with three records that was never closed.
async fn unclosed() -> (tempfile::TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, _) = open(dir.path());
    record(&recorder, 0..3).await;
    let copy = copy_of(dir.path());
    let bytes = fs::read(segment(copy.path())).unwrap();
    (copy, bytes)
}

fn refused(dir: &Path) -> SpoolError {
    Recorder::start(settings(dir), clock()).unwrap_err()
}

/// Where the last frame begins, and each frame's length.
fn last_frame(bytes: &[u8]) -> usize {
    let mut at = HEADER_BYTES;
    loop {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let next = at + FRAME_BYTES + length;
        if next == bytes.len() {
            return at;
        }
        at = next;
    }
}

/// Opens, checks that exactly `kept` records are left, and that the next one tells of `torn` bytes.
async fn check_repaired(dir: &Path, kept: u64, torn: u64, what: &str) {
    let (recorder, opened) = open(dir);
    assert_eq!((opened.resumed_at, opened.repaired_bytes), (kept, torn), "{what}");
    assert!(opened.after_crash, "{what}");
    record(&recorder, 90..91).await;
    let all = events(&recorder);
    assert_eq!(all.len() as u64, kept + 1, "{what}");
    let gap = all.last().unwrap().gap;
    assert_eq!((gap.after_crash, gap.torn_bytes), (true, torn), "{what}");
    drop(recorder);
    let (_, again) = open(dir);
    assert!(!again.after_crash && again.repaired_bytes == 0, "{what}");
}

#[tokio::test]
async fn a_write_cut_at_any_byte_costs_only_the_record_it_held() {
    let (dir, bytes) = unclosed().await;
    let start = last_frame(&bytes);
    for cut in (start..bytes.len()).step_by(61).chain([start + 1, start + 7, start + 8, bytes.len() - 1]) {
        let copy = copy_of(dir.path());
        fs::write(segment(copy.path()), &bytes[..cut]).unwrap();
        check_repaired(copy.path(), 2, (cut - start) as u64, &format!("cut at {cut}")).await;
    }
}

#[tokio::test]
async fn any_changed_byte_of_the_last_write_is_found() {
    let (dir, bytes) = unclosed().await;
    let start = last_frame(&bytes);
    for at in (start..bytes.len()).step_by(61).chain(start..start + FRAME_BYTES) {
        let copy = copy_of(dir.path());
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        fs::write(segment(copy.path()), &changed).unwrap();
        check_repaired(copy.path(), 2, (bytes.len() - start) as u64, &format!("changed at {at}")).await;
    }
}

#[tokio::test]
async fn zeros_at_the_end_are_no_records() {
    for zeros in [1, 7, 8, 4096] {
        let (dir, mut bytes) = unclosed().await;
        bytes.extend(vec![0; zeros]);
        fs::write(segment(dir.path()), &bytes).unwrap();
        check_repaired(dir.path(), 3, zeros as u64, &format!("{zeros} zeros")).await;
    }
}

#[tokio::test]
async fn damage_further_back_than_a_write_reaches_is_an_error_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, _) = open(dir.path());
    record(&recorder, 0..3000).await;
    let copy = copy_of(dir.path());
    let mut bytes = fs::read(segment(copy.path())).unwrap();
    assert!(bytes.len() > UNSYNCED_BYTES_MAX + 1000);
    bytes[HEADER_BYTES + 100] ^= 1;
    fs::write(segment(copy.path()), &bytes).unwrap();
    let problem = refused(copy.path());
    assert!(
        matches!(problem, SpoolError::Corrupt { offset, .. } if offset == HEADER_BYTES as u64),
        "{problem}"
    );
    assert!(problem.to_string().contains("00000000000000000001.segment` is damaged at byte 72"), "{problem}");
}

#[tokio::test]
async fn a_closed_log_must_end_as_it_was_closed() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, _) = open(dir.path());
    record(&recorder, 0..3).await;
    drop(recorder);
    let bytes = fs::read(segment(dir.path())).unwrap();
    let start = last_frame(&bytes);
    fs::write(segment(dir.path()), &bytes[..start]).unwrap();
    assert!(matches!(refused(dir.path()), SpoolError::Missing { sequence: 3, .. }));
    fs::write(segment(dir.path()), &bytes[..start + 9]).unwrap();
    assert!(matches!(refused(dir.path()), SpoolError::Corrupt { .. }));
    fs::remove_file(segment(dir.path())).unwrap();
    assert!(matches!(refused(dir.path()), SpoolError::Missing { sequence: 3, .. }));
}

#[tokio::test]
async fn what_the_collector_has_must_be_there_or_before() {
    let (dir, bytes) = unclosed().await;
    let (recorder, opened) = open(dir.path());
    recorder.acknowledge(3);
    drop(recorder);
    assert!(!dir.path().join("closed").exists(), "the crash before has not been told yet");
    fs::write(segment(dir.path()), &bytes[..last_frame(&bytes)]).unwrap();
    assert!(matches!(refused(dir.path()), SpoolError::Missing { sequence: 3, .. }));
    // Without the note nobody knows better, and the collector will say what it has.
    fs::write(dir.path().join("acknowledged"), "nonsense").unwrap();
    let (recorder, again) = open(dir.path());
    assert_eq!((again.resumed_at, recorder.acknowledged()), (2, 0));
    assert_eq!(again.source, opened.source);
}

#[tokio::test]
async fn headers_are_checked() {
    let (dir, bytes) = unclosed().await;
    for at in 0..HEADER_BYTES {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(segment(dir.path()), &changed).unwrap();
        let problem = refused(dir.path());
        match at {
            8..12 => assert!(matches!(problem, SpoolError::Newer { known: 1, .. }), "{at}: {problem}"),
            _ => assert!(matches!(problem, SpoolError::Corrupt { offset: 0, .. }), "{at}: {problem}"),
        }
    }
    fs::write(segment(dir.path()), b"not a segment").unwrap();
    assert!(matches!(refused(dir.path()), SpoolError::Corrupt { offset: 0, .. }));
    fs::write(segment(dir.path()), b"").unwrap();
    assert!(matches!(refused(dir.path()), SpoolError::Corrupt { offset: 0, .. }));
}

#[tokio::test]
async fn a_folder_belongs_to_one_process_and_one_sidecar() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, _) = open(dir.path());
    assert!(matches!(refused(dir.path()), SpoolError::Locked { .. }));
    drop(recorder);
    let source = SidecarId::new("checkout-2").unwrap();
    let problem = Recorder::start(Settings { source, ..settings(dir.path()) }, clock()).unwrap_err();
    assert!(matches!(problem, SpoolError::Foreign { .. }), "{problem}");
    open(dir.path());
}

#[tokio::test]
async fn a_file_that_was_being_made_is_removed_and_others_are_left_alone() {
    let (dir, _) = unclosed().await;
    let (half, other) = (dir.path().join("00000000000000000004.segment.new"), dir.path().join("notes.txt"));
    fs::write(&half, b"half a header").unwrap();
    fs::write(&other, b"mine").unwrap();
    let (_, opened) = open(dir.path());
    assert_eq!(opened.resumed_at, 3);
    assert!(!half.exists() && other.exists());
}

#[tokio::test]
async fn a_crash_is_told_even_when_the_next_run_records_nothing() {
    let (dir, _) = unclosed().await;
    drop(open(dir.path()));
    let (recorder, opened) = open(dir.path());
    assert!(opened.after_crash);
    record(&recorder, 3..4).await;
    assert!(events(&recorder)[3].gap.after_crash);
}

#[tokio::test]
async fn bytes_that_change_while_the_spool_is_open_are_found_when_they_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let (recorder, _) = open(dir.path());
    record(&recorder, 0..3).await;
    let mut bytes = fs::read(segment(dir.path())).unwrap();
    let at = last_frame(&bytes);
    bytes[at + 20] ^= 1;
    fs::write(segment(dir.path()), &bytes).unwrap();
    let problem = recorder.read_after(0, 10, usize::MAX).unwrap_err();
    assert!(matches!(problem, SpoolError::Corrupt { offset, .. } if offset == at as u64), "{problem}");
}

#[tokio::test]
async fn a_folder_nobody_else_may_look_into() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/spool");
    let (recorder, _) = open(&dir);
    record(&recorder, 0..1).await;
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(segment(&dir)).unwrap().permissions().mode() & 0o777, 0o600);
}
