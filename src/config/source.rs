//! The files as written. Unknown fields are errors. Each field says its default and what happens if it is wrong or
//! lost. Relative paths count from the folder of the file. Durations are whole numbers with a unit (`ms`, `s`, `m`,
//! `h`, `d`), sizes with `B`, `KiB`, `MiB` or `GiB`.

use serde::Deserialize;

use crate::pact::reader::{At, Constant, Many};
#[cfg(feature = "plane")]
use crate::pact::reader::{Number, Table};

/// The version of the config language.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) enum ApiVersion {
    #[serde(rename = "pactgate.dev/v1")]
    V1,
}

/// What a sidecar's file is called.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) enum SidecarKind {
    Sidecar,
}

/// A sidecar.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SidecarFile {
    /// `pactgate.dev/v1`. Required.
    #[serde(rename = "apiVersion")]
    pub api_version: Option<At<ApiVersion>>,
    /// `Sidecar`. Required.
    pub kind: Option<At<SidecarKind>>,
    /// The name of this sidecar, unique in the fleet: letters, digits, `-`, `_`, `.`. Default: the environment
    /// variable `HOSTNAME`. Two sidecars of one name break each other's evidence; a name that changes starts a new
    /// chain of records, and the collector reports the old one as ended.
    pub id: Option<At<String>>,
    /// The folder for records not yet delivered, the last tiers heard, used approvals and the evidence key. Default:
    /// `/var/lib/pactgate`. One process at a time. If it is lost, records that were not delivered are lost (and the
    /// collector sees the gap), tiers are unknown until the collector speaks, and open approvals are void.
    pub data: Option<At<String>>,
    /// Pact files, and folders of them (`*.yaml`, `*.yml`). Required. Whoever can write there decides what
    /// agents may do. Reloaded when they change; a bad change leaves the last good pacts in force.
    pub pacts: Option<At<Many<String>>>,
    /// Agents known by a credential. Default: none.
    pub agents: Option<At<Vec<At<AgentFile>>>>,
    /// Where agents connect. Required, at least one.
    pub listeners: Option<At<Vec<At<ListenerFile>>>>,
    /// Where calls go. Default: none, which only a forward listener can work with.
    pub upstreams: Option<At<Vec<At<UpstreamFile>>>>,
    /// Reading TLS on forward listeners. Default: not done, and every CONNECT is opaque.
    pub interception: Option<At<InterceptionFile>>,
    /// Where evidence goes and tiers come from. Default: none, and then `trust: {fixed: …}` must say the tier.
    pub collector: Option<At<LinkFile>>,
    /// How tiers age, or the fixed tier.
    pub trust: Option<At<TrustFile>>,
    /// How records are kept until they are delivered.
    pub evidence: Option<At<EvidenceFile>>,
    /// How long people have to answer.
    pub approvals: Option<At<ApprovalsFile>>,
    /// How much one agent, request or connection may take.
    pub bounds: Option<At<BoundsFile>>,
    /// Where the sidecar itself is looked at.
    pub admin: Option<At<AdminFile>>,
    /// What is logged, on standard error.
    pub log: Option<At<LogFile>>,
}

/// A secret: exactly one of the two.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SecretFile {
    /// The environment variable that holds it. Read at start.
    pub env: Option<At<String>>,
    /// The file that holds it; white space at the end does not count. Read at start and at each reload.
    pub file: Option<At<String>>,
}

/// An agent known by a credential.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AgentFile {
    /// Its id, as pacts name it. Required.
    pub id: Option<At<String>>,
    /// The token that proves it. Whoever has it acts as this agent. Default: none, and then a listener must stand
    /// for the agent.
    pub token: Option<At<SecretFile>>,
}

/// The kinds of listener.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ModeFile {
    Reverse,
    Forward,
}

/// A listener.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListenerFile {
    /// `reverse`, for agents that take a base URL (`http://127.0.0.1:8080/<upstream>/…`), or `forward`, for agents
    /// that use `HTTP_PROXY` and `HTTPS_PROXY`. Required.
    pub mode: Option<At<ModeFile>>,
    /// Address and port. Required. Beyond loopback, everybody on the network can reach it.
    pub address: Option<At<String>>,
    /// The one agent that this listener stands for: whoever connects acts as it. Default: none, and each request
    /// proves its agent by a token.
    pub agent: Option<At<String>>,
    /// Says that a listener which stands for an agent may be reached from other machines. Default: `false`. If it is
    /// wrongly `true`, every machine that reaches the port acts as the agent.
    pub exposed: Option<At<bool>>,
}

/// The dialects that an upstream can have.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DialectFile {
    #[serde(rename = "openai")]
    OpenAi,
    Anthropic,
    Gemini,
    Bedrock,
    Mcp,
    A2a,
    Http,
}

