//! Fault: what is wrong with a request, and where, on its way up to the caller's own form of refusal.

use std::borrow::Cow;

use crate::classify::{Problem, Reply, Unreadable};

/// Bytes of a member's name that a refusal repeats.
const STEP_BYTES_MAX: usize = 64;

/// Steps of a path that a refusal repeats; what lies deeper is left out.
const STEPS_MAX: usize = 12;

/// What a reader found wrong. The place is filled in while the fault rises through the readers. Behind a pointer, so
/// that a result without one stays small.
#[derive(Clone, Debug)]
pub(super) struct Fault(Box<Told>);

#[derive(Clone, Debug)]
struct Told {
    problem: Problem,
    /// What is wrong and what to send instead, without the place.
    what: Cow<'static, str>,
    /// Byte offset in the body.
    at: Option<usize>,
    /// Member names and indices, innermost first.
    path: Vec<String>,
    /// The form of the refusal, where the reader knows it better than the dialect does.
    reply: Option<Reply>,
}

impl Fault {
    #[cold]
    pub(super) fn new(problem: Problem, what: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Told { problem, what: what.into(), at: None, path: Vec::new(), reply: None }))
    }

    pub(super) fn problem(&self) -> Problem {
        self.0.problem
    }

    pub(super) fn at(mut self, offset: usize) -> Self {
        self.0.at = Some(offset);
        self
    }

    /// Names the form of the refusal, unless a reader further in has named one.
    pub(super) fn told_as(mut self, reply: Reply) -> Self {
        self.0.reply.get_or_insert(reply);
        self
    }

    #[cold]
    pub(super) fn under_member(mut self, name: &str) -> Self {
        self.0.path.push(shown(name));
        self
    }

    #[cold]
    pub(super) fn under_item(mut self, index: usize) -> Self {
        self.0.path.push(format!("[{index}]"));
        self
    }

    /// One sentence: place, fault, remedy.
    pub(super) fn detail(&self) -> String {
        let mut place = String::new();
        for (index, step) in self.0.path.iter().rev().enumerate() {
            if index == STEPS_MAX {
                place.push('…');
                break;
            }
            if !place.is_empty() && !step.starts_with('[') {
                place.push('.');
            }
            place.push_str(step);
        }
        match (place.is_empty(), self.0.at) {
            (true, None) => self.0.what.to_string(),
            (true, Some(at)) => format!("byte {at}: {}", self.0.what),
            (false, None) => format!("`{place}`: {}", self.0.what),
            (false, Some(at)) => format!("`{place}`, byte {at}: {}", self.0.what),
        }
    }

    pub(super) fn refuse(self, reply: Reply, attempted: String) -> Unreadable {
        let detail = self.detail();
        let Told { problem, reply: own, .. } = *self.0;
        Unreadable { reply: own.unwrap_or(reply), problem, detail, attempted }
    }
}

/// A piece of the request as a refusal or a record may repeat it: printable and short.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if out.len() >= STEP_BYTES_MAX {
            out.push('…');
            break;
        }
        if c.is_ascii_graphic() || c == ' ' || (c.is_alphanumeric() && !c.is_ascii()) {
            out.push(if c == '`' { '\'' } else { c });
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out
}
