//! Sections: the parts of a sidecar's file that stand once.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;

use crate::config::check::HEAD;
use crate::config::check::listeners::address;
use crate::config::check::upstreams::{roots_file, web_address};
use crate::config::notes::Notes;
use crate::config::place::HostPort;
use crate::config::sidecar::{
    Admin, Approvals, Bounds, Evidence, EvidenceKey, Interception, Link, Sync, Trust, WhenFull,
};
use crate::config::source::{
    FormatFile, InterceptionFile, LevelFile, LinkFile, LogFile, SecretFile, SidecarFile, SyncFile, TierFile,
    TrustFile, WhenFullFile,
};
use crate::domain::TrustTier;
use crate::pact::document::Place;
use crate::pact::reader::{At, Many};
use crate::telemetry::{Format, Level, LogSettings};
use crate::trust::Staleness;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// The longest path of a Unix socket (`sun_path` of unix(7), without its final zero).
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// The collector speaks every five seconds; less than two of its turns would sink tiers for nothing.
const SINK_AFTER_MIN: Duration = Duration::from_secs(10);
const KEY_REMEDY: &str = "32 bytes in base64, as `openssl rand -base64 32` prints them";

pub(super) fn pacts(file: &SidecarFile, notes: &mut Notes<'_>) -> Vec<PathBuf> {
    let remedy = "write the files and folders of the pacts: `pacts: [pacts/]`";
    let Some((place, Many(written))) = notes.required(&file.pacts, &HEAD, "pacts", remedy) else {
        return Vec::new();
    };
    if written.is_empty() {
        notes.error(place, "no pacts are named, so no agent may do anything", remedy);
    }
    let mut paths = Vec::new();
    for (place, text) in written.iter().filter_map(At::read) {
        let path = notes.path(text);
        if let Err(error) = std::fs::metadata(&path) {
            notes.error(place, format!("`{}` cannot be read: {error}", path.display()), remedy);
        }
        paths.push(path);
    }
    paths
}

pub(super) fn admin(file: &SidecarFile, data: &Path, notes: &mut Notes<'_>) -> Admin {
    let file = file.admin.as_ref().and_then(At::get);
    let written = file.and_then(|file| file.address.as_ref());
    let address =
        written.and_then(|at| address(at, notes)).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9_901)));
    let at = file.and_then(|file| file.socket.as_ref()).and_then(At::read);
    let socket = at.map_or_else(|| data.join("admin.sock"), |(_, text)| notes.path(text));
    if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        let place = at.map_or(HEAD, |(place, _)| place.clone());
        let said =
            format!("the socket's path `{}` is longer than {SOCKET_PATH_BYTES_MAX} bytes", socket.display());
        notes.error(&place, said, "write a shorter `admin.socket`, such as `/run/pactgate/admin.sock`");
    }
    Admin { address, socket }
}

pub(super) fn interception(file: &SidecarFile, notes: &mut Notes<'_>) -> Option<Interception> {
    let (place, InterceptionFile { authority, except }) = file.interception.as_ref()?.read()?;
    let remedy = "run `pactgate ca init` and write `authority: FOLDER`";
    let authority =
        notes.required(authority, place, "authority", remedy).map(|(place, text)| (place, notes.path(text)));
    if let Some((place, folder)) = authority.as_ref().filter(|(_, folder)| !folder.is_dir()) {
        notes.error(place, format!("there is no folder `{}`", folder.display()), remedy);
    }
    let written = except.as_ref().and_then(At::get).map(|Many(places)| places.as_slice()).unwrap_or_default();
    let mut places = Vec::new();
    for (place, text) in written.iter().filter_map(At::read) {
        match HostPort::parse(text) {
            Ok(except) => places.push(except),
            Err(problem) => notes.error(place, problem, "write `host:port`; a host alone means 443"),
        }
    }
    Some(Interception { authority: authority?.1, except: places })
}

