//! A call as people write it: `{tool: payments.refund, args: {amount: 80}}`.

use crate::classify::{http_target, normalize_host, normalize_path};
use crate::domain::{Action, ActionKind, Dialect, HttpTarget, Json, Target, ToolRef, UpstreamName};
use crate::pact::diagnostics::{Diagnostic, File};
use crate::pact::document::{Node, Value};
use crate::pact::reader::nearest;

const FORMS: &[&str] = &["tool", "model", "http", "resource", "prompt", "agent", "hosted_tool", "opaque"];

/// Reads a call: one of `tool`, `model`, `http`, `resource`, `prompt`, `agent`, `hosted_tool` and `opaque`, with the
/// fields of the action beside it.
///
/// # Errors
/// When the form is missing, stands beside another, or names nothing that could be called.
pub fn read_call(file: &File, node: &Node) -> Result<Action, Diagnostic> {
    let wrong = |node: &Node, message: String, remedy: String| {
        Err(Diagnostic::error(file, node.place.clone(), message).remedy(remedy))
    };
    let Value::Map(members) = &node.value else {
        return wrong(node, "a call is a mapping".to_owned(), "write `{tool: NAME, args: {…}}`".to_owned());
    };
    let is_form = |(name, _): &&(Node, Node)| name.text().is_some_and(|name| FORMS.contains(&name));
    let mut forms = members.iter().filter(is_form);
    let Some((form, value)) = forms.next() else {
        let first = members.first().and_then(|(name, _)| name.text()).unwrap_or_default();
        return wrong(node, "the call does not say what is called".to_owned(), nearest(first, FORMS));
    };
    if let Some((second, _)) = forms.next() {
        return wrong(second, "a call calls one thing".to_owned(), "write one case for each".to_owned());
    }
    let Some(name) = value.text() else {
        return wrong(value, format!("expected a name, found {}", value.kind()), "write the name".to_owned());
    };
    let target = match target(form.text().unwrap_or_default(), name) {
        Ok(target) => target,
        Err((message, remedy)) => return wrong(value, message, remedy),
    };
    let mut fields = Vec::new();
    for (name, value) in members.iter().filter(|member| !is_form(member)) {
        match value.json() {
            Ok(json) => fields.push((name.text().unwrap_or_default().to_owned(), json)),
            Err(place) => {
                let message = "programs read this value in different ways";
                let remedy = "write a number as JSON does, or put the text in quotes";
                return Err(Diagnostic::error(file, place, message).remedy(remedy));
            }
        }
    }
    let dialect = dialect(&target);
    Ok(Action { target, fields: Json::Object(fields), dialect })
}

type Wrong = (String, String);

fn target(form: &str, name: &str) -> Result<Target, Wrong> {
    let pair = |what: &str| {
        let parts = name.split_once('/').filter(|(first, rest)| !first.is_empty() && !rest.is_empty());
        parts.ok_or_else(|| (format!("`{name}` is not in full"), format!("write `{what}`")))
    };
    let server = |server: &str| {
        UpstreamName::new(server)
            .map_err(|e| (e.to_string(), "write the upstream's name in the config".to_owned()))
    };
    Ok(match form {
        "tool" => Target::Tool(ToolRef::Capability(name.to_owned())),
        "model" => {
            let (provider, model) = pair("provider/model")?;
            Target::Model { provider: provider.to_owned(), model: model.to_owned() }
        }
        "hosted_tool" => {
            let (provider, name) = pair("provider/name")?;
            Target::HostedTool { provider: provider.to_owned(), name: name.to_owned() }
        }
        "resource" => {
            let (name, uri) = pair("server/uri")?;
            Target::Resource { server: server(name)?, uri: uri.to_owned() }
        }
        "prompt" => {
            let (first, name) = pair("server/name")?;
            Target::Prompt { server: server(first)?, name: name.to_owned() }
        }
        "agent" => match name.split_once('/') {
            Some((peer, skill)) => Target::Agent { peer: peer.to_owned(), skill: Some(skill.to_owned()) },
            None => Target::Agent { peer: name.to_owned(), skill: None },
        },
        "http" => Target::Http(http(name)?),
        _ => opaque(name)?,
    })
}

/// A connection to `host[:port]`, or what is called at an endpoint of it that is not read.
fn opaque(text: &str) -> Result<Target, Wrong> {
    let (authority, path) = match text.find('/').and_then(|at| text.split_at_checked(at)) {
        Some((authority, path)) => (authority, Some(path)),
        None => (text, None),
    };
    let (host, port) = endpoint(authority, 443)?;
    let example = || "write `host`, `host:port` or `host/v1/batches`".to_owned();
    let path = path.map(normalize_path).transpose().map_err(|error| (error.to_string(), example()))?;
    Ok(Target::Opaque { host, port, path })
}

