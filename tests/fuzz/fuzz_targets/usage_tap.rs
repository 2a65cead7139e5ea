//! Any response in any chunks: the tap sees the same as in one piece. The first byte is the size of a chunk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pactgate::classify::{Bounds, Observed, UsageTap};
use pactgate::domain::Dialect;

fuzz_target!(|input: &[u8]| {
    let Some((size, body)) = input.split_first() else { return };
    for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
        for content_type in ["text/event-stream", "application/json"] {
            let pieces = watch(dialect, content_type, body.chunks(usize::from(*size).max(1)));
            assert_eq!(pieces, watch(dialect, content_type, [body]));
        }
    }
});

fn watch<'a>(dialect: Dialect, content_type: &str, chunks: impl IntoIterator<Item = &'a [u8]>) -> Observed {
    let mut tap = UsageTap::for_response(dialect, Some(content_type), &Bounds::default());
    chunks.into_iter().for_each(|chunk| tap.push(chunk));
    tap.finish()
}
