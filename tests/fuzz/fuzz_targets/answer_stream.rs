//! Any answer in any chunks: what goes on is the same as in one piece. The first byte is the size of a chunk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pactgate::classify::{AnswerForm, Bounds, Expected, Judgement, Speech, Step};

fuzz_target!(|input: &[u8]| {
    let Some((size, body)) = input.split_first() else { return };
    let speeches = [
        Speech::Chat,
        Speech::Responses("openai".to_owned()),
        Speech::Anthropic,
        Speech::Gemini("gemini".to_owned()),
        Speech::Bedrock("bedrock".to_owned()),
    ];
    for speech in speeches {
        for refuses in [false, true] {
            let pieces = told(&speech, body.chunks(usize::from(*size).max(1)), refuses);
            assert_eq!(pieces, told(&speech, [body], refuses));
        }
    }
});

/// What the agent gets, and whether the stream could be read to its end.
fn told<'a>(speech: &Speech, chunks: impl IntoIterator<Item = &'a [u8]>, refuses: bool) -> (Vec<u8>, bool) {
    let expected = Expected { speech: speech.clone(), streamed: true, ..Expected::unread() };
    let content_type = match speech {
        Speech::Bedrock(_) => "application/vnd.amazon.eventstream",
        _ => "text/event-stream",
    };
    let Ok(AnswerForm::Stream(mut reader)) = expected.form(200, Some(content_type), &Bounds::default()) else {
        return (Vec::new(), false);
    };
    let mut got = Vec::new();
    let mut chunks = chunks.into_iter();
    loop {
        let read = match reader.step() {
            Ok(Step::Send(bytes)) => {
                got.extend_from_slice(&bytes);
                Ok(())
            }
            Ok(Step::Ask(_)) if refuses => reader.judged(Judgement::Refused { text: "no".to_owned() }),
            Ok(Step::Ask(_)) => reader.judged(Judgement::Released),
            Ok(Step::More) => match chunks.next() {
                Some(chunk) => reader.push(chunk.to_vec().into()),
                None => reader.close(),
            },
            Ok(Step::End) => return (got, true),
            Err(unfit) => Err(unfit),
        };
        if read.is_err() {
            return (got, false);
        }
    }
}