/// A place that calls go to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct UpstreamFile {
    /// Lower-case letters, digits and `-`: a path segment of reverse listeners, and the server part of tool names.
    /// Required.
    pub name: Option<At<String>>,
    /// Base URL; may have a path, to which the agent's is appended. Required.
    pub url: Option<At<String>>,
    /// `openai`, `anthropic`, `gemini`, `bedrock`, `mcp`, `a2a` or `http`. Required. If it is wrong, calls are refused as unreadable.
    pub dialect: Option<At<DialectFile>>,
    /// What pacts call the provider of its models. Default: the dialect's name.
    pub provider: Option<At<String>>,
    /// The betas of its API that agents may switch on, as `anthropic-beta` and `OpenAI-Beta` name them. Default: none,
    /// and a call with one is refused as unreadable. What a listed one brings is judged as far as Pactgate reads it.
    pub betas: Option<At<Vec<At<String>>>>,
    /// What the sidecar adds to each request; the agent never sees it. Default: nothing, and what the agent sends
    /// passes.
    pub credential: Option<At<CredentialFile>>,
    /// Whether its name may lead to private and loopback addresses. Default: `true` where the URL's host is an
    /// address or `localhost`, `false` elsewhere. If it is wrongly `true`, whoever controls the name's DNS reaches
    /// the inside of the network.
    pub private: Option<At<bool>>,
    /// A PEM file of further trust roots. Default: those of the system alone. Whoever can write it can read and
    /// change what goes there.
    pub roots: Option<At<String>>,
    /// How long it may take.
    pub timeouts: Option<At<TimeoutsFile>>,
}

/// A credential that the sidecar adds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CredentialFile {
    /// The header it goes into. Default: `authorization`.
    pub header: Option<At<String>>,
    /// What stands before it there. Default: `Bearer ` for `authorization`, nothing for other headers.
    pub prefix: Option<At<String>>,
    /// The environment variable that holds it; or `file`.
    pub env: Option<At<String>>,
    /// The file that holds it; or `env`.
    pub file: Option<At<String>>,
}

/// How long an upstream may take.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TimeoutsFile {
    /// To accept a connection, TLS included. Default: `5s`.
    pub connect: Option<At<Constant>>,
    /// To begin its answer. Default: `120s`. Too short cuts slow models off.
    pub head: Option<At<Constant>>,
    /// The longest silence within an answer. Default: `300s`.
    pub idle: Option<At<Constant>>,
}

/// Reading TLS.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct InterceptionFile {
    /// The folder of the authority, made by `pactgate ca init`. Required. Whoever can read its key can pass for any
    /// server towards programs that trust it.
    pub authority: Option<At<String>>,
    /// Places whose TLS is not read, as `host:port`; a host alone means 443. Default: none. They are opaque, so that
    /// a pact must allow them by `opaque`.
    pub except: Option<At<Many<String>>>,
}

/// The way to the collector.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LinkFile {
    /// Its base URL. Required.
    pub url: Option<At<String>>,
    /// The token of this sidecar there. Required. Whoever has it can send records in this sidecar's name.
    pub token: Option<At<SecretFile>>,
    /// The collector's Ed25519 key, in base64, as `pactgate collector` prints it. Required. Tiers and approvals count
    /// only when signed by it: if it is wrong, none does, and tiers sink as if the collector were silent.
    pub public_key: Option<At<String>>,
    /// A PEM file of further trust roots. Default: those of the system alone.
    pub roots: Option<At<String>>,
}

/// The tiers, as the config can fix them.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TierFile {
    Suspended,
    Restricted,
    Probation,
    Standard,
    Trusted,
}

/// How tiers age.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TrustFile {
    /// The tier of every agent, where there is no collector. Default: none. It never moves, whatever an agent does.
    pub fixed: Option<At<TierFile>>,
    /// Without word from the collector for so long, `standard` is the most. Default: `60s`, at least `10s`, since the
    /// collector speaks every 5 seconds.
    pub sink_after: Option<At<Constant>>,
    /// Without word for so long, `restricted` is the most, and the sidecar is not ready. Default: `10m`. Longer means
    /// that an agent suspended during an outage acts for longer.
    pub restrict_after: Option<At<Constant>>,
}

/// When records are synced to the disk.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SyncFile {
    Each,
    Batch,
    None,
}

/// What happens when a record cannot be taken.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WhenFullFile {
    Deny,
    Drop,
}

