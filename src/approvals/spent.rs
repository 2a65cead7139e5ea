//! Spent: the file that remembers which grants were used, so that a restart makes none good twice.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::domain::{ApprovalId, Timestamp};

/// First line of the file, before the nonce.
const MAGIC: &str = "pactgate-spent-1";
/// A file longer than this is not read; it starts anew, with a new nonce.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The grants that were used and could still be found again.
#[derive(Debug)]
pub(super) struct Spent {
    /// Part of every id. A new file has a new one, so that losing the file loses the old grants with it.
    pub(super) nonce: [u8; 16],
    /// Used ids, and until when each could come up again.
    used: Mutex<HashMap<ApprovalId, Timestamp>>,
    /// Appended to by one call at a time. `None`: kept in memory only.
    file: Option<Mutex<Journal>>,
}

#[derive(Debug)]
struct Journal {
    path: PathBuf,
    /// Open for appending; `None` after a write failed, because its tail can no longer be trusted.
    file: Option<File>,
    #[cfg(test)]
    failure: Option<std::io::Error>,
}

impl Spent {
    /// Remembers in memory only.
    pub(super) fn in_memory() -> Self {
        Self { nonce: fresh_nonce(), used: Mutex::default(), file: None }
    }

    /// Opens the file, dropping what can no longer come up. A missing or damaged one starts anew.
    pub(super) fn open(path: PathBuf, now: Timestamp) -> std::io::Result<Self> {
        let (nonce, mut used) = match read(&path) {
            Ok(Some(known)) => known,
            Ok(None) => (fresh_nonce(), HashMap::new()),
            Err(why) => {
                let file = path.display();
                tracing::error!(%file, why, "the file of spent grants is unusable; grants from before are void");
                (fresh_nonce(), HashMap::new())
            }
        };
        used.retain(|_, until| *until > now);
        let file = Some(rewrite(&path, &nonce, &used)?);
        Ok(Self { nonce, used: Mutex::new(used), file: Some(Mutex::new(Journal::new(path, file))) })
    }

    pub(super) fn is_used(&self, id: &ApprovalId) -> bool {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).contains_key(id)
    }

    /// Remembers in memory, at once.
    pub(super) fn mark(&self, id: &ApprovalId, until: Timestamp, now: Timestamp) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, until| *until > now);
        used.insert(id.clone(), until);
    }

    /// Remembers on disk. Blocks until the disk has it.
    pub(super) fn record(&self, id: &ApprovalId, until: Timestamp) -> std::io::Result<()> {
        let Some(journal) = &self.file else { return Ok(()) };
        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(test)]
        if let Some(failure) = journal.failure.take() {
            return Err(failure);
        }
        let mut file = match journal.file.take() {
            Some(file) => file,
            None => {
                let used = self.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
                rewrite(&journal.path, &self.nonce, &used)?
            }
        };
        file.write_all(format!("{} {id}\n", until.as_micros()).as_bytes())?;
        file.sync_data()?;
        journal.file = Some(file);
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn fail_next(&self, failure: std::io::Error) {
        if let Some(journal) = &self.file {
            journal.lock().unwrap().failure = Some(failure);
        }
    }
}

impl Journal {
    fn new(path: PathBuf, file: Option<File>) -> Self {
        Self {
            path,
            file,
            #[cfg(test)]
            failure: None,
        }
    }
}

fn fresh_nonce() -> [u8; 16] {
    uuid::Uuid::now_v7().into_bytes()
}

type Known = ([u8; 16], HashMap<ApprovalId, Timestamp>);

/// Reads the whole file; `None` when there is none. A last line without its end was cut off by a crash before
/// its call went out, and is dropped.
fn read(path: &Path) -> Result<Option<Known>, String> {
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    }
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err("it is too long".to_owned());
    }
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let mut lines = whole.split('\n');
    let nonce = lines
        .next()
        .and_then(|first| first.strip_prefix(MAGIC))
        .and_then(|hex| {
            let mut nonce = [0; 16];
            hex::decode_to_slice(hex.trim_start(), &mut nonce).ok().map(|()| nonce)
        })
        .ok_or("its first line is damaged")?;
    let used = lines.map(|line| parse(line).ok_or_else(|| "a line is damaged".to_owned()));
    Ok(Some((nonce, used.collect::<Result<_, _>>()?)))
}

fn parse(line: &str) -> Option<(ApprovalId, Timestamp)> {
    let (until, id) = line.split_once(' ')?;
    Some((ApprovalId::new(id).ok()?, Timestamp::from_micros(until.parse().ok()?)))
}

/// Replaces the file as a whole and leaves it open at its end.
fn rewrite(path: &Path, nonce: &[u8; 16], used: &HashMap<ApprovalId, Timestamp>) -> std::io::Result<File> {
    let mut text = format!("{MAGIC} {}\n", hex::encode(nonce));
    for (id, until) in used {
        text.push_str(&format!("{} {id}\n", until.as_micros()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fresh = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ApprovalId {
        ApprovalId::new(text).unwrap()
    }

    #[test]
    fn what_was_spent_stays_spent_until_it_cannot_come_up_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spent");
        let spent = Spent::open(path.clone(), Timestamp::from_micros(0)).unwrap();
        spent.record(&id("a"), Timestamp::from_micros(10)).unwrap();
        spent.record(&id("b"), Timestamp::from_micros(20)).unwrap();
        let again = Spent::open(path.clone(), Timestamp::from_micros(5)).unwrap();
        assert_eq!(again.nonce, spent.nonce);
        assert!(again.is_used(&id("a")) && again.is_used(&id("b")));
        let later = Spent::open(path, Timestamp::from_micros(10)).unwrap();
        assert!(!later.is_used(&id("a")) && later.is_used(&id("b")));
    }

    #[test]
    fn a_torn_tail_is_dropped_and_other_damage_voids_the_old_grants() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spent");
        let head = format!("{MAGIC} {}\n", "ab".repeat(16));
        let cases = [
            (format!("{head}10 a\n20 b"), true),
            (head.clone(), true),
            (format!("{head}10 a\nrubbish\n"), false),
            (String::new(), false),
            (format!("{MAGIC} 00\n"), false),
            ("something else\n".to_owned(), false),
        ];
        for (text, keeps_nonce) in cases {
            std::fs::write(&path, &text).unwrap();
            let spent = Spent::open(path.clone(), Timestamp::from_micros(0)).unwrap();
            assert_eq!(spent.nonce == [0xab; 16], keeps_nonce, "{text:?}");
            assert!(!spent.is_used(&id("b")), "{text:?}");
        }
    }
}
