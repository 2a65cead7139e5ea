//! The sidecar's own surfaces: health, metrics, inspection.
//!
//! Two doors, because loopback is no boundary inside a pod and the agent can open any port there:
//!
//! | door | who may open it | what it tells |
//! | --- | --- | --- |
//! | the port | everybody | `/metrics`, `/livez`, `/readyz` |
//! | the Unix socket, mode 0600 | the sidecar's user, and root | `/status`, `/pacts`, `/trust`, `/limits`, `/config`, `/approvals`, `/tools` |
//!
//! Only one thing can be changed here, and through the socket alone: `POST /tools/accept` says that a changed tool is
//! as it should be. What they tell comes from a [`View`], so that this room knows none of its neighbors.

mod answer;
pub mod pages;
mod readiness;
mod serve;
mod socket;
mod view;

pub use readiness::{Check, Readiness};
pub use serve::{Admin, AdminError, Settings, bind};
pub use socket::{SocketError, SocketProblem};
pub use view::{Declined, Page, ToolName, View};
