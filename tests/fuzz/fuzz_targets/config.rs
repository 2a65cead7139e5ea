//! Any text as the config of a sidecar or a collector. Seeds: `tests/corpus/config` and `examples`.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pactgate_fuzz::files;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(pactgate_fuzz::folder);

fuzz_target!(|input: &[u8]| files::config(&FOLDER, input));
