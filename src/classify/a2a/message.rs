//! The parameters of a call to another agent: the message, and the addresses in it.

use std::borrow::Cow;

use http::Method;

use crate::classify::a2a::link::{Link, read_link};
use crate::classify::a2a::version::{Version, add_extension};
use crate::classify::fault::Fault;
use crate::classify::names::check_name;
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{Bounds, Problem};
use crate::domain::Json;

/// Members that are judged, as 1.0 and 0.3 name them in JSON. [`object`] knows their names in protocol buffers as well.
pub(super) const PARAMS: &[&str] = &[
    "tenant",
    "message",
    "request",
    "configuration",
    "metadata",
    "url",
    "config",
    "pushNotificationConfig",
    "taskPushNotificationConfig",
    "pushNotification",
    "skillId",
    "skill",
];

const MESSAGE: &[&str] = &[
    "parts",
    "content",
    "role",
    "metadata",
    "extensions",
    "messageId",
    "contextId",
    "taskId",
    "referenceTaskIds",
    "skillId",
    "skill",
];

const CONFIGURATION: &[&str] =
    &["pushNotificationConfig", "taskPushNotificationConfig", "pushNotification", "skillId", "skill"];

const PUSH: &[&str] =
    &["url", "config", "pushNotificationConfig", "taskPushNotificationConfig", "pushNotification"];

const PART: &[&str] = &["text", "raw", "url", "data", "file", "kind", "metadata"];

const FILE: &[&str] = &["uri", "bytes", "fileWithUri", "fileWithBytes"];

/// The names under which clients say which skill they mean. The protocol has no member for it.
const SKILL: &[&str] = &["skillId", "skill"];

/// How a part of a message holds what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Text,
    Data,
    Bytes,
    Link,
}

/// What the parameters of one call say.
#[derive(Debug, Default)]
pub(super) struct Params {
    /// Whether there is a message.
    pub(super) has_message: bool,
    /// The skill that is meant.
    pub(super) skill: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) context: Option<String>,
    pub(super) task: Option<String>,
    /// Extensions that the message turns on.
    pub(super) extensions: Vec<String>,
    /// The object of the first data part.
    args: Option<Json>,
    /// The parts of the message, by what they hold.
    contents: Vec<Content>,
    /// Where the agent is told to fetch from and to send to.
    pub(super) links: Vec<Link>,
}

/// Reads the parameters of calls.
#[derive(Clone, Copy)]
pub(super) struct ParamsReader<'a> {
    pub(super) bounds: &'a Bounds,
    /// The version spoken over REST; `None` over JSON-RPC, where data parts are the same in all versions.
    pub(super) rest: Option<Version>,
}

impl Params {
    /// The arguments: the object of the one data part. Several data parts, or none, are no arguments.
    pub(super) fn args(&mut self) -> Json {
        let args = self.args.take().filter(|_| self.count(Content::Data) == 1);
        args.unwrap_or_else(|| Json::Object(Vec::new()))
    }

    /// How many parts of each kind the message has.
    pub(super) fn counts(&self) -> Json {
        let count = |content| Json::Number(i64::try_from(self.count(content)).unwrap_or(i64::MAX).into());
        Json::object([
            ("text", count(Content::Text)),
            ("data", count(Content::Data)),
            ("raw", count(Content::Bytes)),
            ("url", count(Content::Link)),
        ])
    }

    /// Whether the arguments and the addresses are all that the message says.
    pub(super) fn is_read(&self) -> bool {
        let reads_data = match self.count(Content::Data) {
            0 => true,
            1 => self.args.is_some(),
            _ => false,
        };
        reads_data && self.count(Content::Text) == 0 && self.count(Content::Bytes) == 0
    }

    fn count(&self, content: Content) -> usize {
        self.contents.iter().filter(|known| **known == content).count()
    }
}

