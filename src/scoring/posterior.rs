//! The Beta posterior of the share of actions in scope, and its bounds.

use statrs::function::beta::checked_beta_reg;

/// A Beta distribution. Both parameters are at least one half and at most some tens of thousands, the range in
/// which its integral is exact to many digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Posterior {
    /// Good observations, the prior's included.
    pub alpha: f64,
    /// Bad observations, the prior's included, times loss aversion.
    pub beta: f64,
}

/// The probability left outside at either end.
const TAIL: f64 = 0.05;

impl Posterior {
    /// The mean.
    #[must_use]
    pub fn mean(self) -> f64 {
        rounded(self.alpha / (self.alpha + self.beta))
    }

    /// Lower bound: with 95 % probability the share is at least this.
    #[must_use]
    pub fn lower(self) -> f64 {
        self.quantile(TAIL)
    }

    /// Upper bound: with 95 % probability the share is at most this.
    #[must_use]
    pub fn upper(self) -> f64 {
        self.quantile(1.0 - TAIL)
    }

    /// Whether the lower bound is at least `cut`: the same as comparing with [`Posterior::lower`], and cheaper.
    #[must_use]
    pub fn lower_reaches(self, cut: f64) -> bool {
        self.below(cut) <= TAIL
    }

    /// Whether the upper bound is at least `cut`.
    #[must_use]
    pub fn upper_reaches(self, cut: f64) -> bool {
        self.below(cut) <= 1.0 - TAIL
    }

    /// The probability that the share is below `x`.
    fn below(self, x: f64) -> f64 {
        // The parameters are positive and x is clamped, so that there is no error to meet; were there one, an
        // agent would get no credit for it.
        checked_beta_reg(self.alpha, self.beta, x.clamp(0.0, 1.0)).map_or(1.0, rounded)
    }

    /// Bisection: thirty halvings are exact to nine decimals and always end, which Newton's method does not
    /// promise.
    fn quantile(self, p: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..30 {
            let middle = f64::midpoint(low, high);
            if self.below(middle) < p { low = middle } else { high = middle }
        }
        rounded(f64::midpoint(low, high))
    }
}

/// Nine decimals: more than any cut needs, fewer than two mathematical libraries may differ in.
fn rounded(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}
