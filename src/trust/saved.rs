//! Saved: the file of tiers, read at start and replaced as a whole.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{AgentId, Timestamp, TrustTier};
use crate::trust::cache::{AGENTS_MAX, Heard, Standing, State};

/// The format written, and the only one read.
const VERSION: u32 = 1;
/// More than the bounds of the cache can fill.
const FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// What became of the file at start.
pub(super) enum Loaded {
    State(State),
    Nothing,
    Unusable(String),
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    serial: u64,
    heard_at_us: Option<i64>,
    age_us: u64,
    agents: Vec<SavedStanding>,
}

#[derive(Serialize, Deserialize)]
struct SavedStanding {
    agent: String,
    tier: String,
    score: Option<f64>,
    lower: Option<f64>,
    confidence: Option<f64>,
    computed_at_us: Option<i64>,
    why: String,
}

/// Reads the file. `now` and `monotonic` are this moment on the two hands of the clock.
pub(super) fn load(file: &Path, now: Timestamp, monotonic: Duration) -> Loaded {
    let mut text = Vec::new();
    let read = File::open(file).and_then(|open| open.take(FILE_BYTES_MAX).read_to_end(&mut text));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Loaded::Nothing,
        Err(error) => return Loaded::Unusable(error.to_string()),
    }
    match serde_json::from_slice::<Versioned>(&text) {
        Ok(Versioned { version: VERSION }) => {}
        Ok(Versioned { version }) => {
            return Loaded::Unusable(format!("it has format {version}, not {VERSION}"));
        }
        Err(error) => return Loaded::Unusable(error.to_string()),
    }
    let parsed = serde_json::from_slice::<Saved>(&text).map_err(|error| error.to_string());
    match parsed.and_then(|saved| revive(saved, now, monotonic)) {
        Ok(state) => Loaded::State(state),
        Err(why) => Loaded::Unusable(why),
    }
}

fn revive(saved: Saved, now: Timestamp, monotonic: Duration) -> Result<State, String> {
    if saved.agents.len() > AGENTS_MAX {
        return Err(format!("it holds more than {AGENTS_MAX} agents"));
    }
    let mut agents = HashMap::with_capacity(saved.agents.len());
    for entry in saved.agents {
        let agent = AgentId::new(&entry.agent).map_err(|error| error.to_string())?;
        let tier = TrustTier::parse(&entry.tier)
            .ok_or_else(|| format!("it holds an unknown tier `{}`", entry.tier))?;
        let standing = Standing {
            agent: agent.clone(),
            tier,
            score: entry.score,
            lower: entry.lower,
            confidence: entry.confidence,
            computed_at: entry.computed_at_us.map(Timestamp::from_micros),
            why: entry.why,
        };
        agents.insert(agent, standing);
    }
    let heard = match saved.heard_at_us.map(Timestamp::from_micros) {
        None => Heard::Never,
        Some(wall) if wall > now => Heard::Undatable,
        Some(wall) => {
            let age = Duration::from_micros(saved.age_us).saturating_add(now.since(wall));
            Heard::At { wall: now, monotonic, age }
        }
    };
    Ok(State { serial: saved.serial, heard, agents: Arc::new(agents) })
}

/// Replaces the file: a crash at any point leaves the old one or the new one, whole.
pub(super) fn save(file: &Path, state: &State) -> std::io::Result<()> {
    let (heard_at_us, age_us) = match state.heard {
        Heard::At { wall, age, .. } => {
            (Some(wall.as_micros()), u64::try_from(age.as_micros()).unwrap_or(u64::MAX))
        }
        Heard::Never | Heard::Undatable => (None, 0),
    };
    let agents = state.agents.values().map(SavedStanding::from).collect();
    let saved = Saved { version: VERSION, serial: state.serial, heard_at_us, age_us, agents };
    let text = serde_json::to_vec(&saved)?;

    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fresh = file.with_extension("new");
    let mut open = File::options().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    open.write_all(&text)?;
    open.sync_all()?;
    std::fs::rename(&fresh, file)?;
    // The rename itself is durable only once its folder is.
    File::open(folder)?.sync_all()
}

impl From<&Standing> for SavedStanding {
    fn from(standing: &Standing) -> Self {
        Self {
            agent: standing.agent.to_string(),
            tier: standing.tier.name().to_owned(),
            score: standing.score,
            lower: standing.lower,
            confidence: standing.confidence,
            computed_at_us: standing.computed_at.map(Timestamp::as_micros),
            why: standing.why.clone(),
        }
    }
}
