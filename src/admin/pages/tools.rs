//! `/tools`: what MCP tools said of themselves when they were first seen, and whether they say something else now.

use serde::{Deserialize, Serialize};

use crate::admin::pages::Listed;
use crate::domain::UpstreamName;
use crate::pins::{Pin, Pins};

/// The tools of all servers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolsPage {
    /// Changed ones first, then in the order of servers and tools.
    pub tools: Listed<ToolLine>,
}

/// One tool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolLine {
    /// The MCP server.
    pub server: String,
    /// The tool.
    pub tool: String,
    /// Digest of the definition that counts.
    pub pinned: String,
    /// When that one was first seen, or accepted.
    pub since: String,
    /// Digest of the newest definition.
    pub seen: String,
    /// When another one than the pinned came, where nobody has accepted it.
    pub changed_at: Option<String>,
}

/// The page as it is now.
#[must_use]
pub fn tools(pins: &Pins) -> ToolsPage {
    let (changed, same): (Vec<_>, Vec<_>) =
        pins.list().into_iter().partition(|(_, _, pin)| pin.changed.is_some());
    let line = |(server, tool, pin): (UpstreamName, String, Pin)| tool_line(server.as_str(), &tool, &pin);
    ToolsPage { tools: Listed::of(changed.into_iter().chain(same).map(line)) }
}

/// What is known of one tool.
#[must_use]
pub fn tool_line(server: &str, tool: &str, pin: &Pin) -> ToolLine {
    ToolLine {
        server: server.to_owned(),
        tool: tool.to_owned(),
        pinned: pin.pinned.to_string(),
        since: pin.since.to_string(),
        seen: pin.seen.to_string(),
        changed_at: pin.changed.map(|at| at.to_string()),
    }
}
