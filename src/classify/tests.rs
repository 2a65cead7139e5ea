//! What holds of every dialect: any bytes are safe, and how a request is spelled does not matter.

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

const DIALECTS: [(Dialect, &str); 5] = [
    (Dialect::OpenAi, "/v1/chat/completions"),
    (Dialect::Anthropic, "/v1/messages"),
    (Dialect::Mcp, "/mcp"),
    (Dialect::A2a, "/"),
    (Dialect::Http, "/anything"),
];

fn read_body(dialect: Dialect, path: &str, body: Vec<u8>) -> Result<Call, Unreadable> {
    let peer = Peer {
        name: UpstreamName::new("payments").ok(),
        dialect,
        provider: "provider".to_owned(),
        mcp_versions: Vec::new(),
        betas: Vec::new(),
    };
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let body = Bytes::from(body);
    let view = RequestView {
        method: &Method::POST,
        scheme: "https",
        host: "api.example.com",
        port: 443,
        path,
        query: None,
        headers: &headers,
        body: &body,
    };
    classify(&peer, &view, &Bounds::default())
}

/// What a pact sees of a call, in one spelling.
fn seen(read: &Result<Call, Unreadable>) -> Vec<String> {
    match read {
        Ok(call) => call
            .parts
            .iter()
            .map(|part| {
                format!("{} {} {:?}", part.action.target, part.action.fields.canonical(), part.coverage)
            })
            .collect(),
        Err(refused) => vec![format!("{:?}", refused.problem)],
    }
}

/// One spelling of a value, chosen by `dice`: blanks, escapes and the order of members.
fn spell(value: &Value, dice: &mut impl FnMut(usize) -> usize, out: &mut String) {
    blank(dice, out);
    match value {
        Value::String(text) => spell_string(text, dice, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                spell(item, dice, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            let mut members: Vec<_> = members.iter().collect();
            let turn = dice(members.len().max(1));
            members.rotate_left(turn);
            for (index, (name, item)) in members.into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                blank(dice, out);
                spell_string(name, dice, out);
                blank(dice, out);
                out.push(':');
                spell(item, dice, out);
            }
            out.push('}');
        }
        plain => out.push_str(&plain.to_string()),
    }
    blank(dice, out);
}

fn blank(dice: &mut impl FnMut(usize) -> usize, out: &mut String) {
    out.push_str(["", "", " ", "\n", "\t\r\n"][dice(5)]);
}

fn spell_string(text: &str, dice: &mut impl FnMut(usize) -> usize, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' || dice(4) == 0 => {
                let mut units = [0; 2];
                out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-zé😀\"\\\\\n/.]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,4}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// Calls of every dialect at once: each reads the members it knows.
fn calls() -> impl Strategy<Value = Value> {
    let method = prop::sample::select(vec![
        "tools/call",
        "resources/read",
        "tools/list",
        "prompts/get",
        "SendMessage",
        "none",
    ]);
    let parts =
        ("[a-z]{1,5}", values(), values(), 1..9000_u32, any::<bool>(), method, any::<bool>(), values());
    parts.prop_map(|(name, messages, arguments, count, stream, method, has_id, other)| {
        let mut call = serde_json::json!({
            "model": name, "messages": messages, "max_tokens": count, "stream": stream, "metadata": other,
            "jsonrpc": "2.0", "method": method,
            "params": {"name": name, "uri": "note://x/y", "arguments": arguments, "_meta": {"progressToken": 1},
                "message": {"parts": [{"data": arguments}, {"text": name}], "metadata": {"skill": name}}},
        });
        if has_id {
            call["id"] = Value::from(count);
        }
        call
    })
}

proptest! {
    #[test]
    fn spelling_does_not_matter(call in calls(), rolls in prop::collection::vec(any::<usize>(), 64)) {
        let mut rolled = rolls.iter().cycle();
        let mut dice = |bound: usize| rolled.next().map_or(0, |roll| roll % bound);
        for (dialect, path) in DIALECTS {
            let mut spelled = String::new();
            spell(&call, &mut dice, &mut spelled);
            let plainly = read_body(dialect, path, call.to_string().into_bytes());
            let otherwise = read_body(dialect, path, spelled.into_bytes());
            prop_assert_eq!(seen(&plainly), seen(&otherwise));
        }
    }

    #[test]
    fn any_bytes_are_safe(body in prop::collection::vec(any::<u8>(), 0..300)) {
        for (dialect, path) in DIALECTS {
            let _ = read_body(dialect, path, body.clone());
        }
    }

    #[test]
    fn any_member_may_hold_anything(name in prop::sample::select(MEMBERS.to_vec()), value in values()) {
        for (dialect, path) in DIALECTS {
            let mut call = serde_json::json!({"model": "m", "jsonrpc": "2.0", "id": 1, "method": "tools/call"});
            call[name] = value.clone();
            if let Ok(call) = read_body(dialect, path, call.to_string().into_bytes()) {
                prop_assert!(!call.parts.is_empty());
            }
        }
    }
}

const MEMBERS: [&str; 10] = [
    "model",
    "models",
    "fallbacks",
    "tools",
    "stream",
    "max_tokens",
    "params",
    "method",
    "id",
    "mcp_servers",
];
