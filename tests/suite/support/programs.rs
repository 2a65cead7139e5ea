//! Real client programs, run to their end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A program under `tests/clients` that drives one real client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    OpenAiPython,
    OpenAiNode,
    /// The same, for answers that hold tool calls.
    OpenAiPythonAnswers,
    OpenAiNodeAnswers,
    AnthropicPython,
    /// The same client, with tools that a model calls.
    AnthropicTools,
    GeminiPython,
    /// AWS's client, boto3.
    BedrockPython,
    /// The present MCP client, which speaks 2026-07-28 and falls back.
    McpPresent,
    /// The MCP client of the revision before, 2025-11-25.
    McpBefore,
    /// The client of Agent2Agent.
    A2a,
    /// An agent on the OpenAI Agents SDK.
    OpenAiAgents,
    /// The HTTP client `requests`.
    Requests,
}

impl Program {
    fn command(self) -> Command {
        let (interpreter, script) = match self {
            Self::OpenAiPython => (python(".venv"), "openai_chat.py"),
            Self::AnthropicPython => (python(".venv"), "anthropic_messages.py"),
            Self::AnthropicTools => (python(".venv"), "anthropic_tools.py"),
            Self::GeminiPython => (python(".venv"), "gemini_generate.py"),
            Self::BedrockPython => (python(".venv"), "bedrock_converse.py"),
            Self::McpPresent => (python(".venv"), "mcp_present.py"),
            Self::McpBefore => (python(".venv-before"), "mcp_before.py"),
            Self::OpenAiAgents => (python(".venv"), "openai_agents.py"),
            Self::A2a => (python(".venv-a2a"), "a2a_client.py"),
            Self::Requests => (python(".venv"), "http_requests.py"),
            Self::OpenAiNode => (node(), "openai_chat.mjs"),
            Self::OpenAiPythonAnswers => (python(".venv"), "openai_answers.py"),
            Self::OpenAiNodeAnswers => (node(), "openai_answers.mjs"),
        };
        let mut command = Command::new(interpreter);
        command.arg(folder().join(script));
        clean(&mut command);
        command
    }
}

/// Runs a client with its plan and returns the JSON lines it told.
///
/// `env` is all of its environment but `PATH`: no proxy or key of the machine's reaches a client.
pub async fn run(program: Program, plan: Value, env: &[(&str, String)]) -> Vec<Value> {
    let mut command = program.command();
    command.arg(plan.to_string()).envs(env.iter().map(|(name, value)| (*name, value)));
    let output = finish(command).await;
    let told = String::from_utf8_lossy(&output.stdout);
    let lines = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        output.status.success(),
        "{program:?} ended with {}\n{told}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    lines
}

/// Runs curl and returns what it printed.
pub async fn curl(arguments: &[&str], env: &[(&str, String)]) -> String {
    let ended = curl_to_its_end(arguments, env).await;
    assert_eq!(ended.code, Some(0), "curl {arguments:?}: {}{}", ended.said, ended.told);
    ended.told
}

/// How curl ended.
pub struct CurlEnded {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub told: String,
    /// What it complained of.
    pub said: String,
}

/// Runs curl, which may fail.
pub async fn curl_to_its_end(arguments: &[&str], env: &[(&str, String)]) -> CurlEnded {
    let mut command = Command::new("curl");
    clean(&mut command);
    command.args(["--silent", "--show-error", "--max-time", "30"]).args(arguments);
    command.envs(env.iter().map(|(name, value)| (*name, value)));
    let output = finish(command).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    CurlEnded { code: output.status.code(), told: text(output.stdout), said: text(output.stderr) }
}

/// A server on an official SDK, ended when dropped.
pub struct Server {
    child: Child,
    pub port: u64,
}

impl Server {
    /// Starts an MCP server on the SDK of `.venv` or `.venv-before`.
    pub fn mcp(venv: &str) -> Self {
        Self::mcp_in(venv, "streams")
    }

    /// Starts one that answers in `json` or in `streams`.
    pub fn mcp_in(venv: &str, form: &str) -> Self {
        Self::start(venv, &["mcp_server.py", form])
    }

    /// Starts an agent that speaks Agent2Agent.
    pub fn a2a() -> Self {
        Self::start(".venv-a2a", &["a2a_server.py"])
    }

    fn start(venv: &str, script: &[&str]) -> Self {
        let mut command = Command::new(python(venv));
        clean(&mut command);
        command.current_dir(folder()).args(script).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).expect("the server says where it listens");
        Self { child, port: told["port"].as_u64().unwrap() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn finish(mut command: Command) -> Output {
    let name = command.get_program().to_owned();
    tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output())
        .await
        .unwrap()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}; {REMEDY}", name.display()))
}

const REMEDY: &str = "run `tests/run`, or `tests/clients/setup.sh` once";

fn clean(command: &mut Command) {
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

fn python(venv: &str) -> PathBuf {
    let list = match venv {
        ".venv" => "requirements.txt",
        ".venv-a2a" => "requirements-a2a.txt",
        _ => "requirements-before.txt",
    };
    installed(venv, list);
    folder().join(venv).join("bin/python")
}

fn node() -> PathBuf {
    installed("node_modules", "package-lock.json");
    PathBuf::from("node")
}

/// A missing or outdated client fails the test: a skipped one would prove nothing.
fn installed(place: &str, list: &str) {
    let is_current =
        fs::read(folder().join(place).join("installed")).ok() == fs::read(folder().join(list)).ok();
    assert!(is_current, "tests/clients/{place} does not hold what {list} lists; {REMEDY}");
}
