//! Pins: the table, shared by whoever lists, calls and accepts tools.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::{AgentId, Digest, SharedClock, Timestamp, UpstreamName};
use crate::pins::keeper::Keeper;
use crate::pins::saved;

/// Pins of one server, so that no server takes the places of another.
pub(super) const TOOLS_MAX: usize = 4_096;
/// Pins of all servers.
pub(super) const PINS_MAX: usize = 65_536;
/// A tool that goes on changing is told of no more often than this.
const TOLD_EVERY: Duration = Duration::from_secs(3_600);

pub(super) type Table = HashMap<UpstreamName, BTreeMap<String, Pin>>;

/// What is known of one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Digest of the definition that counts.
    pub pinned: Digest,
    /// When that one was first seen, or accepted.
    pub since: Timestamp,
    /// Digest of the newest definition.
    pub seen: Digest,
    /// When another one than the pinned came; `None` while none has, and once somebody has accepted it.
    pub changed: Option<Timestamp>,
    /// The agent that the newest change was shown to, while nobody has been told of it.
    pub(super) untold: Option<AgentId>,
    /// When somebody was last told.
    pub(super) told: Option<Timestamp>,
}

/// What a definition was to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is the first one of its tool, and pinned now.
    First,
    /// It is the pinned one, and no other came since.
    Same,
    /// The tool has changed, and nobody has accepted that.
    Changed {
        /// The definition that counts.
        pinned: Digest,
        /// Whether the definition at hand is another one than the last.
        is_news: bool,
    },
    /// There is no place for it.
    Full,
}

/// A change that nobody was told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The agent that listed the tool.
    pub agent: AgentId,
    /// The MCP server.
    pub server: UpstreamName,
    /// The tool.
    pub tool: String,
    /// Digest of the definition that counts.
    pub pinned: Digest,
    /// Digest of the newest one.
    pub seen: Digest,
}

/// Why a definition was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// Nobody has listed it.
    #[error("no such tool was ever listed")]
    Unknown,
    /// It has changed once more.
    #[error("its newest definition is `{seen}` by now; look at it, and accept that one")]
    Another {
        /// Digest of the newest definition.
        seen: Digest,
    },
    /// It is not written down, and does not count.
    #[error("it cannot be written down")]
    Unwritten(#[source] io::Error),
}

/// The pins of all tools. Safe to share; every method is short, and only [`Pins::accept`] waits for a disk.
#[derive(Debug)]
pub struct Pins {
    table: Arc<Mutex<Table>>,
    /// How many tools have changed, to be asked without waiting.
    changed: AtomicUsize,
    clock: SharedClock,
    news: Notify,
    keeper: Option<Keeper>,
}

impl Pins {
    /// Remembers in memory alone.
    #[must_use]
    pub fn in_memory(clock: SharedClock) -> Self {
        Self::of(Table::new(), clock, None)
    }

    /// Reads the file, and keeps it. One that cannot be used is set aside, and every tool is pinned anew.
    ///
    /// # Errors
    /// When the file cannot be read, or not be set aside.
    pub fn open(file: PathBuf, clock: SharedClock) -> io::Result<Self> {
        let table = match saved::load(&file)? {
            saved::Loaded::Table(table) => table,
            saved::Loaded::Nothing => Table::new(),
            saved::Loaded::Unusable(why) => {
                let aside = file.with_extension("broken");
                std::fs::rename(&file, &aside)?;
                tracing::error!(
                    file = %file.display(), aside = %aside.display(), why,
                    "the pins of tools cannot be read and are set aside; every tool is pinned anew when it is \
                     next listed, and changes until then go unseen"
                );
                Table::new()
            }
        };
        Ok(Self::of(table, clock, Some(file)))
    }

    fn of(table: Table, clock: SharedClock, file: Option<PathBuf>) -> Self {
        let changed = table.values().flat_map(BTreeMap::values).filter(|pin| pin.changed.is_some()).count();
        let table = Arc::new(Mutex::new(table));
        let keeper = file.map(|file| Keeper::start(file, Arc::clone(&table)));
        Self { table, changed: AtomicUsize::new(changed), clock, news: Notify::new(), keeper }
    }

