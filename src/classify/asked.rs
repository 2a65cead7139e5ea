//! Asked: a call to a model that the URL names, as Gemini and Bedrock have them.

use crate::classify::fault::Fault;
use crate::classify::model::{self, Settings};
use crate::classify::names::{check_name, check_text};
use crate::classify::strict_json::{Kind, Reader};
use crate::classify::{
    Bounds, Coverage, Expected, JsonPath, Offer, Part, Peer, Problem, Reading, Reply, Speech, address,
};
use crate::domain::{Action, Dialect, Family, Json, Target, ToolRef, UpstreamName};

/// Tools that one call puts before a model.
const OFFERS_MAX: usize = 1024;

/// References of one call to what the provider keeps.
const REFERENCES_MAX: usize = 128;

/// What a call asks for, as far as it was read.
pub(super) struct Asked {
    dialect: Dialect,
    provider: String,
    /// The betas that may be switched on.
    pub(super) betas: Vec<String>,
    model: String,
    settings: Settings,
    offers: Vec<Offer>,
    references: Vec<Target>,
    bounds: Bounds,
}

impl Asked {
    pub(super) fn new(dialect: Dialect, peer: &Peer, model: String, bounds: &Bounds) -> Result<Self, Fault> {
        check_name(&model, bounds.name_bytes)?;
        Ok(Self {
            dialect,
            provider: peer.provider.clone(),
            betas: peer.betas.clone(),
            model,
            settings: Settings::default(),
            offers: Vec::new(),
            references: Vec::new(),
            bounds: *bounds,
        })
    }

    pub(super) fn model(&self) -> &str {
        &self.model
    }

    pub(super) const fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Reads a setting. What is no scalar, or too long, is not there: a pact's condition on it does not hold.
    pub(super) fn setting(&mut self, reader: &mut Reader<'_>, name: &str) -> Result<(), Fault> {
        if matches!(reader.kind()?, Kind::Array | Kind::Object) {
            return Err(reader.fault(Problem::WrongType, "a plain value is due here"));
        }
        match reader.tree()? {
            Json::Null => {}
            Json::String(text) if text.len() > self.bounds.name_bytes => {}
            value => self.settings.set(name, value),
        }
        Ok(())
    }

    pub(super) fn set(&mut self, name: &str, value: Json) {
        self.settings.set(name, value);
    }

    /// Lets a pact speak of a setting by another API's name for it.
    pub(super) fn also(&mut self, name: &str, other: &str) {
        if let Some(value) = self.settings.value(name).cloned() {
            self.settings.set(other, value);
        }
    }

    /// Adds a tool that the caller would run.
    pub(super) fn offer(
        &mut self,
        reader: &Reader<'_>,
        name: String,
        at: Option<JsonPath>,
    ) -> Result<(), Fault> {
        self.add(reader, Target::Tool(ToolRef::Function(name)), at)
    }

    /// Adds a tool that the provider runs.
    pub(super) fn offer_hosted(
        &mut self,
        reader: &Reader<'_>,
        name: String,
        at: Option<JsonPath>,
    ) -> Result<(), Fault> {
        check_name(&name, self.bounds.name_bytes).map_err(|fault| fault.at(reader.offset()))?;
        let target = Target::HostedTool { provider: self.provider.clone(), name };
        self.add(reader, target, at)
    }

    fn add(&mut self, reader: &Reader<'_>, target: Target, at: Option<JsonPath>) -> Result<(), Fault> {
        if self.offers.len() == OFFERS_MAX {
            return Err(reader.fault(Problem::TooLarge, "more tools than are judged in one call; send fewer"));
        }
        let action = Action { target, fields: Json::Object(Vec::new()), dialect: self.dialect };
        self.offers.push(Offer { action, at });
        Ok(())
    }

