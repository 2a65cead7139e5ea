//! Any text as tests beside a good pact. Seeds: `policies/*.test.yaml`.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pactgate_fuzz::files;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(pactgate_fuzz::folder);

fuzz_target!(|input: &[u8]| files::pact_tests(&FOLDER, input));