/// How records are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EvidenceFile {
    /// `each`, `batch` (with what arrives within 5 ms) or `none` (within a second). Default: `batch`. A power loss
    /// takes what was not synced. Calls under a pact of high risk wait for their sync whatever stands here.
    pub sync: Option<At<SyncFile>>,
    /// The most bytes of records on disk. Default: `1GiB`, at least `64MiB`.
    pub bytes_max: Option<At<Constant>>,
    /// `deny` calls that cannot be recorded, or `drop` their records, counted. Default: `deny`.
    pub when_full: Option<At<WhenFullFile>>,
    /// The key of argument digests: 32 bytes in base64. Default: made at first start and kept in `data`. If it leaks,
    /// short arguments can be guessed from records; if it changes, equal arguments no longer look equal.
    pub key: Option<At<SecretFile>>,
}

/// How long people have to answer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ApprovalsFile {
    /// How long a call is held for an answer. Default: `30s`. Longer than the agent's own patience, and the agent
    /// hangs up first.
    pub patience: Option<At<Constant>>,
    /// How long a question can be answered, and a grant be used. Default: `15m`.
    pub expire: Option<At<Constant>>,
}

/// How much may be taken.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BoundsFile {
    /// The longest request body that is read. Default: `4MiB`. Longer ones are refused with 413.
    pub body: Option<At<Constant>>,
    /// The longest body after its content encoding is undone. Default: four times `body`.
    pub decoded: Option<At<Constant>>,
    /// The most bytes of a request's head. Default: `64KiB`.
    pub header_bytes: Option<At<Constant>>,
    /// The most header fields. Default: 100.
    pub headers: Option<At<u64>>,
    /// The most connections from agents at once, over all listeners. Default: 4096. More wait to be accepted.
    pub connections: Option<At<u64>>,
    /// How long a request's head may take. Default: `10s`.
    pub header_timeout: Option<At<Constant>>,
    /// How long a request's body may be silent. Default: `30s`.
    pub body_timeout: Option<At<Constant>>,
    /// How long a connection may do nothing. Default: `120s`.
    pub idle: Option<At<Constant>>,
    /// How long calls under way have to end when the process is told to stop. Default: `25s`, which must be less than
    /// what the platform waits before it kills (30 s in Kubernetes).
    pub drain: Option<At<Constant>>,
}

/// Where the sidecar itself is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AdminFile {
    /// The port for machines: metrics and health. Default: `127.0.0.1:9901`. It tells the names of agents, pacts and
    /// upstreams to whoever reaches it, and changes nothing.
    pub address: Option<At<String>>,
    /// The Unix socket that `pactgate status` reads. Default: `admin.sock` in `data`. Its folder must not be writable
    /// for the agent's user.
    pub socket: Option<At<String>>,
}

/// The shapes of a log line.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FormatFile {
    Json,
    Text,
}

/// The levels of the log.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LevelFile {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// What is logged.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogFile {
    /// `json` or `text`. Default: `json`.
    pub format: Option<At<FormatFile>>,
    /// `error`, `warn`, `info`, `debug` or `trace`. Default: `info`. The environment variable `PACTGATE_LOG` overrides
    /// it.
    pub level: Option<At<LevelFile>>,
}

/// What a collector's file is called.
#[cfg(feature = "plane")]
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) enum CollectorKind {
    Collector,
}

/// A collector.
#[cfg(feature = "plane")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CollectorFile {
    /// `pactgate.dev/v1`. Required.
    #[serde(rename = "apiVersion")]
    pub api_version: Option<At<ApiVersion>>,
    /// `Collector`. Required.
    pub kind: Option<At<CollectorKind>>,
    /// Address and port. Default: `127.0.0.1:7070`. Speaks plain HTTP: beyond loopback, put TLS in front.
    pub address: Option<At<String>>,
    /// The folder for the database and the signing key. Default: `/var/lib/pactgate-collector`. If it is lost, so are
    /// evidence, scores and the key that sidecars trust.
    pub data: Option<At<String>>,
    /// Sidecars that may send records and hear tiers. Required, at least one.
    pub sidecars: Option<At<Vec<At<SidecarAccessFile>>>>,
    /// People who may look, approve and suspend. Default: none, and then nobody can.
    pub operators: Option<At<Vec<At<OperatorFile>>>>,
    /// Weights of the score that differ from the table's defaults, by name. Default: none. Every change makes scores
    /// from before incomparable.
    pub scoring: Option<At<Table<Number>>>,
    /// What is logged, on standard error.
    pub log: Option<At<LogFile>>,
}

/// A sidecar that may send records.
#[cfg(feature = "plane")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SidecarAccessFile {
    /// Its id, the `id` of its own config. Required.
    pub id: Option<At<String>>,
    /// Its token. Required. Whoever has it can send records in its name.
    pub token: Option<At<SecretFile>>,
}

/// A person who may look, approve and suspend.
#[cfg(feature = "plane")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OperatorFile {
    /// The name that their decisions are recorded under. Required.
    pub name: Option<At<String>>,
    /// Their token. Required. Whoever has it decides in their name.
    pub token: Option<At<SecretFile>>,
}
