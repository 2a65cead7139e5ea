//! What stops the start, and `--check`: everything that is wrong, at once, with its place.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::process::pactgate;

const COLLECTOR: &str = "apiVersion: pactgate.dev/v1
kind: Collector
sidecars: [{id: a, token: {env: SIDECAR_TOKEN}}]
operators: [{name: o, token: {env: OPERATOR_TOKEN}}]
scoring: {standard_samples: 5}
";

const SIDECAR: &str = "apiVersion: pactgate.dev/v1
kind: Sidecar
id: checked
data: data
pacts: [pact.yaml]
agents: [{id: a, token: {env: AGENT_TOKEN}}]
listeners: [{mode: reverse, address: 127.0.0.1:0}]
upstreams: [{name: u, dialect: http, url: \"http://127.0.0.1:9\", credential: {env: UPSTREAM_KEY}}]
trust: {fixed: standard}
admin: {address: 127.0.0.1:0}
";

const PACT: &str = "apiVersion: pactgate.dev/v1
kind: Pact
metadata: {name: p, version: 1}
spec: {agents: [a], risk: low, owner: o, clauses: [{id: c, allow: {http: GET example.com/**}}]}
";

const SECRETS: [(&str, &str); 4] = [
    ("AGENT_TOKEN", "hush-agent"),
    ("UPSTREAM_KEY", "hush-upstream"),
    ("SIDECAR_TOKEN", "hush-sidecar"),
    ("OPERATOR_TOKEN", "hush-operator"),
];

fn run(role: &str, folder: &Path, check: bool) -> Output {
    let mut command = pactgate();
    command.arg(role).arg("--config").arg(folder.join(format!("{role}.yaml"))).envs(SECRETS);
    if check {
        command.arg("--check");
    }
    command.output().unwrap()
}

fn folder(sidecar: &str, pact: &str, collector: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("proxy.yaml", sidecar), ("pact.yaml", pact), ("collector.yaml", collector)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    for (_, secret) in SECRETS {
        assert!(!text.contains(secret), "a secret is told:\n{text}");
    }
    text
}

#[test]
fn check_prints_what_takes_effect_and_stops() {
    let folder = folder(SIDECAR, PACT, COLLECTOR);
    for (role, told) in [
        ("proxy", ["id: \"checked\"", "AGENT_TOKEN", "UPSTREAM_KEY", "drain: 25s", "level: info"]),
        (
            "collector",
            ["127.0.0.1:7070", "SIDECAR_TOKEN", "OPERATOR_TOKEN", "standard_samples: 5", "level: info"],
        ),
    ] {
        let output = run(role, folder.path(), true);
        let (printed, said) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{role}: {said}");
        for part in told {
            assert!(printed.contains(part), "{role} does not print `{part}`:\n{printed}");
        }
        // What is printed is a config, and the same one.
        fs::write(folder.path().join(format!("{role}.yaml")), &printed).unwrap();
        assert_eq!(text(&run(role, folder.path(), true).stdout), printed);
    }
    assert!(!folder.path().join("data").exists(), "a check leaves nothing behind");
}

#[test]
fn a_wrong_config_stops_the_start_with_all_its_errors() {
    let sidecar = SIDECAR
        .replace("mode: reverse", "mode: sideways")
        .replace("AGENT_TOKEN", "NOT_THERE")
        .replace("fixed", "fixd");
    let collector =
        COLLECTOR.replace("standard_samples", "standard_sample").replace("OPERATOR_TOKEN", "NOT_THERE");
    let folder = folder(&sidecar, PACT, &collector);
    for (role, told) in [
        ("proxy", ["sideways", "NOT_THERE", "fixd", ":7:", ":6:", ":9:"]),
        ("collector", ["standard_sample", "NOT_THERE", ":5:", ":4:", "standard_samples", "^"]),
    ] {
        for check in [true, false] {
            let output = run(role, folder.path(), check);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{role}: {said}");
            assert!(output.stdout.is_empty(), "{role} prints a config that cannot take effect");
            for part in told {
                assert!(said.contains(part), "{role} does not say `{part}`:\n{said}");
            }
            assert!(said.contains('^'), "no caret:\n{said}");
        }
    }
}

#[test]
fn a_wrong_pact_stops_the_start_with_all_its_errors() {
    let pact = PACT.replace("risk: low", "risk: lo").replace("allow", "alow");
    let folder = folder(SIDECAR, &pact, COLLECTOR);
    for check in [true, false] {
        let output = run("proxy", folder.path(), check);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for part in ["pact.yaml:4:", "`lo`", "alow", "^"] {
            assert!(said.contains(part), "it does not say `{part}`:\n{said}");
        }
    }
}

#[test]
fn what_cannot_be_opened_is_named_with_a_remedy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let sidecar = SIDECAR
        .replace("address: 127.0.0.1:0}]", &format!("address: \"{}\"}}]", taken.local_addr().unwrap()));
    let folder = folder(&sidecar, PACT, COLLECTOR);
    let output = run("proxy", folder.path(), false);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("choose another port"), "{said}");

    let missing = self::folder(&SIDECAR.replace("pact.yaml", "nowhere.yaml"), PACT, COLLECTOR);
    let output = run("proxy", missing.path(), false);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nowhere.yaml"), "{}", text(&output.stderr));
}
