//! The parameters of MCP's methods that decide anything, read before the method is known: it may stand behind them.

use crate::classify::fault::Fault;
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::domain::Json;

/// The member of `_meta` that names the revision (2026-07-28, section "Protocol Version Header").
const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

const MEMBERS: [&str; 11] = [
    "name",
    "uri",
    "arguments",
    "ref",
    "argument",
    "taskId",
    "notifications",
    "protocolVersion",
    "_meta",
    "requestState",
    "inputResponses",
];

/// A parameter that should be a string.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Given {
    #[default]
    Absent,
    Text(String),
    /// Another type: a fault where the method needs it.
    Other,
}

/// A parameter that should be an object.
#[derive(Debug, Default)]
pub(super) enum Object {
    /// Also `null`, which some clients send for none.
    #[default]
    Absent,
    Members(Json),
    Other,
}

/// What a completion is for.
#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) kind: Given,
    pub(super) name: Given,
    pub(super) uri: Given,
}

/// The parameters of a message.
#[derive(Debug, Default)]
pub(super) struct Params {
    pub(super) name: Given,
    pub(super) uri: Given,
    pub(super) task_id: Given,
    pub(super) arguments: Object,
    pub(super) reference: Reference,
    /// URIs of `subscriptions/listen`.
    pub(super) subscriptions: Vec<Given>,
    /// Tasks of `subscriptions/listen`.
    pub(super) followed: Vec<Given>,
    /// What the server gave to be sent back with the next try.
    pub(super) state: Given,
    /// Whether it answers what the server asked for.
    pub(super) responds: bool,
    /// The revision that the message itself names.
    pub(super) version: Given,
}

impl Params {
    /// Reads the object that comes next.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let mut params = Self::default();
        reader.object(Distinct::InAnyCase, |reader, name| {
            known_spelling(name, &MEMBERS)?;
            params.member(reader, name)
        })?;
        Ok(params)
    }

    fn member(&mut self, reader: &mut Reader<'_>, name: &str) -> Result<(), Fault> {
        let kind = reader.kind()?;
        match (name, kind) {
            ("name", _) => self.name = given(reader)?,
            ("uri", _) => self.uri = given(reader)?,
            ("taskId", _) => self.task_id = given(reader)?,
            ("requestState", _) => self.state = given(reader)?,
            ("inputResponses", kind) => {
                self.responds = kind != Kind::Null;
                reader.skip()?;
            }
            ("arguments", Kind::Object) => self.arguments = Object::Members(reader.tree()?),
            ("arguments", Kind::Null) => reader.skip()?,
            ("arguments", _) => {
                self.arguments = Object::Other;
                reader.skip()?;
            }
            ("ref", Kind::Object) => self.reference = Reference::read(reader)?,
            ("_meta", Kind::Object) => self.version = read_version(reader)?,
            ("notifications", Kind::Object) => self.read_subscriptions(reader)?,
            _ => reader.skip()?,
        }
        Ok(())
    }

    fn read_subscriptions(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        reader.object(Distinct::InAnyCase, |reader, name| {
            known_spelling(name, &["resourceSubscriptions", "taskIds"])?;
            match name {
                "resourceSubscriptions" => read_list(reader, &mut self.subscriptions),
                "taskIds" => read_list(reader, &mut self.followed),
                _ => reader.skip(),
            }
        })
    }
}

impl Reference {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let mut reference = Self::default();
        reader.object(Distinct::InAnyCase, |reader, name| {
            known_spelling(name, &["type", "name", "uri"])?;
            match name {
                "type" => reference.kind = given(reader)?,
                "name" => reference.name = given(reader)?,
                "uri" => reference.uri = given(reader)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(reference)
    }
}

fn read_version(reader: &mut Reader<'_>) -> Result<Given, Fault> {
    let mut version = Given::Absent;
    reader.object(Distinct::InAnyCase, |reader, name| {
        known_spelling(name, &[META_VERSION])?;
        match name {
            META_VERSION => version = given(reader)?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(version)
}

fn read_list(reader: &mut Reader<'_>, list: &mut Vec<Given>) -> Result<(), Fault> {
    match reader.kind()? {
        Kind::Array => reader.array(|reader, _| {
            list.push(given(reader)?);
            Ok(())
        }),
        Kind::Null => reader.skip(),
        _ => {
            list.push(Given::Other);
            reader.skip()
        }
    }
}

fn given(reader: &mut Reader<'_>) -> Result<Given, Fault> {
    match reader.kind()? {
        Kind::String => reader.string().map(|text| Given::Text(text.into_owned())),
        Kind::Null => reader.skip().map(|()| Given::Absent),
        _ => reader.skip().map(|()| Given::Other),
    }
}
