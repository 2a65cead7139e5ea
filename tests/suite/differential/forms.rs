//! The forms that one call can take, and what Pactgate reads out of each.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use pactgate::classify::{
    AnswerForm, Bounds, Expected, Judgement, Made, Peer, Question, RequestView, Speech, Step, WholeAnswer,
    classify,
};
use pactgate::domain::{Action, Dialect, UpstreamName};

use crate::differential::spell::{Dice, Tree, quoted};

/// A call: the arguments of one capability.
#[derive(Clone, Debug)]
pub struct Act(pub Tree);

/// What was read.
#[derive(Debug)]
pub enum Cell {
    /// These actions; all of them have to be allowed.
    Read(Vec<Action>),
    /// Nothing: the form is refused outright, for this reason.
    Refused(String),
}

/// One form.
pub struct Form {
    pub name: &'static str,
    /// Whether it is a form that honest clients use, which has to be read.
    pub is_plain: bool,
    pub cell: fn(&Act, &mut Dice) -> Cell,
}

const fn plain(name: &'static str, cell: fn(&Act, &mut Dice) -> Cell) -> Form {
    Form { name, is_plain: true, cell }
}

const fn crooked(name: &'static str, cell: fn(&Act, &mut Dice) -> Cell) -> Form {
    Form { name, is_plain: false, cell }
}

