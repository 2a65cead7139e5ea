//! A request as text, and what must hold of reading it. Shared by the fuzz targets and by the tests of the corpus.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pactgate::classify::{BodyPlan, Bounds, Call, Peer, RequestView, Unreadable, classify, plan};
use pactgate::domain::{Dialect, Target, ToolRef, UpstreamName};
use serde_json::Value;

/// A request, and the circumstances under which it is read.
#[derive(Clone, Debug)]
pub struct Case {
    pub peer: Peer,
    pub method: Method,
    pub scheme: String,
    pub host: String,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub pact_reads_http_bodies: bool,
}

impl Case {
    /// Reads a request line, header fields, an empty line and a body; `None` for anything else. Lines before the
    /// request line, each starting with `#`, set the circumstances: `# mcp-versions: a b`, `# betas: a b`,
    /// `# scheme: http`, `# pact-reads-http-bodies`.
    pub fn read(dialect: Dialect, file: &[u8]) -> Option<Self> {
        let name = match dialect {
            Dialect::Mcp => Some("payments"),
            Dialect::A2a => Some("billing"),
            Dialect::Http | Dialect::Opaque => None,
            _ => Some(dialect.name()),
        };
        let mut case = Self {
            peer: Peer {
                name: name.and_then(|name| UpstreamName::new(name).ok()),
                dialect,
                provider: dialect.name().to_owned(),
                mcp_versions: Vec::new(),
                betas: Vec::new(),
            },
            method: Method::GET,
            scheme: "https".to_owned(),
            host: String::new(),
            path: String::new(),
            query: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            pact_reads_http_bodies: false,
        };
        let mut rest = file;
        let mut is_head = false;
        while let Some(line) = next_line(&mut rest).filter(|line| !line.is_empty()) {
            if let Some(circumstance) = line.strip_prefix(b"# ") {
                case.set(std::str::from_utf8(circumstance).ok()?)?;
            } else if is_head {
                case.header(line)?;
            } else {
                case.request_line(std::str::from_utf8(line).ok()?)?;
                is_head = true;
            }
        }
        case.body = Bytes::copy_from_slice(rest.strip_suffix(b"\n").unwrap_or(rest));
        is_head.then_some(case)
    }

    fn set(&mut self, circumstance: &str) -> Option<()> {
        let (key, value) = circumstance.split_once(": ").unwrap_or((circumstance, ""));
        match key {
            "mcp-versions" => self.peer.mcp_versions = value.split(' ').map(str::to_owned).collect(),
            "betas" => self.peer.betas = value.split(' ').map(str::to_owned).collect(),
            "scheme" => self.scheme = value.to_owned(),
            "pact-reads-http-bodies" => self.pact_reads_http_bodies = true,
            _ => return None,
        }
        Some(())
    }

    fn request_line(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        self.method = method.parse().ok()?;
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        // `<upstream>` stands for a request for the upstream's own URL: nothing is left behind its prefix.
        self.path = if path == "<upstream>" { String::new() } else { path.to_owned() };
        self.query = query;
        Some(())
    }

