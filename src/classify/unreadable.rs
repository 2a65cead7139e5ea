//! Unreadable: a request that is refused because it cannot be read without doubt.

use crate::classify::Reply;
use crate::domain::Dialect;

/// A request that is refused because it cannot be read, or could be read in two ways.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// How the refusal is told.
    pub reply: Reply,
    /// What is wrong, as one of a closed set.
    pub problem: Problem,
    /// What is wrong, where, and what to send instead: one sentence, free of the values of the request.
    pub detail: String,
    /// What was tried, for the record: method and path, bounded and printable.
    pub attempted: String,
}

/// What makes a request unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Problem {
    /// The body is not JSON (RFC 8259), or something follows it.
    Syntax,
    /// A member stands twice, or twice but for the case of its letters.
    DuplicateKey,
    /// Bytes that are not UTF-8, or half a surrogate pair.
    NotUtf8,
    /// A number that a double cannot hold, so that two readers may see two numbers.
    Number,
    /// Too many arrays and objects inside each other.
    TooDeep,
    /// More bytes or more values than are read.
    TooLarge,
    /// A body that did not arrive in time.
    TooSlow,
    /// A media type that the protocol does not use, or a charset other than UTF-8.
    ContentType,
    /// A content-encoding that is not decoded, or a body that does not decode.
    ContentEncoding,
    /// A member that the protocol demands is missing.
    MissingField,
    /// A member has another type than the protocol says.
    WrongType,
    /// Two members contradict each other.
    Conflict,
    /// A body where the protocol has none.
    UnexpectedBody,
    /// A header field says something else than the body or the request line, or stands twice.
    HeaderMismatch,
    /// A protocol revision that is not accepted here.
    ProtocolVersion,
    /// A beta of the API that the config does not list.
    Beta,
    /// More messages in one batch than are read.
    BatchTooLong,
    /// A name that people or programs could take for another.
    Name,
    /// A host, path or query that could be read in two ways.
    Address,
}

impl Problem {
    /// Every problem.
    pub const ALL: [Self; 19] = [
        Self::Syntax,
        Self::DuplicateKey,
        Self::NotUtf8,
        Self::Number,
        Self::TooDeep,
        Self::TooLarge,
        Self::TooSlow,
        Self::ContentType,
        Self::ContentEncoding,
        Self::MissingField,
        Self::WrongType,
        Self::Conflict,
        Self::UnexpectedBody,
        Self::HeaderMismatch,
        Self::ProtocolVersion,
        Self::Beta,
        Self::BatchTooLong,
        Self::Name,
        Self::Address,
    ];

    /// The name used in refusals, records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::DuplicateKey => "duplicate-key",
            Self::NotUtf8 => "not-utf8",
            Self::Number => "number",
            Self::TooDeep => "too-deep",
            Self::TooLarge => "too-large",
            Self::TooSlow => "too-slow",
            Self::ContentType => "content-type",
            Self::ContentEncoding => "content-encoding",
            Self::MissingField => "missing-field",
            Self::WrongType => "wrong-type",
            Self::Conflict => "conflict",
            Self::UnexpectedBody => "unexpected-body",
            Self::HeaderMismatch => "header-mismatch",
            Self::ProtocolVersion => "protocol-version",
            Self::Beta => "beta",
            Self::BatchTooLong => "batch-too-long",
            Self::Name => "name",
            Self::Address => "address",
        }
    }

    /// The HTTP status of the refusal.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TooLarge => 413,
            Self::TooSlow => 408,
            Self::ContentType | Self::ContentEncoding => 415,
            _ => 400,
        }
    }

    /// The JSON-RPC error code of the refusal: the standard's own (JSON-RPC 2.0, section 5.1), or one of MCP's or A2A's,
    /// whose clients know each error by its number.
    #[must_use]
    pub const fn json_rpc_code(self, dialect: Dialect) -> i32 {
        match self {
            Self::Syntax | Self::NotUtf8 => -32700,
            Self::ProtocolVersion if matches!(dialect, Dialect::A2a) => -32009,
            Self::ContentType if matches!(dialect, Dialect::A2a) => -32005,
            Self::HeaderMismatch if !matches!(dialect, Dialect::A2a) => -32020,
            Self::ProtocolVersion => -32022,
            Self::MissingField | Self::WrongType | Self::Name | Self::Number => -32602,
            _ => -32600,
        }
    }
}