pub(super) fn link(file: &SidecarFile, own: &[SocketAddr], notes: &mut Notes<'_>) -> Option<Link> {
    let (place, LinkFile { url, token, public_key, roots }) = file.collector.as_ref()?.read()?;
    let url_remedy = "write the collector's base URL: `https://collector.example:7070`";
    let key_remedy = "write the key that `pactgate collector` prints at its start";
    notes.required(url, place, "url", url_remedy);
    notes.required(token, place, "token", "write `token: {env: NAME}`");
    notes.required(public_key, place, "public_key", key_remedy);
    let address = url.as_ref().and_then(|url| web_address(url, own, url_remedy, notes));
    let token = token.as_ref().and_then(|token| notes.secret(token));
    let key = public_key.as_ref().and_then(At::read).and_then(|(place, text)| {
        let key = decode_key(text);
        if key.is_none() {
            notes.error(place, format!("`{text}` is not 32 bytes in base64"), key_remedy);
        }
        key
    });
    let roots = roots.as_ref().and_then(|roots| roots_file(roots, notes));
    let address = address?;
    if let (Some(url), "http", false) = (url, address.scheme.as_str(), address.is_loopback()) {
        let said = "records and the sidecar's token travel unencrypted to the collector";
        notes.warning(&url.place, said, "use an `https` URL");
    }
    Some(Link { url: address, token: token?, public_key: key?, roots })
}

pub(super) fn trust(file: &SidecarFile, notes: &mut Notes<'_>) -> Option<Trust> {
    let nothing = At { place: HEAD, value: Some(TrustFile::default()) };
    let (place, trust) = file.trust.as_ref().unwrap_or(&nothing).read()?;
    let ages = [&trust.sink_after, &trust.restrict_after];
    let has_ages = ages.iter().any(|age| age.is_some());
    let default = Staleness::default();
    let sink_after = notes.duration(trust.sink_after.as_ref(), default.sink_after, SINK_AFTER_MIN..=DAY);
    let restrict_after =
        notes.duration(trust.restrict_after.as_ref(), default.restrict_after, SINK_AFTER_MIN..=DAY);
    match (&trust.fixed, &file.collector) {
        (Some(fixed), Some(_)) => {
            let said = "a fixed tier, and a collector that states tiers: they contradict each other";
            notes.error(&fixed.place, said, "leave `fixed` out, or the collector");
            None
        }
        (Some(fixed), None) => {
            if has_ages {
                let said = "a fixed tier does not age";
                notes.error(place, said, "leave `sink_after` and `restrict_after` out, or `fixed`");
            }
            fixed.get().map(|tier| Trust::Fixed(tier_of(*tier)))
        }
        (None, None) => {
            let said = "without a collector nobody states tiers, and every agent would sink to `restricted`";
            notes.error(place, said, "add `collector`, or `trust: {fixed: probation}`");
            None
        }
        (None, Some(_)) if sink_after > restrict_after => {
            let at = ages.into_iter().flatten().next().map_or(place, |age| &age.place);
            let said = "`restrict_after` comes before `sink_after`";
            notes.error(at, said, "write a `restrict_after` that is not shorter");
            None
        }
        (None, Some(_)) => Some(Trust::Fed(Staleness { sink_after, restrict_after })),
    }
}

fn tier_of(tier: TierFile) -> TrustTier {
    match tier {
        TierFile::Suspended => TrustTier::Suspended,
        TierFile::Restricted => TrustTier::Restricted,
        TierFile::Probation => TrustTier::Probation,
        TierFile::Standard => TrustTier::Standard,
        TierFile::Trusted => TrustTier::Trusted,
    }
}

pub(super) fn evidence(file: &SidecarFile, notes: &mut Notes<'_>) -> Evidence {
    let file = file.evidence.as_ref().and_then(At::get);
    let sync = match file.and_then(|file| file.sync.as_ref()).and_then(At::get) {
        Some(SyncFile::Each) => Sync::Each,
        Some(SyncFile::Batch) | None => Sync::Batch,
        Some(SyncFile::None) => Sync::None,
    };
    let drop = file.and_then(|file| file.when_full.as_ref()).and_then(At::read);
    let when_full = match drop {
        Some((place, WhenFullFile::Drop)) => {
            let said = "calls go through unrecorded when the disk is full; only a count is left of them";
            notes.warning(place, said, "write `when_full: deny` where every call must be proved");
            WhenFull::Drop
        }
        Some((_, WhenFullFile::Deny)) | None => WhenFull::Deny,
    };
    let bytes_max = notes.size(file.and_then(|file| file.bytes_max.as_ref()), GIB, 64 * MIB..=1_024 * GIB);
    let key = file.and_then(|file| file.key.as_ref()).and_then(|key| evidence_key(key, notes));
    Evidence { sync, bytes_max, when_full, key }
}

