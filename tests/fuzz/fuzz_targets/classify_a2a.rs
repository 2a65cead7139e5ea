//! Any request to a peer of this dialect. Seeds: `tests/corpus/classify/a2a`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pactgate::domain::Dialect;
use pactgate_fuzz::request::Case;

fuzz_target!(|input: &[u8]| {
    if let Some(case) = Case::read(Dialect::A2a, input) {
        case.check();
    }
});
