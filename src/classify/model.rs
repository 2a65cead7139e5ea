//! What the calls of all model APIs have in common: a JSON object that names a model and its settings.

use crate::classify::fault::Fault;
use crate::classify::names::check_name;
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{
    Bounds, Coverage, Expected, Hosted, JsonPath, Offer, Part, PathStep, Peer, Problem, Reading, Reply,
    Speech,
};
use crate::domain::{Action, Dialect, Family, Json, Target, ToolRef, UpstreamName};

/// Tools that one call puts before a model. The APIs themselves take 128.
pub(super) const OFFERS_MAX: usize = 1024;

/// References of one call to what the provider holds.
const STATES_MAX: usize = 128;

/// Settings at the top of one call.
const SETTINGS_MAX: usize = 128;

/// Reads the value of the member of that name, unless it leaves that to the common reader.
pub(super) type Member = fn(&mut Envelope, &Form, &mut Reader<'_>, &str, &Bounds) -> Result<bool, Fault>;

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
    /// Reads a member that this API alone has, or has in a way of its own; tells whether it did.
    pub(super) own: Member,
    /// The last word on what was read, once all of it is known.
    pub(super) finish: fn(&mut Envelope),
    /// The last word on the settings of one model: names that mean the same, members that exclude each other.
    pub(super) settle: fn(&mut Settings) -> Result<(), Fault>,
}

/// The scalar members of a call, by name. What is no scalar, or too long, is not there: a pact's condition on it
/// does not hold.
#[derive(Clone, Default)]
pub(super) struct Settings(pub(super) Vec<(String, Json)>);

impl Settings {
    pub(super) fn value(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Sets a list, behind the one that is there.
    pub(super) fn join(&mut self, name: &str, value: Json) {
        let items = [self.value(name).map(Json::items).unwrap_or_default(), value.items()].concat();
        self.set(name, Json::Array(items));
    }

    pub(super) fn set(&mut self, name: &str, value: Json) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, held)) => *held = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub(super) fn into_fields(self) -> Json {
        Json::Object(self.0)
    }
}

/// A model that a call names, and the settings that hold for it alone.
pub(super) struct Named {
    pub(super) model: String,
    pub(super) own: Settings,
}

/// What was read of a call so far.
#[derive(Default)]
pub(super) struct Envelope {
    pub(super) provider: String,
    /// The betas that may be switched on.
    pub(super) betas: Vec<String>,
    model: Option<String>,
    /// Models that the provider may use instead.
    others: Vec<Named>,
    /// Models that the provider may use beside it, for a tool.
    pub(super) beside: Vec<Named>,
    /// Tools that it puts before the model.
    pub(super) offers: Vec<Offer>,
    /// Of those, the ones that the provider runs, as an answer names them.
    pub(super) hosted: Vec<Hosted>,
    /// Tools that it names where they are offered or withdrawn, without saying what they are.
    pub(super) named: Vec<(String, Option<JsonPath>)>,
    /// What it refers to that the provider holds, as URIs.
    states: Vec<String>,
    pub(super) settings: Settings,
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
    read_with(form, peer, extra, body, bounds, &mut |_, _| Ok(false))
}

