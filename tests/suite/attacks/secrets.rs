//! Credentials, on both sides.

use base64::Engine as _;

use crate::support::arena::{Arena, KEY, TOKEN, TWIN, Way, request};

#[tokio::test]
async fn who_proves_nothing_is_refused() {
    let arena = Arena::new().await;
    for (what, headers) in [
        ("nothing", vec![]),
        ("its own word", vec![("x-agent-id", "mole"), ("user-agent", "mole")]),
        ("a wrong token", vec![("authorization", "Bearer wrong")]),
        ("an empty token", vec![("authorization", "Bearer ")]),
        ("the id as token", vec![("authorization", "Bearer mole")]),
        ("the upstream's key", vec![("authorization", "Bearer key-of-the-model-api")]),
        ("a token for proxies", vec![("proxy-authorization", "Bearer token-of-the-mole")]),
        ("two tokens in one", vec![("authorization", "Bearer token-of-the-mole, Bearer token-of-the-twin")]),
    ] {
        let attack = request("GET", "/web/open/a", &headers, "");
        let answer = arena.refuses(what, Way::Open, attack, 401, "no-pact").await;
        assert!(answer.0.contains("www-authenticate"), "{answer:?}");
        assert!(!answer.0.contains("token-of"), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn two_agents_in_one_request_are_neither() {
    let arena = Arena::new().await;
    let (mole, twin) = (format!("Bearer {TOKEN}"), format!("Bearer {TWIN}"));
    let attack = request("GET", "/web/open/a", &[("authorization", &mole), ("x-api-key", TWIN)], "");
    arena.refuses("two headers", Way::Open, attack, 401, "no-pact").await;
    let attack = request("GET", "/web/open/a", &[("authorization", &mole), ("authorization", &twin)], "");
    arena.refuses("one header twice", Way::Open, attack, 401, "no-pact").await;
}

#[tokio::test]
async fn no_token_of_an_agent_reaches_an_upstream() {
    let arena = Arena::new().await;
    let bearer = format!("Bearer {TOKEN}");
    let basic =
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("mole:{TOKEN}")));
    let everywhere = [
        ("authorization", bearer.as_str()),
        ("x-api-key", TOKEN),
        ("api-key", TOKEN),
        ("x-goog-api-key", TOKEN),
        ("pactgate-agent-token", TOKEN),
        ("proxy-authorization", basic.as_str()),
    ];
    arena.passes("open", Way::Open, request("GET", "/web/open/a", &everywhere, "")).await;
    arena.passes("its own listener", Way::Reverse, request("GET", "/web/open/a", &everywhere, "")).await;
    let address = arena.ear.address().to_string();
    let target = format!("http://{address}/web/open/a");
    let mut forward = everywhere.to_vec();
    forward.push(("host", &address));
    arena.passes("forward", Way::Forward, request("GET", &target, &forward, "")).await;
    let other = request("GET", "/web/open/a", &[("authorization", &format!("Bearer {TWIN}"))], "");
    arena.passes("of another agent", Way::Reverse, other).await;
    let heard = arena.ear.heard();
    assert!(!heard.contains(TOKEN) && !heard.contains(TWIN) && !heard.contains("Basic"), "{heard}");
}

#[tokio::test]
async fn an_agents_own_key_for_an_upstream_still_gets_there() {
    let arena = Arena::new().await;
    let own = [("authorization", "Bearer mine"), ("pactgate-agent-token", TOKEN)];
    arena.passes("its own", Way::Open, request("GET", "/web/open/a", &own, "")).await;
    assert!(arena.ear.heard().contains("authorization: Bearer mine"));
}

#[tokio::test]
async fn the_upstreams_key_is_seen_by_the_upstream_alone() {
    let arena = Arena::new().await;
    let json = ("content-type", "application/json");
    let allowed = request(
        "POST",
        "/openai/v1/chat/completions",
        &[json, ("authorization", "Bearer mine"), ("x-api-key", "mine too"), ("connection", "authorization")],
        r#"{"model":"small","messages":[]}"#,
    );
    let answer = arena.passes("allowed", Way::Reverse, allowed).await;
    assert!(!answer.0.contains(KEY));
    let heard = arena.ear.heard();
    assert!(heard.contains(&format!("authorization: Bearer {KEY}")), "{heard}");
    assert!(!heard.contains("mine"), "{heard}");

    let metrics = {
        let mut stream = tokio::net::TcpStream::connect(arena.sidecar.admin).await.unwrap();
        let ask = request("GET", "/metrics", &[], "");
        tokio::io::AsyncWriteExt::write_all(&mut stream, ask.as_bytes()).await.unwrap();
        crate::support::arena::rest(stream).await.0
    };
    assert!(metrics.contains("pactgate_decisions_total"), "{metrics}");
    let told = format!("{metrics}{:?}{:?}", arena.records().await, arena.sidecar);
    for secret in [KEY, TOKEN, TWIN] {
        assert!(!told.contains(secret), "{secret} is told");
    }
}

#[tokio::test]
async fn a_token_in_an_odd_place_is_not_recorded() {
    let arena = Arena::new().await;
    for target in [
        format!("http://mole:{TOKEN}@127.0.0.1:1/web/open/a"),
        format!("http://{TOKEN}@127.0.0.1:1/web/open/a"),
    ] {
        let attack = format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1:1\r\nconnection: close\r\n\r\n");
        let answer = arena.refuses("userinfo", Way::Forward, attack, 400, "unreadable").await;
        assert!(!answer.0.contains(TOKEN), "{answer:?}");
    }
    let attack = format!(
        "CONNECT mole:{TOKEN}@a.example:443 HTTP/1.1\r\nhost: a.example:443\r\nconnection: close\r\n\r\n"
    );
    arena.refuses("connect", Way::Forward, attack, 400, "unreadable").await;
    assert!(!format!("{:?}", arena.records().await).contains(TOKEN));
}
