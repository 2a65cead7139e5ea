//! Files that load, files that do not, and what both print.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::{ListenerMode, SecretSource, Sidecar, Trust, load_sidecar};
use crate::domain::{Dialect, TrustTier};
use crate::pact::diagnostics::Diagnostics;
use crate::trust::Staleness;

/// A folder with what a config refers to, and an environment.
struct Room {
    folder: tempfile::TempDir,
    env: HashMap<&'static str, String>,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["pacts", "ca"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("token"), "a-token-from-a-file-0123456789\n").unwrap();
        fs::write(folder.path().join("roots.pem"), "").unwrap();
        let env = [
            ("HOSTNAME", "checkout-1"),
            ("AGENT", "agent-token-0123456789abcdef"),
            ("SIDECAR", "sidecar-token-0123456789abcdef"),
            ("OPENAI", "openai-key-0123456789abcdef"),
        ];
        Self { folder, env: env.map(|(name, value)| (name, value.to_owned())).into() }
    }

    fn load(&self, text: &str) -> Result<(Sidecar, Diagnostics), Diagnostics> {
        let file = self.folder.path().join("sidecar.yaml");
        fs::write(&file, text).unwrap();
        load_sidecar(&file, &|name| self.env.get(name).cloned())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

const SMALLEST: &str = "
apiVersion: pactgate.dev/v1
kind: Sidecar
pacts: [pacts]
listeners:
  - {mode: reverse, address: 127.0.0.1:8080, agent: refunds}
upstreams:
  - {name: openai, url: https://api.openai.com, dialect: openai}
trust: {fixed: standard}
";

const FULL: &str = "
apiVersion: pactgate.dev/v1
kind: Sidecar
id: checkout-2
data: data
pacts: [pacts/, token]
agents:
  - {id: refunds-eu, token: {env: AGENT}}
  - {id: refunds-us, token: {file: token}}
  - {id: orders}
listeners:
  - {mode: reverse, address: 127.0.0.1:8080, agent: orders}
  - {mode: forward, address: '0.0.0.0:8081'}
  - {mode: reverse, address: '10.0.0.1:8082', agent: orders, exposed: true}
upstreams:
  - name: openai
    url: https://api.openai.com/base/
    dialect: openai
    provider: azure
    betas: [assistants=v2, realtime=v1]
    credential: {header: X-Api-Key, env: OPENAI}
    private: true
    roots: roots.pem
    timeouts: {connect: 1s, head: 500ms, idle: 1h}
  - {name: tools, url: http://127.0.0.1:9000, dialect: mcp}
interception: {authority: ca, except: [pinned.example, '[::1]:8443']}
collector:
  url: https://collector.example:7070
  token: {env: SIDECAR}
  public_key: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
  roots: roots.pem
trust: {sink_after: 30s, restrict_after: 5m}
evidence: {sync: each, bytes_max: 128MiB, when_full: drop}
approvals: {patience: 1m, expire: 1h}
bounds: {body: 1MiB, header_bytes: 32KiB, headers: 50, connections: 10, header_timeout: 5s, body_timeout: 6s, idle: 7s, drain: 8s}
admin: {address: '0.0.0.0:9901', socket: run/admin.sock}
log: {format: text, level: debug}
";

#[test]
fn the_smallest_file_gets_the_documented_defaults() {
    let room = Room::new();
    let (sidecar, warnings) = room.load(SMALLEST).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(sidecar.id.as_str(), "checkout-1");
    assert_eq!(sidecar.data, PathBuf::from("/var/lib/pactgate"));
    assert_eq!(sidecar.pacts, [room.path("pacts")]);
    assert_eq!(sidecar.trust, Trust::Fixed(TrustTier::Standard));
    assert_eq!(sidecar.admin.address.to_string(), "127.0.0.1:9901");
    assert_eq!(sidecar.admin.socket, PathBuf::from("/var/lib/pactgate/admin.sock"));
    assert_eq!(sidecar.bounds.body_bytes_max, 4 << 20);
    assert_eq!(sidecar.bounds.decoded_bytes_max, 16 << 20);
    assert_eq!(sidecar.bounds.drain, Duration::from_secs(25));
    assert_eq!(sidecar.evidence.bytes_max, 1 << 30);
    assert_eq!(sidecar.approvals.patience, Duration::from_secs(30));
    let [upstream] = sidecar.upstreams.as_slice() else { panic!("one upstream") };
    assert_eq!(
        (upstream.dialect, upstream.provider.as_str(), upstream.private),
        (Dialect::OpenAi, "openai", false)
    );
    assert_eq!(upstream.timeouts.head, Duration::from_secs(120));
}

#[test]
fn the_full_file_is_read_as_written() {
    let room = Room::new();
    let (sidecar, warnings) = room.load(FULL).unwrap();
    let said: Vec<_> = warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(said, ["calls go through unrecorded when the disk is full; only a count is left of them"]);
    assert_eq!(sidecar.data, room.path("data"));
    let modes: Vec<_> = sidecar.listeners.iter().map(|listener| listener.mode).collect();
    assert_eq!(modes, [ListenerMode::Reverse, ListenerMode::Forward, ListenerMode::Reverse]);
    let [openai, tools] = sidecar.upstreams.as_slice() else { panic!("two upstreams") };
    assert_eq!(openai.url.to_string(), "https://api.openai.com/base");
    assert_eq!(openai.betas, ["assistants=v2", "realtime=v1"]);
    assert!(tools.betas.is_empty());
    let credential = openai.credential.as_ref().unwrap();
    assert_eq!((credential.header.as_str(), credential.prefix.as_str()), ("x-api-key", ""));
    assert_eq!(credential.value().expose(), "openai-key-0123456789abcdef");
    assert!(openai.private && tools.private, "an address is private unless the file says otherwise");
    let from_file = sidecar.agents[1].token.as_ref().unwrap();
    assert_eq!(from_file.secret.expose(), "a-token-from-a-file-0123456789");
    assert_eq!(from_file.source, SecretSource::File(room.path("token")));
    let link = sidecar.collector.as_ref().unwrap();
    assert_eq!(link.public_key[31], 31);
    let rule = Staleness { sink_after: Duration::from_secs(30), restrict_after: Duration::from_secs(300) };
    assert_eq!(sidecar.trust, Trust::Fed(rule));
    let except: Vec<_> =
        sidecar.interception.as_ref().unwrap().except.iter().map(ToString::to_string).collect();
    assert_eq!(except, ["pinned.example:443", "[::1]:8443"]);
}

#[test]
fn what_is_printed_loads_to_the_same_and_holds_no_secret() {
    for text in [SMALLEST, FULL] {
        let room = Room::new();
        let (sidecar, _) = room.load(text).unwrap();
        let printed = sidecar.print();
        for secret in room.env.iter().filter(|(name, _)| **name != "HOSTNAME").map(|(_, value)| value) {
            assert!(!printed.contains(secret.as_str()), "{printed}");
        }
        assert!(!printed.contains("a-token-from"), "{printed}");
        let (again, _) = room.load(&printed).unwrap_or_else(|problems| panic!("{problems}\n{printed}"));
        assert_eq!(again, sidecar, "{printed}");
        assert_eq!(again.print(), printed);
        assert!(!format!("{sidecar:?}").contains("0123456789abcdef"), "debug output holds no secret either");
    }
}

#[test]
fn a_secret_that_cannot_be_used_is_told_without_its_text() {
    let mut room = Room::new();
    let text = FULL.replace("{file: token}", "{file: gone}");
    room.env.insert("AGENT", "hunter2\nline".to_owned());
    room.env.insert("SIDECAR", String::new());
    room.env.remove("OPENAI");
    let problems = room.load(&text).unwrap_err();
    let all = problems.to_string();
    assert!(!all.contains("hunter2"), "{all}");
    let expected = [
        "environment variable `AGENT` holds characters other than printable ASCII",
        "gone` cannot be read",
        "environment variable `OPENAI` is not set",
        "environment variable `SIDECAR` is empty",
    ];
    for part in expected {
        assert!(all.contains(part), "no `{part}` in\n{all}");
    }
}

#[test]
fn a_file_that_is_not_there_is_one_problem() {
    let room = Room::new();
    let problems = load_sidecar(&room.path("none.yaml"), &|_| None).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems.to_string().contains("the file cannot be read"), "{problems}");
}

#[cfg(feature = "plane")]
mod collector {
    use super::*;
    use crate::config::load_collector;

    const COLLECTOR: &str = "
apiVersion: pactgate.dev/v1
kind: Collector
address: 127.0.0.1:7071
data: data
sidecars:
  - {id: checkout-1, token: {env: SIDECAR}}
operators:
  - {name: Ann O'Nym, token: {env: AGENT}}
scoring: {standard_lower: 0.75, half_life_s: 3600}
";

    #[test]
    fn a_collector_is_read_printed_and_read_again() {
        let room = Room::new();
        let load = |text: &str| {
            let file = room.path("collector.yaml");
            fs::write(&file, text).unwrap();
            load_collector(&file, &|name| room.env.get(name).cloned())
        };
        let (collector, warnings) = load(COLLECTOR).unwrap();
        assert!(warnings.is_empty(), "{warnings}");
        assert_eq!(collector.weights.standard_lower.to_bits(), 0.75_f64.to_bits());
        assert_eq!(collector.operators[0].name, "Ann O'Nym");
        let printed = collector.print();
        let (again, _) = load(&printed).unwrap_or_else(|problems| panic!("{problems}\n{printed}"));
        assert_eq!(again, collector, "{printed}");
        assert!(!printed.contains("0123456789abcdef"), "{printed}");
    }
}

/// Every file of the corpus says exactly what stands beside it. Set `PACTGATE_BLESS` to write down what it says now.
#[test]
fn the_corpus_says_what_stands_beside_it() {
    let corpus = PathBuf::from("tests/corpus/config");
    let env = |name: &str| {
        let value = match name {
            "HOSTNAME" => "host-1",
            "TOKEN_A" => "aaaaaaaaaaaaaaaaaaaaaaaa",
            "TOKEN_B" => "bbbbbbbbbbbbbbbbbbbbbbbb",
            "SHORT" => "abc",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let mut files: Vec<_> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() >= 12, "the corpus is there");
    for file in files {
        let is_collector = file.file_name().unwrap().to_string_lossy().starts_with("collector");
        let found =
            if is_collector { collector_findings(&file, &env) } else { findings(load_sidecar(&file, &env)) };
        let Some(found) = found else { continue };
        let root = format!("{}/", std::env::current_dir().unwrap().display());
        let found = format!("{}\n", found.to_string().replace(&root, ""));
        assert!(!found.contains("hunter2"), "{found}");
        let beside = file.with_extension("diagnostics");
        if std::env::var_os("PACTGATE_BLESS").is_some() {
            fs::write(&beside, &found).unwrap();
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        assert_eq!(found, expected, "{}", file.display());
    }
}

fn findings<T>(loaded: Result<(T, Diagnostics), Diagnostics>) -> Option<Diagnostics> {
    Some(loaded.map_or_else(|problems| problems, |(_, warnings)| warnings))
}

#[cfg(feature = "plane")]
fn collector_findings(file: &std::path::Path, env: &crate::config::Environment<'_>) -> Option<Diagnostics> {
    findings(crate::config::load_collector(file, env))
}

#[cfg(not(feature = "plane"))]
fn collector_findings(_: &std::path::Path, _: &crate::config::Environment<'_>) -> Option<Diagnostics> {
    None
}