/// Reads a member in the API's own way, and says whether it did; whatever it left is read in the common way.
pub(super) type Own<'o> = &'o mut dyn FnMut(&mut Reader<'_>, &str) -> Result<bool, Fault>;

/// The same, where the API has members that are read in its own way.
pub(super) fn read_with(
    form: &Form,
    peer: &Peer,
    extra: Option<(&str, Json)>,
    body: &[u8],
    bounds: &Bounds,
    own: Own<'_>,
) -> Result<Reading, Fault> {
    let mut envelope =
        Envelope { provider: peer.provider.clone(), betas: peer.betas.clone(), ..Envelope::default() };
    let mut reader = Reader::new(body, bounds)?;
    reader.object(Distinct::InAnyCase, |reader, name| {
        known_spelling(name, form.judged)?;
        if own(reader, name)? {
            return Ok(());
        }
        envelope.member(form, reader, name, bounds)
    })?;
    reader.end()?;
    (form.finish)(&mut envelope);
    let held = envelope.states()?;
    let Envelope { model, others, beside, offers, hosted, mut settings, streamed, .. } = envelope;
    let model = model.ok_or_else(|| {
        Fault::new(Problem::MissingField, "the call names no model; send `model`").under_member("model")
    })?;
    if let Some((name, value)) = extra {
        settings.join(name, value);
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
    let may_answer = others.iter().map(|other| other.model.clone()).collect();
    let first = std::iter::once(Named { model, own: Settings::default() });
    let named = first.chain(others).chain(beside);
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
    parts.extend(held.into_iter().map(|target| part(target, Settings::default())));
    let expected = Expected {
        speech: form.speech.clone(),
        streamed,
        model: Some(asked),
        // Where the provider may choose among several, each of them was judged as one that may answer.
        others: may_answer,
        provider: peer.provider.clone(),
        hosted,
    };
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
            _ if (form.own)(self, form, reader, name, bounds)? => Ok(()),
            "fallbacks" | "models" => self.read_others(reader, bounds),
            "tools" | "functions" => reader.array(|reader, index| {
                let at = vec![PathStep::Member(name.to_owned()), PathStep::Item(index)];
                self.read_tool(form, reader, at, bounds)
            }),
            _ if form.hosted.contains(&name) => {
                let at = vec![PathStep::Member(name.to_owned())];
                self.add_offer(form, reader, self.hosted(name.to_owned()), Some(at))?;
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
        self.add_offer(form, reader, target, Some(at))
    }

    pub(super) fn hosted(&self, name: String) -> Target {
        Target::HostedTool { provider: self.provider.clone(), name }
    }

    fn add_offer(
        &mut self,
        form: &Form,
        reader: &Reader<'_>,
        target: Target,
        at: Option<JsonPath>,
    ) -> Result<(), Fault> {
        let action = Action { target, fields: Json::Object(Vec::new()), dialect: form.dialect };
        self.offer(reader, Offer { action, at })
    }

    /// Notes a tool that is put before the model.
    pub(super) fn offer(&mut self, reader: &Reader<'_>, offer: Offer) -> Result<(), Fault> {
        self.make_room(reader)?;
        self.offers.push(offer);
        Ok(())
    }

    /// Notes a tool that is named without saying what it is.
    pub(super) fn name_tool(
        &mut self,
        reader: &Reader<'_>,
        name: String,
        at: Option<JsonPath>,
    ) -> Result<(), Fault> {
        self.make_room(reader)?;
        self.named.push((name, at));
        Ok(())
    }

    fn make_room(&self, reader: &Reader<'_>) -> Result<(), Fault> {
        match self.offers.len() + self.named.len() < OFFERS_MAX {
            true => Ok(()),
            false => {
                Err(reader.fault(Problem::TooLarge, "more tools than are judged in one call; send fewer"))
            }
        }
    }

    /// Reads the name of something that the provider holds, of that kind.
    pub(super) fn read_state(
        &mut self,
        reader: &mut Reader<'_>,
        kind: &str,
        bounds: &Bounds,
    ) -> Result<(), Fault> {
        let id = read_name(reader, bounds)?;
        self.refer(reader, kind, &id)
    }

    /// Notes something that the provider holds, of that kind and name.
    pub(super) fn refer(&mut self, reader: &Reader<'_>, kind: &str, id: &str) -> Result<(), Fault> {
        if id.contains('/') {
            let what = "a `/` in a name that a pact reads as one segment of a path";
            return Err(reader.fault(Problem::Name, what));
        }
        let uri = format!("{kind}/{id}");
        if self.states.contains(&uri) {
            return Ok(());
        }
        if self.states.len() == STATES_MAX {
            let what = "more references to what the provider holds than are judged in one call";
            return Err(reader.fault(Problem::TooLarge, what));
        }
        self.states.push(uri);
        Ok(())
    }

    /// What it refers to that the provider holds, as a pact names it.
    fn states(&self) -> Result<Vec<Target>, Fault> {
        let server = || {
            UpstreamName::new(&self.provider).map_err(|_| {
                let what = "this call refers to what the provider holds, and the `provider` of the sidecar's \
                            config is no name that a pact could permit it by";
                Fault::new(Problem::Name, what)
            })
        };
        let target = |uri: &String| Ok(Target::Resource { server: server()?, uri: uri.clone() });
        self.states.iter().map(target).collect()
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

pub(super) fn read_name(reader: &mut Reader<'_>, bounds: &Bounds) -> Result<String, Fault> {
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

pub(super) fn read_setting(
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
