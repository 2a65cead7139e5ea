//! What the calls of all model APIs have in common: a JSON object that names a model and its settings.

use crate::classify::fault::Fault;
use crate::classify::names::check_name;
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{
    Bounds, Coverage, Expected, JsonPath, Offer, Part, PathStep, Peer, Problem, Reading, Reply, Speech,
};
use crate::domain::{Action, Dialect, Family, Json, Target, ToolRef};

/// Tools that one call puts before a model. The APIs themselves take 128.
const OFFERS_MAX: usize = 1024;

/// Settings at the top of one call.
const SETTINGS_MAX: usize = 128;

/// How one API writes such a call.
pub(super) struct Form {
    pub(super) dialect: Dialect,
    pub(super) reply: Reply,
    /// How its answers are written.
    pub(super) speech: Speech,
    /// Members that decide what the call is; no look-alike of them may stand in it.
    pub(super) judged: &'static [&'static str],
    /// Members that hold the conversation, which is no setting.
    pub(super) conversation: &'static [&'static str],
    /// Members that hand the provider tools of its own to run.
    pub(super) hosted: &'static [&'static str],
    /// Whether a tool of this type is run by the caller, and not by the provider.
    pub(super) is_run_by_caller: fn(&str) -> bool,
    /// The last word on the settings of one model: names that mean the same, members that exclude each other.
    pub(super) settle: fn(&mut Settings) -> Result<(), Fault>,
}

/// The scalar members of a call, by name. What is no scalar, or too long, is not there: a pact's condition on it
/// does not hold.
#[derive(Clone, Default)]
pub(super) struct Settings(Vec<(String, Json)>);

impl Settings {
    pub(super) fn value(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(super) fn set(&mut self, name: &str, value: Json) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, held)) => *held = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

/// A model that a call names, and the settings that hold for it alone.
struct Named {
    model: String,
    own: Settings,
}

#[derive(Default)]
struct Envelope {
    provider: String,
    model: Option<String>,
    /// Models that the provider may use instead.
    others: Vec<Named>,
    /// Tools that it puts before the model.
    offers: Vec<Offer>,
    settings: Settings,
    streamed: bool,
}

/// Reads a call: one part for each model that may answer it, one for each tool that the provider may run.
pub(super) fn read(
    form: &Form,
    peer: &Peer,
    extra: Option<(&str, Json)>,
    body: &[u8],
    bounds: &Bounds,
) -> Result<Reading, Fault> {
    let mut envelope = Envelope { provider: peer.provider.clone(), ..Envelope::default() };
    let mut reader = Reader::new(body, bounds)?;
    reader.object(Distinct::InAnyCase, |reader, name| envelope.member(form, reader, name, bounds))?;
    reader.end()?;
    let Envelope { model, others, offers, mut settings, streamed, .. } = envelope;
    let model = model.ok_or_else(|| {
        Fault::new(Problem::MissingField, "the call names no model; send `model`").under_member("model")
    })?;
    if let Some((name, value)) = extra {
        settings.set(name, value);
    }
    settings.set("stream", Json::Bool(streamed));
    let part = |target: Target, settings: Settings| Part {
        action: Action { target, fields: Json::Object(settings.0), dialect: form.dialect },
        reply: form.reply.clone(),
        coverage: Coverage::Envelope,
        withheld: Vec::new(),
        refers: None,
    };
    let asked = (peer.provider.clone(), model.clone());
    let named = std::iter::once(Named { model, own: Settings::default() }).chain(others);
    let mut parts: Vec<Part> = Vec::with_capacity(1);
    for Named { model, own } in named {
        let mut settings = settings.clone();
        own.0.into_iter().for_each(|(name, value)| settings.set(&name, value));
        (form.settle)(&mut settings)?;
        let named = part(Target::Model { provider: peer.provider.clone(), model }, settings);
        if parts.iter().all(|known| known.action != named.action) {
            parts.push(named);
        }
    }
    // Where the provider may choose among several, each of them was judged as one that may answer.
    let model = (parts.len() == 1).then_some(asked);
    let expected = Expected { speech: form.speech.clone(), streamed, model };
    Ok(Reading { parts, batch: false, streamed, offers, expected })
}

impl Envelope {
    fn member(
        &mut self,
        form: &Form,
        reader: &mut Reader<'_>,
        name: &str,
        bounds: &Bounds,
    ) -> Result<(), Fault> {
        known_spelling(name, form.judged)?;
        let kind = reader.kind()?;
        match name {
            "model" => {
                self.model = Some(read_name(reader, bounds)?);
                Ok(())
            }
            "stream" => {
                self.streamed = read_flag(reader)?;
                Ok(())
            }
            _ if kind == Kind::Null || form.conversation.contains(&name) => reader.skip(),
            "fallbacks" | "models" => self.read_others(reader, bounds),
            "tools" | "functions" => reader.array(|reader, index| {
                let at = vec![PathStep::Member(name.to_owned()), PathStep::Item(index)];
                self.read_tool(form, reader, at, bounds)
            }),
            _ if form.hosted.contains(&name) => {
                let at = vec![PathStep::Member(name.to_owned())];
                self.add_offer(form, reader, self.hosted(name.to_owned()), at)?;
                reader.skip()
            }
            _ => read_setting(reader, &mut self.settings, name, bounds),
        }
    }

    /// One model or a list of them, each a name or an object with a name and settings of its own.
    fn read_others(&mut self, reader: &mut Reader<'_>, bounds: &Bounds) -> Result<(), Fault> {
        if reader.kind()? != Kind::Array {
            self.others.push(read_other(reader, bounds)?);
            return Ok(());
        }
        reader.array(|reader, _| {
            if self.others.len() == bounds.batch {
                return Err(reader.fault(Problem::TooLarge, "more models than are judged in one call"));
            }
            self.others.push(read_other(reader, bounds)?);
            Ok(())
        })
    }

