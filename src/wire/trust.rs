//! Tiers on their way down.

use serde::{Deserialize, Serialize};

use crate::domain::{AgentId, Timestamp, TrustTier};
use crate::wire::text::{rounded, word};
use crate::wire::{AGENTS_MAX, PublicKey, Signed, SigningKey, StatementError, Topic};

/// What a collector says of agents' tiers. Signed; see [`TrustStatement::seal`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrustStatement {
    /// Version of this payload: 1.
    pub v: u32,
    /// Rises with every statement a collector makes, across its restarts. A sidecar refuses one that does not.
    pub serial: u64,
    /// When it was said, by the collector's clock.
    #[serde(with = "word")]
    pub issued_at: Timestamp,
    /// Whether this replaces everything said before. More agents than fit follow at once in statements that do
    /// not. A heartbeat is a statement that is not full and names nobody.
    pub full: bool,
    /// The agents it speaks of; of others it says nothing.
    pub agents: Vec<AgentTier>,
}

/// One agent's tier, and what supports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentTier {
    /// The agent.
    #[serde(with = "word")]
    pub agent: AgentId,
    /// Its tier from now on.
    #[serde(with = "word")]
    pub tier: TrustTier,
    /// Mean of the posterior, 0 to 1.
    #[serde(serialize_with = "rounded")]
    pub score: f64,
    /// Its lower bound (5 %).
    #[serde(serialize_with = "rounded")]
    pub lower: f64,
    /// One minus the width between lower and upper bound.
    #[serde(serialize_with = "rounded")]
    pub confidence: f64,
    /// When the score was computed.
    #[serde(with = "word")]
    pub computed_at: Timestamp,
    /// The sentence that explains the tier.
    pub why: String,
}

impl TrustStatement {
    /// Signs the statement.
    #[must_use]
    pub fn seal(&self, key: &SigningKey) -> Signed {
        Signed::seal(Topic::Trust, &crate::wire::write(self), key)
    }

    /// Checks the signature and reads the statement. The serial is for the holder of the last one to compare.
    ///
    /// # Errors
    /// When it is not signed by `key`, or is no trust statement of version 1.
    pub fn open(signed: &Signed, key: &PublicKey) -> Result<Self, StatementError> {
        let payload = signed.open(Topic::Trust, key)?;
        let statement: Self = crate::wire::read(&payload).map_err(|_| StatementError::Payload)?;
        if statement.v != 1 || statement.agents.len() > AGENTS_MAX {
            return Err(StatementError::Payload);
        }
        Ok(statement)
    }
}
