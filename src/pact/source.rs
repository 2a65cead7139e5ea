//! The file as written. Unknown fields are errors; the JSON Schema is generated from these types.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::pact::reader::{At, Constant, Many, Number, Table};

/// The behavioral contract of one or more AI agents.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Pact")]
pub struct PactFile {
    /// The version of the pact language.
    #[schemars(required)]
    pub api_version: Option<At<ApiVersion>>,
    /// What kind of file this is.
    #[schemars(required)]
    pub kind: Option<At<Kind>>,
    /// Name and version.
    #[schemars(required)]
    pub metadata: Option<At<Metadata>>,
    /// The pact itself.
    #[schemars(required)]
    pub spec: Option<At<Spec>>,
}

/// The version of the pact language.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// Version 1.
    #[serde(rename = "pactgate.dev/v1")]
    V1,
}

/// What kind of file this is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub enum Kind {
    /// A pact.
    Pact,
}

/// Name and version of a pact.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Metadata {
    /// The name, unique among the pacts that are loaded together: letters, digits, `-`, `_`, `.`.
    #[schemars(required)]
    pub name: Option<At<String>>,
    /// A number for people, 1 by default. The digest of the file is what is recorded and compared.
    pub version: Option<At<u64>>,
}

/// What the pact says.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Spec {
    /// The agents it governs: ids or globs, in which `*` stays within a `/` segment and `**` crosses them.
    #[schemars(required)]
    pub agents: Option<At<Many<String>>>,
    /// How much harm a wrong action can do; `medium` by default. From `high` up, a call is recorded before it is sent.
    pub risk: Option<At<Risk>>,
    /// The accountable steward.
    pub owner: Option<At<String>>,
    /// Who is told, and how soon they must act.
    pub escalation: Option<At<Escalation>>,
    /// `enforce` by default; under `observe` verdicts are recorded and calls go on.
    pub mode: Option<At<Mode>>,
    /// One name for each capability, whatever form a call of it arrives in.
    pub tools: Option<At<Table<ToolForms>>>,
    /// What happens to a tool that a request offers to a model, and that the agent may never call: `remove` by default.
    pub unpermitted_tools: Option<At<Unpermitted>>,
    /// What happens to calls of a tool of an MCP server whose definition has changed since it was first seen: `record`
    /// by default.
    pub changed_tools: Option<At<Changed>>,
    /// Permissions, questions and prohibitions. What none of them speaks of is denied.
    pub clauses: Option<At<Vec<At<Clause>>>>,
    /// How often, and how much.
    pub limits: Option<At<Vec<At<Limit>>>>,
    /// What may not pass in the text of calls and answers.
    pub data: Option<At<Vec<At<DataRule>>>>,
    /// What the agent must achieve over time; judged by the collector.
    pub obligations: Option<At<Vec<At<Obligation>>>>,
}

/// How much harm a wrong action can do.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Little.
    Low,
    /// Some; the default.
    Medium,
    /// Much: calls are recorded before they are sent.
    High,
    /// Most: as `high`.
    Critical,
}

/// Whether verdicts are carried out.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What is denied does not happen.
    Enforce,
    /// Verdicts are recorded, and calls go on.
    Observe,
}

/// What happens to a tool that a request offers to a model, and that the agent may never call.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unpermitted {
    /// It is taken out of the request, and the request goes on.
    Remove,
    /// The request is refused.
    Refuse,
}

/// What happens to calls of a tool whose definition has changed.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Changed {
    /// They go on, and a signal is raised.
    Record,
    /// They are refused until somebody accepts the new definition.
    Refuse,
}

/// Who is told, and how soon they must act.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Escalation {
    /// Whom to tell.
    #[schemars(required)]
    pub to: Option<At<String>>,
    /// How soon they must act: `15m`, `4h`, `2d`.
    #[schemars(required)]
    pub within: Option<At<String>>,
}

/// The forms in which one capability is called.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ToolForms {
    /// As a tool of an MCP server: `server/tool`.
    pub mcp: Option<At<Many<String>>>,
    /// As a function that a model asks for.
    pub function: Option<At<Many<String>>>,
    /// As a skill of another agent: `peer/skill`.
    pub agent: Option<At<Many<String>>>,
    /// As a plain HTTP call, whose JSON body is the arguments: `METHOD [scheme://]host[:port]/path`.
    pub http: Option<At<Many<String>>>,
}

