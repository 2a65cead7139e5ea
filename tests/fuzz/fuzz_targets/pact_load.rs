//! Any text as a pact. Seeds: `tests/corpus/pact` and `policies`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pactgate_fuzz::files;

fuzz_target!(|input: &[u8]| files::pact(input));
