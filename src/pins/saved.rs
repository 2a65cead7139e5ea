//! Saved: the file of pins, read at start and replaced as a whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::domain::{AgentId, Digest, Timestamp, UpstreamName};
use crate::pins::table::{PINS_MAX, Pin, TOOLS_MAX, Table};

/// The format written, and the only one read.
const VERSION: u32 = 1;
/// More than the bounds of the table can fill.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What became of the file at start.
pub(super) enum Loaded {
    Table(Table),
    Nothing,
    Unusable(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    version: u32,
    tools: Vec<SavedPin>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedPin {
    server: String,
    tool: String,
    pinned: String,
    since_us: i64,
    seen: String,
    changed_us: Option<i64>,
    untold: Option<String>,
    told_us: Option<i64>,
}

/// Reads the file.
pub(super) fn load(file: &Path) -> io::Result<Loaded> {
    let mut text = Vec::new();
    match File::open(file).and_then(|open| open.take(FILE_BYTES_MAX).read_to_end(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Nothing),
        Err(error) => return Err(error),
    }
    let parsed = serde_json::from_slice::<Saved>(&text).map_err(|error| error.to_string());
    Ok(match parsed.and_then(revive) {
        Ok(table) => Loaded::Table(table),
        Err(why) => Loaded::Unusable(why),
    })
}

fn revive(saved: Saved) -> Result<Table, String> {
    if saved.version != VERSION {
        return Err(format!("it has format {}, not {VERSION}", saved.version));
    }
    if saved.tools.len() > PINS_MAX {
        return Err(format!("it holds more than {PINS_MAX} tools"));
    }
    let mut table = Table::new();
    for entry in saved.tools {
        let server = UpstreamName::new(&entry.server).map_err(|error| error.to_string())?;
        let digest = |text: &str| Digest::parse_hex(text).ok_or_else(|| "a digest is damaged".to_owned());
        let untold = entry.untold.as_deref().map(AgentId::new).transpose();
        let pin = Pin {
            pinned: digest(&entry.pinned)?,
            since: Timestamp::from_micros(entry.since_us),
            seen: digest(&entry.seen)?,
            changed: entry.changed_us.map(Timestamp::from_micros),
            untold: untold.map_err(|error| error.to_string())?,
            told: entry.told_us.map(Timestamp::from_micros),
        };
        let tools: &mut BTreeMap<String, Pin> = table.entry(server).or_default();
        if tools.insert(entry.tool, pin).is_some() || tools.len() > TOOLS_MAX {
            return Err("a tool stands twice, or a server has too many".to_owned());
        }
    }
    Ok(table)
}

/// The table as the file has it.
pub(super) fn text(table: &Table) -> io::Result<Vec<u8>> {
    let each = |(server, tools): (&UpstreamName, &BTreeMap<String, Pin>)| {
        let saved = |(tool, pin): (&String, &Pin)| SavedPin {
            server: server.to_string(),
            tool: tool.clone(),
            pinned: pin.pinned.hex(),
            since_us: pin.since.as_micros(),
            seen: pin.seen.hex(),
            changed_us: pin.changed.map(Timestamp::as_micros),
            untold: pin.untold.as_ref().map(ToString::to_string),
            told_us: pin.told.map(Timestamp::as_micros),
        };
        tools.iter().map(saved).collect::<Vec<_>>()
    };
    let saved = Saved { version: VERSION, tools: table.iter().flat_map(each).collect() };
    Ok(serde_json::to_vec(&saved)?)
}

/// Replaces the file: a crash at any point leaves the old one or the new one, whole.
pub(super) fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fresh = file.with_extension("new");
    let mut open = File::options().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    open.write_all(text)?;
    open.sync_all()?;
    std::fs::rename(&fresh, file)?;
    // The rename itself is durable only once its folder is.
    File::open(folder)?.sync_all()
}