/// What a clause or a limit speaks of: exactly one of the fields. Values are exact names or globs: `*` stays within a
/// segment, `**` crosses segments, and `*` alone is any name.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct Selector {
    /// `provider/model`.
    pub model: Option<At<Many<String>>>,
    /// A capability named under `tools`, or `server.tool` of an MCP server.
    pub tool: Option<At<Many<String>>>,
    /// `provider/name` of a tool that the model's provider runs.
    pub hosted_tool: Option<At<Many<String>>>,
    /// `server/uri` of an MCP resource.
    pub resource: Option<At<Many<String>>>,
    /// `server/name` of an MCP prompt.
    pub prompt: Option<At<Many<String>>>,
    /// `peer` or `peer/skill`.
    pub agent: Option<At<Many<String>>>,
    /// `METHOD [scheme://]host[:port]/path`; method `*` is any, scheme `https` and its port unless said.
    pub http: Option<At<Many<String>>>,
    /// `host[:port][/path]` of what is not read; port 443 unless said. Without a path it speaks of connections: tunnels,
    /// and upgrades of plain HTTP. An endpoint of a model API, of an MCP server or of an agent that Pactgate does not
    /// read is permitted by its path alone, as that API knows it: `api.openai.com/v1/batches`. A prohibition without a
    /// path forbids all at that host and port.
    pub opaque: Option<At<Many<String>>>,
}

/// One permission, question or prohibition.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Clause {
    /// Its name, unique in the pact: it stands in refusals, records and metrics.
    #[schemars(required)]
    pub id: Option<At<String>>,
    /// What the agent may do. A clause has exactly one of `allow`, `ask` and `deny`.
    pub allow: Option<At<Selector>>,
    /// What a person must agree to first.
    pub ask: Option<At<Selector>>,
    /// What the agent must not do.
    pub deny: Option<At<Selector>>,
    /// Constraints on the action's fields; all must hold.
    #[serde(rename = "where")]
    pub constraints: Option<At<Table<Constraint>>>,
    /// A CEL expression over `agent`, `tier`, `action`, `args` and `now`; must hold.
    pub when: Option<At<String>>,
    /// The lowest trust tier at which the clause gives what it says.
    pub tier: Option<At<Tier>>,
    /// What an `allow` clause gives under its tier: `deny`, the default, gives nothing.
    pub below: Option<At<Below>>,
    /// Who may say yes.
    pub approvers: Option<At<Many<String>>>,
}

/// How far an agent is trusted.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Under suspicion.
    Restricted,
    /// Not yet known; where every new agent starts.
    Probation,
    /// Has a record that supports ordinary work.
    Standard,
    /// Has a long clean record.
    Trusted,
}

/// What an `allow` clause gives under its tier.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Below {
    /// A person must say yes.
    Ask,
    /// Nothing.
    Deny,
}

/// Constraints on one field; all must hold. A missing field, or one of another type, satisfies none of them, and in a
/// `deny` or `ask` clause counts as satisfying all.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1))]
pub struct Constraint {
    /// Equals this.
    pub eq: Option<At<Constant>>,
    /// Is one of these.
    #[serde(rename = "in")]
    pub one_of: Option<At<Vec<At<Constant>>>>,
    /// Is none of these.
    pub not_in: Option<At<Vec<At<Constant>>>>,
    /// A number, this or more.
    pub min: Option<At<Number>>,
    /// A number, this or less.
    pub max: Option<At<Number>>,
    /// A number, more than this.
    pub above: Option<At<Number>>,
    /// A number, less than this.
    pub below: Option<At<Number>>,
    /// A text that one of these globs matches, read as a path: `*` stays within a `/` segment, `**` crosses them.
    pub glob: Option<At<Many<String>>>,
    /// A text that this regular expression matches from its first to its last character.
    pub regex: Option<At<String>>,
    /// A text of at most so many characters, or a list of at most so many items.
    pub length_max: Option<At<u64>>,
    /// Whether the field is there.
    pub present: Option<At<bool>>,
    /// A list all of whose items are among these.
    pub subset_of: Option<At<Vec<At<Constant>>>>,
}

/// How often, and how much, the agent may do what the pact lets it do.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limit {
    /// Its name, unique in the pact.
    #[schemars(required)]
    pub id: Option<At<String>>,
    /// The actions it counts.
    #[schemars(required)]
    pub on: Option<At<Selector>>,
    /// Calls in a time, for each trust tier. A tier without an entry gets nothing.
    pub rate: Option<At<Rates>>,
    /// Calls that may come at once, before the rate binds.
    pub burst: Option<At<u32>>,
    /// How much may be used up in a time.
    pub budget: Option<At<Budget>>,
}

/// Calls in a time, for each trust tier: `120/min`. Units are `s`, `min`, `h` and `day`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// For `trusted` agents.
    pub trusted: Option<At<String>>,
    /// For `standard` agents.
    pub standard: Option<At<String>>,
    /// For agents on `probation`.
    pub probation: Option<At<String>>,
    /// For `restricted` agents.
    pub restricted: Option<At<String>>,
}

