//! Any message between sidecar and collector; the first byte chooses which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pactgate_fuzz::messages;

fuzz_target!(|input: &[u8]| messages::message(input));
