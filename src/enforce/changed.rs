//! Changed tools: an MCP tool that says something else of itself than when it was first seen.

use crate::domain::{Action, Digest, Reason, Target, ToolRef};
use crate::enforce::gates::Case;
use crate::enforce::{Caller, Enforcer, Refusal};
use crate::evidence::Record;
use crate::pins::Seen;

impl Enforcer {
    /// Compares a tool's definition with the pinned one, and tells of it where it changed. Whether it is the pinned
    /// one, or the first of its tool.
    pub(super) fn compare(&self, caller: &Caller, action: &Action, definition: Digest) -> bool {
        let Target::Tool(ToolRef::Mcp { server, tool }) = &action.target else { return true };
        match self.rooms.pins.see(&caller.agent, server, tool, definition) {
            Seen::First | Seen::Same => true,
            Seen::Changed { pinned, is_news } => {
                if is_news {
                    self.rooms.metrics.tool_changed(server);
                    tracing::warn!(
                        agent = %caller.agent, %server, tool, %pinned, seen = %definition,
                        "the definition of a tool changed; accept it with `pactgate tools accept {server}/{tool}`"
                    );
                }
                false
            }
            // Nobody could tell a change of it, so it is treated as one.
            Seen::Full => {
                tracing::error!(agent = %caller.agent, %server, tool, "there is no place to pin a tool");
                false
            }
        }
    }

    /// Refuses a call of a tool that has changed, where the pact does.
    pub(super) fn changed(&self, record: &Record, case: &Case<'_>) -> Option<Refusal> {
        if !case.pact.refuses_changed() || !self.rooms.pins.has_changed() {
            return None;
        }
        let is_changed = |server: &str, tool: &str| self.rooms.pins.is_changed(server, tool);
        let (server, tool) = match &case.part.action.target {
            Target::Tool(ToolRef::Mcp { server, tool }) => {
                is_changed(server.as_str(), tool).then(|| (server.to_string(), tool.clone()))
            }
            // What a model asks for by another name is the same tool.
            target => case.pact.mcp_forms(target).find(|(server, tool)| is_changed(server, tool)),
        }?;
        let detail = format!(
            "the definition of tool `{server}/{tool}` changed since it was first seen; accept it with `pactgate \
             tools accept {server}/{tool}`"
        );
        // No clause decided it.
        Some(Refusal { clauses: Vec::new(), ..case.refusal(record, Reason::Denied, detail) })
    }
}