    /// Compares a definition that the agent is about to see with the pinned one; pins it if there is none.
    pub fn see(&self, agent: &AgentId, server: &UpstreamName, tool: &str, definition: Digest) -> Seen {
        let now = self.clock.now();
        let mut table = self.lock();
        let Some(pin) = table.get_mut(server).and_then(|tools| tools.get_mut(tool)) else {
            let is_full = table.get(server).is_some_and(|tools| tools.len() >= TOOLS_MAX)
                || table.values().map(BTreeMap::len).sum::<usize>() >= PINS_MAX;
            if is_full {
                return Seen::Full;
            }
            let tools = table.entry(server.clone()).or_default();
            tools.insert(tool.to_owned(), Pin::first(definition, now));
            drop(table);
            self.keep();
            return Seen::First;
        };
        if pin.seen == definition {
            let pinned = pin.pinned;
            return if pin.changed.is_some() { Seen::Changed { pinned, is_news: false } } else { Seen::Same };
        }
        let pinned = pin.pinned;
        pin.seen = definition;
        if pin.changed.is_none() {
            pin.changed = Some(now);
            self.changed.fetch_add(1, Ordering::AcqRel);
        }
        if pin.told.is_none_or(|told| now.since(told) >= TOLD_EVERY) {
            pin.untold = Some(agent.clone());
        }
        drop(table);
        self.keep();
        self.news.notify_one();
        Seen::Changed { pinned, is_news: true }
    }

    /// Whether any tool has changed, and nobody has accepted that.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.changed.load(Ordering::Acquire) > 0
    }

    /// Whether a tool has changed, and nobody has accepted that. Of one that was never listed nothing is known.
    #[must_use]
    pub fn is_changed(&self, server: &str, tool: &str) -> bool {
        if !self.has_changed() {
            return false;
        }
        let table = self.lock();
        table.get(server).and_then(|tools| tools.get(tool)).is_some_and(|pin| pin.changed.is_some())
    }

    /// Makes the newest definition the one that counts. With `definition`, only if it still is that one. It is on
    /// disk when this returns.
    ///
    /// # Errors
    /// [`AcceptError`]; nothing has changed then.
    pub fn accept(&self, server: &str, tool: &str, definition: Option<Digest>) -> Result<Pin, AcceptError> {
        let now = self.clock.now();
        let mut table = self.lock();
        let pin = table.get_mut(server).and_then(|tools| tools.get_mut(tool)).ok_or(AcceptError::Unknown)?;
        if definition.is_some_and(|wanted| wanted != pin.seen) {
            return Err(AcceptError::Another { seen: pin.seen });
        }
        let before = pin.clone();
        if before.changed.is_none() {
            return Ok(before);
        }
        *pin = Pin { told: before.told, ..Pin::first(pin.seen, now) };
        let accepted = pin.clone();
        self.changed.fetch_sub(1, Ordering::AcqRel);
        drop(table);
        let Some(Err(why)) = self.keeper.as_ref().map(|keeper| keeper.write(&self.table)) else {
            return Ok(accepted);
        };
        if let Some(pin) = self.lock().get_mut(server).and_then(|tools| tools.get_mut(tool))
            && *pin == accepted
        {
            *pin = before;
            self.changed.fetch_add(1, Ordering::AcqRel);
        }
        Err(AcceptError::Unwritten(why))
    }

    /// Every pin, in the order of servers and tools.
    #[must_use]
    pub fn list(&self) -> Vec<(UpstreamName, String, Pin)> {
        let table = self.lock();
        let of_server = |(server, tools): (&UpstreamName, &BTreeMap<String, Pin>)| {
            let line = |(tool, pin): (&String, &Pin)| (server.clone(), tool.clone(), pin.clone());
            tools.iter().map(line).collect::<Vec<_>>()
        };
        let mut all: Vec<_> = table.iter().flat_map(of_server).collect();
        all.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        all
    }

    /// Changes that nobody was told of, at most so many.
    #[must_use]
    pub fn untold(&self, most: usize) -> Vec<Notice> {
        let table = self.lock();
        let tools = table.iter().flat_map(|(server, tools)| tools.iter().map(move |entry| (server, entry)));
        let notices = tools.filter_map(|(server, (tool, pin))| {
            let agent = pin.untold.clone()?;
            let (server, tool) = (server.clone(), tool.clone());
            Some(Notice { agent, server, tool, pinned: pin.pinned, seen: pin.seen })
        });
        notices.take(most).collect()
    }

    /// Somebody was told of it.
    pub fn told(&self, notice: &Notice) {
        let now = self.clock.now();
        if let Some(pin) = self.lock().get_mut(&notice.server).and_then(|tools| tools.get_mut(&notice.tool)) {
            pin.told = Some(now);
            // What came in between is told of as well.
            if pin.seen == notice.seen {
                pin.untold = None;
            }
        }
        self.keep();
    }

    /// Waits until there may be something to tell of.
    pub async fn wait_untold(&self) {
        self.news.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.wake();
        }
    }
}

impl Pin {
    fn first(definition: Digest, at: Timestamp) -> Self {
        Self { pinned: definition, since: at, seen: definition, changed: None, untold: None, told: None }
    }
}
