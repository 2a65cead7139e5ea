//! Golden messages: what version 1 looks like, byte for byte. Files are added, never edited.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;

fn golden(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/corpus/wire/v1/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn check<T: Serialize + DeserializeOwned + Debug>(name: &str) -> T {
    let bytes = golden(name);
    let message: T = read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let expected: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let written: serde_json::Value = serde_json::from_slice(&write(&message)).unwrap();
    assert_eq!(written, expected, "{name} is not written as it was read");
    message
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32]).unwrap()
}

#[test]
fn golden_messages_are_read_and_written_as_they_are() {
    check::<Position>("position");
    check::<AnswerRequest>("answer_request");
    check::<Approved>("approved");
    let question = check::<Question>("question");
    let view = ApprovalView {
        question,
        sidecar: crate::domain::SidecarId::new("checkout-1").unwrap(),
        state: ApprovalState::Granted,
        by: Some("ada".to_owned()),
        why: Some("called the customer".to_owned()),
        answered_at: crate::domain::Timestamp::parse_rfc3339("2026-11-18T10:01:00Z"),
    };
    let written: serde_json::Value = serde_json::from_slice(&write(&view)).unwrap();
    assert_eq!(written, serde_json::from_slice::<serde_json::Value>(&golden("approval_view")).unwrap());
    check::<TrustStatement>("trust_statement");
    check::<SignalRequest>("signal_request");
    check::<SignalRequest>("signal_gap");
    check::<SignalRequest>("signal_tool");
    check::<SignalView>("signal_view");
    check::<Override>("override");
    check::<TrustView>("trust_view");
    check::<AgentPage>("agent_page");
    check::<Problem>("problem");
    check::<KeyView>("key_view");
}

#[test]
fn problems_are_a_closed_set() {
    for kind in ProblemKind::ALL {
        let problem = Problem::new(*kind, "why");
        assert_eq!(problem.known(), Some(*kind));
        assert_eq!(problem.response().status().as_u16(), kind.status());
    }
    let refused = Problem::new(ProblemKind::Unauthorized, "say who you are").response();
    assert_eq!(refused.headers()["www-authenticate"], "Bearer");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
}

#[test]
fn a_signed_statement_of_version_1_stays_readable() {
    let signed: Signed = check("signed_trust");
    let statement = TrustStatement::open(&signed, key().public()).unwrap();
    assert_eq!(statement, check::<TrustStatement>("trust_statement"));
    // Ed25519 is deterministic: the same seed and payload give the same signature.
    assert_eq!(statement.seal(&key()).signature, signed.signature);
}

#[test]
fn a_statement_is_believed_only_whole_from_its_key_and_for_its_topic() {
    let statement: TrustStatement = check("trust_statement");
    let signed = statement.seal(&key());
    let other = SigningKey::from_seed(&[8; 32]).unwrap();
    assert_eq!(TrustStatement::open(&signed, other.public()), Err(StatementError::UnknownKey));

    let forged = Signed { key: other.public().id(), ..signed.clone() };
    assert_eq!(TrustStatement::open(&forged, other.public()), Err(StatementError::BadSignature));

    let mut raised = statement.clone();
    raised.serial += 1;
    let swapped = Signed { payload: raised.seal(&key()).payload, ..signed.clone() };
    assert_eq!(TrustStatement::open(&swapped, key().public()), Err(StatementError::BadSignature));

    let misused = Signed::seal(Topic::Approval, &write(&statement), &key());
    assert_eq!(TrustStatement::open(&misused, key().public()), Err(StatementError::BadSignature));

    let broken = Signed { payload: "*".to_owned(), ..signed.clone() };
    assert_eq!(TrustStatement::open(&broken, key().public()), Err(StatementError::Malformed));

    let newer = TrustStatement { v: 2, ..statement };
    assert_eq!(TrustStatement::open(&newer.seal(&key()), key().public()), Err(StatementError::Payload));
}

