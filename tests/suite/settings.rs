//! The page of settings says what the code does.

use std::fs;
use std::path::Path;

use pactgate::{approvals, classify, config, limits, net, spool, trust};

const PAGE: &str = include_str!("../../src/config/README.md");
const SOURCE: &str = include_str!("../../src/config/source.rs");

const MINIMAL: &str = "apiVersion: pactgate.dev/v1
kind: Sidecar
id: a
pacts: [pacts]
listeners: [{mode: reverse, address: 127.0.0.1:8080, agent: a}]
upstreams: [{name: u, dialect: http, url: \"https://example.com\"}]
collector: {url: \"http://127.0.0.1:7070\", token: {env: T}, public_key: \"0tt2TVDUjMRLM/Fn9JsJJrPgNtcEIhnL8DNQIg8rF2s=\"}
";

/// The cells of every row, back-quotes taken off.
fn rows() -> Vec<Vec<String>> {
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| ---");
    let cells =
        |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().replace('`', "")).collect();
    PAGE.lines().filter(is_row).map(cells).collect()
}

fn load(text: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("pacts")).unwrap();
    let file = folder.path().join("sidecar.yaml");
    fs::write(&file, text).unwrap();
    let env = |_: &str| Some("0123456789abcdef".to_owned());
    config::load_sidecar(&file, &env).map(|(config, _)| config.print()).map_err(|wrong| wrong.to_string())
}

/// A file in which one setting has one value.
fn with(setting: &str, value: &str) -> String {
    let nested = |path: &str| {
        path.rsplit('.').fold(value.to_owned(), |inner, name| match inner == value {
            true => format!("{name}: {inner}"),
            false => format!("{name}: {{{inner}}}"),
        })
    };
    match setting.strip_prefix("upstreams[].") {
        Some(rest) => MINIMAL.replace("dialect: http", &format!("dialect: http, {}", nested(rest))),
        None => format!("{MINIMAL}{}\n", nested(setting)),
    }
}

#[test]
fn every_range_is_the_one_that_the_code_holds() {
    let printed = load(MINIMAL).unwrap();
    let mut checked = 0;
    for row in rows() {
        let [setting, default, range, _] = &row[..] else { continue };
        let Some((least, most)) = range.split_once(" to ") else { continue };
        for bound in [least, most] {
            // The pair that has to be ordered.
            let partner = match setting.as_str() {
                "trust.sink_after" => Some("trust: {restrict_after: 1d, "),
                "trust.restrict_after" => Some("trust: {sink_after: 10s, "),
                "approvals.patience" => Some("approvals: {expire: 1d, "),
                "approvals.expire" => Some("approvals: {patience: 0s, "),
                "bounds.body" => Some("bounds: {decoded: 1GiB, "),
                "bounds.decoded" => Some("bounds: {body: 1KiB, "),
                _ => None,
            };
            let mut text = with(setting, bound);
            if let Some(partner) = partner {
                text = text.replace(&format!("{}: {{", setting.split('.').next().unwrap()), partner);
            }
            assert!(load(&text).is_ok(), "{setting}: {bound} is within: {:?}", load(&text));
        }
        let beyond = ["0B", "2000GiB", "3d", "1ms", "5", "2000000"];
        let said: String = beyond.iter().filter_map(|value| load(&with(setting, value)).err()).collect();
        assert!(said.contains("out of range"), "{setting} has no range");
        let told = said.contains(&format!("from `{least}` to `{most}`"))
            || said.contains(&format!("from {least} to {most}"));
        assert!(told, "{setting} is not from {least} to {most}:\n{said}");
        if !default.contains(' ') {
            let name = setting.rsplit('.').next().unwrap();
            assert!(
                printed.contains(&format!("{name}: {default}")),
                "{setting} is not {default} by default:\n{printed}"
            );
        }
        checked += 1;
    }
    assert_eq!(checked, 17, "every row with a range");
}

#[test]
fn every_field_of_the_files_is_on_the_page() {
    let settings: Vec<String> = rows().into_iter().map(|row| row[0].clone()).collect();
    // Told in the text: how a secret is written, and the parts of a credential.
    let told = ["env", "file", "header", "prefix"];
    for line in SOURCE.lines() {
        let Some((name, _)) = line.trim().strip_prefix("pub ").and_then(|rest| rest.split_once(": Option<"))
        else {
            continue;
        };
        let name = if name == "api_version" { "apiVersion" } else { name };
        let on_page =
            settings.iter().any(|setting| setting.split('.').any(|part| part.trim_end_matches("[]") == name));
        assert!(on_page || told.contains(&name), "`{name}` is not on the page");
    }
}

#[test]
fn bounds_without_a_setting_are_those_of_the_rooms() {
    let rows = rows();
    let bound = |what: &str| {
        let row = rows.iter().find(|row| row[0] == what).unwrap_or_else(|| panic!("no `{what}`"));
        let numbers = row[1].split(|c: char| !c.is_ascii_digit()).filter_map(|text| text.parse().ok());
        numbers.collect::<Vec<usize>>()
    };
    let read = classify::Bounds::default();
    assert_eq!(bound("nesting of a JSON body"), [read.depth]);
    assert_eq!(bound("values in the arguments of a call"), [read.values]);
    assert_eq!(bound("messages in a JSON-RPC batch"), [read.batch]);
    assert_eq!(bound("bytes of a model's or tool's name"), [read.name_bytes]);
    assert_eq!(bound("bytes of the address of an MCP resource"), [read.uri_bytes]);
    let counted = limits::Bounds::default();
    assert_eq!(bound("agents whose limits are counted"), [counted.agents_max]);
    assert_eq!(bound("meters of limits of one agent"), [counted.meters_max]);
    assert_eq!(bound("agents whose tier is kept"), [trust::AGENTS_MAX]);
    let desk = approvals::Settings::default();
    assert_eq!(bound("questions on the desk"), [desk.questions_max, desk.questions_per_agent_max]);
    assert_eq!(bound("calls that wait for people"), [desk.waiters_max]);
    let id = pactgate::domain::SidecarId::new("a").unwrap();
    assert_eq!(bound("records in memory"), [spool::Settings::new("/".into(), id).queue_max]);
    let streams = usize::try_from(net::ServeSettings::default().streams_max).unwrap();
    assert_eq!(bound("HTTP/2 requests at once on one connection"), [streams]);
}

#[test]
fn the_examples_load() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for (role, file) in [("proxy", "sidecar.yaml"), ("collector", "collector.yaml")] {
        let mut command = crate::support::process::pactgate();
        command.arg(role).arg("--check").arg("--config").arg(examples.join(file));
        for name in ["AGENT_TOKEN", "OPENAI_API_KEY", "SIDECAR_TOKEN", "OPERATOR_TOKEN"] {
            command.env(name, format!("{name}-0123456789"));
        }
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.is_empty(), "{file}: {said}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("kind: "), "{file}");
    }
}
