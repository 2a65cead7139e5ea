//! The tools of a call: run by the caller, by the provider, or by a server that the provider calls.

use crate::classify::fault::Fault;
use crate::classify::model::read_name;
use crate::classify::names::check_name;
use crate::classify::responses::{Found, hosted_name, qualified, server_name};
use crate::classify::strict_json::{Distinct, Kind, Reader, known_spelling};
use crate::classify::{PathStep, Problem};
use crate::domain::{Json, Target, ToolRef};

/// Members of a tool that decide what it is.
const JUDGED: [&str; 12] = [
    "type",
    "name",
    "tools",
    "execution",
    "environment",
    "container",
    "vector_store_ids",
    "server_label",
    "server_url",
    "connector_id",
    "tunnel_id",
    "input_image_mask",
];

/// Members of a tool that a pact never judges: secrets, and what only the model reads.
const UNJUDGED: [&str; 8] = [
    "authorization",
    "headers",
    "description",
    "server_description",
    "parameters",
    "output_schema",
    "format",
    "user_location",
];

/// A tool as far as it is judged.
#[derive(Default)]
struct Tool<'a> {
    kind: Option<String>,
    name: Option<String>,
    /// The text of the tools of a namespace.
    inner: Option<&'a str>,
    /// Whether the caller says that it runs the tool itself: of a shell by its environment, of a search by who
    /// executes it.
    is_local: bool,
    is_executed_here: bool,
    /// What it is set to.
    settings: Vec<(String, &'a str)>,
}

impl Found<'_> {
    /// A list of tools that stands at `at`.
    pub(super) fn tools(&mut self, reader: &mut Reader<'_>, at: &[PathStep]) -> Result<(), Fault> {
        reader.array(|reader, index| self.tool(reader, at, index, None))
    }

    fn tool(
        &mut self,
        reader: &mut Reader<'_>,
        list: &[PathStep],
        index: usize,
        namespace: Option<&str>,
    ) -> Result<(), Fault> {
        let tool = self.tool_members(reader)?;
        let mut at = list.to_vec();
        at.push(PathStep::Item(index));
        let kind = tool.kind.ok_or_else(|| reader.fault(Problem::MissingField, "the tool has no type"))?;
        let named = || reader.fault(Problem::MissingField, "the tool has no name");
        match kind.as_str() {
            "function" | "custom" => {
                let name = qualified(namespace, &tool.name.ok_or_else(named)?)?;
                self.offer(reader, function(&name), Json::Object(Vec::new()), Some(at))
            }
            _ if namespace.is_some() => {
                Err(reader.fault(Problem::WrongType, "a namespace holds functions and custom tools alone"))
            }
            "namespace" => {
                let name = tool.name.ok_or_else(named)?;
                let inner = tool.inner.ok_or_else(|| {
                    reader.fault(Problem::MissingField, "the namespace does not say what is in it")
                })?;
                at.push(PathStep::Member("tools".to_owned()));
                let mut reader = Reader::new(inner.as_bytes(), self.bounds)?;
                reader.array(|reader, index| self.tool(reader, &at, index, Some(&name)))
            }
            "local_shell" | "apply_patch" => {
                self.offer(reader, function(&kind), Json::Object(Vec::new()), Some(at))
            }
            _ if is_computer(&kind) => {
                self.offer(reader, function("computer"), Json::Object(Vec::new()), Some(at))
            }
            "shell" | "tool_search"
                if (kind == "shell" && tool.is_local) || (kind != "shell" && tool.is_executed_here) =>
            {
                self.offer(reader, function(&kind), Json::Object(Vec::new()), Some(at))
            }
            _ => {
                let args = self.settings(&tool.settings)?;
                let name = match kind.as_str() {
                    "mcp" => {
                        let label = args.member("server_label").and_then(Json::as_str).unwrap_or_default();
                        check_name(label, self.bounds.name_bytes)
                            .map_err(|fault| fault.under_member("server_label"))?;
                        server_name(label)?
                    }
                    _ if kind.contains('/') => {
                        let what = "a type has a slash, which parts names here";
                        return Err(reader.fault(Problem::Name, what));
                    }
                    _ => hosted_name(&kind).to_owned(),
                };
                self.offer(reader, self.hosted(name), args, Some(at))
            }
        }
    }

    fn tool_members<'a>(&mut self, reader: &mut Reader<'a>) -> Result<Tool<'a>, Fault> {
        let mut tool = Tool::default();
        reader.object(Distinct::InAnyCase, |reader, name| {
            known_spelling(name, &JUDGED)?;
            let start = reader.offset();
            match (name, reader.kind()?) {
                (_, Kind::Null) => return reader.skip(),
                ("type", _) => tool.kind = Some(read_name(reader, self.bounds)?),
                ("name", _) => tool.name = Some(read_name(reader, self.bounds)?),
                ("execution", Kind::String) => tool.is_executed_here = reader.string()? == "client",
                ("environment", Kind::Object) => tool.is_local = self.place(reader)?,
                ("container", Kind::Object) => self.place(reader).map(|_| ())?,
                ("container", _) => self.reference_named(reader, "container")?,
                ("vector_store_ids", _) => self.reference_list(reader, "vector_store_ids")?,
                ("input_image_mask", _) => self.content(reader)?,
                _ => reader.skip()?,
            }
            match name {
                "tools" => tool.inner = Some(reader.since(start)),
                "type" | "name" => {}
                _ if UNJUDGED.contains(&name) => {}
                _ => tool.settings.push((name.to_owned(), reader.since(start))),
            }
            Ok(())
        })?;
        Ok(tool)
    }

    /// Where a tool runs: whether that is with the caller, and which state of the provider's it has at hand.
    fn place(&mut self, reader: &mut Reader<'_>) -> Result<bool, Fault> {
        let mut is_local = false;
        reader.object(Distinct::InAnyCase, |reader, name| {
            known_spelling(name, &["type", "container_id", "file_ids", "skills"])?;
            match (name, reader.kind()?) {
                (_, Kind::Null) => reader.skip(),
                ("type", Kind::String) => {
                    is_local = reader.string()? == "local";
                    Ok(())
                }
                ("container_id", _) => self.reference_named(reader, "container"),
                ("file_ids", _) => self.reference_list(reader, "file_id"),
                ("skills", Kind::Array) => reader.array(|reader, _| {
                    reader.object(Distinct::InAnyCase, |reader, name| {
                        known_spelling(name, &["skill_id"])?;
                        match (name, reader.kind()?) {
                            ("skill_id", Kind::String) => self.reference_named(reader, name),
                            _ => reader.skip(),
                        }
                    })
                }),
                _ => reader.skip(),
            }
        })?;
        Ok(is_local)
    }

    /// What a tool of the provider's is set to, for a pact's conditions.
    fn settings(&self, settings: &[(String, &str)]) -> Result<Json, Fault> {
        let mut read = Vec::with_capacity(settings.len());
        for (name, text) in settings {
            let value = Reader::new(text.as_bytes(), self.bounds)?.tree();
            read.push((name.clone(), value.map_err(|fault| fault.under_member(name))?));
        }
        Ok(Json::Object(read))
    }
}

fn function(name: &str) -> Target {
    Target::Tool(ToolRef::Function(name.to_owned()))
}

/// The tool by which a model moves a screen's pointer: the caller does it, and shows the screen.
pub(super) fn is_computer(kind: &str) -> bool {
    matches!(kind, "computer" | "computer_use" | "computer_use_preview")
}
