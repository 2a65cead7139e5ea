//! `pactgate tools`: which tools a running sidecar has seen, which have changed, and that a change is as it should be.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use url::form_urlencoded;

use crate::admin::Page;
use crate::admin::pages::{ToolLine, ToolsPage};
use crate::cli::status::fetch::{self, Unread};
use crate::domain::Digest;

/// What is done with the tools.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ToolsCommand {
    /// Shows every tool that an agent has seen in a list, changed ones first.
    List(ListArgs),
    /// Says that the newest definition of a tool is as it should be: from now on it is the one that counts.
    Accept(AcceptArgs),
}

/// Shows the tools.
#[derive(Clone, Debug, clap::Args)]
pub struct ListArgs {
    /// The sidecar's admin socket, `admin.socket` in its configuration.
    #[arg(long, value_name = "PATH", default_value = "/var/lib/pactgate/admin.sock")]
    socket: PathBuf,
    /// Print the page as JSON.
    #[arg(long)]
    json: bool,
}

/// Accepts a tool.
#[derive(Clone, Debug, clap::Args)]
pub struct AcceptArgs {
    /// The MCP server and its tool.
    #[arg(value_name = "SERVER/TOOL")]
    tool: String,
    /// The digest of the definition that was looked at; if the tool has changed once more, nothing is accepted.
    /// Without it, the newest one is accepted, whatever it is.
    #[arg(long, value_name = "SHA256")]
    definition: Option<String>,
    /// The sidecar's admin socket, `admin.socket` in its configuration.
    #[arg(long, value_name = "PATH", default_value = "/var/lib/pactgate/admin.sock")]
    socket: PathBuf,
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error("`{0}` is no tool; write SERVER/TOOL, as `pactgate tools list` does")]
    Name(String),
    #[error("`{0}` is no digest; write the sixty-four digits that `pactgate tools list` shows")]
    Digest(String),
    #[error("not accepted: {0}")]
    Declined(String),
}

/// Why the sidecar declined.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    detail: String,
}

/// Asks the sidecar. The exit code is 1 when it could not be asked, or declined.
#[must_use]
pub fn run(command: ToolsCommand) -> ExitCode {
    let said = match &command {
        ToolsCommand::List(args) => list(args),
        ToolsCommand::Accept(args) => accept(args),
    };
    match said {
        Ok(said) => {
            // A reader that had enough, such as `head`, is no failure.
            let _ = std::io::stdout().write_all(said.as_bytes());
            ExitCode::SUCCESS
        }
        Err(why) => {
            // Nobody is left to tell when this cannot be written.
            let _ = writeln!(std::io::stderr(), "error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn ask(socket: &Path, method: Method, target: &str) -> Result<(StatusCode, Bytes), Unread> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Unread::Runtime)?.block_on(fetch::ask(socket, method, target))
}

fn list(args: &ListArgs) -> Result<String, Failed> {
    let (status, page) = ask(&args.socket, Method::GET, Page::Tools.path())?;
    let garbled = || Unread::Garbled { path: args.socket.clone() };
    if status != StatusCode::OK {
        return Err(Unread::Refused { path: args.socket.clone(), status }.into());
    }
    if args.json {
        let page: serde_json::Value = serde_json::from_slice(&page).map_err(|_| garbled())?;
        return Ok(format!("{page:#}\n"));
    }
    Ok(screen(&serde_json::from_slice(&page).map_err(|_| garbled())?))
}

fn screen(page: &ToolsPage) -> String {
    if page.tools.entries.is_empty() {
        return "no agent has seen a list of tools yet\n".to_owned();
    }
    let mut text = String::new();
    for ToolLine { server, tool, pinned, since, seen, changed_at } in &page.tools.entries {
        match changed_at {
            Some(at) => text.push_str(&format!("CHANGED  {server}/{tool}\n         now     {seen}  {at}\n")),
            None => text.push_str(&format!("same     {server}/{tool}\n")),
        }
        text.push_str(&format!("         pinned  {pinned}  {since}\n"));
    }
    if page.tools.left_out > 0 {
        text.push_str(&format!("… and {} more\n", page.tools.left_out));
    }
    text
}

fn accept(args: &AcceptArgs) -> Result<String, Failed> {
    let (server, tool) = args.tool.split_once('/').ok_or_else(|| Failed::Name(args.tool.clone()))?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("server", server).append_pair("tool", tool);
    if let Some(definition) = &args.definition {
        let digest = Digest::parse_hex(definition).ok_or_else(|| Failed::Digest(definition.clone()))?;
        query.append_pair("definition", &digest.hex());
    }
    let target = format!("/tools/accept?{}", query.finish());
    let (status, said) = ask(&args.socket, Method::POST, &target)?;
    if status != StatusCode::OK {
        let problem: Problem = serde_json::from_slice(&said).unwrap_or_default();
        if problem.detail.is_empty() {
            return Err(Unread::Refused { path: args.socket.clone(), status }.into());
        }
        return Err(Failed::Declined(problem.detail));
    }
    let garbled = |_| Unread::Garbled { path: args.socket.clone() };
    let line: ToolLine = serde_json::from_slice(&said).map_err(garbled)?;
    Ok(format!("accepted {}/{}: {}\n", line.server, line.tool, line.pinned))
}