impl ParamsReader<'_> {
    /// Reads the parameters of any method: which one it is may only stand behind them.
    pub(super) fn read(self, reader: &mut Reader<'_>) -> Result<Params, Fault> {
        let mut params = Params::default();
        object(reader, PARAMS, |reader, name| self.param(reader, name, &mut params))?;
        Ok(params)
    }

    /// Reads one member of the parameters.
    pub(super) fn param(self, reader: &mut Reader<'_>, name: &str, params: &mut Params) -> Result<(), Fault> {
        if reader.kind()? == Kind::Null {
            return reader.skip();
        }
        match name {
            "message" | "request" if params.has_message => {
                Err(reader.fault(Problem::Conflict, "a second message; send one as `message`"))
            }
            "message" | "request" => {
                params.has_message = true;
                self.message(reader, params)
            }
            "configuration" => self.configuration(reader, params),
            "metadata" => self.metadata(reader, params),
            "tenant" => {
                params.tenant = Some(self.short_text(reader)?).filter(|tenant| !tenant.is_empty());
                Ok(())
            }
            _ if SKILL.contains(&name) => self.skill(reader, params),
            _ if PUSH.contains(&name) => self.push(reader, name, params),
            _ => reader.skip(),
        }
    }

    fn configuration(self, reader: &mut Reader<'_>, params: &mut Params) -> Result<(), Fault> {
        object(reader, CONFIGURATION, |reader, name| match reader.kind()? {
            Kind::Null => reader.skip(),
            _ if SKILL.contains(&name) => self.skill(reader, params),
            _ if PUSH.contains(&name) && name != "url" => self.push(reader, name, params),
            _ => reader.skip(),
        })
    }

    /// Where the agent will send what becomes of a task: a URL, or objects around one.
    fn push(self, reader: &mut Reader<'_>, name: &str, params: &mut Params) -> Result<(), Fault> {
        if name == "url" {
            return self.link(reader, &Method::POST, params);
        }
        object(reader, PUSH, |reader, name| match reader.kind()? {
            Kind::Null => reader.skip(),
            _ if PUSH.contains(&name) => self.push(reader, name, params),
            _ => reader.skip(),
        })
    }

    fn message(self, reader: &mut Reader<'_>, params: &mut Params) -> Result<(), Fault> {
        let mut has_parts = false;
        object(reader, MESSAGE, |reader, name| {
            match name {
                _ if reader.kind()? == Kind::Null => return reader.skip(),
                "parts" | "content" if has_parts => {
                    return Err(reader.fault(Problem::Conflict, "the message has its parts twice"));
                }
                "parts" | "content" => {
                    has_parts = true;
                    reader.array(|reader, _| self.part(reader, params))?;
                }
                "metadata" => self.metadata(reader, params)?,
                "extensions" => reader.array(|reader, _| {
                    let uri = text(reader)?;
                    add_extension(&mut params.extensions, &uri, self.bounds)
                })?,
                "contextId" => params.context = Some(self.short_text(reader)?),
                "taskId" => params.task = Some(self.short_text(reader)?),
                _ if SKILL.contains(&name) => self.skill(reader, params)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        match params.contents.is_empty() {
            true => Err(reader.fault(Problem::MissingField, "the message has no `parts`")),
            false => Ok(()),
        }
    }

    fn part(self, reader: &mut Reader<'_>, params: &mut Params) -> Result<(), Fault> {
        let (mut content, mut kind) = (None, None);
        object(reader, PART, |reader, name| {
            let value = reader.kind()?;
            let found = match name {
                "kind" => {
                    kind = Some(self.short_text(reader)?);
                    return Ok(());
                }
                // `null` is data like any other.
                "data" => self.data(reader, params)?,
                _ if value == Kind::Null => return reader.skip(),
                "metadata" => return self.metadata(reader, params),
                "text" => text(reader).map(|_| Content::Text)?,
                "raw" => text(reader).map(|_| Content::Bytes)?,
                "url" => self.link(reader, &Method::GET, params).map(|()| Content::Link)?,
                "file" => self.file(reader, params)?,
                _ => return reader.skip(),
            };
            match content.replace(found) {
                None => Ok(()),
                Some(_) => {
                    Err(reader.fault(Problem::Conflict, "the part holds two things; send one in each"))
                }
            }
        })?;
        let Some(content) = content else {
            let what = "the part holds none of `text`, `data`, `url`, `raw` and `file`";
            return Err(reader.fault(Problem::MissingField, what));
        };
        let agrees = match kind.as_deref() {
            None => true,
            Some("text") => content == Content::Text,
            Some("data") => content == Content::Data,
            Some("file") => matches!(content, Content::Bytes | Content::Link),
            Some(_) => false,
        };
        if !agrees {
            return Err(reader.fault(Problem::Conflict, "the part is not of the `kind` that it names"));
        }
        params.contents.push(content);
        Ok(())
    }

    fn data(self, reader: &mut Reader<'_>, params: &mut Params) -> Result<Content, Fault> {
        let mut data = reader.tree()?;
        if self.rest.is_some() && is_ambiguous(&data) {
            let what = "before 1.0 the arguments stand in `data` alone, and here others stand beside it; \
                        name that argument otherwise";
            return Err(reader.fault(Problem::Conflict, what));
        }
        // Before 1.0, a data part over REST holds its object one member further in.
        if self.rest == Some(Version::V0_3) {
            data = data.remove("data").unwrap_or_default();
        }
        if params.args.is_none() && matches!(data, Json::Object(_)) {
            params.args = Some(data);
        }
        Ok(Content::Data)
    }

    /// A file as it was written before 1.0.
    fn file(self, reader: &mut Reader<'_>, params: &mut Params) -> Result<Content, Fault> {
        let mut content = None;
        object(reader, FILE, |reader, name| {
            let found = match name {
                _ if reader.kind()? == Kind::Null => return reader.skip(),
                "uri" | "fileWithUri" => self.link(reader, &Method::GET, params).map(|()| Content::Link)?,
                "bytes" | "fileWithBytes" => text(reader).map(|_| Content::Bytes)?,
                _ => return reader.skip(),
            };
            match content.replace(found) {
                None => Ok(()),
                Some(_) => Err(reader.fault(Problem::Conflict, "the file stands there twice; send it once")),
            }
        })?;
        content.ok_or_else(|| reader.fault(Problem::MissingField, "the file has neither `uri` nor `bytes`"))
    }

    fn link(self, reader: &mut Reader<'_>, method: &Method, params: &mut Params) -> Result<(), Fault> {
        let at = reader.offset();
        let url = text(reader)?;
        let link = read_link(method, &url, self.bounds).map_err(|fault| fault.at(at))?;
        if params.links.contains(&link) {
            return Ok(());
        }
        if params.links.len() == self.bounds.batch {
            return Err(reader.fault(Problem::TooLarge, "more addresses than are judged in one call"));
        }
        params.links.push(link);
        Ok(())
    }

    fn metadata(self, reader: &mut Reader<'_>, params: &mut Params) -> Result<(), Fault> {
        object(reader, SKILL, |reader, name| match reader.kind()? {
            Kind::Null => reader.skip(),
            _ if SKILL.contains(&name) => self.skill(reader, params),
            _ => reader.skip(),
        })
    }

    /// A skill may be named in several places, and is the same in all of them: the agent could heed any.
    fn skill(self, reader: &mut Reader<'_>, params: &mut Params) -> Result<(), Fault> {
        let at = reader.offset();
        let skill = text(reader)?;
        check_name(&skill, self.bounds.name_bytes).map_err(|fault| fault.at(at))?;
        match params.skill.as_deref() {
            Some(known) if known != skill => {
                Err(reader.fault(Problem::Conflict, "the call names two skills; send one"))
            }
            _ => {
                params.skill = Some(skill.into_owned());
                Ok(())
            }
        }
    }

    fn short_text(self, reader: &mut Reader<'_>) -> Result<String, Fault> {
        let short = text(reader)?;
        match short.len() <= self.bounds.name_bytes {
            true => Ok(short.into_owned()),
            false => Err(reader.fault(Problem::TooLarge, "longer than any name that is judged")),
        }
    }
}

fn text<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, Fault> {
    match reader.kind()? {
        Kind::String => reader.string(),
        _ => Err(reader.fault(Problem::WrongType, "a string is due here")),
    }
}

/// Whether an agent that reads another version, whatever the head says, would see other arguments.
fn is_ambiguous(data: &Json) -> bool {
    let Json::Object(members) = data else { return false };
    members.len() > 1 && members.iter().any(|(name, _)| name.eq_ignore_ascii_case("data"))
}

/// Reads an object that may be written by JSON's names or by those of protocol buffers, as readers of the latter take
/// either: `each` sees the former. No member stands there in both, and none looks like one of them.
pub(super) fn object(
    reader: &mut Reader<'_>,
    known: &'static [&'static str],
    mut each: impl FnMut(&mut Reader<'_>, &str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut seen: Vec<&'static str> = Vec::new();
    reader.object(Distinct::InAnyCase, |reader, name| {
        let Some(right) = known.iter().find(|right| **right == name || is_former(right, name)) else {
            known_spelling(name, known)?;
            return each(reader, name);
        };
        if seen.contains(right) {
            let what = format!("stands there as `{right}` as well; send it once");
            return Err(reader.fault(Problem::DuplicateKey, what));
        }
        seen.push(right);
        each(reader, right)
    })
}

/// Whether a name is the one that protocol buffers have for a member: `task_id` for `taskId`.
fn is_former(right: &str, name: &str) -> bool {
    let former = right.chars().flat_map(|c| {
        let separator = c.is_ascii_uppercase().then_some('_');
        separator.into_iter().chain(std::iter::once(c.to_ascii_lowercase()))
    });
    former.eq(name.chars())
}
