//! Any bytes as a batch of events.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pactgate_fuzz::messages;

fuzz_target!(|input: &[u8]| messages::batch(input));