/// How much may be used up in a time: exactly one of `usd`, `tokens`, `requests`, `bytes`, or `sum` with `max`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Money, in US dollars.
    pub usd: Option<At<Number>>,
    /// Tokens, read and written.
    pub tokens: Option<At<u64>>,
    /// Calls.
    pub requests: Option<At<u64>>,
    /// Bytes, sent and received.
    pub bytes: Option<At<u64>>,
    /// The field whose values are added up, such as `args.amount`.
    pub sum: Option<At<String>>,
    /// The most that the sum may reach.
    pub max: Option<At<Number>>,
    /// The time after which it starts anew.
    #[schemars(required)]
    pub per: Option<At<Period>>,
}

/// A stretch of time after which a budget starts anew.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// Sixty seconds.
    Minute,
    /// Sixty minutes.
    Hour,
    /// A day, UTC.
    Day,
    /// Seven days, from Monday, UTC.
    Week,
    /// A calendar month, UTC.
    Month,
}

/// What may not pass in the text of calls and answers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DataRule {
    /// Its name, unique in the pact.
    #[schemars(required)]
    pub id: Option<At<String>>,
    /// What to look for.
    #[schemars(required)]
    pub find: Option<At<Many<Detector>>>,
    /// Where to look.
    #[serde(rename = "in")]
    #[schemars(required)]
    pub passages: Option<At<Many<Passage>>>,
    /// What to do on finding it.
    #[schemars(required)]
    pub then: Option<At<Remedy>>,
}

/// What a data rule looks for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Detector {
    /// The number of a payment card, by its check digit.
    PaymentCard,
    /// An international bank account number, by its check digits.
    Iban,
    /// A key, token or password.
    Secret,
    /// An email address.
    Email,
    /// A telephone number.
    Phone,
}

/// Where a data rule looks.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub enum Passage {
    /// What is sent to a model.
    #[serde(rename = "model.request")]
    ModelRequest,
    /// What a model answers.
    #[serde(rename = "model.response")]
    ModelResponse,
    /// The arguments of a tool.
    #[serde(rename = "tool.args")]
    ToolArgs,
    /// The result of a tool.
    #[serde(rename = "tool.result")]
    ToolResult,
}

/// What a data rule does.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Remedy {
    /// Replaces what was found.
    Redact,
    /// Refuses the call.
    Deny,
    /// Asks a person.
    Ask,
    /// Records that it was found.
    Record,
}

/// What the agent must achieve over time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Obligation {
    /// Its name, unique in the pact.
    #[schemars(required)]
    pub id: Option<At<String>>,
    /// The dimension of the score it belongs to.
    #[schemars(required)]
    pub dimension: Option<At<Dimension>>,
    /// What is measured; the dimension's own evidence by default.
    pub measure: Option<At<Measure>>,
    /// The share that must be reached, from 0 to 1.
    pub at_least: Option<At<Number>>,
    /// The share that must not be exceeded, from 0 to 1.
    pub at_most: Option<At<Number>>,
    /// How far back samples count: `30d`.
    #[schemars(required)]
    pub window: Option<At<String>>,
    /// The number of samples under which nothing is concluded.
    #[schemars(required)]
    pub min_samples: Option<At<u64>>,
    /// How old the newest sample may be: `7d`.
    pub fresh: Option<At<String>>,
    /// What follows when it is not met.
    pub breach: Option<At<Breach>>,
}

/// A dimension of the score.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dimension {
    /// Right answers.
    Accuracy,
    /// Calls that work.
    Reliability,
    /// Absence of harm.
    Safety,
    /// Claimed confidence against outcome.
    SelfAudit,
    /// Resistance to attack.
    Security,
    /// Collateral against value at risk.
    Bond,
    /// Calls in time.
    Latency,
    /// Attempts within the pact.
    ScopeHonesty,
    /// Cost within the budget.
    CostEfficiency,
    /// Models on the list.
    ModelCompliance,
    /// Calls and time without a breach.
    RuntimeCompliance,
    /// Same result for the same task.
    HarnessStability,
}

/// What an obligation measures.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Measure {
    /// A suite of independent tests, by name.
    pub evaluation: Option<At<String>>,
}

/// What follows when an obligation is not met.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Breach {
    /// The consequence.
    #[serde(rename = "do")]
    #[schemars(required)]
    pub consequence: Option<At<Consequence>>,
    /// How grave it is.
    pub severity: Option<At<Gravity>>,
    /// Whom to tell.
    pub to: Option<At<String>>,
    /// How soon they must act: `4h`.
    pub within: Option<At<String>>,
}

/// What is done about a breach.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Consequence {
    /// The agent sinks to `restricted`.
    Restrict,
    /// It is tested anew.
    ReEvaluate,
    /// A person decides.
    Escalate,
    /// The agent is suspended.
    Suspend,
    /// Payment is held back.
    WithholdSettlement,
}

/// How grave a breach is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// Gravest.
    Sev1,
    /// Grave.
    Sev2,
    /// To be seen to.
    Sev3,
    /// Slight.
    Sev4,
}
