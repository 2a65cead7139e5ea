//! Offer: a tool that a request puts before a model, and where it stands in the body.

use bytes::Bytes;

use crate::classify::fault::Fault;
use crate::classify::strict_json::Reader;
use crate::classify::{Bounds, Call, Part, Problem, Speech, Unreadable};
use crate::domain::{Action, Json};

/// One step of a path into a JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// The member of that name.
    Member(String),
    /// The item at that index.
    Item(usize),
}

/// Where a value stands in a body, from the outside in.
pub type JsonPath = Vec<PathStep>;

/// A tool that a request offers to a model.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The tool: one that the caller would run, or one that the provider runs, with what the request says of it.
    pub action: Action,
    /// Where its definition stands; `None` where it cannot be taken out without changing what else is said: then a
    /// request that offers a forbidden one is refused.
    pub at: Option<JsonPath>,
}

/// The body without what stands at these places, written anew: nothing else of it changes but blanks and the
/// spelling of strings.
pub(super) fn without(
    speech: &Speech,
    body: &[u8],
    places: &[JsonPath],
    bounds: &Bounds,
) -> Result<Bytes, Fault> {
    let mut reader = Reader::new(body, bounds)?;
    let mut tree = reader.whole()?;
    let mut places: Vec<&JsonPath> = places.iter().collect();
    // The last one first, so that the others keep their places.
    places.sort_by(|a, b| order(b, a));
    for place in places {
        if !remove(&mut tree, place) {
            return Err(Fault::new(Problem::WrongType, "a tool does not stand where it was read"));
        }
    }
    speech.tidy(&mut tree);
    Ok(tree.text().into())
}

fn order(a: &JsonPath, b: &JsonPath) -> std::cmp::Ordering {
    let key = |step: &PathStep| match step {
        PathStep::Member(name) => (0, name.clone()),
        PathStep::Item(index) => (*index + 1, String::new()),
    };
    a.iter().map(key).cmp(b.iter().map(key))
}

fn remove(tree: &mut Json, place: &[PathStep]) -> bool {
    let Some((last, way)) = place.split_last() else { return false };
    let mut at = Some(tree);
    for step in way {
        at = match (at, step) {
            (Some(value), PathStep::Member(name)) => value.member_mut(name),
            (Some(Json::Array(items)), PathStep::Item(index)) => items.get_mut(*index),
            _ => None,
        };
    }
    match (at, last) {
        (Some(Json::Array(items)), PathStep::Item(index)) if *index < items.len() => {
            items.remove(*index);
            true
        }
        (Some(value), PathStep::Member(name)) => value.remove(name).is_some(),
        _ => false,
    }
}

impl Call {
    /// Carries out what was said of the offers, by their place among them: takes out what is removed, and makes
    /// actions of their own of those that are judged. `received` is the body as it came.
    ///
    /// # Errors
    /// When the body cannot be written without what is removed.
    pub fn sift(
        &mut self,
        removed: &[usize],
        judged: &[usize],
        received: &Bytes,
        bounds: &Bounds,
    ) -> Result<(), Unreadable> {
        let Some(lead) = self.parts.first() else { return Ok(()) };
        if judged.len() > bounds.batch {
            let what = format!("more than {} tools that are judged one by one; offer fewer", bounds.batch);
            let fault = Fault::new(Problem::TooLarge, what);
            return Err(fault.refuse(lead.reply.clone(), lead.action.target.to_string()));
        }
        let (reply, coverage, attempted) =
            (lead.reply.clone(), lead.coverage, lead.action.target.to_string());
        if !removed.is_empty() {
            let taken: Vec<&Offer> = removed.iter().filter_map(|number| self.offers.get(*number)).collect();
            let places: Vec<JsonPath> = taken.iter().filter_map(|offer| offer.at.clone()).collect();
            let names = taken.iter().map(|offer| offer.action.target.to_string()).collect();
            let body = self.body.as_ref().unwrap_or(received);
            let body = without(&self.expected.speech, body, &places, bounds);
            self.body = Some(body.map_err(|fault| fault.refuse(reply.clone(), attempted))?);
            if let Some(lead) = self.parts.first_mut() {
                lead.withheld = names;
            }
        }
        for offer in judged.iter().filter_map(|number| self.offers.get(*number)) {
            let known = self.parts.iter().any(|part| part.action == offer.action);
            if !known {
                let (action, reply) = (offer.action.clone(), reply.clone());
                self.parts.push(Part { action, reply, coverage, withheld: Vec::new(), refers: None });
            }
        }
        Ok(())
    }
}
