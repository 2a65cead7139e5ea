//! Watch: tells when files that a config depends on have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::domain::Digest;

/// After a first event, so long is waited for more: editors and `kubectl` write in several steps.
const SETTLE: Duration = Duration::from_millis(250);
/// How often contents are compared whether or not an event came: the kernel may drop events, and network file
/// systems send none.
const POLL_EVERY: Duration = Duration::from_secs(10);
/// Files that are compared.
const FILES_MAX: usize = 10_000;
/// Folders inside a watched folder that are looked into.
const DEPTH_MAX: usize = 8;
/// Bytes of a file that are compared. No config or pact is longer.
const FILE_BYTES_MAX: u64 = 4 * 1_024 * 1_024;

/// Watches files and folders by what they contain.
///
/// Events are only a hint to look again: what counts is whether the bytes differ. A ConfigMap changes by swapping
/// the link `..data` in the folder of the file, which no event on the file itself tells; so folders are watched, and
/// every file is read again under its own name.
#[derive(Debug)]
pub struct Watcher {
    paths: Vec<PathBuf>,
    seen: Contents,
    hints: mpsc::Receiver<()>,
    /// Dropped with this; then no more hints come. Without it, contents are compared every ten seconds.
    system: Option<RecommendedWatcher>,
    /// Why there is no such thing.
    hindrance: Option<notify::Error>,
}

/// What files contain: a digest each, or nothing for one that cannot be read.
type Contents = BTreeMap<PathBuf, Option<Digest>>;

impl Watcher {
    /// Starts to watch these files and folders, as they are now. What does not exist yet is watched too; what the
    /// system cannot watch is compared every ten seconds.
    #[must_use]
    pub fn start(paths: Vec<PathBuf>) -> Self {
        // One place is enough: a hint that waits stands for all that follow it.
        let (sender, hints) = mpsc::channel(1);
        let system = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if !event.is_ok_and(|event| event.kind.is_access()) {
                let _ = sender.try_send(());
            }
        });
        // Nodes with many pods run out of inotify instances.
        let (system, hindrance) = match system {
            Ok(system) => (Some(system), None),
            Err(why) => (None, Some(why)),
        };
        let mut watcher = Self { paths, seen: Contents::new(), hints, system, hindrance };
        watcher.watch_folders();
        watcher.seen = contents(&watcher.paths);
        watcher
    }

    /// Why the system watches nothing at all, so that changes are noticed within ten seconds and not at once.
    #[must_use]
    pub fn hindrance(&self) -> Option<&dyn std::error::Error> {
        self.hindrance.as_ref().map(|why| why as &dyn std::error::Error)
    }

    /// Waits until something differs from what was there when this was last called (or at the start), and tells
    /// which files: changed, new or gone. Safe to drop while it waits.
    pub async fn changed(&mut self) -> Vec<PathBuf> {
        loop {
            match tokio::time::timeout(POLL_EVERY, self.hints.recv()).await {
                Ok(Some(())) => {
                    tokio::time::sleep(SETTLE).await;
                    let _ = self.hints.try_recv();
                }
                // No more hints will come; without this the loop would spin.
                Ok(None) => tokio::time::sleep(POLL_EVERY).await,
                Err(_) => {}
            }
            let changed = self.look().await;
            if !changed.is_empty() {
                return changed;
            }
        }
    }

    /// What differs right now from what was there at the last look. To be asked after the files were read: what
    /// changed in between, and was changed back later, would otherwise never be told.
    pub async fn look(&mut self) -> Vec<PathBuf> {
        let paths = self.paths.clone();
        let Ok(now) = tokio::task::spawn_blocking(move || contents(&paths)).await else { return Vec::new() };
        let changed = differences(&self.seen, &now);
        if !changed.is_empty() {
            self.seen = now;
            self.watch_folders();
        }
        changed
    }

    /// Watches other files and folders from now on, such as after a config names others. What they contain now
    /// counts as seen.
    pub fn replace(&mut self, paths: Vec<PathBuf>) {
        self.seen = contents(&paths);
        self.paths = paths;
        self.watch_folders();
    }

    fn watch_folders(&mut self) {
        let Some(system) = &mut self.system else { return };
        let mut folders = BTreeSet::new();
        for path in &self.paths {
            folders.extend(path.parent().map(Path::to_owned));
            gather_folders(path, 0, &mut folders);
        }
        for folder in folders {
            if let Err(error) = system.watch(&folder, RecursiveMode::NonRecursive) {
                let folder = folder.display();
                tracing::debug!(%folder, %error, "folder is not watched; its files are compared now and then");
            }
        }
    }
}

