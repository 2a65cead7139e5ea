//! Builds the values that a pact may judge.

use crate::classify::fault::Fault;
use crate::classify::strict_json::{Distinct, Kind, Reader};
use crate::classify::{Bounds, Problem, Reply, Unreadable};
use crate::domain::Json;

/// Values of one text that is read to be rewritten: each takes some forty bytes.
const WHOLE_VALUES_MAX: usize = 1 << 20;

impl Reader<'_> {
    /// Reads one value of any kind, whole: numbers exact, strings unescaped, member names distinct in any case.
    pub(in crate::classify) fn tree(&mut self) -> Result<Json, Fault> {
        self.tree_of(Distinct::InAnyCase)
    }

    fn tree_of(&mut self, distinct: Distinct) -> Result<Json, Fault> {
        self.values_left = self.values_left.checked_sub(1).ok_or_else(|| {
            self.fault(Problem::TooLarge, "more values than are judged at once; send fewer")
        })?;
        match self.kind()? {
            Kind::Null => self.literal("null").map(|()| Json::Null),
            Kind::Bool => self.bool().map(Json::Bool),
            Kind::Number if distinct == Distinct::Exactly => self.number_passed_on().map(Json::Number),
            Kind::Number => self.number().map(Json::Number),
            Kind::String => self.string().map(|text| Json::String(text.into_owned())),
            Kind::Array => {
                let mut items = Vec::new();
                self.array(|reader, _| {
                    items.push(reader.tree_of(distinct)?);
                    Ok(())
                })?;
                Ok(Json::Array(items))
            }
            Kind::Object => {
                let mut members = Vec::new();
                self.object(distinct, |reader, name| {
                    members.push((name.to_owned(), reader.tree_of(distinct)?));
                    Ok(())
                })?;
                Ok(Json::Object(members))
            }
        }
    }
}

impl Reader<'_> {
    /// Reads the one value of a text to rewrite it: as [`Reader::tree`], and what it may hold is bounded by its bytes
    /// alone. Names that differ in case alone are two names here, and numbers need not fit a double: what is judged of
    /// it has to be read once more.
    pub(in crate::classify) fn whole(&mut self) -> Result<Json, Fault> {
        self.whole_of(WHOLE_VALUES_MAX)
    }

    /// The same, of at most so many values.
    pub(in crate::classify) fn whole_of(&mut self, values_max: usize) -> Result<Json, Fault> {
        self.values_left = values_max;
        let value = self.tree_of(Distinct::Exactly)?;
        self.end()?;
        Ok(value)
    }
}

/// Reads a whole JSON text as strictly as the arguments of a call.
///
/// # Errors
///
/// [`Unreadable`] for whatever two JSON parsers could read differently.
pub fn read_json(body: &[u8], bounds: &Bounds) -> Result<Json, Unreadable> {
    let read = || {
        let mut reader = Reader::new(body, bounds)?;
        let value = reader.tree()?;
        reader.end()?;
        Ok(value)
    };
    read().map_err(|fault: Fault| fault.refuse(Reply::Problem, String::new()))
}
