//! References to state that the provider holds: what they stand for is not in the request, so the pact has to permit
//! the reference itself.

use crate::classify::Problem;
use crate::classify::fault::Fault;
use crate::classify::model::read_name;
use crate::classify::responses::Found;
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::domain::{Json, Target, UpstreamName};

/// References and approvals of one call.
const FURTHER_MAX: usize = 256;

impl Found<'_> {
    /// Notes a reference: `kind` is the API's own name of the member that holds it.
    pub(super) fn reference(&mut self, reader: &Reader<'_>, kind: &str, id: &str) -> Result<(), Fault> {
        if id.contains('/') {
            return Err(reader.fault(Problem::Name, "an id has a slash, which parts names here"));
        }
        let server = UpstreamName::new(&self.provider).map_err(|_| {
            let what = "state that the provider holds cannot be named: the provider's own name is no label";
            reader.fault(Problem::Name, what)
        })?;
        let target = Target::Resource { server, uri: [kind, "/", id].concat() };
        self.further(reader, target, Json::Object(Vec::new()))
    }

    pub(super) fn further(&mut self, reader: &Reader<'_>, target: Target, fields: Json) -> Result<(), Fault> {
        if self.further.len() == FURTHER_MAX {
            return Err(reader.fault(Problem::TooLarge, "more references than are judged in one call"));
        }
        self.further.push((target, fields));
        Ok(())
    }

    /// A member that is an id.
    pub(super) fn reference_named(&mut self, reader: &mut Reader<'_>, kind: &str) -> Result<(), Fault> {
        let id = read_name(reader, self.bounds)?;
        self.reference(reader, kind, &id)
    }

    /// A list of ids; each is one of `kind`.
    pub(super) fn reference_list(&mut self, reader: &mut Reader<'_>, kind: &str) -> Result<(), Fault> {
        if reader.kind()? == Kind::Null {
            return reader.skip();
        }
        reader.array(|reader, _| self.reference_named(reader, kind))
    }

    /// An object with an `id`; the variables of a stored prompt hold content.
    pub(super) fn reference_object(&mut self, reader: &mut Reader<'_>, kind: &str) -> Result<(), Fault> {
        let mut is_named = false;
        reader.object(Distinct::InAnyCase, |reader, name| {
            known_spelling(name, &["id", "variables"])?;
            match (name, reader.kind()?) {
                ("id", _) => {
                    is_named = true;
                    self.reference_named(reader, kind)
                }
                ("variables", Kind::Object) => {
                    reader.object(Distinct::Exactly, |reader, _| match reader.kind()? {
                        Kind::Object => self.content(reader),
                        _ => reader.skip(),
                    })
                }
                _ => reader.skip(),
            }
        })?;
        match is_named {
            true => Ok(()),
            false => Err(reader.fault(Problem::MissingField, "a reference has no `id`")),
        }
    }

    /// One piece of content, or a list of them: files that the provider holds are referred to by id.
    pub(super) fn content(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        match reader.kind()? {
            Kind::Array => reader.array(|reader, _| self.content(reader)),
            Kind::Object => reader.object(Distinct::InAnyCase, |reader, name| {
                known_spelling(name, &["file_id"])?;
                match (name, reader.kind()?) {
                    ("file_id", Kind::Null) => reader.skip(),
                    ("file_id", _) => self.reference_named(reader, name),
                    _ => reader.skip(),
                }
            }),
            _ => reader.skip(),
        }
    }
}
