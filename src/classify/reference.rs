//! Reference: what a message refers to of an earlier one, which was judged then.

use crate::domain::{Digest, UpstreamName};

/// Something that an MCP server gave an agent, and that the agent may come back with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A call is tried again with what the server asked for.
    Retry {
        /// The MCP server.
        server: UpstreamName,
        /// Digest of the state that the server gave, where it gave one.
        state: Option<Digest>,
        /// Digest of what the call asks for.
        of: Digest,
    },
    /// A task under way.
    Task {
        /// The MCP server.
        server: UpstreamName,
        /// The task's id there.
        id: String,
    },
    /// A request of the server's, which the client answers.
    Ask {
        /// The MCP server.
        server: UpstreamName,
        /// What the request's id means.
        id: String,
    },
}
