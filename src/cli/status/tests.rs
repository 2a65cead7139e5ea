//! Tests: a page from a real socket, the screen it makes, and what is said when there is none.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::admin::pages::Status;
use crate::admin::{Declined, Page, Readiness, Settings, ToolName, View, bind};
use crate::net::Drain;

struct Shown(Value);

impl View for Shown {
    fn metrics(&self) -> String {
        String::new()
    }
    fn readiness(&self) -> Readiness {
        Readiness::default()
    }
    fn page(&self, page: Page) -> Value {
        if page == Page::Status { self.0.clone() } else { Value::Null }
    }
    fn accept_tool(&self, _tool: &ToolName) -> Result<Value, Declined> {
        Err(Declined::Absent(String::new()))
    }
}

fn page() -> Value {
    json!({
        "id": "checkout-1", "version": "0.1.0", "uptime_s": 8_077,
        "readiness": {"ready": false, "checks": [
            {"name": "pacts", "ok": true, "detail": "1 pact is loaded"},
            {"name": "spool", "ok": false, "detail": "the disk of the evidence spool is full"},
        ]},
        "listeners": [
            {"mode": "reverse", "address": "127.0.0.1:8080", "agent": "refunds-eu"},
            {"mode": "forward", "address": "127.0.0.1:8081"},
        ],
        "pacts": {"pacts": {"entries": [
            {"name": "refunds", "version": 3, "digest": "0123456789abcdef", "mode": "enforce", "risk": "high",
             "agents": ["refunds-*", "ops"]},
        ], "left_out": 2}},
        "trust": {
            "news": {"state": "heard", "age_s": 95, "ceiling": "standard"},
            "agents": {"entries": [{"agent": "refunds-eu", "tier": "standard", "stated": "trusted", "sunk": true,
                                    "score": 0.934, "why": "clean\u{1b}[2J record"}]},
        },
        "limits": {"limits": {"entries": [
            {"agent": "refunds-eu", "pact": "refunds", "limit": "per-minute", "remaining": 9, "burst": 10,
             "spacing_ms": 6_000},
        ]}},
        "spool": {"problem": "the disk of the evidence spool is full", "durable": 1041, "acknowledged": 1039,
                  "oldest_waiting_s": 3, "disk_bytes": 1_300_000, "segments": 2, "refused": 4},
        "collector": {"url": "http://127.0.0.1:7070", "delivering": false, "feed_open": true},
        "approvals": {"waiting": 1, "open": {"entries": [
            {"id": "ask-1", "agent": "refunds-eu", "kind": "tool", "name": "refunds.create", "state": "pending",
             "delivered": false, "expires_at": "2026-11-18T10:15:00.000000Z"},
        ]}},
    })
}

const SCREEN: &str = "\
checkout-1  pactgate 0.1.0  up 2 h 14 min  NOT READY
  ok     pacts  1 pact is loaded
  FAILS  spool  the disk of the evidence spool is full

Listeners
  reverse  127.0.0.1:8080  agent refunds-eu
  forward  127.0.0.1:8081  by credential

Pacts
  name     version  mode     risk  agents         sha-256
  refunds  3        enforce  high  refunds-* ops  0123456789ab
  and 2 more

Agents: collector heard 1 min 35 s ago, tiers count up to standard
  agent       tier             stated   score  why
  refunds-eu  standard (sunk)  trusted  0.93   clean\\u{1b}[2J record

Limits used lately
  agent       pact     limit       left     one back every
  refunds-eu  refunds  per-minute  9 of 10  6 s

Evidence
  1041 records, 2 not yet at the collector, the oldest for 3 s
  1.2 MiB on disk in 2 files
  NO RECORD CAN BE TAKEN: the disk of the evidence spool is full
  4 calls refused for want of a record since the start
  collector: http://127.0.0.1:7070 TAKES NO RECORDS, sends tiers

Approvals: 1 open, 1 calls waiting
  id     agent       action               state          until
  ask-1  refunds-eu  tool refunds.create  not delivered  2026-11-18T10:15:00.000000Z
";

#[test]
fn one_screen_tells_all() {
    let status: Status = serde_json::from_value(page()).unwrap();
    assert_eq!(screen::render(&status), SCREEN);
}

#[test]
fn an_empty_page_makes_a_screen_too() {
    let screen = screen::render(&Status::default());
    assert!(screen.contains("Pacts\n  none\n"), "{screen}");
    assert!(screen.contains("collector: none, by the configuration"), "{screen}");
}

#[tokio::test]
async fn the_page_comes_over_the_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let settings = Settings { address: "127.0.0.1:0".parse().unwrap(), socket: Some(socket.clone()) };
    let admin = bind(&settings).unwrap();
    let drain = Drain::default();
    let serving = tokio::spawn({
        let drain = drain.clone();
        async move { admin.run(Arc::new(Shown(page())), &drain).await }
    });
    let args = |json| StatusArgs { socket: socket.clone(), json };
    let (screen, raw) = tokio::task::spawn_blocking({
        let (for_people, for_machines) = (args(false), args(true));
        move || (show(&for_people).unwrap(), show(&for_machines).unwrap())
    })
    .await
    .unwrap();
    assert_eq!(screen, SCREEN);
    assert_eq!(serde_json::from_str::<Value>(&raw).unwrap(), page());
    drain.begin();
    serving.await.unwrap();
}

fn said(socket: &Path) -> String {
    show(&StatusArgs { socket: socket.to_owned(), json: false }).unwrap_err().to_string()
}

#[test]
fn a_socket_that_tells_nothing_is_named_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let name = format!("`{}`", socket.display());
    let absent = said(&socket);
    assert!(absent.contains(&name) && absent.contains("is the sidecar running?"), "{absent}");
    drop(UnixListener::bind(&socket).unwrap());
    let dead = said(&socket);
    assert!(dead.contains(&name) && dead.contains("start it again"), "{dead}");
    let code = run(StatusArgs { socket: socket.clone(), json: false });
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
    std::fs::remove_file(&socket).unwrap();

    let listener = UnixListener::bind(&socket).unwrap();
    let other = std::thread::spawn(move || {
        use std::io::Write as _;
        listener.accept().unwrap().0.write_all(b"SSH-2.0-other\r\n").unwrap();
    });
    let garbled = said(&socket);
    assert!(garbled.contains("no status of a sidecar"), "{garbled}");
    other.join().unwrap();
}

#[test]
fn a_socket_of_another_user_is_told_apart() {
    let socket = Path::new("/run/admin.sock");
    let error = fetch::unopened(socket, std::io::ErrorKind::PermissionDenied.into()).to_string();
    assert!(error.contains("as the user that the sidecar runs as"), "{error}");
}