/// Every form.
pub const FORMS: &[Form] = &[
    plain("MCP, no version", |act, dice| mcp(&message(act, dice, "refund", "1"), &[])),
    plain("MCP 2025-06-18", |act, dice| {
        mcp(&message(act, dice, "refund", "\"seven\""), &[("mcp-protocol-version", "2025-06-18")])
    }),
    plain("MCP 2026-07-28", |act, dice| mcp(&stateless(act, dice, "refund"), STATELESS)),
    plain("MCP 2026-07-28, name in base64", |act, dice| {
        mcp(
            &stateless(act, dice, "refund"),
            &[STATELESS[0], STATELESS[1], ("mcp-name", "=?base64?cmVmdW5k?=")],
        )
    }),
    plain("MCP batch of one", |act, dice| mcp(&format!("[{}]", message(act, dice, "refund", "1")), &[])),
    plain("MCP batch beside a ping", |act, dice| {
        let ping = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
        mcp(&format!("[{ping},{}]", message(act, dice, "refund", "1")), &[])
    }),
    plain("MCP notification", |act, dice| {
        mcp(&message(act, dice, "refund", "1").replacen("\"id\":1,", "", 1), &[])
    }),
    plain("MCP gzip", |act, dice| coded(&message(act, dice, "refund", "1"), "gzip")),
    plain("MCP deflate", |act, dice| coded(&message(act, dice, "refund", "1"), "deflate")),
    plain("MCP content type with charset", |act, dice| {
        mcp_typed(&message(act, dice, "refund", "1"), "Application/JSON; charset=UTF-8")
    }),
    plain("HTTP", |act, dice| http("POST", "api.shop.example", 443, "/v1/refunds", act, dice)),
    plain("HTTP, host in capitals", |act, dice| {
        http("POST", "API.Shop.Example", 443, "/v1/refunds", act, dice)
    }),
    plain("HTTP, path escaped", |act, dice| {
        http("POST", "api.shop.example", 443, "/%76%31/re%66unds", act, dice)
    }),
    plain("HTTP, path with a dot", |act, dice| {
        http("POST", "api.shop.example", 443, "/v1/./refunds", act, dice)
    }),
    plain("HTTP, path that climbs", |act, dice| {
        http("POST", "api.shop.example", 443, "/v1/x/../refunds", act, dice)
    }),
    plain("chat, whole", |act, dice| whole(Speech::Chat, &chat("refund", act, dice))),
    plain("chat, whole, alias", |act, dice| whole(Speech::Chat, &chat("payments__refund", act, dice))),
    plain("chat, whole, legacy", |act, dice| whole(Speech::Chat, &chat_legacy(act, dice))),
    plain("chat, streamed", |act, dice| {
        let stream = chat_stream("refund", act, dice);
        streamed(Speech::Chat, &stream, dice)
    }),
    plain("chat, streamed, legacy", |act, dice| {
        let stream = chat_stream_legacy(act, dice);
        streamed(Speech::Chat, &stream, dice)
    }),
    plain("chat, streamed, second choice", |act, dice| {
        let stream =
            chat_stream("refund", act, dice).replace("\"index\":0,\"delta\"", "\"index\":1,\"delta\"");
        streamed(Speech::Chat, &stream, dice)
    }),
    plain("Anthropic, whole", |act, dice| whole(Speech::Anthropic, &anthropic(act, dice))),
    plain("Anthropic, streamed", |act, dice| {
        let stream = anthropic_stream(act, dice);
        streamed(Speech::Anthropic, &stream, dice)
    }),
    plain("Responses, whole", |act, dice| {
        whole(Speech::Responses("openai".to_owned()), &responses(act, dice))
    }),
    plain("Responses, streamed", |act, dice| {
        let stream = responses_stream(act, dice);
        streamed(Speech::Responses("openai".to_owned()), &stream, dice)
    }),
    plain("Gemini, whole", |act, dice| whole(Speech::Gemini("gemini".to_owned()), &gemini(act, dice))),
    plain("Gemini, streamed", |act, dice| {
        let stream = format!("data: {}\r\n\r\n", gemini(act, dice).replace(['\n', '\r', '\t'], " "));
        streamed(Speech::Gemini("gemini".to_owned()), &stream, dice)
    }),
    plain("Bedrock, whole", |act, dice| whole(Speech::Bedrock("bedrock".to_owned()), &bedrock(act, dice))),
    plain("Bedrock, streamed", |act, dice| {
        let frames = bedrock_stream(act, dice);
        streamed_bytes(
            Speech::Bedrock("bedrock".to_owned()),
            "application/vnd.amazon.eventstream",
            &frames,
            dice,
        )
    }),
    plain("A2A, JSON-RPC", |act, dice| {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{}}}"#, a2a(act, dice));
        request(&peer("billing", Dialect::A2a), "POST", "/", &[("a2a-version", "1.0")], body.into_bytes())
    }),
    plain("A2A, REST", |act, dice| {
        let body = a2a(act, dice).into_bytes();
        request(&peer("billing", Dialect::A2a), "POST", "/message:send", &[("a2a-version", "1.0")], body)
    }),
    crooked("MCP, name in capitals", |act, dice| mcp(&message(act, dice, "Refund", "1"), &[])),
    crooked("MCP, name with a blank", |act, dice| mcp(&message(act, dice, "refund ", "1"), &[])),
    crooked("MCP, name with a hidden character", |act, dice| {
        mcp(&message(act, dice, "re\u{200b}fund", "1"), &[])
    }),
    crooked("MCP, name with a Cyrillic letter", |act, dice| {
        mcp(&message(act, dice, "r\u{435}fund", "1"), &[])
    }),
    crooked("MCP, name in full width", |act, dice| mcp(&message(act, dice, "ｒｅｆｕｎｄ", "1"), &[])),
    crooked("MCP, name decomposed", |act, dice| mcp(&message(act, dice, "re\u{301}fund", "1"), &[])),
    crooked("MCP, arguments twice", |act, dice| {
        let twice = message(act, dice, "refund", "1").replacen(
            "\"arguments\":",
            "\"arguments\":{},\"arguments\":",
            1,
        );
        mcp(&twice, &[])
    }),
    crooked("MCP, arguments twice in another case", |act, dice| {
        let twice = message(act, dice, "refund", "1").replacen(
            "\"arguments\":",
            "\"Arguments\":{},\"arguments\":",
            1,
        );
        mcp(&twice, &[])
    }),
    crooked("MCP, something behind it", |act, dice| mcp(&(message(act, dice, "refund", "1") + "{}"), &[])),
    crooked("MCP 2026-07-28, header of another tool", |act, dice| {
        mcp(&stateless(act, dice, "refund"), &[STATELESS[0], STATELESS[1], ("mcp-name", "look")])
    }),
    crooked("MCP 2026-07-28, header of another method", |act, dice| {
        mcp(&stateless(act, dice, "refund"), &[STATELESS[0], ("mcp-method", "ping"), STATELESS[2]])
    }),
    crooked("MCP, text as JSON", |act, dice| mcp_typed(&message(act, dice, "refund", "1"), "text/plain")),
    crooked("HTTP, method in small letters", |act, dice| {
        http("post", "api.shop.example", 443, "/v1/refunds", act, dice)
    }),
    crooked("HTTP, slash escaped", |act, dice| {
        http("POST", "api.shop.example", 443, "/v1%2frefunds", act, dice)
    }),
    crooked("HTTP, two slashes", |act, dice| {
        http("POST", "api.shop.example", 443, "/v1//refunds", act, dice)
    }),
    crooked("HTTP, path in capitals", |act, dice| {
        http("POST", "api.shop.example", 443, "/V1/Refunds", act, dice)
    }),
    crooked("HTTP, another port", |act, dice| {
        http("POST", "api.shop.example", 8443, "/v1/refunds", act, dice)
    }),
    crooked("HTTP, method overridden", |act, dice| {
        let peer = peer("web", Dialect::Http);
        let body = act.0.spelled(dice).into_bytes();
        request_at(
            &peer,
            "POST",
            ("api.shop.example", 443),
            "/v1/refunds",
            &[("x-http-method-override", "GET")],
            body,
        )
    }),
    crooked("chat, arguments as an object", |act, _| {
        let call = format!(
            r#"{{"id":"x","type":"function","function":{{"name":"refund","arguments":{}}}}}"#,
            act.0.plain()
        );
        whole(Speech::Chat, &chat_of(&format!("\"tool_calls\":[{call}]")))
    }),
    crooked("chat, calls under two names", |act, dice| {
        let twice = chat("refund", act, dice).replacen("\"tool_calls\":", "\"Tool_Calls\":", 1);
        whole(Speech::Chat, &twice)
    }),
    crooked("chat, name in two pieces", |act, dice| {
        let stream = chat_stream("refund", act, dice).replacen("\"name\":\"refund\"", "\"name\":\"re\"", 1);
        let more = r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"fund"}}]}}]}"#;
        let (first, rest) = stream.split_once("\n\n").unwrap();
        streamed(Speech::Chat, &format!("{first}\n\n{more}\n\n{rest}"), dice)
    }),
    crooked("chat, a mark before the stream", |act, dice| {
        let stream = format!("\u{feff}{}", chat_stream("refund", act, dice));
        streamed(Speech::Chat, &stream, dice)
    }),
];

