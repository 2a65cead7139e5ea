//! Changed pacts and config take effect, wrong ones do not; nothing that is under way notices.

use std::fs;
use std::os::unix::fs::symlink;

use http::Method;

use crate::operation::{AGENT, PACT, call, calls_until, get, page, readiness, sample, setup};
use crate::support::fickle::Fickle;
use crate::support::http::{Connection, request, send};
use crate::support::process::{pactgate, until};
use crate::support::sidecar::token;

const APPLIED: &str = "pactgate_reloads_total{result=\"applied\",what=\"pacts\"}";
const REFUSED: &str = "pactgate_reloads_total{result=\"refused\",what=\"pacts\"}";
const CONFIG_APPLIED: &str = "pactgate_reloads_total{result=\"applied\",what=\"config\"}";
const CONFIG_REFUSED: &str = "pactgate_reloads_total{result=\"refused\",what=\"config\"}";

#[tokio::test]
async fn a_changed_pact_counts_from_the_next_call_on_and_drops_nothing() {
    let upstream = Fickle::start().await;
    let sidecar = setup(&upstream).start_plain();
    let mut kept = Connection::open(sidecar.at("reverse")).await.unwrap();
    assert_eq!(kept.send(call(Method::GET, "/paced")).await.unwrap().status, 200);
    let mut stream = Connection::open(sidecar.at("reverse")).await.unwrap();
    let streaming = stream.begin(call(Method::GET, "/stream")).await.unwrap();

    sidecar.replace(
        "pacts/0.yaml",
        &PACT.replace("version: 1", "version: 2").replace("/forbidden", "/forbidden-too"),
    );
    until("the new pact is in force", || async {
        (page(&sidecar, "/pacts").await["pacts"]["entries"][0]["version"] == 2).then_some(())
    })
    .await;
    assert_eq!(sample(&sidecar, APPLIED).await, 1.0);
    // The same connection, the other rule, and the counters of before: two in an hour are two, not three.
    assert_eq!(kept.send(call(Method::GET, "/forbidden-too")).await.unwrap().status, 403);
    assert_eq!(kept.send(call(Method::GET, "/forbidden")).await.unwrap().status, 200);
    assert_eq!(kept.send(call(Method::GET, "/paced")).await.unwrap().status, 200);
    assert_eq!(kept.send(call(Method::GET, "/paced")).await.unwrap().status, 429);
    upstream.let_go();
    let body = http_body_util::BodyExt::collect(streaming.into_body()).await.unwrap().to_bytes();
    assert!(body.ends_with(b"data: last\n\n"), "a stream that was under way is passed on whole");
}

#[tokio::test]
async fn a_broken_pact_leaves_the_last_good_one_in_force_and_is_told() {
    let upstream = Fickle::start().await;
    let sidecar = setup(&upstream).start_plain();
    assert_eq!(get(&sidecar, "/forbidden").await.status, 403);
    sidecar.replace("pacts/0.yaml", &PACT.replace("deny:", "dny:"));
    until("the refusal is counted", || async { (sample(&sidecar, REFUSED).await == 1.0).then_some(()) })
        .await;

    assert_eq!(get(&sidecar, "/forbidden").await.status, 403);
    assert_eq!(get(&sidecar, "/fine").await.status, 200);
    let why = page(&sidecar, "/pacts").await["not_loaded"].as_str().unwrap().to_owned();
    assert!(why.contains("dny") && why.contains("0.yaml"), "{why}");
    let (ready, detail) = readiness(&sidecar, "pacts").await;
    assert!(ready && detail.contains("newer files are wrong and not in force"), "{detail}");
    let status = pactgate().arg("status").arg("--socket").arg(sidecar.socket()).output().unwrap();
    let screen = String::from_utf8(status.stdout).unwrap();
    assert!(screen.contains("the newest files are NOT in force"), "{screen}");

    sidecar.replace("pacts/0.yaml", PACT);
    until("the good file counts again", || async { (sample(&sidecar, APPLIED).await == 1.0).then_some(()) })
        .await;
    assert!(page(&sidecar, "/pacts").await["not_loaded"].is_null());
    assert_eq!(readiness(&sidecar, "pacts").await.1, "1 pact is loaded");
    assert_eq!(sample(&sidecar, REFUSED).await, 1.0);
}

