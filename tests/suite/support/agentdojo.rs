//! The corpus of agents' tool calls with injected ones mixed in, and the pacts written for it.

use std::fs;
use std::path::{Path, PathBuf};

use pactgate::classify::{Bounds, read_json};
use pactgate::domain::{Action, AgentId, Dialect, Json, Target, ToolRef};
use pactgate::pact::{self, Pact};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The suites, by name.
pub const SUITES: [&str; 4] = ["banking", "slack", "travel", "workspace"];

/// One suite: what its agent is asked to do, and what injected texts make it do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Its name.
    pub suite: String,
    /// The version of the benchmark.
    pub version: String,
    /// The functions that the agent is offered.
    pub tools: Vec<String>,
    /// What the user asks for.
    pub tasks: Vec<Run>,
    /// What nobody asked for.
    pub injections: Vec<Run>,
}

/// The calls that bring one task, or one injection, to its end.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Its name in the suite.
    pub id: String,
    /// Where the calls come from: `ground truth`, `goal` or `none`.
    pub calls_from: String,
    /// The calls, in order.
    pub calls: Vec<ModelCall>,
}

/// A function call as a model makes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCall {
    /// The function.
    pub function: String,
    /// Its arguments, as JSON text.
    pub args: Box<RawValue>,
}

impl Suite {
    /// Reads a suite of the corpus.
    pub fn load(name: &str) -> Self {
        serde_json::from_str(&fs::read_to_string(corpus().join(format!("{name}.json"))).unwrap()).unwrap()
    }

    /// Whether some task makes this very call.
    pub fn needs(&self, call: &ModelCall) -> bool {
        let mut needed = self.tasks.iter().flat_map(|task| &task.calls);
        needed.any(|needed| needed.function == call.function && needed.arguments() == call.arguments())
    }

    /// The agent that the suite's pact governs.
    pub fn agent(&self) -> AgentId {
        AgentId::new(&format!("{}-1", self.suite)).unwrap()
    }

    /// The pact written for the suite.
    pub fn pact(&self) -> Pact {
        let file = pact_file(&self.suite);
        let loaded = pact::load(&file.display().to_string(), &fs::read_to_string(&file).unwrap());
        let loaded = loaded.unwrap_or_else(|found| panic!("{found}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        loaded.pact
    }
}

impl ModelCall {
    /// The arguments, as pacts judge them.
    pub fn arguments(&self) -> Json {
        read_json(self.args.get().as_bytes(), &Bounds::default()).unwrap()
    }

    /// The call as an action.
    pub fn action(&self) -> Action {
        Action {
            target: Target::Tool(ToolRef::Function(self.function.clone())),
            fields: Json::object([("args", self.arguments())]),
            dialect: Dialect::OpenAi,
        }
    }
}

/// Where the pact of a suite stands.
pub fn pact_file(suite: &str) -> PathBuf {
    corpus().join(format!("{suite}.pact.yaml"))
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/agentdojo")
}
