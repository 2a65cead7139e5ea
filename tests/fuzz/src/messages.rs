//! What must hold of reading records and messages. Shared by the fuzz targets and by the replay of their inputs.

use std::fmt::Debug;

use pactgate::domain::Digest;
use pactgate::evidence::{self, Chain, Verifier};
use pactgate::wire::{
    self, AnswerRequest, Approved, EVENT_BYTES_MAX, EVENTS_MAX, FeedEvent, FeedReader, Fields, KeyView,
    Override, Position, Problem, Question, SignalRequest, Signed, SigningKey, Topic, TrustStatement,
    WireError,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One event: what is taken for a record is well-formed to others too, is told in full by another seal, and
/// follows itself nowhere.
pub fn record(input: &[u8]) {
    let Ok(event) = evidence::read(input) else { return };
    assert_eq!(event.hash, Digest::of(input));
    let theirs: Value = serde_json::from_slice(input).expect("another parser refuses what was accepted");
    assert_eq!(theirs["sequence"], format!("{:020}", event.sequence));
    assert_eq!(theirs["source"], event.source.to_string());

    let mut resumed = Chain::resume(event.source.clone(), event.sequence - 1, event.prevhash);
    resumed.tell(event.gap);
    let sealed = resumed.seal(&event.record, event.recorded_at);
    let again = evidence::read(&sealed.bytes).expect("what was read can be sealed");
    assert_eq!((&again.record, again.gap), (&event.record, event.gap), "a seal tells what was read");
    assert_eq!(again.recorded_at, event.recorded_at);

    let mut walk = Verifier::after(event.source.clone(), event.sequence - 1, event.prevhash);
    walk.push(input).expect("it follows what it says it follows");
    walk.push(input).expect_err("nothing follows itself");
}

/// A batch of events: it is split within its bounds, and joined to a batch of the same events.
pub fn batch(input: &[u8]) {
    let Ok(events) = wire::split_events(input) else { return };
    assert!(events.len() <= EVENTS_MAX && events.iter().all(|event| event.len() <= EVENT_BYTES_MAX));
    let joined = wire::join_events(events.iter().copied());
    assert_eq!(wire::split_events(&joined).expect("it was a batch before"), events);
    events.iter().for_each(|event| record(event));
}

/// A feed in any chunks: the same is read as in one piece. The first byte is the size of a chunk.
pub fn feed(input: &[u8]) {
    let Some((size, feed)) = input.split_first() else { return };
    let whole = listen([feed]);
    let pieces = listen(feed.chunks(usize::from(*size).max(1)));
    assert_eq!(whole.is_ok(), pieces.is_ok(), "the size of the pieces decides");
    let (Ok(whole), Ok(pieces)) = (whole, pieces) else { return };
    assert_eq!(whole, pieces);
    let key = key();
    for event in whole {
        // Nobody here has the key: whatever the feed says, it is not believed.
        assert!(TrustStatement::open(&event.signed, key.public()).is_err());
        assert!(Approved::open(&event.signed, key.public()).is_err());
        let written = wire::write_event(event.topic, &event.signed);
        assert_eq!(listen([written.as_slice()]), Ok(vec![event]), "it is written as it was read");
    }
}

fn listen<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<FeedEvent>, WireError> {
    let mut reader = FeedReader::new();
    let mut events = Vec::new();
    for chunk in chunks {
        events.extend(reader.push(chunk)?);
    }
    Ok(events)
}

/// A key that no statement of an input can be signed with.
fn key() -> SigningKey {
    SigningKey::from_seed(b"a seed that nothing here is from").expect("any seed gives a key")
}

/// A message, and a payload that somebody signed: read or refused, and written as it was read. The first byte
/// chooses the message.
pub fn message(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind % 12 {
        0 => round::<Position>(bytes),
        1 => round::<Question>(bytes),
        2 => round::<AnswerRequest>(bytes),
        3 => round::<Approved>(bytes),
        4 => round::<SignalRequest>(bytes),
        5 => round::<Override>(bytes),
        6 => round::<KeyView>(bytes),
        7 => round::<Signed>(bytes),
        8 => round::<Problem>(bytes),
        9 => signed(Topic::Trust, bytes, |signed, key| TrustStatement::open(signed, key.public()).is_ok()),
        10 => signed(Topic::Approval, bytes, |signed, key| Approved::open(signed, key.public()).is_ok()),
        _ => {
            let Some(fields) = std::str::from_utf8(bytes).ok().and_then(|text| Fields::parse(text).ok())
            else {
                return;
            };
            assert!(serde_json::from_str::<Value>(fields.as_str()).is_ok_and(|value| value.is_object()));
        }
    }
}

fn round<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(message) = wire::read::<T>(bytes) else { return };
    let written = wire::write(&message);
    assert_eq!(wire::read::<T>(&written).expect("it reads what it writes"), message);
}

fn signed(topic: Topic, payload: &[u8], opens: impl Fn(&Signed, &SigningKey) -> bool) {
    let key = key();
    let statement = Signed::seal(topic, payload, &key);
    let believed = opens(&statement, &key);
    let other = if topic == Topic::Trust { Topic::Approval } else { Topic::Trust };
    assert!(!opens(&Signed::seal(other, payload, &key), &key), "it passes for a statement of another topic");
    if believed {
        let mut cut = statement;
        cut.signature.truncate(40);
        assert!(!opens(&cut, &key), "it is believed without its signature");
    }
}
