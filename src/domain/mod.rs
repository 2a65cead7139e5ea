//! The words: plain values shared by every room.

mod action;
mod clock;
mod decimal;
mod dialect;
mod digest;
mod ids;
mod json;
mod name;
mod secret;
mod tier;
mod usage;
mod verdict;

pub use action::{Action, ActionKind, Family, HttpTarget, Target, ToolRef};
pub use clock::{Clock, ManualClock, SharedClock, SystemClock, Timestamp};
pub use decimal::Decimal;
pub use dialect::Dialect;
pub use digest::Digest;
pub use ids::{
    AgentId, ApprovalId, ClauseId, DecisionId, IdError, LimitId, PactName, SidecarId, UpstreamName,
};
pub use json::Json;
pub use name::{NameFault, check_member_name, check_name, check_text};
pub use secret::Secret;
pub use tier::TrustTier;
pub use usage::Usage;
pub use verdict::{Reason, Ruling, Verdict};
