//! Any request to an API of this dialect. Seeds: `tests/corpus/classify/bedrock`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pactgate::domain::Dialect;
use pactgate_fuzz::request::Case;

fuzz_target!(|input: &[u8]| {
    if let Some(case) = Case::read(Dialect::Bedrock, input) {
        case.check();
    }
});
