//! curl, for whatever speaks plain HTTP: what is allowed, problem details otherwise, and the corners of HTTP.

use std::fs;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::clients::operator::Operator;
use crate::clients::scene::{Fetched, Route, SHOPPING, Scene, fetch};
use crate::support::collector::Collector;
use crate::support::programs::{Program, curl, curl_to_its_end, run};
use crate::support::sidecar::Setup;

const WITHOUT_TLS: [Route; 2] = [Route::Reverse, Route::Plain];

async fn shopping() -> Scene {
    Scene::set(Setup::default().agent("shopper-1").pact(SHOPPING)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_allowed_passes_and_a_problem_tells_of_the_rest() {
    let scene = shopping().await;
    for route in WITHOUT_TLS {
        let seen = scene.fetch(route, "shopper-1", "/look/at?x=1", &["-d", "hello"]).await;
        assert_eq!((seen.status, &seen.body["bytes"]), (200, &json!(5)), "{route:?}: {seen:?}");
        assert_eq!(seen.body["target"], "/look/at?x=1");
        assert!(!seen.decision.is_empty(), "{route:?}: {seen:?}");
        let headers = seen.body["headers"].to_string();
        assert!(!headers.contains("authorization") && !headers.contains("proxy-"), "{route:?}: {headers}");
        let refused = scene.fetch(route, "shopper-1", "/elsewhere", &["-d", "hello"]).await;
        refused.assert_problem(403, "no-clause");
        let denied = scene.fetch(route, "shopper-1", "/look/burn", &[]).await;
        denied.assert_problem(403, "denied");
        assert_eq!(denied.body["clauses"], json!(["never-burn"]));
        assert!(denied.body["detail"].as_str().unwrap().contains("clause `never-burn`"));
        let spelled = scene.fetch(route, "shopper-1", "/look/%62urn", &["--path-as-is"]).await;
        spelled.assert_problem(403, "denied");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_calls_must_be_known() {
    let scene = shopping().await;
    let reverse = format!("{}/look/at", scene.sidecar.reverse("echo"));
    fetch(&[&reverse], &[]).await.assert_problem(401, "no-pact");
    let nobody = scene.sidecar.variables("nobody");
    let echo = format!("http://{}/look/at", scene.echo);
    fetch(&[&echo], &nobody).await.assert_problem(407, "no-pact");
    let challenge = curl(&["-o", "/dev/null", "-D", "-", &echo], &nobody).await;
    assert!(challenge.to_ascii_lowercase().contains("proxy-authenticate: basic"), "{challenge}");
    let secure = format!("{}/v1/models", scene.secure.openai.url());
    let ended = curl_to_its_end(&["-w", "%{http_connect}", &secure], &nobody).await;
    assert!(ended.code != Some(0) && ended.told.ends_with("407"), "{} {}", ended.told, ended.said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_of_http_work_inside_an_opened_tunnel() {
    let scene = shopping().await;
    let env = scene.sidecar.variables("shopper-1");
    let openai = scene.secure.openai.url();
    let big = json!({"model": "gpt-4o-big", "max_tokens": 8, "messages": []}).to_string();
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let models = fetch(&[flag, &format!("{openai}/v1/models")], &env).await;
        assert_eq!((models.status, models.version.as_str()), (200, version));
        assert_eq!(models.body["object"], "list");
        let post = [flag, "-H", "Content-Type: application/json", "-d", &big];
        let refused = fetch(&[&post[..], &[&format!("{openai}/v1/chat/completions")]].concat(), &env).await;
        assert_eq!((refused.status, refused.version.as_str()), (403, version));
        assert_eq!(refused.body["error"]["code"], "denied");
        // The pact speaks of no such place, and no upstream is declared there.
        let unknown = fetch(&[flag, &format!("{openai}/v1/files")], &env).await;
        assert_eq!((unknown.status, &unknown.body["error"]["code"]), (403, &json!("opaque")));
    }
}

/// Node's undici and gRPC open a tunnel also where they speak no TLS in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_without_tls_is_read_as_well() {
    let scene = shopping().await;
    for flag in ["--http1.1", "--http2-prior-knowledge"] {
        let tunnel = [flag, "--proxytunnel"];
        let refused = scene.fetch(Route::Plain, "shopper-1", "/elsewhere", &tunnel).await;
        refused.assert_problem(403, "no-clause");
        let seen = scene.fetch(Route::Plain, "shopper-1", "/look/at", &tunnel).await;
        assert_eq!((seen.status, &seen.body["target"]), (200, &json!("/look/at")), "{flag}: {seen:?}");
        let other = [&tunnel[..], &["-H", "Host: other.example"]].concat();
        let other = scene.fetch(Route::Plain, "shopper-1", "/look/at", &other).await;
        other.assert_problem(421, "name-mismatch");
    }
    // Neither TLS nor HTTP.
    let token = crate::support::sidecar::token("shopper-1");
    let mut stream = TcpStream::connect(scene.sidecar.at("forward")).await.unwrap();
    let connect = format!(
        "CONNECT {0} HTTP/1.1\r\nHost: {0}\r\nProxy-Authorization: Bearer {token}\r\n\r\n",
        scene.echo
    );
    stream.write_all(connect.as_bytes()).await.unwrap();
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    stream.write_all(b"\0hello").await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_disagree_are_refused() {
    let collector = Collector::start("{}");
    let setup = Setup::default().agent("shopper-1").pact(SHOPPING).collector(&collector);
    let scene = Scene::set(setup).await;
    let env = scene.sidecar.variables("shopper-1");
    let other = ["-H", "Host: other.example"];
    let plain = scene.fetch(Route::Plain, "shopper-1", "/look/at", &other).await;
    plain.assert_problem(421, "name-mismatch");
    let models = format!("{}/v1/models", scene.secure.openai.url());
    for flag in ["--http1.1", "--http2"] {
        let inside = fetch(&[&other[..], &[flag, &models]].concat(), &env).await;
        inside.assert_problem(421, "name-mismatch");
    }
    // CONNECT names one host, and the TLS handshake inside another.
    let port = models.trim_start_matches("https://localhost:").trim_end_matches("/v1/models");
    let led = format!("other.example:443:localhost:{port}");
    let ended = curl_to_its_end(&["--connect-to", &led, "https://other.example/v1/models"], &env).await;
    assert_eq!(ended.code, Some(35), "{}{}", ended.told, ended.said);
    let records = Operator(&collector).records_with("reason=name-mismatch", 4).await;
    assert!(records.iter().all(|record| record["effect"] == "refused"), "{records:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_waits_until_it_is_wanted() {
    let scene = shopping().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    fs::write(&file, vec![b'x'; 5 << 20]).unwrap();
    let file = format!("@{}", file.display());
    let expecting =
        ["--http1.1", "-H", "Expect: 100-continue", "--expect100-timeout", "20", "--data-binary", &file];
    for route in WITHOUT_TLS {
        let sent = scene.fetch(route, "shopper-1", "/look/at", &expecting).await;
        assert_eq!((sent.status, &sent.body["bytes"]), (200, &json!(5 << 20)), "{route:?}: {sent:?}");
        assert!(!sent.body["headers"].to_string().contains("expect"), "{route:?}: {sent:?}");
        let refused = scene.fetch(route, "shopper-1", "/elsewhere", &expecting).await;
        refused.assert_problem(403, "no-clause");
        assert_eq!(refused.sent, 0, "{route:?}: the body was asked for in vain");
    }
    // A body that has to be read, and is announced to be too large.
    let env = scene.sidecar.variables("shopper-1");
    let completions = format!("{}/v1/chat/completions", scene.secure.openai.url());
    let json = ["-H", "Content-Type: application/json"];
    let large = fetch(&[&expecting[..], &json, &[&completions]].concat(), &env).await;
    assert_eq!((large.status, large.sent), (413, 0), "{large:?}");
    assert_eq!(large.body["error"]["code"], "unreadable", "{large:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_large_is_refused_also_where_it_does_not_say_so() {
    let scene = shopping().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    fs::write(&file, vec![b' '; 5 << 20]).unwrap();
    let file = format!("@{}", file.display());
    let env = scene.sidecar.variables("shopper-1");
    let completions = format!("{}/v1/chat/completions", scene.secure.openai.url());
    let options = ["-H", "Content-Type: application/json", "-H", "Expect:", "--data-binary", &file];
    for (version, framing) in
        [("--http1.1", "Transfer-Encoding: chunked"), ("--http1.1", "X-A: b"), ("--http2", "X-A: b")]
    {
        let large = fetch(&[&options[..], &[version, "-H", framing, &completions]].concat(), &env).await;
        assert_eq!(large.status, 413, "{version}, {framing}: {large:?}");
        assert_eq!(large.body["error"]["code"], "unreadable", "{version}, {framing}: {large:?}");
    }
    for route in WITHOUT_TLS {
        let options = ["-H", "Expect:", "--data-binary", &file];
        scene.fetch(route, "shopper-1", "/elsewhere", &options).await.assert_problem(403, "no-clause");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trailers_pass_in_both_directions() {
    let scene = shopping().await;
    let env = scene.sidecar.variables("shopper-1");
    let echo = format!("http://{}/look/at", scene.echo);
    let told = curl(&["-D", "-", "-H", "TE: trailers", "-H", "Connection: TE", &echo], &env).await;
    assert!(told.to_ascii_lowercase().contains("etag: sum"), "{told}");

    // curl cannot send any.
    let (host, token) = (scene.echo, crate::support::sidecar::token("shopper-1"));
    let mut stream = TcpStream::connect(scene.sidecar.at("reverse")).await.unwrap();
    let request = format!(
        "POST /echo/look/at HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Trailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(r#""trailers":["x-sum"]"#), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_trusts_the_bundle_too() {
    let scene = shopping().await;
    let models = format!("{}/v1/models", scene.secure.openai.url());
    let completions = format!("{}/v1/chat/completions", scene.secure.openai.url());
    let big = json!({"model": "gpt-4o-big", "messages": []});
    let plan = json!({"calls": [
        {"method": "GET", "url": models},
        {"method": "POST", "url": completions, "json": big},
        {"method": "GET", "url": format!("http://{}/elsewhere", scene.echo)},
    ]});
    let told = run(Program::Requests, plan, &scene.sidecar.variables("shopper-1")).await;
    assert_eq!((&told[0]["status"], &told[0]["body"]["object"]), (&json!(200), &json!("list")));
    assert_eq!((&told[1]["status"], &told[1]["body"]["error"]["code"]), (&json!(403), &json!("denied")));
    assert_eq!((&told[2]["status"], &told[2]["kind"]), (&json!(403), &json!("application/problem+json")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_is_not_there_is_a_bad_gateway() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let setup = Setup::default().agent("shopper-1").pact(SHOPPING).upstream("gone", "http", &url, None);
    let scene = Scene::set(setup).await;
    let env = scene.sidecar.variables("shopper-1");
    let failed: Fetched = fetch(&[&format!("{url}/look/at")], &env).await;
    failed.assert_problem(502, "connect");
}
