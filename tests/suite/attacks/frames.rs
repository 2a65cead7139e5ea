//! Frames of HTTP/2, in orders and numbers that no client sends: whoever sends them loses the connection, and
//! nobody else anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::authority::Authority;
use crate::support::collector::Collector;
use crate::support::doors::Door;
use crate::support::fickle::Fickle;
use crate::support::frames::{
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frames, GOAWAY, HEADERS,
    INITIAL_WINDOW, PING, REFUSED_STREAM, RST_STREAM, SETTINGS, Sent, block, frame, integer, text,
};
use crate::support::http::{get, request, try_send};
use crate::support::process::{PATIENCE, until};
use crate::support::sidecar::{Setup, Sidecar, token};

const AGENT: &str = "mole-1";

const PACT: &str = r#"apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: besieged, version: 1}
spec:
  agents: ["mole-*"]
  risk: low
  owner: the tests
  clauses:
    - {id: open, allow: {http: "* https://localhost:*/**"}}
    - {id: secret, deny: {http: "* https://localhost:*/secret/**"}}
"#;

/// How much an attack may add to the memory of the sidecar, in kilobytes; each could have it hold far more.
const MEMORY: u64 = 48 * 1024;

/// A sidecar under attack, and somebody who goes on working meanwhile.
struct Siege {
    upstream: Fickle,
    collector: Collector,
    sidecar: Sidecar,
    before: (u64, usize),
    bystander: Bystander,
}

struct Bystander {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    working: JoinHandle<()>,
}

impl Siege {
    async fn begin() -> Self {
        Self::under("{}").await
    }

    /// With these bounds in the config.
    async fn under(bounds: &str) -> Self {
        let authority = Authority::new();
        let upstream = Fickle::start_secure(&authority.server()).await;
        let collector = Collector::start("{}");
        let url = format!("https://localhost:{}", upstream.address.port());
        let setup = Setup::default().agent(AGENT).pact(PACT).section("bounds", bounds);
        let setup = setup.upstream("works", "http", &url, None).collector(&collector);
        let mut sidecar = setup.start(&authority.roots());
        let bystander = Bystander::at_work(&sidecar);
        bystander.is_served(20).await;
        let before = sidecar.process().holds();
        Self { upstream, collector, sidecar, before, bystander }
    }

    async fn enter(&self, door: Door, settings: &[(u16, u32)]) -> Frames {
        let wire = door.open(&self.sidecar, AGENT, self.upstream.address.port(), "h2").await;
        Frames::greet(wire, settings).await
    }

    /// The header block of a request for that path of the upstream.
    fn block(&self, door: Door, method: &str, path: &str) -> Vec<u8> {
        let place = door.place(&self.sidecar, "works", self.upstream.address.port(), path);
        let (scheme, authority, path) = place;
        block(&[
            (":method", method),
            (":scheme", &scheme),
            (":authority", &authority),
            (":path", &path),
            ("authorization", &format!("Bearer {}", token(AGENT))),
        ])
    }

    /// A whole request without a body.
    fn get(&self, door: Door, stream: u32, path: &str) -> Vec<u8> {
        frame(HEADERS, END_STREAM | END_HEADERS, stream, &self.block(door, "GET", path))
    }

    async fn sample(&self, series: &str) -> f64 {
        let text = get(self.sidecar.at("admin"), "/metrics").await.text();
        let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        found.map_or(0.0, |value| value.parse().unwrap())
    }

    /// What must hold after any attack: the others were served, nothing forbidden passed, what the attack held is
    /// given back, and each call that was let through is on record once.
    async fn ends(mut self, what: &str) -> Vec<Value> {
        self.bystander.is_served(20).await;
        self.bystander.rests().await;
        self.upstream.let_go();
        until("nothing is under way", || async {
            let busy = self.sample("pactgate_requests_in_flight{listener=\"reverse\"}").await
                + self.sample("pactgate_requests_in_flight{listener=\"forward\"}").await;
            (busy == 0.0).then_some(())
        })
        .await;
        until("files are closed", || {
            let (_, files) = self.sidecar.process().holds();
            let most = self.before.1 + 30;
            async move { (files <= most).then_some(()) }
        })
        .await;
        self.holds_little(what);
        assert_eq!(self.upstream.arrived("/secret").len(), 0, "{what}: something forbidden passed");
        let records = self.records().await;
        let arrived = self.upstream.arrived("").len();
        let sent = records.iter().filter(|record| record["data"]["effect"] == "sent").count();
        assert!(sent >= arrived, "{what}: {arrived} calls arrived, {sent} are on record");
        let mut decisions: Vec<&str> =
            records.iter().filter_map(|record| record["data"]["decision"].as_str()).collect();
        let count = decisions.len();
        decisions.sort_unstable();
        decisions.dedup();
        assert_eq!(decisions.len(), count, "{what}: a call is on record twice");
        records
    }

