//! An answer that is no stream: collected within a bound, judged, and sent on.

use bytes::BytesMut;
use http::response::Parts;
use http::{HeaderValue, Response, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::classify::{Expected, Judgement, Problem, Question, Unfit, WholeAnswer};
use crate::enforce::AnswerJudge;
use crate::evidence::{CutCause, Outcome};
use crate::net::{Body, TimedBody};
use crate::proxy::exchange::Answer;
use crate::proxy::response_tap::decoder::Decoder;
use crate::proxy::response_tap::{Passing, broken};

/// An answer on its way.
pub(super) struct Taken {
    pub(super) body: TimedBody<Incoming>,
    pub(super) decoder: Decoder,
    pub(super) expected: Expected,
    pub(super) passing: Passing,
}

impl Taken {
    /// The response for the agent.
    pub(super) async fn answer(mut self, mut head: Parts) -> Result<Response<Body>, Answer> {
        let body = self.collect().await?;
        let bounds = self.passing.held.as_ref().map(|held| held.proxy.bounds.classify).unwrap_or_default();
        let whole = match WholeAnswer::read(&self.expected, body, &bounds) {
            Ok(whole) => whole,
            Err(unfit) => return Err(self.passing.unfit(&unfit)),
        };
        self.passing.seen = whole.observed().clone();
        let mut judgements = Vec::with_capacity(whole.questions().len());
        if let Some(judge) = self.passing.judge().filter(|_| !whole.questions().is_empty()) {
            for question in whole.questions() {
                match judged(&judge, question.clone()).await {
                    Ok(judgement) => judgements.push(judgement),
                    Err(refusal) => {
                        let outcome = Outcome::Cut { why: CutCause::Forbidden };
                        return Err(self.passing.failed(outcome, "refused-answer", refusal));
                    }
                }
            }
        }
        let told = match whole.told(judgements) {
            Ok(told) => told,
            Err(unfit) => return Err(self.passing.unfit(&unfit)),
        };
        if self.decoder.changes() {
            head.headers.remove(header::CONTENT_ENCODING);
        }
        head.headers.remove(header::TRAILER);
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(told.len()));
        self.passing.settle(None);
        Ok(Response::from_parts(head, Body::from(told)))
    }

    async fn collect(&mut self) -> Result<bytes::Bytes, Answer> {
        let bytes_max = self.passing.held.as_ref().map_or(0, |held| held.proxy.bounds.classify.decoded_bytes);
        let mut whole = BytesMut::new();
        while let Some(frame) = self.body.frame().await {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    let message = "The upstream's answer broke off.".to_owned();
                    return Err(self.passing.failed(broken(&error), "broken-answer", message));
                }
            };
            let Ok(data) = frame.into_data() else { continue };
            self.passing.received(data.len());
            self.decoder.push(data);
            while let Some(decoded) = self.decoder.next().transpose() {
                self.add(&mut whole, decoded, bytes_max)?;
            }
        }
        let rest = self.decoder.finish();
        self.add(&mut whole, rest, bytes_max)?;
        Ok(whole.freeze())
    }

    fn add(
        &mut self,
        whole: &mut BytesMut,
        decoded: Result<bytes::Bytes, Unfit>,
        bytes_max: usize,
    ) -> Result<(), Answer> {
        let fits = |more: &bytes::Bytes| whole.len().saturating_add(more.len()) <= bytes_max;
        let unfit = match decoded {
            Ok(more) if fits(&more) => {
                whole.extend_from_slice(&more);
                return Ok(());
            }
            Ok(_) => Unfit {
                problem: Problem::TooLarge,
                detail: format!("the answer is larger than {bytes_max} bytes"),
            },
            Err(unfit) => unfit,
        };
        Err(self.passing.unfit(&unfit))
    }
}

/// Asks the judge. A refusal that nothing can stand in for is an error: the text of it.
pub(super) async fn judged(judge: &AnswerJudge, question: Question) -> Result<Judgement, String> {
    match question {
        Question::Call(made) => Ok(match judge.call(made).await {
            Ok(()) => Judgement::Released,
            Err(refusal) => Judgement::Refused { text: refusal.message() },
        }),
        Question::Note(reference) => {
            judge.note(&reference);
            Ok(Judgement::Released)
        }
        Question::Listing(listed) => Ok(Judgement::Shown(judge.shown(&listed))),
        Question::Model { provider, model } => match judge.model(provider, model).await {
            Ok(()) => Ok(Judgement::Released),
            Err(refusal) => Err(refusal.message()),
        },
    }
}