fn http(text: &str) -> Result<HttpTarget, Wrong> {
    let example = || "write `GET https://api.example/v1/orders`".to_owned();
    let (method, url) = text.split_once(' ').ok_or_else(|| (format!("`{text}` has no method"), example()))?;
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    if url.contains(['?', '#']) {
        let remedy = "write the query beside it: `query: {name: value}`".to_owned();
        return Err((format!("`{url}` has a query"), remedy));
    }
    let (authority, path) = match rest.find('/').and_then(|at| rest.split_at_checked(at)) {
        Some(parts) => parts,
        None => (rest, "/"),
    };
    let (host, port) = endpoint(authority, if scheme == "http" { 80 } else { 443 })?;
    let method =
        http::Method::from_bytes(method.as_bytes()).map_err(|error| (error.to_string(), example()))?;
    http_target(&method, scheme, &host, port, path).map_err(|error| (error.to_string(), example()))
}

fn endpoint(text: &str, implied: u16) -> Result<(String, u16), Wrong> {
    let example = || "write `host` or `host:port`".to_owned();
    let (host, port) = match text
        .rsplit_once(':')
        .filter(|(host, _)| !host.contains(':') || host.ends_with(']'))
    {
        Some((host, port)) => (host, port.parse().map_err(|_| (format!("`{port}` is no port"), example()))?),
        None => (text, implied),
    };
    let host = normalize_host(host).map_err(|error| (error.to_string(), example()))?;
    Ok((host, port))
}

/// The dialect that a call of that kind comes in; of a model, the one of its provider.
fn dialect(target: &Target) -> Dialect {
    match (target.kind(), target) {
        (
            ActionKind::Model | ActionKind::HostedTool,
            Target::Model { provider, .. } | Target::HostedTool { provider, .. },
        ) if Dialect::parse(provider).is_some_and(Dialect::is_model_api) => {
            Dialect::parse(provider).unwrap_or(Dialect::OpenAi)
        }
        (ActionKind::Model | ActionKind::HostedTool, _) => Dialect::OpenAi,
        (ActionKind::Tool | ActionKind::Resource | ActionKind::Prompt | ActionKind::Protocol, _) => {
            Dialect::Mcp
        }
        (ActionKind::Agent, _) => Dialect::A2a,
        (ActionKind::Http, _) => Dialect::Http,
        (ActionKind::Opaque, _) => Dialect::Opaque,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pact::document;

    fn read(text: &str) -> Result<String, String> {
        let file = File::new("call", text);
        let node = document::read(&file).unwrap();
        read_call(&file, &node)
            .map(|action| {
                format!("{} {} {}", action.target.kind().name(), action.target, action.fields.canonical())
            })
            .map_err(|wrong| wrong.message)
    }

    #[test]
    fn a_call_names_one_thing_and_its_fields() {
        for (text, expected) in [
            ("{tool: a.b, args: {n: 1.50, s: 'x'}}", Ok(r#"tool a.b {"args":{"n":1.5,"s":"x"}}"#)),
            (r#"{"model": "openai/gpt-4o", "max_tokens": 5}"#, Ok(r#"model openai/gpt-4o {"max_tokens":5}"#)),
            ("{http: 'DELETE https://API.example/a/../b'}", Ok("http DELETE https://api.example/b {}")),
            (
                "{http: GET a.example, query: {x: y}}",
                Ok(r#"http GET https://a.example/ {"query":{"x":"y"}}"#),
            ),
            ("{resource: 'docs/file:///a'}", Ok("resource docs/file:///a {}")),
            ("{opaque: a.example}", Ok("opaque a.example:443 {}")),
            ("{opaque: '[2001:db8::1]:8443'}", Ok("opaque [2001:db8::1]:8443 {}")),
            ("{opaque: api.openai.com/v1/./batches}", Ok("opaque api.openai.com:443/v1/batches {}")),
            ("{opaque: 'https://a.example/x'}", Err("`` is no port")),
            ("{agent: billing/refund}", Ok("agent billing/refund {}")),
            ("{tol: a.b}", Err("the call does not say what is called")),
            ("{tool: a, model: b/c}", Err("a call calls one thing")),
            ("{model: gpt}", Err("`gpt` is not in full")),
            ("{tool: a, args: {n: 0x10}}", Err("programs read this value in different ways")),
            ("[a]", Err("a call is a mapping")),
        ] {
            assert_eq!(read(text), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }
}
