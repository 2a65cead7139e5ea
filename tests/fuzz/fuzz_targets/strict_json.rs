//! Any bytes: what the strict reader accepts, `serde_json` accepts too, and reads to the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pactgate::classify::{Bounds, read_json};
use pactgate::domain::Json;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Ok(ours) = read_json(input, &Bounds::default()) else { return };
    let theirs: Value = serde_json::from_slice(input).expect("another parser refuses what was accepted");
    assert!(agree(&ours, &theirs), "two parsers read two values");
});

fn agree(ours: &Json, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(a), Value::Bool(b)) => a == b,
        // Two units in the last place: not every parser of doubles rounds to the nearest, and some round thrice.
        (Json::Number(a), Value::Number(b)) => {
            let (a, b) = (a.to_f64(), b.as_f64().unwrap_or(f64::NAN));
            (a - b).abs() <= a.abs() * 2.0 * f64::EPSILON || (a - b).abs() <= f64::MIN_POSITIVE
        }
        (Json::String(a), Value::String(b)) => a == b,
        (Json::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agree(a, b)),
        (Json::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, value)| b.get(name).is_some_and(|b| agree(value, b)))
        }
        _ => false,
    }
}