#[tokio::test]
async fn a_changed_config_brings_upstreams_and_tokens_and_a_broken_one_nothing() {
    let (upstream, other) = (Fickle::start().await, Fickle::start().await);
    let sidecar = setup(&upstream).start_plain();
    let mut kept = Connection::open(sidecar.at("reverse")).await.unwrap();
    assert_eq!(kept.send(call(Method::GET, "/fine")).await.unwrap().status, 200);

    // A token's file: the old token is worth nothing from then on.
    sidecar.replace(&format!("{AGENT}.token"), "another-token");
    until("the new token counts", || async {
        let tried = request(Method::GET, "/works/fine", "another-token", None);
        (send(sidecar.at("reverse"), tried).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(kept.send(call(Method::GET, "/fine")).await.unwrap().status, 401);
    assert_eq!(sample(&sidecar, APPLIED).await, 0.0, "no pact has changed");
    sidecar.replace(&format!("{AGENT}.token"), &token(AGENT));
    calls_until(&sidecar, "/fine", 200).await;

    // Another upstream.
    assert_eq!(kept.send(request(Method::GET, "/more/x", &token(AGENT), None)).await.unwrap().status, 404);
    let line = format!("upstreams:\n  - {{name: more, dialect: http, url: \"{}\"}}", other.url());
    sidecar.edit("upstreams:", &line);
    until("the new upstream is served", || async {
        let tried = request(Method::GET, "/more/x", &token(AGENT), None);
        (send(sidecar.at("reverse"), tried).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(other.arrived("/x").len(), 1);
    assert_eq!(sample(&sidecar, CONFIG_APPLIED).await, 3.0);

    // A broken one.
    sidecar.edit("dialect: http", "dialect: telex");
    until("the refusal is counted", || async {
        (sample(&sidecar, CONFIG_REFUSED).await == 1.0).then_some(())
    })
    .await;
    assert_eq!(kept.send(call(Method::GET, "/fine")).await.unwrap().status, 200);
    let (ready, detail) = readiness(&sidecar, "config").await;
    assert!(ready && detail.contains("the last good one stays in force"), "{detail}");
    let status = page(&sidecar, "/status").await;
    assert!(status["config_not_loaded"].as_str().unwrap().contains("telex"), "{status:#}");
    sidecar.edit("dialect: telex", "dialect: http");
    until("the good config counts again", || async {
        (readiness(&sidecar, "config").await.1 == "the newest config is in force").then_some(())
    })
    .await;
    assert!(!kept.is_closed(), "no connection was dropped on the way");
}

/// What Kubernetes does: files are links through `..data`, and one rename swaps all of them.
#[tokio::test]
async fn a_config_map_that_is_swapped_is_noticed() {
    let upstream = Fickle::start().await;
    let sidecar = setup(&upstream).start_plain();
    let mount = sidecar.folder().join("mount");
    let version = |name: &str, text: &str| {
        fs::create_dir_all(mount.join(name)).unwrap();
        fs::write(mount.join(name).join("pact.yaml"), text).unwrap();
        symlink(name, mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    };
    version("..2026_1", PACT);
    symlink("..data/pact.yaml", mount.join("pact.yaml")).unwrap();
    sidecar.edit("pacts: [pacts/]", "pacts: [mount/]");
    until("the mount is read", || async {
        let file = page(&sidecar, "/pacts").await["pacts"]["entries"][0]["file"].as_str().map(str::to_owned);
        file.filter(|file| file.ends_with("mount/pact.yaml")).map(drop)
    })
    .await;
    assert_eq!(get(&sidecar, "/swapped").await.status, 200);
    version("..2026_2", &PACT.replace("/forbidden", "/swapped"));
    calls_until(&sidecar, "/swapped", 403).await;
    assert_eq!(page(&sidecar, "/pacts").await["pacts"]["entries"].as_array().unwrap().len(), 1);
}
