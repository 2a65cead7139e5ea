//! The one table of weights. Its digest names the algorithm in every score.

use std::fmt;

use crate::domain::Digest;

/// Id of the algorithm: the share of actions within scope, as a Beta posterior.
pub const ALGORITHM: &str = "scope-beta";
/// Its version: rises when the same records and weights give another score.
pub const VERSION: u32 = 1;

/// One row of the table, for documentation and for `--check`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightRow {
    /// The name in config.
    pub name: &'static str,
    /// The value when config says nothing.
    pub default: f64,
    /// Smallest value allowed.
    pub min: f64,
    /// Largest value allowed.
    pub max: f64,
    /// What it does.
    pub meaning: &'static str,
}

macro_rules! weights {
    ($($(#[doc = $doc:literal])* $name:ident = $default:literal, $min:literal ..= $max:literal;)*) => {
        /// Every number that a score depends on. Times are in seconds.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Weights {
            $($(#[doc = $doc])* pub $name: f64,)*
        }

        impl Default for Weights {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Weights {
            /// The table: each weight, its default, its range and its meaning.
            pub const TABLE: &'static [WeightRow] = &[$(WeightRow {
                name: stringify!($name),
                default: $default,
                min: $min,
                max: $max,
                meaning: concat!($($doc),*),
            },)*];

            /// Sets one weight by its name in config.
            ///
            /// # Errors
            /// When there is no such weight, or the value is out of its range.
            pub fn set(&mut self, name: &str, value: f64) -> Result<(), String> {
                let slot = match name {
                    $(stringify!($name) => &mut self.$name,)*
                    _ => return Err(format!("there is no weight `{name}`")),
                };
                in_range(name, value)?;
                *slot = value;
                Ok(())
            }

            /// All weights by name, in the order of the table.
            #[must_use]
            pub fn entries(&self) -> Vec<(&'static str, f64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

weights! {
    /// Good observations assumed of an agent that nobody knows: alpha of the prior.
    prior_good = 1.0, 0.5 ..= 100.0;
    /// Bad observations assumed of an agent that nobody knows: beta of the prior.
    prior_bad = 1.0, 0.5 ..= 100.0;
    /// How many good actions one bad action of severity 1 outweighs.
    loss_aversion = 3.0, 1.0 ..= 100.0;
    /// After this long an observation counts half.
    half_life_s = 604_800.0, 60.0 ..= 31_536_000.0;
    /// The same for the recent window, which can only lower a tier: a long clean record must not hide a burst.
    recent_half_life_s = 1_800.0, 30.0 ..= 86_400.0;
    /// Most observations a record can weigh; more are scaled down, their share unchanged.
    mass_max = 5_000.0, 100.0 ..= 5_000.0;

    /// A deny clause matched: the pact names it and forbids it.
    severity_denied = 1.5, 0.0 ..= 10.0;
    /// No clause speaks of it: outside what was agreed.
    severity_no_clause = 1.0, 0.0 ..= 10.0;
    /// No pact governs the agent: the operators' omission, not the agent's.
    severity_no_pact = 0.0, 0.0 ..= 10.0;
    /// Allowed at a higher tier: the tier already is the consequence, and punishing it again would spiral.
    severity_tier_too_low = 0.0, 0.0 ..= 10.0;
    /// The agent is suspended: all it does is refused, which says nothing new.
    severity_suspended = 0.0, 0.0 ..= 10.0;
    /// A person must say yes first: asking is what the pact wants, and a no is the person's.
    severity_approval_required = 0.0, 0.0 ..= 10.0;
    /// Too fast: the limit is the remedy, and client libraries retry unasked.
    severity_rate_limited = 0.0, 0.0 ..= 10.0;
    /// The budget is used up: the limit is the remedy.
    severity_budget_exhausted = 0.0, 0.0 ..= 10.0;
    /// The request could not be read: a defect, or a try at slipping through; half, as one cannot tell.
    severity_unreadable = 0.5, 0.0 ..= 10.0;
    /// Bytes that nobody can read, without a clause that allows it; half, as some libraries tunnel by default.
    severity_opaque = 0.5, 0.0 ..= 10.0;
    /// Data that must not leave was in the call.
    severity_data_rule = 1.0, 0.0 ..= 10.0;
    /// The names in one request disagree: no honest client does that.
    severity_name_mismatch = 2.0, 0.0 ..= 10.0;
    /// An address that must not be reached, such as the machine's metadata: a known way of attack.
    severity_address_forbidden = 2.0, 0.0 ..= 10.0;
    /// The sidecar could not record the action: not the agent's fault.
    severity_evidence_unavailable = 0.0, 0.0 ..= 10.0;

    /// Lower bound that `standard` needs.
    standard_lower = 0.80, 0.0 ..= 1.0;
    /// In-scope actions (effective number) that `standard` needs.
    standard_samples = 20.0, 1.0 ..= 100_000.0;
    /// `standard` needs an in-scope action no older than this.
    standard_fresh_s = 2_592_000.0, 60.0 ..= 31_536_000.0;
    /// The evidence must support `standard` for so long before an agent on probation gets it.
    standard_dwell_s = 86_400.0, 0.0 ..= 31_536_000.0;
    /// Lower bound that `trusted` needs.
    trusted_lower = 0.95, 0.0 ..= 1.0;
    /// In-scope actions (effective number) that `trusted` needs.
    trusted_samples = 100.0, 1.0 ..= 100_000.0;
    /// `trusted` needs an in-scope action no older than this.
    trusted_fresh_s = 1_209_600.0, 60.0 ..= 31_536_000.0;
    /// The evidence must support `trusted` for so long before a standard agent gets it.
    trusted_dwell_s = 1_209_600.0, 0.0 ..= 31_536_000.0;

    /// An agent is restricted when even the upper bound is below this,
    restricted_upper = 0.60, 0.0 ..= 1.0;
    /// and at least so many failures, faded with time, count (half a failure of slack for the fading),
    restricted_failures = 4.5, 1.0 ..= 100_000.0;
    /// among at least so many observations.
    restricted_observations = 7.5, 1.0 ..= 100_000.0;
    /// The evidence must clear a restricted agent for so long before it is on probation again.
    restricted_dwell_s = 3_600.0, 0.0 ..= 31_536_000.0;
    /// An agent is suspended when even the upper bound is below this,
    suspended_upper = 0.25, 0.0 ..= 1.0;
    /// and at least so many failures count,
    suspended_failures = 14.5, 1.0 ..= 100_000.0;
    /// among at least so many observations.
    suspended_observations = 19.5, 1.0 ..= 100_000.0;
    /// The evidence must clear a suspended agent for so long before it is restricted only.
    suspended_dwell_s = 86_400.0, 0.0 ..= 31_536_000.0;

    /// How far beyond a cut the evidence must be to rise over it, so that nobody flutters around a cut.
    margin = 0.02, 0.0 ..= 0.2;
    /// Rises are considered at multiples of this since 1970, so that anybody can recompute when.
    review_every_s = 600.0, 1.0 ..= 86_400.0;
}

fn in_range(name: &str, value: f64) -> Result<(), String> {
    let Some(row) = Weights::TABLE.iter().find(|row| row.name == name) else { return Ok(()) };
    if (row.min..=row.max).contains(&value) {
        return Ok(());
    }
    Err(format!("weight `{name}` is {value}: it must lie between {} and {}", row.min, row.max))
}

impl Weights {
    /// Everything wrong with this table: ranges, and cuts that contradict each other. Empty when it is sound.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> =
            self.entries().into_iter().filter_map(|(name, value)| in_range(name, value).err()).collect();
        let ordered = [
            ("suspended_upper", self.suspended_upper, "restricted_upper", self.restricted_upper),
            ("restricted_upper", self.restricted_upper, "standard_lower", self.standard_lower),
            ("standard_lower", self.standard_lower, "trusted_lower", self.trusted_lower),
            ("standard_samples", self.standard_samples, "trusted_samples", self.trusted_samples),
            ("recent_half_life_s", self.recent_half_life_s, "half_life_s", self.half_life_s),
            ("trusted_fresh_s", self.trusted_fresh_s, "standard_fresh_s", self.standard_fresh_s),
        ];
        for (low, a, high, b) in ordered {
            if a > b {
                problems
                    .push(format!("weight `{low}` is {a} and `{high}` is {b}: the first must not be more"));
            }
        }
        problems
    }

    /// The algorithm with its version and the digest of all weights: `scope-beta/1 0123456789abcdef`. Two scores
    /// with the same name were made by the same rule.
    #[must_use]
    pub fn name(&self) -> String {
        let table: String =
            self.entries().into_iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        let mut digest = Digest::of(table.as_bytes()).hex();
        digest.truncate(16);
        format!("{ALGORITHM}/{VERSION} {digest}")
    }
}

impl fmt::Display for WeightRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} ({} to {}):{}", self.name, self.default, self.min, self.max, self.meaning)
    }
}