    /// A tool by its type and name; the name stands beside the type, or in the object that the type names.
    fn read_tool(
        &mut self,
        form: &Form,
        reader: &mut Reader<'_>,
        at: JsonPath,
        bounds: &Bounds,
    ) -> Result<(), Fault> {
        let (mut kind, mut tool) = (None, None);
        reader.object(Distinct::InAnyCase, |reader, name| {
            known_spelling(name, &["type", "name", "function", "custom"])?;
            let value = match (name, reader.kind()?) {
                ("type" | "name", Kind::String) => read_name(reader, bounds)?,
                ("function" | "custom", Kind::Object) => read_inner_name(reader, bounds)?,
                ("type" | "name" | "function" | "custom", kind) if kind != Kind::Null => {
                    return Err(reader.fault(Problem::WrongType, "this is not how the API names a tool"));
                }
                _ => return reader.skip(),
            };
            if name == "type" {
                kind = Some(value);
            } else if tool.replace(value).is_some() {
                return Err(reader.fault(Problem::Conflict, "the tool has two names; send one"));
            }
            Ok(())
        })?;
        let target = match kind {
            Some(kind) if !(form.is_run_by_caller)(&kind) => self.hosted(kind),
            _ => {
                let name = tool.ok_or_else(|| reader.fault(Problem::MissingField, "the tool has no name"))?;
                Target::Tool(ToolRef::Function(name))
            }
        };
        self.add_offer(form, reader, target, at)
    }

    fn hosted(&self, name: String) -> Target {
        Target::HostedTool { provider: self.provider.clone(), name }
    }

    fn add_offer(
        &mut self,
        form: &Form,
        reader: &Reader<'_>,
        target: Target,
        at: JsonPath,
    ) -> Result<(), Fault> {
        if self.offers.len() == OFFERS_MAX {
            return Err(reader.fault(Problem::TooLarge, "more tools than are judged in one call; send fewer"));
        }
        let action = Action { target, fields: Json::Object(Vec::new()), dialect: form.dialect };
        self.offers.push(Offer { action, at: Some(at) });
        Ok(())
    }
}

/// The name inside `function` or `custom`.
fn read_inner_name(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<String, Fault> {
    let mut found = None;
    reader.object(Distinct::InAnyCase, |reader, name| {
        known_spelling(name, &["name"])?;
        match name {
            "name" => {
                found = Some(read_name(reader, bounds)?);
                Ok(())
            }
            _ => reader.skip(),
        }
    })?;
    found.ok_or_else(|| reader.fault(Problem::MissingField, "the tool has no name"))
}

fn read_other(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<Named, Fault> {
    if reader.kind()? != Kind::Object {
        return Ok(Named { model: read_name(reader, bounds)?, own: Settings::default() });
    }
    let mut model = None;
    let mut own = Settings::default();
    reader.object(Distinct::InAnyCase, |reader, name| {
        known_spelling(name, &["model"])?;
        match name {
            "model" => {
                model = Some(read_name(reader, bounds)?);
                Ok(())
            }
            _ => read_setting(reader, &mut own, name, bounds),
        }
    })?;
    let model = model.ok_or_else(|| reader.fault(Problem::MissingField, "this fallback names no `model`"))?;
    Ok(Named { model, own })
}

fn read_name(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<String, Fault> {
    if reader.kind()? != Kind::String {
        return Err(reader.fault(Problem::WrongType, "a name is due here; send a string"));
    }
    let at = reader.offset();
    let name = reader.string()?;
    check_name(&name, bounds.name_bytes).map_err(|fault| fault.at(at))?;
    Ok(name.into_owned())
}

/// `true` or `false`. Some servers take `"true"` and `1` for true, so neither is let through.
fn read_flag(reader: &mut Reader<'_>) -> Result<bool, Fault> {
    match reader.kind()? {
        Kind::Bool => reader.bool(),
        Kind::Null => reader.skip().map(|()| false),
        _ => Err(reader.fault(Problem::WrongType, "`true` or `false` is due here")),
    }
}

fn read_setting(
    reader: &mut Reader<'_>,
    settings: &mut Settings,
    name: &str,
    bounds: &Bounds,
) -> Result<(), Fault> {
    if matches!(reader.kind()?, Kind::Array | Kind::Object) {
        return reader.skip();
    }
    if settings.0.len() == SETTINGS_MAX {
        return Err(reader.fault(Problem::TooLarge, "more settings than are judged in one call"));
    }
    match reader.tree()? {
        Json::Null => {}
        Json::String(text) if text.len() > bounds.name_bytes => {}
        value => settings.0.push((name.to_owned(), value)),
    }
    Ok(())
}

/// A part for a request that only prepares calls to a model, such as listing them. It has no body.
pub(super) fn preparing(form: &Form, peer: &Peer, method: &str, body: &[u8]) -> Result<Option<Part>, Fault> {
    refuse_body(body)?;
    Ok(peer.name.as_ref().map(|_| {
        let of = peer.provider.clone();
        let target = Target::Protocol { family: Family::Model, of, method: method.to_owned() };
        Part::read(target, Json::Object(Vec::new()), form.dialect, form.reply.clone())
    }))
}

/// Refuses a body where the protocol has none: what it says is not judged, and some server may read it.
pub(super) fn refuse_body(body: &[u8]) -> Result<(), Fault> {
    match body.is_empty() {
        true => Ok(()),
        false => Err(Fault::new(Problem::UnexpectedBody, "this request takes no body; send none")),
    }
}