fn gather_folders(path: &Path, depth: usize, folders: &mut BTreeSet<PathBuf>) {
    if depth > DEPTH_MAX || folders.len() >= FILES_MAX || !path.is_dir() {
        return;
    }
    folders.insert(path.to_owned());
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        gather_folders(&entry.path(), depth + 1, folders);
    }
}

fn contents(paths: &[PathBuf]) -> Contents {
    let mut all = Contents::new();
    for path in paths {
        read_into(&mut all, path, 0);
    }
    all
}

fn read_into(all: &mut Contents, path: &Path, depth: usize) {
    if depth > DEPTH_MAX || all.len() >= FILES_MAX {
        return;
    }
    if !path.is_dir() {
        all.insert(path.to_owned(), digest(path));
        return;
    }
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        // The files of a ConfigMap stand in the folder under their own names; `..data` and what it points to hold
        // them a second time.
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            read_into(all, &entry.path(), depth + 1);
        }
    }
}

fn digest(path: &Path) -> Option<Digest> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(Digest::of(&bytes))
}

fn differences(before: &Contents, now: &Contents) -> Vec<PathBuf> {
    let changed =
        now.iter().filter(|(path, digest)| before.get(*path) != Some(*digest)).map(|(path, _)| path);
    let gone = before.keys().filter(|path| !now.contains_key(*path));
    changed.chain(gone).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    async fn next(watcher: &mut Watcher) -> Vec<String> {
        let changed =
            tokio::time::timeout(Duration::from_secs(30), watcher.changed()).await.expect("a change");
        changed.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[tokio::test]
    async fn files_that_change_appear_and_vanish_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let pacts = folder.path().join("pacts");
        fs::create_dir(&pacts).unwrap();
        let config = folder.path().join("sidecar.yaml");
        fs::write(&config, "a").unwrap();
        fs::write(pacts.join("one.yaml"), "a").unwrap();
        let mut watcher = Watcher::start(vec![config.clone(), pacts.clone()]);
        fs::write(&config, "b").unwrap();
        assert_eq!(next(&mut watcher).await, ["sidecar.yaml"]);
        fs::write(pacts.join("two.yaml"), "a").unwrap();
        assert_eq!(next(&mut watcher).await, ["two.yaml"]);
        fs::remove_file(pacts.join("one.yaml")).unwrap();
        assert_eq!(next(&mut watcher).await, ["one.yaml"]);
        fs::create_dir(pacts.join("more")).unwrap();
        fs::write(pacts.join("more").join("three.yaml"), "a").unwrap();
        assert_eq!(next(&mut watcher).await, ["three.yaml"]);
    }

    /// What Kubernetes does: files are links through `..data`, and one rename swaps all of them.
    #[tokio::test]
    async fn a_config_map_swap_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mount = folder.path();
        let write = |version: &str, text: &str| {
            fs::create_dir(mount.join(version)).unwrap();
            fs::write(mount.join(version).join("pact.yaml"), text).unwrap();
        };
        write("..v1", "old");
        symlink("..v1", mount.join("..data")).unwrap();
        symlink("..data/pact.yaml", mount.join("pact.yaml")).unwrap();
        for watched in [mount.to_owned(), mount.join("pact.yaml")] {
            let mut watcher = Watcher::start(vec![watched]);
            let version = format!("..v{}", fs::read_dir(mount).unwrap().count());
            write(&version, &version);
            symlink(&version, mount.join("..data_tmp")).unwrap();
            fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
            assert_eq!(next(&mut watcher).await, ["pact.yaml"]);
        }
    }

    #[tokio::test]
    async fn what_changes_while_it_is_read_is_told_by_the_next_look() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pact.yaml");
        fs::write(&file, "good").unwrap();
        let mut watcher = Watcher::start(vec![file.clone()]);
        assert!(watcher.look().await.is_empty());
        fs::write(&file, "bad").unwrap();
        assert_eq!(watcher.look().await, std::slice::from_ref(&file));
        fs::write(&file, "good").unwrap();
        assert_eq!(next(&mut watcher).await, ["pact.yaml"]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_any_event_contents_are_compared_now_and_then() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pact.yaml");
        fs::write(&file, "old").unwrap();
        let mut watcher = Watcher::start(vec![file.clone()]);
        watcher.system = None;
        fs::write(&file, "new").unwrap();
        assert_eq!(next(&mut watcher).await, ["pact.yaml"]);
    }

    #[tokio::test]
    async fn what_is_written_again_unchanged_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pact.yaml");
        fs::write(&file, "same").unwrap();
        let mut watcher = Watcher::start(vec![file.clone()]);
        fs::write(&file, "same").unwrap();
        let quiet = tokio::time::timeout(SETTLE * 3, watcher.changed()).await;
        assert!(quiet.is_err());
    }
}
