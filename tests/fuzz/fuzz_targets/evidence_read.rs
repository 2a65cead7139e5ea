//! Any bytes as one event. Seeds: lines of `saved/evidence_read.hex`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pactgate_fuzz::messages;

fuzz_target!(|input: &[u8]| messages::record(input));