    fn holds_little(&mut self, what: &str) {
        let (kilobytes, _) = self.sidecar.process().holds();
        let more = kilobytes.saturating_sub(self.before.0);
        assert!(more < MEMORY, "{what}: {more} KiB more than before");
    }

    /// Everything on record. A last call is recorded behind all others.
    async fn records(&self) -> Vec<Value> {
        let call = request(http::Method::GET, "/works/last", &token(AGENT), None);
        assert_eq!(try_send(self.sidecar.at("reverse"), call).await.unwrap().status, 200);
        until("all is delivered", || async {
            Some(self.collector.records().await).filter(|records| of_path(records, "/last").len() == 1)
        })
        .await
    }
}

impl Bystander {
    fn at_work(sidecar: &Sidecar) -> Self {
        let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let address = sidecar.at("reverse");
        let working = tokio::spawn({
            let (stop, served) = (Arc::clone(&stop), Arc::clone(&served));
            async move {
                while !stop.load(Relaxed) {
                    let call = request(http::Method::GET, "/works/bystander", &token(AGENT), None);
                    let answer = tokio::time::timeout(Duration::from_secs(10), try_send(address, call)).await;
                    let answer = answer.expect("the bystander waits for long").expect("the bystander is cut");
                    assert_eq!(answer.status, 200, "{answer:?}");
                    served.fetch_add(1, Relaxed);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        });
        Self { stop, served, working }
    }

    /// Waits until it got so many more answers.
    async fn is_served(&self, more: usize) {
        let goal = self.served.load(Relaxed) + more;
        until("the bystander is served", || async {
            assert!(!self.working.is_finished(), "the bystander gave up");
            (self.served.load(Relaxed) >= goal).then_some(())
        })
        .await;
    }

    async fn rests(&mut self) {
        self.stop.store(true, Relaxed);
        (&mut self.working).await.expect("the bystander was served all the time");
    }
}

/// Of records, those of calls to that path of the upstream.
fn of_path<'a>(records: &'a [Value], path: &str) -> Vec<&'a Value> {
    let named = |record: &&Value| {
        record["data"]["action"]["name"]
            .as_str()
            .is_some_and(|name| name.split('?').next().unwrap().ends_with(path))
    };
    records.iter().filter(named).collect()
}

/// How many connections are on record for what they sent.
fn broken_rules(records: &[Value]) -> usize {
    records.iter().filter(|record| record["data"]["action"]["name"] == "malformed HTTP").count()
}

/// Stream ids as a client numbers them.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|n| 2 * n + 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rapid_resets_end_the_connection() {
    for door in Door::ALL {
        let siege = Siege::begin().await;
        let mut frames = siege.enter(door, &[]).await;
        let mut burst = Vec::new();
        for stream in streams(5000) {
            let path = if stream % 4 == 1 { "/held" } else { "/secret/a" };
            burst.extend_from_slice(&siege.get(door, stream, path));
            burst.extend_from_slice(&frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()));
        }
        frames.send(&burst).await;
        let code = frames.end().await;
        // The code is lost where the connection is reset before it is read.
        assert!(matches!(code, Some(ENHANCE_YOUR_CALM) | None), "{door:?}: {code:?}");
        let records = siege.ends("rapid resets").await;
        let attempts = of_path(&records, "/held").len() + of_path(&records, "/secret/a").len();
        assert!(attempts <= 200, "{door:?}: {attempts} of 5000 were looked at");
        assert_eq!(broken_rules(&records), 1, "{door:?}: the attack is on record");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_taken_back_under_way_is_ended_upstream_and_on_record_once() {
    const CALLS: u32 = 150;
    for door in Door::ALL {
        let siege = Siege::begin().await;
        let mut frames = siege.enter(door, &[]).await;
        for (n, stream) in streams(CALLS).enumerate() {
            assert_eq!(frames.send(&siege.get(door, stream, "/held")).await, Sent::Taken);
            until("it arrives", || async { (siege.upstream.arrived("/held").len() > n).then_some(()) }).await;
            frames.send(&frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())).await;
        }
        let records = siege.ends("calls taken back").await;
        let held = of_path(&records, "/held");
        assert_eq!(held.len(), CALLS as usize, "{door:?}");
        for record in held {
            assert_eq!(record["data"]["outcome"]["kind"], "client-gone", "{door:?}: {record}");
        }
    }
}

