//! Keeper: the thread that writes the pins to disk, so that listing tools never waits for a disk.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::pins::saved;
use crate::pins::table::Table;

/// Writes the table whenever it is woken. Dropping it waits for the last write.
#[derive(Debug)]
pub(super) struct Keeper {
    wakes: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    file: Arc<KeptFile>,
}

/// The file, written by one at a time: what is written later was also taken from the table later.
#[derive(Debug)]
struct KeptFile {
    path: PathBuf,
    turn: Mutex<()>,
}

impl KeptFile {
    /// Takes the table as it is when its turn comes, and writes that.
    fn write(&self, table: &Mutex<Table>) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let text = saved::text(&table.lock().unwrap_or_else(PoisonError::into_inner))?;
        saved::write(&self.path, &text)
    }
}

impl Keeper {
    pub(super) fn start(path: PathBuf, table: Arc<Mutex<Table>>) -> Self {
        let file = Arc::new(KeptFile { path, turn: Mutex::new(()) });
        let kept = Arc::clone(&file);
        // One place is enough: a wake that is waiting covers every change made before it is taken.
        let (sender, receiver) = sync_channel(1);
        let spawned = std::thread::Builder::new()
            .name("pin-keeper".to_owned())
            .spawn(move || keep(&receiver, &kept, &table));
        if let Err(error) = &spawned {
            tracing::error!(%error, "no thread to write the pins of tools; they are lost when the process ends");
        }
        Self { wakes: Some(sender), thread: spawned.ok(), file }
    }

    /// Writes the table now.
    pub(super) fn write(&self, table: &Mutex<Table>) -> io::Result<()> {
        self.file.write(table)
    }

    /// Asks for the table to be written.
    pub(super) fn wake(&self) {
        if let Some(wakes) = &self.wakes {
            let _ = wakes.try_send(());
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.wakes.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn keep(wakes: &Receiver<()>, file: &KeptFile, table: &Mutex<Table>) {
    while wakes.recv().is_ok() {
        if let Err(error) = file.write(table) {
            let file = file.path.display();
            tracing::error!(%file, %error, "the pins of tools were not written; a restart would forget the newest");
        }
    }
}