const STATELESS: &[(&str, &str)] =
    &[("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "refund")];

fn peer(name: &str, dialect: Dialect) -> Peer {
    Peer {
        name: UpstreamName::new(name).ok(),
        dialect,
        provider: dialect.name().to_owned(),
        mcp_versions: Vec::new(),
        betas: Vec::new(),
    }
}

fn request(peer: &Peer, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Cell {
    request_at(peer, method, ("upstream.example", 443), path, headers, body)
}

fn request_at(
    peer: &Peer,
    method: &str,
    (host, port): (&str, u16),
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Cell {
    let mut map = HeaderMap::new();
    map.insert("content-type", HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        map.insert(name, value.parse().unwrap());
    }
    let method: Method = method.parse().unwrap();
    let body = Bytes::from(body);
    let view = RequestView {
        method: &method,
        scheme: "https",
        host,
        port,
        path,
        query: None,
        headers: &map,
        body: &body,
    };
    match classify(peer, &view, &Bounds::default()) {
        Ok(call) => Cell::Read(call.parts.into_iter().map(|part| part.action).collect()),
        Err(refused) => Cell::Refused(refused.detail),
    }
}

fn mcp(body: &str, headers: &[(&str, &str)]) -> Cell {
    request(&peer("payments", Dialect::Mcp), "POST", "/mcp", headers, body.as_bytes().to_vec())
}

fn mcp_typed(body: &str, content_type: &str) -> Cell {
    mcp(body, &[("content-type", content_type)])
}

fn coded(body: &str, coding: &str) -> Cell {
    let bytes = match coding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body.as_bytes()).unwrap();
            encoder.finish().unwrap()
        }
        _ => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body.as_bytes()).unwrap();
            encoder.finish().unwrap()
        }
    };
    request(&peer("payments", Dialect::Mcp), "POST", "/mcp", &[("content-encoding", coding)], bytes)
}

fn message(act: &Act, dice: &mut Dice, tool: &str, id: &str) -> String {
    let (tool, arguments) = (quoted(tool), act.0.spelled(dice));
    match dice.roll(2) {
        0 => format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":{tool},"arguments":{arguments}}}}}"#
        ),
        _ => format!(
            r#"{{"params":{{"arguments":{arguments},"name":{tool}}},"method":"tools\/call","id":{id},"jsonrpc":"2.0"}}"#
        ),
    }
}

fn stateless(act: &Act, dice: &mut Dice, tool: &str) -> String {
    let meta = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let arguments = act.0.spelled(dice);
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments},"_meta":{meta}}}}}"#
    )
}

fn http(method: &str, host: &str, port: u16, path: &str, act: &Act, dice: &mut Dice) -> Cell {
    let peer = peer("web", Dialect::Http);
    request_at(&peer, method, (host, port), path, &[], act.0.spelled(dice).into_bytes())
}

fn chat_of(members: &str) -> String {
    format!(
        r#"{{"id":"c","model":"m","choices":[{{"index":0,"finish_reason":"tool_calls","message":{{"role":"assistant","content":null,{members}}}}}]}}"#
    )
}

