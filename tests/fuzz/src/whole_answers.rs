//! What must hold of reading answers. Shared by the fuzz targets and by the replay of their inputs.

use bytes::Bytes;
use pactgate::classify::{AnswerForm, Bounds, Expected, Judgement, Question, Speech, WholeAnswer};

/// An answer that is no stream; the first byte chooses who speaks. Where nothing is refused it goes on byte for
/// byte; where everything is, nothing is left in it that could be refused.
pub fn whole(input: &[u8]) {
    let Some((speaker, body)) = input.split_first() else { return };
    let speakers = [
        Speech::Chat,
        Speech::Responses("openai".to_owned()),
        Speech::Anthropic,
        Speech::Gemini("gemini".to_owned()),
        Speech::Bedrock("bedrock".to_owned()),
    ];
    let speech = speakers[usize::from(*speaker) % speakers.len()].clone();
    let expected = Expected { speech, streamed: false, ..Expected::unread() };
    let bounds = Bounds::default();
    assert!(matches!(expected.form(200, Some("application/json"), &bounds), Ok(AnswerForm::Whole)));
    let read = || WholeAnswer::read(&expected, Bytes::copy_from_slice(body), &bounds);
    let Ok(answer) = read() else { return };
    serde_json::from_slice::<Box<serde_json::value::RawValue>>(body)
        .expect("another parser refuses what was accepted");
    let released = answer.questions().iter().map(released).collect();
    assert_eq!(answer.told(released).expect("nothing was refused"), body);

    let answer = read().expect("it was read before");
    let refused = answer.questions().iter().map(refused).collect();
    let Ok(told) = answer.told(refused) else { return };
    let again = WholeAnswer::read(&expected, told.clone(), &bounds);
    let again = again.unwrap_or_else(|unfit| panic!("{unfit}: {}", String::from_utf8_lossy(&told)));
    let left = again.questions().iter().filter(|question| matches!(question, Question::Call(_))).count();
    assert_eq!(left, 0, "a refused call is told: {}", String::from_utf8_lossy(&told));
}

fn released(question: &Question) -> Judgement {
    match question {
        Question::Listing(entries) => Judgement::Shown(vec![true; entries.len()]),
        Question::Call(_) | Question::Note(_) | Question::Model { .. } => Judgement::Released,
    }
}

fn refused(question: &Question) -> Judgement {
    match question {
        Question::Listing(entries) => Judgement::Shown(vec![false; entries.len()]),
        Question::Note(_) => Judgement::Released,
        Question::Call(_) | Question::Model { .. } => Judgement::Refused { text: "no".to_owned() },
    }
}
