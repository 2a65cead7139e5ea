//! An answer that is no stream: read at once, judged call by call, told without what was refused.

use bytes::Bytes;

use crate::classify::answer::script::{Judgement, Question};
use crate::classify::answer::usage::Report;
use crate::classify::answer::{
    Expected, Observed, Speech, Unfit, anthropic, bedrock, chat, gemini, mcp, responses,
};
use crate::classify::fault::Fault;
use crate::classify::strict_json::Reader;
use crate::classify::{Bounds, Problem};
use crate::domain::Json;

/// What is said of an answer in another dialect than was asked.
pub(super) const FOREIGN: &str = "an answer of another API than was asked";

/// What becomes of one question's subject, in the order of [`WholeAnswer::questions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// It stays.
    Keep,
    /// This is said in its place.
    Replace(String),
    /// Of a list, the entries that stay.
    Show(Vec<bool>),
}

/// An answer that was read whole.
#[derive(Debug)]
pub struct WholeAnswer {
    expected: Expected,
    body: Bytes,
    tree: Json,
    questions: Vec<Question>,
    observed: Observed,
}

impl WholeAnswer {
    /// Reads a whole body, without content-encoding.
    ///
    /// # Errors
    /// When it cannot be read without doubt.
    pub fn read(expected: &Expected, body: Bytes, bounds: &Bounds) -> Result<Self, Unfit> {
        let (expected, speech) = (expected.clone(), &expected.speech);
        if let Speech::Mcp(exchange) = speech {
            let (tree, questions) = match body.is_empty() {
                true => (Json::Null, Vec::new()),
                false => mcp::read(exchange, &body, bounds)?,
            };
            let observed = Observed { ended: true, ..Observed::default() };
            return Ok(Self { expected, body, tree, questions, observed });
        }
        let tree = Reader::new(&body, bounds)?.whole()?;
        if let Json::Object(members) = &tree
            && speech.is_foreign(members.iter().map(|(name, _)| name.as_str()))
        {
            return Err(Fault::new(Problem::Conflict, FOREIGN).into());
        }
        let mut report = Report::new(speech.clone(), bounds.name_bytes);
        report.whole(&body);
        let mut questions = match speech {
            Speech::Unread | Speech::AgentCard(_) | Speech::Mcp(_) => Vec::new(),
            Speech::Chat => chat::questions(&tree, bounds)?,
            Speech::Responses(provider) => responses::questions(provider, &tree, bounds)?,
            Speech::Anthropic => anthropic::questions(&expected, &tree, bounds)?,
            Speech::Gemini(provider) => gemini::questions(&tree, provider, bounds)?,
            Speech::Bedrock(provider) => bedrock::questions(&tree, provider, bounds)?,
        };
        if let (Some((provider, _)), Some(model)) = (&expected.model, report.model())
            && !expected.names(model)
        {
            questions.push(Question::Model { provider: provider.clone(), model: model.to_owned() });
        }
        Ok(Self { expected, body, tree, questions, observed: report.observed() })
    }

    /// What has to be judged, in order. The question of the model, if there is one, comes last.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// What was seen.
    #[must_use]
    pub const fn observed(&self) -> &Observed {
        &self.observed
    }

    /// The body for the agent, given a judgement for each question: the very bytes that came, where nothing was
    /// refused.
    ///
    /// # Errors
    /// When what was refused cannot be told in another way.
    pub fn told(self, judgements: Vec<Judgement>) -> Result<Bytes, Unfit> {
        let is_judged = judgements.len() == self.questions.len();
        let Self { expected, body, mut tree, .. } = self;
        if let Speech::AgentCard(card) = &expected.speech {
            return Ok(if card.rewrite(&mut tree)? { tree.text().into() } else { body });
        }
        if !is_judged {
            return Err(Fault::new(Problem::Conflict, "not all of the answer was judged").into());
        }
        let edits: Vec<Edit> = judgements.into_iter().map(edit).collect();
        if edits.iter().all(Edit::keeps) {
            return Ok(body);
        }
        match &expected.speech {
            Speech::Chat => chat::rewrite(&mut tree, &edits)?,
            Speech::Responses(_) => responses::rewrite(&mut tree, &edits)?,
            Speech::Anthropic => anthropic::rewrite(&expected, &mut tree, &edits)?,
            Speech::Gemini(_) => gemini::rewrite(&mut tree, &edits)?,
            Speech::Bedrock(_) => bedrock::rewrite(&mut tree, &edits)?,
            Speech::Mcp(exchange) => mcp::rewrite(exchange, &mut tree, &edits)?,
            Speech::Unread | Speech::AgentCard(_) => {
                return Err(Fault::new(Problem::Conflict, "an answer that is not read cannot be told").into());
            }
        }
        Ok(tree.text().into())
    }
}

impl Edit {
    /// Whether nothing changes by it.
    pub(super) fn keeps(&self) -> bool {
        match self {
            Self::Keep => true,
            Self::Replace(_) => false,
            Self::Show(shown) => shown.iter().all(|shown| *shown),
        }
    }
}

pub(super) fn edit(judgement: Judgement) -> Edit {
    match judgement {
        Judgement::Released => Edit::Keep,
        Judgement::Refused { text } => Edit::Replace(text),
        Judgement::Shown(shown) => Edit::Show(shown),
    }
}