fn chat(name: &str, act: &Act, dice: &mut Dice) -> String {
    let arguments = quoted(&act.0.spelled(dice));
    chat_of(&format!(
        r#""tool_calls":[{{"id":"x","type":"function","function":{{"name":"{name}","arguments":{arguments}}}}}]"#
    ))
}

fn chat_legacy(act: &Act, dice: &mut Dice) -> String {
    let arguments = quoted(&act.0.spelled(dice));
    chat_of(&format!(r#""function_call":{{"name":"refund","arguments":{arguments}}}"#))
}

/// The text cut into pieces, each as JSON text of a string.
fn pieces(text: &str, dice: &mut Dice) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let size = 1 + dice.roll(chars.len().max(1));
    chars.chunks(size).map(|piece| quoted(&piece.iter().collect::<String>())).collect()
}

fn chat_stream(name: &str, act: &Act, dice: &mut Dice) -> String {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let start = format!(
        r#"{{"role":"assistant","tool_calls":[{{"index":0,"id":"x","type":"function","function":{{"name":"{name}","arguments":""}}}}]}}"#
    );
    let mut text = chunk(&start, "null");
    for piece in pieces(&act.0.spelled(dice), dice) {
        text += &chunk(
            &format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":{piece}}}}}]}}"#),
            "null",
        );
    }
    text + &chunk("{}", "\"tool_calls\"") + "data: [DONE]\n\n"
}

fn chat_stream_legacy(act: &Act, dice: &mut Dice) -> String {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\r\n\r\n"
        )
    };
    let mut text = chunk(r#"{"role":"assistant","function_call":{"name":"refund","arguments":""}}"#, "null");
    for piece in pieces(&act.0.spelled(dice), dice) {
        text += &chunk(&format!(r#"{{"function_call":{{"arguments":{piece}}}}}"#), "null");
    }
    text + &chunk("{}", "\"function_call\"") + "data: [DONE]\r\n\r\n"
}

fn anthropic(act: &Act, dice: &mut Dice) -> String {
    let input = act.0.spelled(dice);
    format!(
        r#"{{"id":"m","type":"message","role":"assistant","model":"m","content":[{{"type":"text","text":"Well."}},{{"type":"tool_use","id":"t","name":"refund","input":{input}}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{{"input_tokens":1,"output_tokens":1}}}}"#
    )
}

fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

fn anthropic_stream(act: &Act, dice: &mut Dice) -> String {
    let mut text = event(
        "message_start",
        r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}"#,
    );
    text += &event(
        "content_block_start",
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"refund","input":{}}}"#,
    );
    for piece in pieces(&act.0.spelled(dice), dice) {
        text += &event(
            "content_block_delta",
            &format!(
                r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"input_json_delta","partial_json":{piece}}}}}"#
            ),
        );
    }
    text += &event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#);
    text += &event(
        "message_delta",
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}"#,
    );
    text + &event("message_stop", r#"{"type":"message_stop"}"#)
}

fn responses_item(arguments: &str, status: &str) -> String {
    format!(
        r#"{{"type":"function_call","id":"fc","call_id":"x","name":"refund","arguments":{arguments},"status":"{status}"}}"#
    )
}

fn responses_of(output: &str, status: &str) -> String {
    format!(
        r#"{{"id":"r","object":"response","created_at":1,"model":"m","status":"{status}","output":[{output}],"parallel_tool_calls":true,"tool_choice":"auto","tools":[]}}"#
    )
}

fn responses(act: &Act, dice: &mut Dice) -> String {
    responses_of(&responses_item(&quoted(&act.0.spelled(dice)), "completed"), "completed")
}