    /// Adds a reference to what the provider keeps under a name.
    pub(super) fn refer(&mut self, kind: &str, name: &str) -> Result<(), Fault> {
        check_name(name, self.bounds.uri_bytes)?;
        if name.split('/').any(|step| matches!(step, "" | "." | "..")) {
            return Err(Fault::new(
                Problem::Name,
                "the name has an empty step or one of dots; write it plainly",
            ));
        }
        self.add_reference(format!("{kind}/{name}"))
    }

    /// Adds a reference to what the provider fetches from a URI.
    pub(super) fn refer_to_uri(&mut self, kind: &str, uri: &str) -> Result<(), Fault> {
        check_text(uri, self.bounds.uri_bytes)?;
        let uri = address::judged_uri(uri)?;
        self.add_reference(format!("{kind}/{uri}"))
    }

    fn add_reference(&mut self, uri: String) -> Result<(), Fault> {
        let server = UpstreamName::new(&self.provider).map_err(|_| {
            let what = "what the provider keeps cannot be named: its `provider` is no name of an upstream";
            Fault::new(Problem::Name, what)
        })?;
        let target = Target::Resource { server, uri };
        if self.references.contains(&target) {
            return Ok(());
        }
        if self.references.len() == REFERENCES_MAX {
            return Err(Fault::new(Problem::TooLarge, "more references than are judged in one call"));
        }
        self.references.push(target);
        Ok(())
    }

    /// The reading of it: a part for the model, and one for each reference.
    pub(super) fn reading(mut self, speech: Speech, streamed: bool) -> Reading {
        self.settings.set("stream", Json::Bool(streamed));
        let dialect = self.dialect;
        let part = |target: Target, fields: Json| Part {
            action: Action { target, fields, dialect },
            reply: Reply::of(dialect),
            coverage: Coverage::Envelope,
            withheld: Vec::new(),
            refers: None,
        };
        let asked = Target::Model { provider: self.provider.clone(), model: self.model.clone() };
        let references = self.references.into_iter().map(|target| part(target, Json::Object(Vec::new())));
        let parts = std::iter::once(part(asked, self.settings.into_fields())).chain(references).collect();
        let model = (!matches!(speech, Speech::Unread)).then_some((self.provider, self.model));
        let expected = Expected { speech, streamed, model, ..Expected::unread() };
        Reading { parts, batch: false, streamed, offers: self.offers, expected }
    }
}

/// A name of the call: a string.
pub(super) fn name(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<String, Fault> {
    if reader.kind()? != Kind::String {
        return Err(reader.fault(Problem::WrongType, "a name is due here; send a string"));
    }
    let at = reader.offset();
    let name = reader.string()?;
    check_name(&name, bounds.name_bytes).map_err(|fault| fault.at(at))?;
    Ok(name.into_owned())
}

/// Any text of the call.
pub(super) fn text(reader: &mut Reader<'_>) -> Result<String, Fault> {
    match reader.kind()? {
        Kind::String => Ok(reader.string()?.into_owned()),
        _ => Err(reader.fault(Problem::WrongType, "a string is due here")),
    }
}

/// Passes over a member that no reader knows. What could hold more than a plain value is refused: the provider may do
/// with it what nobody has judged.
pub(super) fn pass_unknown(reader: &mut Reader<'_>) -> Result<(), Fault> {
    match reader.kind()? {
        Kind::Array | Kind::Object => {
            Err(reader.fault(Problem::WrongType, "this is not read, so it cannot be judged; leave it out"))
        }
        _ => reader.skip(),
    }
}

/// A request that only lists models. It has no body.
pub(super) fn listing(dialect: Dialect, peer: &Peer, body: &[u8]) -> Result<Option<Part>, Fault> {
    model::refuse_body(body)?;
    Ok(peer.name.as_ref().map(|_| {
        let of = peer.provider.clone();
        let target = Target::Protocol { family: Family::Model, of, method: "models".to_owned() };
        Part::read(target, Json::Object(Vec::new()), dialect, Reply::of(dialect))
    }))
}
