//! Script: how one dialect writes a streamed answer, and what in it has to be judged.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::classify::Reference;
use crate::classify::answer::sse::Event;
use crate::classify::fault::Fault;
use crate::domain::{Action, Digest, UpstreamName};

/// A tool call that a model made, complete.
#[derive(Clone, Debug)]
pub enum Made {
    /// It could be read.
    Call(Action),
    /// It could not: it is refused and recorded as an attempt.
    Unreadable {
        /// What it calls, bounded and printable.
        attempted: String,
        /// What is wrong: one sentence without its values.
        detail: String,
    },
}

/// One entry of a list that a server gives.
#[derive(Clone, Debug)]
pub enum Listed {
    /// Something to use.
    Entry {
        /// What it would be to use it.
        action: Action,
        /// Digest of its definition in canonical form, where it is a tool.
        definition: Option<Digest>,
    },
    /// A task under way.
    Task {
        /// The MCP server.
        server: UpstreamName,
        /// The task's id there.
        id: String,
    },
    /// It has no name, one that hides something, or the name of another entry: nobody gets to see it.
    Unnamed,
}

/// What a reader needs to know before it goes on.
#[derive(Clone, Debug)]
pub enum Question {
    /// May this be? Answered by [`Judgement::Released`] or [`Judgement::Refused`].
    Call(Made),
    /// Which of these may the agent see? Answered by [`Judgement::Shown`].
    Listing(Vec<Listed>),
    /// The agent may refer to this later. Answered by [`Judgement::Released`].
    Note(Reference),
    /// May this model have answered? If not, the driver ends the answer.
    Model {
        /// Who serves it.
        provider: String,
        /// The model that answered.
        model: String,
    },
}

/// What the judge says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It may be: what is held goes on unchanged.
    Released,
    /// It may not, and this is said in its place.
    Refused {
        /// A text for the model and for people.
        text: String,
    },
    /// For each entry of a list whether it may be seen.
    Shown(Vec<bool>),
}

/// Bytes on their way to the agent.
#[derive(Debug, Default)]
pub(super) struct Output(VecDeque<Bytes>);

impl Output {
    /// Sends bytes as they are.
    pub(super) fn send(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.0.push_back(bytes);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        self.0.pop_front()
    }
}

/// How one dialect writes a streamed answer. It sends what may go on, keeps what has to be judged, and never lets
/// anything overtake what stood before it in a way that its clients could notice.
pub(super) trait Script: Send {
    /// Reads the next event.
    ///
    /// # Errors
    /// When the stream cannot be read without doubt.
    fn event(&mut self, event: Event, output: &mut Output) -> Result<(), Fault>;

    /// The stream has come to its end.
    ///
    /// # Errors
    /// When something is still held that has not come to its own end.
    fn end(&mut self, output: &mut Output) -> Result<(), Fault>;

    /// The next call that is complete and not judged. Asked after each event and after each judgement; while one
    /// is open, no further event comes.
    fn question(&mut self) -> Option<Question>;

    /// The judgement on the question given last.
    ///
    /// # Errors
    /// When what is held cannot be told in another way.
    fn judged(&mut self, judgement: Judgement, output: &mut Output) -> Result<(), Fault>;

    /// Bytes held, about.
    fn held(&self) -> usize;
}
