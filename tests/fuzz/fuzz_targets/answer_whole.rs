//! Any answer that is no stream; the first byte chooses who speaks.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pactgate_fuzz::whole_answers;

fuzz_target!(|input: &[u8]| whole_answers::whole(input));