/// Sends the same over and over, and reads nothing. The connection does not count as busy, and is closed.
async fn flood(what: &str, one: Vec<u8>) {
    for door in Door::ALL {
        let mut siege = Siege::under("{idle: 2s}").await;
        let mut frames = siege.enter(door, &[]).await;
        let many = one.repeat(16 * 1024 / one.len());
        let until = Instant::now() + PATIENCE;
        let mut ended = Sent::Taken;
        while ended == Sent::Taken {
            ended = frames.send(&many).await;
            assert!(Instant::now() < until, "{what}, {door:?}: it takes all that comes");
        }
        siege.holds_little(what);
        // What waits unread is answers to the flood, and then the end.
        frames.end().await;
        assert_eq!(siege.upstream.arrived("/held").len(), 0);
        siege.ends(what).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_without_end_are_no_work_and_end_the_connection() {
    flood("pings", frame(PING, 0, 0, b"01234567")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_without_end_are_no_work_and_end_the_connection() {
    flood("settings", frame(SETTINGS, 0, 0, &[])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_goes_on_for_ever_ends_the_connection() {
    let field = block(&[("x-more", &"m".repeat(1000))]);
    for (what, more) in [("long fields", field.repeat(8)), ("nothing", Vec::new())] {
        for door in Door::ALL {
            let mut siege = Siege::begin().await;
            let mut frames = siege.enter(door, &[]).await;
            let head = siege.block(door, "GET", "/held");
            frames.send(&frame(HEADERS, END_STREAM, 1, &head)).await;
            let many = frame(CONTINUATION, 0, 1, &more).repeat(10);
            let until = Instant::now() + PATIENCE;
            while frames.send(&many).await == Sent::Taken {
                assert!(Instant::now() < until, "{what}, {door:?}: it takes all that comes");
            }
            siege.holds_little(what);
            let code = frames.end().await;
            assert!(matches!(code, Some(ENHANCE_YOUR_CALM) | None), "{what}, {door:?}: {code:?}");
            let arrived = siege.upstream.arrived("/held").len();
            let records = siege.ends(what).await;
            assert_eq!((arrived, of_path(&records, "/held").len()), (0, 0), "{what}, {door:?}");
            assert_eq!(broken_rules(&records), 1, "{what}, {door:?}: the attack is on record");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_nothing_ends_the_connection() {
    for (what, payload) in [("empty", b"".as_slice()), ("a byte each", b"x")] {
        for door in Door::ALL {
            let mut siege = Siege::begin().await;
            let mut frames = siege.enter(door, &[]).await;
            frames.send(&frame(HEADERS, END_HEADERS, 1, &siege.block(door, "POST", "/held"))).await;
            let many = frame(DATA, 0, 1, payload).repeat(1000);
            let until = Instant::now() + PATIENCE;
            while frames.send(&many).await == Sent::Taken {
                assert!(Instant::now() < until, "{what}, {door:?}: it takes all that comes");
            }
            siege.holds_little(what);
            frames.end().await;
            let records = siege.ends(what).await;
            assert!(of_path(&records, "/held").len() <= 1, "{what}, {door:?}");
            assert_eq!(broken_rules(&records), 1, "{what}, {door:?}: the attack is on record");
        }
    }
}

/// How long they may wait is shown in `net.rs`: too long for a test from outside.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_takes_wait_outside() {
    const CALLS: usize = 80;
    for door in Door::ALL {
        let mut siege = Siege::begin().await;
        let mut frames = siege.enter(door, &[(INITIAL_WINDOW, 0)]).await;
        for stream in streams(80) {
            assert_eq!(frames.send(&siege.get(door, stream, "/large")).await, Sent::Taken);
        }
        let mut heads = 0;
        while heads < CALLS {
            let frame = frames.next().await.expect("it is patient for a while");
            heads += usize::from(frame.kind == HEADERS);
            assert!(frame.kind != DATA || frame.payload.is_empty(), "{door:?}: data beyond the window");
        }
        siege.bystander.is_served(50).await;
        siege.holds_little("answers that nobody takes");
        drop(frames);
        let records = siege.ends("answers that nobody takes").await;
        let large = of_path(&records, "/large");
        assert_eq!(large.len(), CALLS, "{door:?}");
        for record in large {
            assert_eq!(record["data"]["outcome"]["kind"], "client-gone", "{door:?}: {record}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_calls_at_once_than_allowed_are_not_taken() {
    const ALLOWED: usize = 100;
    for door in Door::ALL {
        let siege = Siege::begin().await;
        let mut frames = siege.enter(door, &[]).await;
        // Once the settings have come, the client knows how many it may.
        frames.find(|frame| frame.kind == SETTINGS && frame.flags & ACK == 0).await.unwrap();
        frames.send(&frame(SETTINGS, ACK, 0, &[])).await;
        let mut burst = Vec::new();
        for stream in streams(1000) {
            burst.extend_from_slice(&siege.get(door, stream, "/held"));
        }
        frames.send(&burst).await;
        let mut refused = 0;
        let mut ended = None;
        while let Some(frame) = frames.next().await {
            match frame.kind {
                RST_STREAM => {
                    assert_eq!(frame.code(), REFUSED_STREAM, "{door:?}");
                    refused += 1;
                }
                GOAWAY => ended = Some(frame.code()),
                _ => {}
            }
        }
        assert!(matches!(ended, Some(ENHANCE_YOUR_CALM) | None), "{door:?}: {ended:?}");
        assert!(refused <= 900, "{door:?}: {refused}");
        assert!(siege.upstream.arrived("/held").len() <= ALLOWED, "{door:?}");
        let records = siege.ends("too many at once").await;
        assert!(of_path(&records, "/held").len() <= ALLOWED, "{door:?}");
        assert_eq!(broken_rules(&records), 1, "{door:?}: the attack is on record");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_unfolds_to_a_thousand_times_its_size_is_not_read() {
    for door in Door::ALL {
        let mut siege = Siege::begin().await;
        let mut frames = siege.enter(door, &[]).await;
        for stream in streams(50) {
            let mut head = siege.block(door, "GET", "/held");
            // A field that goes into the table (RFC 7541, section 6.2.1), and then a byte for each time it is meant.
            head.push(0x40);
            text(&mut head, "x-bomb");
            text(&mut head, &"b".repeat(4000));
            for _ in 0..12_000 {
                integer(&mut head, 0x80, 7, 62);
            }
            if frames.send(&frame(HEADERS, END_STREAM | END_HEADERS, stream, &head)).await != Sent::Taken {
                break;
            }
            siege.holds_little("a bomb");
        }
        frames.send(&frame(GOAWAY, 0, 0, &[0; 8])).await;
        frames.end().await;
        assert_eq!(siege.upstream.arrived("/held").len(), 0, "{door:?}");
        siege.ends("a bomb").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_of_many_fields_is_refused_as_in_http1() {
    for door in Door::ALL {
        let siege = Siege::begin().await;
        let port = siege.upstream.address.port();
        let wire = TokioIo::new(door.open(&siege.sidecar, AGENT, port, "h2").await);
        let (mut sender, connection) = handshake(TokioExecutor::new(), wire).await.unwrap();
        tokio::spawn(connection);
        let (scheme, authority, path) = door.place(&siege.sidecar, "works", port, "/held");
        let mut many = Request::get(format!("{scheme}://{authority}{path}"))
            .header("authorization", format!("Bearer {}", token(AGENT)));
        for _ in 0..200 {
            many = many.header("x-a", "1");
        }
        let many = many.body(Empty::<Bytes>::new()).unwrap();
        let answer = tokio::time::timeout(PATIENCE, sender.send_request(many)).await.expect("an answer");
        assert_eq!(answer.unwrap().status(), 431, "{door:?}");
        drop(sender);
        assert_eq!(siege.upstream.arrived("/held").len(), 0, "{door:?}");
        let records = siege.ends("many fields").await;
        let held = of_path(&records, "/held");
        assert_eq!(held.len(), 1, "{door:?}");
        assert_eq!(held[0]["data"]["reason"], "unreadable", "{door:?}");
    }
}
