//! Names and addresses.

use std::sync::Arc;

use pactgate::config::HostPort;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use crate::support::arena::{Answer, Arena, Ear, PATIENCE, Way, request};

/// Allows whatever a pact can allow, so that only the sidecar's own rules are left.
const EVERYTHING: &str = "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: held, version: 1}
spec:
  agents: [mole]
  risk: low
  owner: the tests
  clauses:
    - id: plain
      allow: {http: [\"* http://**:*/**\", \"* https://**:*/**\"]}
    - id: tunnels
      allow: {opaque: \"**:*\"}
";

#[tokio::test]
async fn a_reverse_path_names_an_upstream_in_plain_letters() {
    let arena = Arena::new().await;
    for path in [
        "/",
        "/nowhere/x",
        "/Web/open/a",
        "/%77eb/open/a",
        "//web/open/a",
        "/./web/open/a",
        "/web;x/open/a",
        "/nowhere/../web/open/a",
        "/web%2fopen/a",
        "*",
    ] {
        let answer = arena.send(Way::Reverse, request("GET", path, &[], "")).await;
        assert!(matches!(answer.status(), 400 | 404), "{path}: {answer:?}");
        assert_eq!(arena.ear.heard(), "", "{path}");
    }
    let records = arena.records_once(10).await;
    assert_eq!(records.len(), 10);
    let absolute = format!("http://{}/web/open/a", arena.at(Way::Reverse));
    arena.refuses("absolute", Way::Reverse, request("GET", &absolute, &[], ""), 400, "unreadable").await;
}

#[tokio::test]
async fn a_path_has_one_spelling() {
    let arena = Arena::new().await;
    for path in [
        "/web/open//secret/a",
        "/web/open/%2e%2e%2fsecret",
        "/web/open/a%2fb",
        "/web/open/a%5cb",
        "/web/open/a\\b",
        "/web/open/a;b=c",
        "/web/open/a%3bb",
        "/web/open/%252e%252e/b",
        "/web/open/%00",
        "/web/open/%c0%ae%c0%ae/b",
        "/web/open/%ef%bc%8e%ef%bc%8e/secret",
        "/web/open/a%ef%bc%8fb",
        "/web/open/a?x=1;y=2",
        "/web/open/a?x=1&X=2",
        "/web/open/a?_method=DELETE",
        "/web/open/%zz",
        "/web/../openai/v1/models",
        "/web/open/../../../x",
    ] {
        arena.refuses(path, Way::Reverse, request("GET", path, &[], ""), 400, "unreadable").await;
    }
    for path in [
        "/web/open/%73ecret/a",
        "/web/open/./secret/a",
        "/web/open/x/../secret/a",
        "/web/open/x/%2e%2e/secret/a",
    ] {
        arena.refuses(path, Way::Reverse, request("GET", path, &[], ""), 403, "denied").await;
    }
    for path in ["/web/open/../private", "/web/open/%2e%2e/private", "/web/openly", "/web/open"] {
        arena.refuses(path, Way::Reverse, request("GET", path, &[], ""), 403, "no-clause").await;
    }
    for (name, value) in [
        ("x-http-method-override", "DELETE"),
        ("x-original-url", "/web/open/secret/a"),
        ("x-rewrite-url", "/web/open/secret/a"),
    ] {
        let other = request("GET", "/web/open/a", &[(name, value)], "");
        arena.refuses(name, Way::Reverse, other, 400, "unreadable").await;
    }
}

#[tokio::test]
async fn a_host_that_says_another_thing_is_refused() {
    let arena = Arena::new().await;
    let address = arena.ear.address().to_string();
    let port = arena.ear.address().port();
    let target = format!("http://{address}/web/open/a");
    for host in [
        "other.example",
        "127.0.0.1",
        "127.0.0.1:80",
        "localhost",
        &format!("localhost:{port}"),
        &format!("127.0.0.2:{port}"),
        &format!("{address}\r\nhost: {address}"),
        &format!("{address}\r\nhost: other.example"),
    ] {
        let attack = request("GET", &target, &[("host", host)], "");
        arena.refuses(host, Way::Forward, attack, 421, "name-mismatch").await;
    }
    for host in [
        &format!("mole@{address}"),
        &format!("{address}:"),
        &format!("[::ffff:127.0.0.1]:{port}x"),
        "a b",
        "",
    ] {
        let attack = request("GET", &target, &[("host", host)], "");
        let answer = arena.send(Way::Forward, attack).await;
        assert!(matches!(answer.status(), 400 | 421), "{host}: {answer:?}");
        assert_eq!(arena.ear.heard(), "", "{host}");
    }
    for target in [
        format!("http://mole:x@{address}/web/open/a"),
        format!("ftp://{address}/web/open/a"),
        format!("http://{address}:/web/open/a"),
        format!("http://127.1:{port}/web/open/a"),
        format!("http://0x7f000001:{port}/web/open/a"),
        format!("http://2130706433:{port}/web/open/a"),
        format!("http://0177.0.0.1:{port}/web/open/a"),
        format!("http://[::ffff:127.0.0.1]:{port}/web/open/a"),
        "/web/open/a".to_owned(),
    ] {
        let attack = format!("GET {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        arena.refuses(&target, Way::Forward, attack, 400, "unreadable").await;
    }
    let none = format!("GET {target} HTTP/1.1\r\nconnection: close\r\n\r\n");
    arena.refuses("no host", Way::Forward, none, 400, "unreadable").await;
    let none = "GET /web/open/a HTTP/1.1\r\nconnection: close\r\n\r\n";
    arena.refuses("no host, reverse", Way::Reverse, none, 400, "unreadable").await;
    let two = request("GET", "/web/open/a", &[("host", "a"), ("host", "b")], "");
    arena.refuses("two hosts, reverse", Way::Reverse, two, 421, "name-mismatch").await;
    let same = request("GET", &target, &[("host", &address)], "");
    arena.passes("agreeing", Way::Forward, same).await;
    assert!(arena.ear.heard().contains(&format!("host: {address}\r\n")));
}

#[tokio::test]
async fn no_spelling_of_this_machine_is_reached() {
    let arena = Arena::under(EVERYTHING).await;
    let port = arena.sidecar.admin.port();
    let ear = arena.ear.address().port();
    for host in [
        "127.0.0.1",
        "127.0.0.2",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "[::1]",
        "[::127.0.0.1]",
        "0.0.0.0",
        "[::]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "10.0.0.1",
        "192.168.0.1",
        "100.100.100.200",
        "[fe80::1]",
    ] {
        // An undeclared name of the very machine where an upstream is declared is no way to it either.
        let beside = if host == "127.0.0.1" { 1 } else { ear };
        for port in [port, beside] {
            let authority = format!("{host}:{port}");
            let target = format!("http://{authority}/metrics");
            let plain = request("GET", &target, &[("host", &authority)], "");
            arena.refuses(&target, Way::Forward, plain, 403, "address-forbidden").await;
        }
    }
    for odd in [
        "0177.0.0.1",
        "0x7f.1",
        "2130706433",
        "127.1",
        "[::1%25lo]",
        "[::1",
        "1.2.3.4.5",
        "a..b",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
    ] {
        let attack = format!("CONNECT {odd}:443 HTTP/1.1\r\nhost: {odd}:443\r\nconnection: close\r\n\r\n");
        let answer = arena.send(Way::Forward, attack).await;
        assert_eq!(answer.status(), 400, "{odd}: {answer:?}");
    }
}

#[tokio::test]
async fn a_closed_tunnel_ends_neither_here_nor_at_this_machine() {
    let arena = Arena::built(Ear::fine().await, EVERYTHING, |config| {
        config.interception = None;
    });
    let admin = arena.sidecar.admin.port();
    let ear = arena.ear.address().port();
    for authority in [
        format!("127.0.0.1:{admin}"),
        format!("localhost:{admin}"),
        format!("[::127.0.0.1]:{admin}"),
        format!("0.0.0.0:{admin}"),
        format!("{}", arena.at(Way::Reverse)),
        format!("localhost:{ear}"),
        "169.254.169.254:80".to_owned(),
    ] {
        let attack =
            format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
        arena.refuses(&authority, Way::Forward, attack, 403, "address-forbidden").await;
    }
}

#[tokio::test]
async fn connect_names_one_place() {
    let arena = Arena::new().await;
    for (target, host) in [
        ("api.example:443", "other.example:443"),
        ("api.example:443", "api.example:8443"),
        ("api.example:443", "api.example:443\r\nhost: other.example"),
    ] {
        let attack = format!("CONNECT {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        arena.refuses(host, Way::Forward, attack, 421, "name-mismatch").await;
    }
    for target in ["api.example", "api.example:0", "mole@api.example:443", "0x7f.1:443", "a..b:443"] {
        let attack = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\nconnection: close\r\n\r\n");
        arena.refuses(target, Way::Forward, attack, 400, "unreadable").await;
    }
    let attack = request("CONNECT", "api.example:443", &[], "");
    let answer = arena.send(Way::Reverse, attack).await;
    assert_eq!(answer.status(), 400, "{answer:?}");
}

/// Opens a tunnel and speaks TLS in it, as somebody who trusts the sidecar.
async fn inside(arena: &Arena, authority: &str, sni: &str, request: &str) -> Answer {
    let connect = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n\r\n");
    let mut stream = arena.open(Way::Forward, connect).await;
    let mut head = [0; 256];
    let count = stream.read(&mut head).await.unwrap();
    assert!(head[..count].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head[..count]));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(arena.authority()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(sni.to_owned()).unwrap();
    let Ok(mut tls) = TlsConnector::from(Arc::new(config)).connect(name, stream).await else {
        return Answer(String::new());
    };
    tls.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, tls.read_to_end(&mut answer)).await.expect("it closes");
    Answer(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn inside_a_tunnel_only_its_own_name_counts() {
    let arena = Arena::under(EVERYTHING).await;
    for (what, attack) in [
        ("another host", request("GET", "/x", &[("host", "other.example")], "")),
        ("another port", request("GET", "/x", &[("host", "api.example:8443")], "")),
        ("absolute", request("GET", "https://other.example/x", &[("host", "api.example")], "")),
        ("another scheme", request("GET", "http://api.example/x", &[("host", "api.example")], "")),
        ("two hosts", request("GET", "/x", &[("host", "api.example"), ("host", "api.example")], "")),
    ] {
        let before = arena.records().await.len();
        let answer = inside(&arena, "api.example:443", "api.example", &attack).await;
        assert_eq!(answer.status(), 421, "{what}: {answer:?}");
        let records = arena.records().await;
        assert_eq!(records.len(), before + 1, "{what}");
        assert_eq!(records[before].reason.unwrap().name(), "name-mismatch", "{what}");
    }
    let before = arena.records().await.len() as u64;
    let answer = inside(&arena, "api.example:443", "other.example", "").await;
    assert_eq!(answer.status(), 0, "another name in the handshake");
    let records = arena.records_once(before + 1).await;
    assert_eq!(records.last().unwrap().reason.unwrap().name(), "name-mismatch");
    let garbage = inside(&arena, "api.example:443", "api.example", "not http\r\n\r\n").await;
    assert_eq!(garbage.status(), 400);
    let records = arena.records_once(before + 2).await;
    assert_eq!(records.last().unwrap().reason.unwrap().name(), "unreadable");
}

#[tokio::test]
async fn a_closed_tunnel_is_opaque_also_where_it_is_excepted_from_interception() {
    let arena = Arena::with(|config| {
        let interception = config.interception.as_mut().unwrap();
        interception.except.push(HostPort { host: "pinned.example".to_owned(), port: 443 });
    })
    .await;
    let attack =
        "CONNECT Pinned.Example:443 HTTP/1.1\r\nhost: pinned.example:443\r\nconnection: close\r\n\r\n";
    arena.refuses("excepted", Way::Forward, attack, 403, "opaque").await;
}

#[tokio::test]
async fn the_collector_is_not_reached() {
    let arena = Arena::with(|config| {
        let web = config.upstreams.iter().find(|upstream| upstream.name.as_str() == "web").unwrap();
        config.collector = Some(pactgate::config::Link {
            url: web.url.clone(),
            token: config.agents[0].token.clone().unwrap(),
            public_key: [1; 32],
            roots: None,
        });
    })
    .await;
    // What the link itself says to the collector is no call.
    let attack = request("GET", "/web/open/events", &[], "");
    let answer = arena.send(Way::Reverse, attack).await;
    assert_eq!(answer.status(), 403, "{answer:?}");
    assert!(answer.body().contains("address-forbidden"), "{answer:?}");
    assert!(!arena.ear.heard().contains("/web/open/events"));
}