    fn header(&mut self, line: &[u8]) -> Option<()> {
        let colon = line.iter().position(|b| *b == b':')?;
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name).ok()?;
        let value = HeaderValue::from_bytes(value.strip_prefix(b":")?.trim_ascii()).ok()?;
        if name == "host" {
            self.host = value.to_str().ok()?.to_owned();
        } else {
            self.headers.append(name, value);
        }
        Some(())
    }

    /// Plans and reads, as the proxy does.
    pub fn classify(&self) -> (BodyPlan, Result<Call, Unreadable>) {
        let Self { peer, method, headers, pact_reads_http_bodies, .. } = self;
        let plan = plan(peer, method, &self.path, headers, *pact_reads_http_bodies);
        let body = if plan == BodyPlan::Buffer { self.body.clone() } else { Bytes::new() };
        let view = RequestView {
            method,
            scheme: &self.scheme,
            host: &self.host,
            port: if self.scheme == "https" { 443 } else { 80 },
            path: &self.path,
            query: self.query.as_deref(),
            headers,
            body: &body,
        };
        (plan, classify(peer, &view, &Bounds::default()))
    }

    /// Reads, and holds what was read against what another parser sees in the bytes that would be forwarded.
    pub fn check(&self) {
        let (plan, read) = self.classify();
        let Ok(call) = read else { return };
        assert!(!call.parts.is_empty(), "a call without parts");
        let is_judged = call.parts.iter().all(|part| !matches!(part.action.target, Target::Opaque { .. }));
        if plan == BodyPlan::Stream || !is_judged || self.peer.dialect == Dialect::Http {
            return;
        }
        let forwarded = call.body.as_ref().unwrap_or(&self.body);
        if forwarded.is_empty() {
            return;
        }
        let Ok(value) = serde_json::from_slice::<Value>(forwarded) else {
            // Numbers beyond a double are well-formed where nobody judges them.
            assert!(serde_json::from_slice::<Box<serde_json::value::RawValue>>(forwarded).is_ok());
            return;
        };
        let messages = value.as_array().map_or_else(|| vec![&value], |messages| messages.iter().collect());
        for part in &call.parts {
            let is_there = match &part.action.target {
                Target::Model { model, .. } if self.names_model_in_path() => {
                    path_names(&call.path_and_query, model)
                }
                Target::Model { model, .. } => forwarded_names(&value, model),
                Target::Tool(ToolRef::Mcp { tool, .. }) => messages.iter().any(|message| {
                    message["method"] == "tools/call" && message["params"]["name"] == tool.as_str()
                }),
                Target::Agent { skill: Some(skill), .. } => says(&value, skill),
                _ => true,
            };
            assert!(is_there, "{} is not what another parser reads", part.action.target);
        }
        let asks_for_tool = |message: &&&Value| message["method"] == "tools/call";
        let tools = call.parts.iter().filter(|part| matches!(part.action.target, Target::Tool(_))).count();
        assert_eq!(tools, messages.iter().filter(asks_for_tool).count(), "a tool call that was not judged");
    }
}

impl Case {
    fn names_model_in_path(&self) -> bool {
        matches!(self.peer.dialect, Dialect::Gemini | Dialect::Bedrock)
    }
}

/// Whether a path names that model, read as a router would: its escapes taken off once.
fn path_names(path: &str, model: &str) -> bool {
    let mut bytes = path.split('?').next().unwrap_or_default().bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => {
                let digits: String = bytes.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).expect("a whole escape")
            }
            byte => byte,
        });
    }
    let path = String::from_utf8(plain).expect("a path in UTF-8");
    path.contains(&format!("/{model}:")) || path.contains(&format!("/{model}/converse")) || {
        let (publisher, name) = model.split_once('/').unwrap_or_default();
        path.contains(&format!("/publishers/{publisher}/models/{name}:"))
    }
}

fn forwarded_names(value: &Value, model: &str) -> bool {
    let is_in = |list: &Value| {
        let items = list.as_array().map_or_else(|| vec![list], |items| items.iter().collect());
        items.iter().any(|item| **item == model || item["model"] == model)
    };
    value["model"] == model
        || is_in(&value["models"])
        || is_in(&value["fallbacks"])
        || is_in(&value["tools"])
        || (["messages", "system"].iter().any(|name| defines(&value[name], model)))
}

/// Whether a tool that is defined in there runs that model.
fn defines(value: &Value, model: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| defines(item, model)),
        Value::Object(members) => {
            members.get("definition").is_some_and(|tool| tool["model"] == model)
                || members.values().any(|item| defines(item, model))
        }
        _ => false,
    }
}

/// Whether a string stands anywhere in a value.
fn says(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string == text,
        Value::Array(items) => items.iter().any(|item| says(item, text)),
        Value::Object(members) => members.values().any(|item| says(item, text)),
        _ => false,
    }
}

fn next_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if rest.is_empty() {
        return None;
    }
    let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    let (line, behind) = rest.split_at(end);
    *rest = behind.get(1..).unwrap_or_default();
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}