fn evidence_key(field: &At<SecretFile>, notes: &mut Notes<'_>) -> Option<EvidenceKey> {
    let provided = notes.secret(field)?;
    match decode_key(provided.secret.expose()) {
        Some(key) => Some((provided, key)),
        None => {
            let said = format!("{} is not 32 bytes in base64", provided.source);
            notes.error(&field.place, said, format!("put {KEY_REMEDY}, there"));
            None
        }
    }
}

fn decode_key(text: &str) -> Option<[u8; 32]> {
    base64::engine::general_purpose::STANDARD.decode(text).ok()?.try_into().ok()
}

pub(super) fn approvals(file: &SidecarFile, notes: &mut Notes<'_>) -> Approvals {
    let section = file.approvals.as_ref().and_then(At::read);
    let written = section.map(|(_, approvals)| approvals);
    let seconds = Duration::from_secs;
    let patience =
        notes.duration(written.and_then(|a| a.patience.as_ref()), seconds(30), Duration::ZERO..=HOUR);
    let expire = notes.duration(written.and_then(|a| a.expire.as_ref()), 15 * MINUTE, seconds(1)..=DAY);
    let Some((place, _)) = section else { return Approvals { patience, expire } };
    if patience > expire {
        let said = "calls would be held for longer than their question lasts";
        notes.error(place, said, "write an `expire` that is not shorter than `patience`");
    }
    if file.collector.is_none() {
        let said = "without a collector nobody can answer: every question ends in a refusal";
        notes.warning(place, said, "add `collector`, or leave `approvals` out");
    }
    Approvals { patience, expire }
}

pub(super) fn bounds(file: &SidecarFile, notes: &mut Notes<'_>) -> Bounds {
    let nothing = At { place: HEAD, value: Some(crate::config::source::BoundsFile::default()) };
    let section = file.bounds.as_ref().unwrap_or(&nothing);
    let place: &Place = &section.place;
    let written = section.get().or(nothing.get());
    let seconds = Duration::from_secs;
    let field = |pick: fn(&crate::config::source::BoundsFile) -> &Option<At<_>>| {
        written.and_then(|b| pick(b).as_ref())
    };
    let short = seconds(1)..=10 * MINUTE;
    let body_bytes_max = notes.size(field(|b| &b.body), 4 * MIB, KIB..=256 * MIB);
    let decoded = field(|b| &b.decoded);
    let decoded_bytes_max = notes.size(decoded, 4 * body_bytes_max, KIB..=GIB);
    if decoded_bytes_max < body_bytes_max {
        let place = decoded.map_or(place, |at| &at.place);
        notes.error(place, "`decoded` is less than `body`", "write a `decoded` that is not smaller");
    }
    Bounds {
        body_bytes_max,
        decoded_bytes_max,
        header_bytes_max: notes.size(field(|b| &b.header_bytes), 64 * KIB, 8 * KIB..=MIB),
        headers_max: notes.count(written.and_then(|b| b.headers.as_ref()), 100, 16..=1_000),
        connections_max: notes.count(written.and_then(|b| b.connections.as_ref()), 4_096, 1..=1_000_000),
        header_timeout: notes.duration(field(|b| &b.header_timeout), seconds(10), short.clone()),
        body_timeout: notes.duration(field(|b| &b.body_timeout), seconds(30), short.clone()),
        idle: notes.duration(field(|b| &b.idle), seconds(120), seconds(1)..=DAY),
        drain: notes.duration(field(|b| &b.drain), seconds(25), Duration::ZERO..=HOUR),
    }
}

pub(super) fn log(file: Option<&At<LogFile>>) -> LogSettings {
    let file = file.and_then(At::get);
    let format = match file.and_then(|file| file.format.as_ref()).and_then(At::get) {
        Some(FormatFile::Text) => Format::Text,
        Some(FormatFile::Json) | None => Format::Json,
    };
    let level = match file.and_then(|file| file.level.as_ref()).and_then(At::get) {
        Some(LevelFile::Error) => Level::Error,
        Some(LevelFile::Warn) => Level::Warn,
        Some(LevelFile::Info) | None => Level::Info,
        Some(LevelFile::Debug) => Level::Debug,
        Some(LevelFile::Trace) => Level::Trace,
    };
    LogSettings { format, level }
}
