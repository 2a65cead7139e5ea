//! Any feed in any chunks. The first byte is the size of a chunk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pactgate_fuzz::messages;

fuzz_target!(|input: &[u8]| messages::feed(input));
