//! A streamed answer that is read: text flows, and a call that the model makes is held until it is judged.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::response::Parts;
use http::{Response, header};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;

use crate::classify::{AnswerReader, Judgement, Question, Step, Unfit};
use crate::evidence::{CutCause, Outcome};
use crate::net::{Body, BodyError, BoxError, TimedBody};
use crate::proxy::refusal_response::{self, Failure};
use crate::proxy::response_tap::decoder::Decoder;
use crate::proxy::response_tap::whole::judged;
use crate::proxy::response_tap::{Passing, broken};

/// Passes a stream on, through its reader.
pub(super) fn stream(
    mut head: Parts,
    body: TimedBody<Incoming>,
    decoder: Decoder,
    reader: AnswerReader,
    passing: Passing,
) -> Response<Body> {
    if decoder.changes() {
        head.headers.remove(header::CONTENT_ENCODING);
    }
    // What is refused is told in other bytes.
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.remove(header::TRAILER);
    let judged = Judged { body, decoder, reader, passing, judging: None, over: false };
    Response::from_parts(head, Body::stream(judged))
}

type Judging = Pin<Box<dyn Future<Output = Result<Judgement, String>> + Send>>;

struct Judged {
    body: TimedBody<Incoming>,
    decoder: Decoder,
    reader: AnswerReader,
    passing: Passing,
    /// While a person or the disk is waited for, nothing more is read.
    judging: Option<Judging>,
    over: bool,
}

/// Why a stream ends before its own end.
enum Cut {
    /// It says what the agent is told in the API's own form.
    Told(Failure),
    /// The connection breaks off.
    Broken(BodyError),
}

impl Judged {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Cut>> {
        loop {
            if let Some(judging) = &mut self.judging {
                let judgement = ready!(judging.as_mut().poll(cx));
                self.judging = None;
                let judgement = judgement.map_err(|refusal| self.forbidden(refusal))?;
                self.reader.judged(judgement).map_err(|unfit| self.unfit(&unfit))?;
            }
            match self.reader.step().map_err(|unfit| self.unfit(&unfit))? {
                Step::Send(bytes) => return Poll::Ready(Ok(Some(bytes))),
                Step::Ask(question) => self.ask(question),
                Step::End => return Poll::Ready(Ok(None)),
                Step::More => ready!(self.poll_more(cx))?,
            }
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cut>> {
        let decoded = match self.decoder.next() {
            Ok(Some(plain)) => Some(self.reader.push(plain)),
            Ok(None) => None,
            Err(unfit) => Some(Err(unfit)),
        };
        if let Some(read) = decoded {
            return Poll::Ready(read.map_err(|unfit| self.unfit(&unfit)));
        }
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    self.passing.received(data.len());
                    self.decoder.push(data);
                }
                Poll::Ready(Ok(()))
            }
            Some(Err(error)) => Poll::Ready(Err(Cut::Broken(error))),
            None => {
                let rest = self.decoder.finish();
                let read = rest.and_then(|rest| self.reader.push(rest)).and_then(|()| self.reader.close());
                Poll::Ready(read.map_err(|unfit| self.unfit(&unfit)))
            }
        }
    }

    fn ask(&mut self, question: Question) {
        let judge = self.passing.judge();
        self.judging = Some(Box::pin(async move {
            match judge {
                Some(judge) => judged(&judge, question).await,
                None => Err("nobody is left to judge the answer".to_owned()),
            }
        }));
    }

    fn unfit(&mut self, unfit: &Unfit) -> Cut {
        let message = format!("The upstream's answer was cut: {unfit}.");
        self.cut(CutCause::Unreadable, "unreadable-answer", message)
    }

    fn forbidden(&mut self, refusal: String) -> Cut {
        self.cut(CutCause::Forbidden, "refused-answer", refusal)
    }

    fn cut(&mut self, why: CutCause, code: &'static str, message: String) -> Cut {
        self.passing.seen = self.reader.observed();
        let failure = self.passing.failure(code, message);
        self.passing.settle(Some(Outcome::Cut { why }));
        match failure {
            Some(failure) => Cut::Told(failure),
            None => Cut::Broken(BodyError::TooLarge { bytes_max: 0 }),
        }
    }
}

impl http_body::Body for Judged {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        match ready!(this.poll_next(cx)) {
            Ok(Some(bytes)) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Ok(None) => {
                this.over = true;
                this.passing.seen = this.reader.observed();
                this.passing.settle(None);
                Poll::Ready(None)
            }
            // Clients take the API's own error event for what it is, and a clean end without one for a whole answer.
            Err(Cut::Told(failure)) => {
                this.over = true;
                match refusal_response::cut_stream(this.reader.speech(), &failure) {
                    Some(event) => Poll::Ready(Some(Ok(Frame::data(event)))),
                    None => Poll::Ready(Some(Err(BoxError::from(failure.message)))),
                }
            }
            // An error breaks the agent's connection off, so that a cut answer is never taken for a whole one.
            Err(Cut::Broken(error)) => {
                this.over = true;
                this.passing.seen = this.reader.observed();
                this.passing.settle(Some(broken(&error)));
                Poll::Ready(Some(Err(BoxError::from(error))))
            }
        }
    }
}

impl Drop for Judged {
    fn drop(&mut self) {
        if self.passing.held.is_some() {
            self.passing.seen = self.reader.observed();
        }
    }
}
