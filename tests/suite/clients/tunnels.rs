//! Bytes that the sidecar does not read: refused unless a clause allows them in so many words.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::clients::operator::Operator;
use crate::clients::scene::{AGENTS_OWN, Route, SHOPPING, Scene, fetch};
use crate::support::authority::Authority;
use crate::support::collector::Collector;
use crate::support::echo::{ACCEPT, KEY};
use crate::support::programs::curl_to_its_end;
use crate::support::sidecar::{Setup, token};
use crate::support::world;

/// Whoever is trusted with bytes that nobody reads.
const UNREAD: &str = r#"apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: unread, version: 1}
spec:
  agents: ["trusted-*"]
  risk: low
  owner: tests
  clauses:
    - {id: closed, allow: {opaque: ["localhost:*", "127.0.0.1:*"]}}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_to_an_excepted_place_stays_closed_and_needs_a_clause() {
    let collector = Collector::start("{}");
    let authority = Authority::new();
    let model = world::model(Some(authority.server())).await;
    let place = model.url().trim_start_matches("https://").to_owned();
    let excepting = format!("{{authority: ca/, except: [\"{place}\"]}}");
    let setup = Setup::default().agent("shopper-1").pact(SHOPPING).agent("trusted-1").pact(UNREAD);
    let setup =
        setup.upstream("pinned", "openai", &model.url(), Some(("authorization", "Bearer ", "unused")));
    let sidecar = setup.section("interception", &excepting).collector(&collector).start(&authority.roots());

    let models = format!("{}/v1/models", model.url());
    let key = format!("Authorization: Bearer {AGENTS_OWN}");
    let roots = authority.roots().display().to_string();
    let pinning = ["--cacert", &roots, "-H", &key, "-w", " %{http_connect}", &models];
    let refused = curl_to_its_end(&pinning, &sidecar.variables("shopper-1")).await;
    assert!(refused.code != Some(0) && refused.told.ends_with("403"), "{}{}", refused.told, refused.said);
    assert!(model.seen().is_empty(), "{:?}", model.seen());

    // The upstream's own certificate, and the agent's own key: neither was touched.
    let passed = fetch(&["--cacert", &roots, "-H", &key, &models], &sidecar.variables("trusted-1")).await;
    assert_eq!((passed.status, passed.decision.as_str()), (401, ""), "{passed:?}");
    assert_eq!(model.seen()[0].credential, pactgate::cli::demo::Credential::Other);
    let opened = curl_to_its_end(&[&models], &sidecar.variables("trusted-1")).await;
    assert_eq!(opened.code, Some(60), "{}{}", opened.told, opened.said);

    let records = Operator(&collector).records("trusted-1", 2).await;
    for record in &records {
        assert_eq!((&record["action"]["kind"], &record["clauses"]), (&json!("opaque"), &json!(["closed"])));
        assert_eq!(record["coverage"], json!({"request": "unread", "response": "unread"}));
        assert!(record["usage"]["bytes_received"].as_u64() > Some(0), "{record}");
    }
    let records = Operator(&collector).records("shopper-1", 1).await;
    assert_eq!((&records[0]["effect"], &records[0]["reason"]), (&json!("refused"), &json!("opaque")));
}

fn upgrade(target: &str, host: &str, credential: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\n{credential}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
}

/// Sends bytes, and reads until the answer holds `end`.
async fn say(stream: &mut TcpStream, bytes: &[u8], end: &[u8]) -> Vec<u8> {
    stream.write_all(bytes).await.unwrap();
    let mut heard = Vec::new();
    while !heard.windows(end.len()).any(|window| window == end) {
        assert!(
            stream.read_buf(&mut heard).await.unwrap() > 0,
            "it ended after {}",
            String::from_utf8_lossy(&heard)
        );
    }
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_socket_is_refused_unless_a_clause_allows_bytes_that_nobody_reads() {
    let collector = Collector::start("{}");
    let setup = Setup::default().agent("shopper-1").pact(SHOPPING).agent("trusted-1").pact(UNREAD);
    let scene = Scene::set(setup.collector(&collector)).await;
    let accept = format!("Sec-WebSocket-Key: {KEY}");
    let asking = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", &accept];
    let options: Vec<&str> = asking.iter().flat_map(|header| ["-H", header]).chain(["--http1.1"]).collect();
    for route in [Route::Reverse, Route::Plain] {
        let refused = scene.fetch(route, "shopper-1", "/look/live", &options).await;
        refused.assert_problem(403, "opaque");
    }

    let (echo, token) = (scene.echo.to_string(), token("trusted-1"));
    let reverse = upgrade("/echo/look/live", &echo, &format!("Pactgate-Agent-Token: {token}"));
    let absolute = format!("http://{echo}/look/live");
    let plain = upgrade(&absolute, &echo, &format!("Proxy-Authorization: Bearer {token}"));
    for (mode, request) in [("reverse", reverse), ("forward", plain)] {
        let mut stream = TcpStream::connect(scene.sidecar.at(mode)).await.unwrap();
        let head = say(&mut stream, request.as_bytes(), b"\r\n\r\n").await;
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{mode}: {head}");
        assert!(head.contains(&format!("sec-websocket-accept: {ACCEPT}").to_ascii_lowercase()), "{head}");
        // A frame as RFC 6455, section 5.7, shows it: `Hello`, masked.
        let frame = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(say(&mut stream, frame, frame).await, frame, "{mode}");
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof, "{mode}");
    }
    let records = Operator(&collector).records("trusted-1", 2).await;
    for record in &records {
        assert_eq!((&record["action"]["kind"], &record["effect"]), (&json!("opaque"), &json!("sent")));
        assert_eq!(
            (&record["usage"]["bytes_sent"], &record["usage"]["bytes_received"]),
            (&json!(11), &json!(11))
        );
    }
}