#[test]
fn a_public_key_survives_its_spelling() {
    let public = *key().public();
    assert_eq!(PublicKey::parse(&public.to_string()), Ok(public));
    assert_eq!(public.id().len(), 16);
    assert!(PublicKey::parse("AAAA").unwrap_err().to_string().contains("/v1/key"));
}

#[test]
fn requests_are_read_strictly() {
    let refused = |text: &str| read::<Override>(text.as_bytes()).unwrap_err().to_string();
    assert!(refused(r#"{"action":"suspend","why":"x","force":true}"#).contains("unknown field `force`"));
    assert!(refused(r#"{"action":"suspend","action":"reinstate","why":"x"}"#).contains("duplicate field"));
    assert!(refused(r#"{"action":"delete","why":"x"}"#).contains("unknown variant `delete`"));
    assert!(refused(r#"{"action":"suspend","why":"a\nb"}"#).contains("control characters"));
    assert!(refused(r#"{"action":"suspend","why":"x"} x"#).contains("trailing"));
    let long = format!(r#"{{"action":"suspend","why":"{}"}}"#, "x".repeat(2_000));
    assert!(refused(&long).contains("at most 1024 bytes"));
}

#[test]
fn fields_are_bounded_and_keep_their_numbers() {
    assert_eq!(Fields::parse(r#"{"amount":100.00000000000000001}"#).unwrap().as_str().len(), 32);
    assert!(Fields::parse("[1]").is_err());
    assert!(Fields::parse(r#"{"a":1,"a":2}"#).unwrap_err().to_string().contains("twice"));
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
    assert!(Fields::parse(&deep).unwrap_err().to_string().contains("deeper"));
    let wide = crate::domain::Json::object([("a", crate::domain::Json::String("x".repeat(20_000)))]);
    assert!(Fields::of(&wide).as_str().contains("too large"));
}

#[test]
fn a_batch_keeps_its_events_byte_for_byte() {
    let events: [&[u8]; 2] = [br#"{"a": 1}"#, br#"{"b":1e2}"#];
    let batch = join_events(events);
    assert_eq!(split_events(&batch).unwrap(), events);
    assert_eq!(split_events(b"[]").unwrap(), Vec::<&[u8]>::new());
    assert!(split_events(b"{}").is_err());
    assert!(split_events(b"[1] []").is_err());
    let long = join_events([format!("\"{}\"", "x".repeat(EVENT_BYTES_MAX)).as_bytes()]);
    assert!(split_events(&long).unwrap_err().to_string().contains("an event has at most"));
    let many = join_events(vec![b"1".as_slice(); EVENTS_MAX + 1]);
    assert!(split_events(&many).unwrap_err().to_string().contains("events"));
}

#[test]
fn a_feed_is_read_in_pieces_of_any_size() {
    let signed = check::<TrustStatement>("trust_statement").seal(&key());
    let mut bytes = write_comment("hello");
    bytes.extend(write_event(Topic::Trust, &signed));
    bytes.extend(b"event: later\r\ndata: anything\r\n\r\n");
    bytes.extend(write_event(Topic::Approval, &signed));
    for size in [1, 2, 7, bytes.len()] {
        let mut reader = FeedReader::new();
        let mut events = Vec::new();
        for piece in bytes.chunks(size) {
            events.extend(reader.push(piece).unwrap());
        }
        let topics: Vec<_> = events.iter().map(|event| event.topic).collect();
        assert_eq!(topics, [Topic::Trust, Topic::Approval]);
        assert!(events.iter().all(|event| event.signed == signed));
    }
}

#[test]
fn a_feed_without_line_ends_is_cut() {
    let mut reader = FeedReader::new();
    let piece = vec![b'x'; 64 * 1024];
    let cut = (0..20).find_map(|_| reader.push(&piece).err());
    assert!(cut.unwrap().to_string().contains("a line of the feed"));
    assert!(FeedReader::new().push(b"event: trust\ndata: {\n\n").is_err());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes: Vec<u8>) {
        let _ = FeedReader::new().push(&bytes);
        let _ = split_events(&bytes);
        let _ = read::<Question>(&bytes);
        let _ = Fields::parse(&String::from_utf8_lossy(&bytes));
    }
}
