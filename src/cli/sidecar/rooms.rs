//! The rooms of floor 2, opened as the config says, and shared by everything above them.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use crate::approvals::{self, Desk};
use crate::cli::sidecar::start::{StartError, data};
use crate::config;
use crate::domain::{SharedClock, TrustTier};
use crate::enforce::{NoRandomness, Rooms};
use crate::limits::{self, Limits};
use crate::pins::Pins;
use crate::spool::{self, Recorder};
use crate::telemetry::Metrics;
use crate::trust::TierCache;

/// Rooms that the judge shares with the link and the admin socket.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Which tier an agent has.
    pub tiers: Arc<TierCache>,
    /// How much it may do in a time.
    pub limits: Arc<Limits>,
    /// What people are asked.
    pub desk: Desk,
    /// What MCP tools said of themselves.
    pub pins: Arc<Pins>,
    /// Where evidence goes.
    pub recorder: Arc<Recorder>,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// What time it is.
    pub clock: SharedClock,
}

impl Shared {
    pub(super) fn for_the_judge(&self) -> Rooms {
        Rooms {
            tiers: Arc::clone(&self.tiers),
            limits: Arc::clone(&self.limits),
            desk: self.desk.clone(),
            pins: Arc::clone(&self.pins),
            recorder: Arc::clone(&self.recorder),
            metrics: Arc::clone(&self.metrics),
            clock: Arc::clone(&self.clock),
        }
    }
}

/// The agent's user must not read what others asked, nor the key of digests.
pub(super) fn make_folder(path: &Path) -> Result<(), StartError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|why| data(path, why))
}

pub(super) fn open_rooms(config: &config::Sidecar, clock: &SharedClock) -> Result<Shared, StartError> {
    let metrics = Metrics::new().map_err(|why| StartError::Metrics(why.to_string()))?;
    let tiers = match config.trust {
        config::Trust::Fixed(tier) => TierCache::fixed(tier),
        config::Trust::Fed(staleness) => {
            let file = config.data.join("tiers.json");
            TierCache::open(file, staleness, TrustTier::Probation, Arc::clone(clock))
        }
    };
    let evidence = &config.evidence;
    let mut spool = spool::Settings::new(config.data.join("spool"), config.id.clone());
    spool.bytes_max = evidence.bytes_max;
    spool.sync = match evidence.sync {
        config::Sync::Each => spool::Sync::Each,
        config::Sync::Batch => spool::Sync::Batch,
        config::Sync::None => spool::Sync::None,
    };
    spool.when_full = match evidence.when_full {
        config::WhenFull::Deny => spool::WhenFull::Deny,
        config::WhenFull::Drop => spool::WhenFull::Drop,
    };
    let (recorder, opened) = Recorder::start(spool, Arc::clone(clock))?;
    if opened.repaired_bytes > 0 {
        tracing::warn!(bytes = opened.repaired_bytes, "cut an unfinished write off the evidence spool");
    }
    let spent = config.data.join("approvals.spent");
    let desk = approvals::Settings {
        expire: config.approvals.expire,
        spent_file: Some(spent.clone()),
        ..approvals::Settings::default()
    };
    let pins = config.data.join("pins.json");
    let pins = Pins::open(pins.clone(), Arc::clone(clock)).map_err(|why| data(&pins, why))?;
    Ok(Shared {
        tiers: Arc::new(tiers),
        limits: Arc::new(Limits::new(limits::Bounds::default(), Arc::clone(clock))),
        desk: Desk::open(desk, Arc::clone(clock)).map_err(|why| data(&spent, why))?,
        pins: Arc::new(pins),
        recorder,
        metrics: Arc::new(metrics),
        clock: Arc::clone(clock),
    })
}

/// The key of argument digests: from the config, or made at the first start. With another key, old digests can no
/// longer be compared with new ones; nothing else is lost.
pub(super) fn digest_key(config: &config::Sidecar) -> Result<[u8; 32], StartError> {
    if let Some((_, key)) = &config.evidence.key {
        return Ok(*key);
    }
    let path = config.data.join("digest.key");
    match std::fs::read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|_| {
            data(
                &path,
                io::Error::new(io::ErrorKind::InvalidData, "not 32 bytes; remove it to have a new one made"),
            )
        }),
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            let mut key = [0; 32];
            aws_lc_rs::rand::fill(&mut key).map_err(|_| NoRandomness)?;
            let mut options = std::fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map_err(|why| data(&path, why))?;
            file.write_all(&key).and_then(|()| file.sync_all()).map_err(|why| data(&path, why))?;
            Ok(key)
        }
        Err(why) => Err(data(&path, why)),
    }
}