fn responses_stream(act: &Act, dice: &mut Dice) -> String {
    let arguments = act.0.spelled(dice);
    let mut number = 0;
    let mut say = |kind: &str, members: &str| {
        let data = format!(r#"{{"type":"{kind}","sequence_number":{number},{members}}}"#);
        number += 1;
        event(kind, &data)
    };
    let created = format!("\"response\":{}", responses_of("", "in_progress"));
    let mut text = say("response.created", &created);
    text += &say(
        "response.output_item.added",
        &format!("\"output_index\":0,\"item\":{}", responses_item("\"\"", "in_progress")),
    );
    for piece in pieces(&arguments, dice) {
        let members = format!("\"item_id\":\"fc\",\"output_index\":0,\"delta\":{piece}");
        text += &say("response.function_call_arguments.delta", &members);
    }
    let whole = quoted(&arguments);
    let members = format!("\"item_id\":\"fc\",\"output_index\":0,\"name\":\"refund\",\"arguments\":{whole}");
    text += &say("response.function_call_arguments.done", &members);
    let item = responses_item(&whole, "completed");
    text += &say("response.output_item.done", &format!("\"output_index\":0,\"item\":{item}"));
    text + &say("response.completed", &format!("\"response\":{}", responses_of(&item, "completed")))
}

fn gemini(act: &Act, dice: &mut Dice) -> String {
    let input = act.0.spelled(dice);
    format!(
        r#"{{"candidates":[{{"content":{{"role":"model","parts":[{{"functionCall":{{"name":"refund","args":{input}}}}}]}},"finishReason":"STOP","index":0}}],"modelVersion":"m"}}"#
    )
}

fn bedrock(act: &Act, dice: &mut Dice) -> String {
    let input = act.0.spelled(dice);
    format!(
        r#"{{"output":{{"message":{{"role":"assistant","content":[{{"toolUse":{{"toolUseId":"t","name":"refund","input":{input}}}}}]}}}},"stopReason":"tool_use","usage":{{"inputTokens":1,"outputTokens":1,"totalTokens":2}},"metrics":{{"latencyMs":1}}}}"#
    )
}

/// A frame of `application/vnd.amazon.eventstream`.
fn frame(kind: &str, payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in
        [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(u8::try_from(name.len()).unwrap());
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(16 + headers.len() + payload.len()).unwrap();
    let mut frame = total.to_be_bytes().to_vec();
    frame.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}

fn bedrock_stream(act: &Act, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = frame("messageStart", r#"{"role":"assistant"}"#);
    bytes.extend(frame(
        "contentBlockStart",
        r#"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"refund"}}}"#,
    ));
    for piece in pieces(&act.0.spelled(dice), dice) {
        bytes.extend(frame(
            "contentBlockDelta",
            &format!(r#"{{"contentBlockIndex":0,"delta":{{"toolUse":{{"input":{piece}}}}}}}"#),
        ));
    }
    bytes.extend(frame("contentBlockStop", r#"{"contentBlockIndex":0}"#));
    bytes.extend(frame("messageStop", r#"{"stopReason":"tool_use"}"#));
    bytes.extend(frame(
        "metadata",
        r#"{"usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2},"metrics":{"latencyMs":1}}"#,
    ));
    bytes
}

fn a2a(act: &Act, dice: &mut Dice) -> String {
    let data = act.0.spelled(dice);
    format!(
        r#"{{"message":{{"messageId":"m","role":"ROLE_USER","parts":[{{"data":{data}}}],"metadata":{{"skillId":"refunds"}}}}}}"#
    )
}

fn whole(speech: Speech, body: &str) -> Cell {
    let expected = Expected { speech, streamed: false, ..Expected::unread() };
    match WholeAnswer::read(&expected, Bytes::copy_from_slice(body.as_bytes()), &Bounds::default()) {
        Ok(answer) => asked(answer.questions().to_vec()),
        Err(unfit) => Cell::Refused(unfit.to_string()),
    }
}

fn streamed(speech: Speech, stream: &str, dice: &mut Dice) -> Cell {
    streamed_bytes(speech, "text/event-stream", stream.as_bytes(), dice)
}

/// Reads a stream in pieces of any size.
fn streamed_bytes(speech: Speech, content_type: &str, stream: &[u8], dice: &mut Dice) -> Cell {
    let expected = Expected { speech, streamed: true, ..Expected::unread() };
    let mut reader = match expected.form(200, Some(content_type), &Bounds::default()) {
        Ok(AnswerForm::Stream(reader)) => reader,
        other => panic!("no stream: {other:?}"),
    };
    let size = 1 + dice.roll(stream.len());
    let mut chunks = stream.chunks(size);
    let mut questions = Vec::new();
    loop {
        let read = match reader.step() {
            Ok(Step::Send(_)) => Ok(()),
            Ok(Step::Ask(question)) => {
                questions.push(question);
                reader.judged(Judgement::Released)
            }
            Ok(Step::More) => match chunks.next() {
                Some(chunk) => reader.push(Bytes::copy_from_slice(chunk)),
                None => reader.close(),
            },
            Ok(Step::End) => return asked(questions),
            Err(unfit) => Err(unfit),
        };
        if let Err(unfit) = read {
            return Cell::Refused(unfit.to_string());
        }
    }
}

fn asked(questions: Vec<Question>) -> Cell {
    let mut actions = Vec::new();
    for question in questions {
        match question {
            Question::Call(Made::Call(action)) => actions.push(action),
            Question::Call(Made::Unreadable { detail, .. }) => return Cell::Refused(detail),
            other => panic!("not a question about a call: {other:?}"),
        }
    }
    Cell::Read(actions)
}
