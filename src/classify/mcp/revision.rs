//! Revisions of MCP, and the header fields that repeat what a message says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::HeaderName;

use crate::classify::fault::{Fault, shown};
use crate::classify::headers::single;
use crate::classify::json_rpc::Message;
use crate::classify::mcp::methods;
use crate::classify::mcp::params::{Given, Params};
use crate::classify::{Peer, Problem, RequestView};

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

const FIRST: &str = "2025-03-26";
const STATELESS: &str = "2026-07-28";
const KNOWN: [&str; 4] = [FIRST, "2025-06-18", "2025-11-25", STATELESS];

/// A revision, as far as reading depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Revision {
    /// 2025-03-26: several messages may come in one array.
    Batching,
    /// 2025-06-18 and 2025-11-25: one message at a time, sessions.
    Single,
    /// 2026-07-28: no sessions; header fields repeat the message.
    Stateless,
}

impl Revision {
    /// The revision that the header names; 2025-03-26 where it names none.
    pub(super) fn of_head(peer: &Peer, view: &RequestView<'_>) -> Result<Self, Fault> {
        accepted(peer, single(view.headers, &VERSION)?.unwrap_or(FIRST))
    }

    /// The revision of a single message, once header and message agree on all that they both say.
    pub(super) fn of_message(
        peer: &Peer,
        view: &RequestView<'_>,
        message: &Message<Params>,
    ) -> Result<Self, Fault> {
        let Message { id, method, params } = message;
        let header = single(view.headers, &VERSION)?;
        let name = method.as_deref().unwrap_or_default();
        let revision = match (header, &params.version) {
            (_, Given::Other) => {
                return Err(Fault::new(Problem::WrongType, "the protocol version is a string"));
            }
            (None, Given::Text(_)) => return Err(missing(&VERSION)),
            (Some(header), Given::Text(body)) if header != body => return Err(differs(&VERSION)),
            // Negotiation itself: the client does not know yet which revision will be spoken.
            (None, Given::Absent) if name == "initialize" => Self::Single,
            (None, Given::Absent) => accepted(peer, FIRST)?,
            (Some(header), _) => accepted(peer, header)?,
        };
        let demands = revision == Self::Stateless && method.is_some() && id.is_some();
        if demands && params.version == Given::Absent {
            let what = "the message names no protocol version; send `_meta` with it, as the header does";
            return Err(Fault::new(Problem::MissingField, what).under_member("params"));
        }
        agree_on_method(view, method.as_deref(), demands)?;
        let demands_name = demands && methods::is_mirrored_by_duty(name);
        agree_on_name(view, methods::mirrored(name, params), demands_name)?;
        Ok(revision)
    }
}

/// Refuses mirrored fields on a batch, which has no one method for them to repeat.
pub(super) fn refuse_mirrored(view: &RequestView<'_>) -> Result<(), Fault> {
    match [METHOD, NAME].iter().find(|name| view.headers.contains_key(*name)) {
        Some(name) => Err(differs(name)),
        None => Ok(()),
    }
}

/// Refuses a message of a batch that names a revision: those that do know no batches.
pub(super) fn refuse_own_version(params: &Params) -> Result<(), Fault> {
    if params.version == Given::Absent { Ok(()) } else { Err(missing(&VERSION)) }
}

fn accepted(peer: &Peer, version: &str) -> Result<Revision, Fault> {
    let versions = &peer.mcp_versions;
    let is_accepted = |known: &&str| versions.is_empty() || versions.iter().any(|version| version == known);
    if !KNOWN.iter().filter(|known| is_accepted(known)).any(|known| *known == version) {
        let supported: Vec<_> = KNOWN.into_iter().filter(|known| is_accepted(known)).collect();
        let what =
            format!("protocol version `{}` is not accepted; speak {}", shown(version), supported.join(", "));
        return Err(Fault::new(Problem::ProtocolVersion, what));
    }
    Ok(match version {
        FIRST => Revision::Batching,
        STATELESS => Revision::Stateless,
        _ => Revision::Single,
    })
}

fn agree_on_method(view: &RequestView<'_>, method: Option<&str>, demanded: bool) -> Result<(), Fault> {
    match single(view.headers, &METHOD)? {
        None if demanded => Err(missing(&METHOD)),
        Some(header) if Some(header) != method => Err(differs(&METHOD)),
        _ => Ok(()),
    }
}

fn agree_on_name(view: &RequestView<'_>, name: Option<&Given>, demanded: bool) -> Result<(), Fault> {
    match (single(view.headers, &NAME)?, name) {
        (None, _) if demanded => Err(missing(&NAME)),
        (None, _) => Ok(()),
        (Some(header), Some(Given::Text(name))) if plain(header).as_deref() == Some(name) => Ok(()),
        (Some(_), _) => Err(differs(&NAME)),
    }
}

/// The value that a mirrored field stands for: itself, or what its Base64 form wraps.
fn plain(header: &str) -> Option<String> {
    let wrapped = header.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    match wrapped {
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
        None => Some(header.to_owned()),
    }
}

fn missing(name: &HeaderName) -> Fault {
    Fault::new(Problem::HeaderMismatch, format!("header `{name}` is missing; send what the message says"))
}

fn differs(name: &HeaderName) -> Fault {
    Fault::new(
        Problem::HeaderMismatch,
        format!("header `{name}` differs from the message; send the same in both"),
    )
}
