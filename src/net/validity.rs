//! Validity: our moments as the dates of certificates.

use std::time::Duration;

use rcgen::{CertificateParams, date_time_ymd};

use crate::domain::Timestamp;

/// Clocks of agents may run behind ours by this much.
const SKEW_SECONDS: u64 = 3600;
/// The last second of the year 9999: certificates know no later one (RFC 5280, section 4.1.2.5).
const LAST: u64 = 253_402_300_799;

/// Dates a certificate from a little before `now` until `until`, in whole seconds.
pub(super) fn set(params: &mut CertificateParams, now: Timestamp, until: Timestamp) {
    let date = |seconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    params.not_before = date(seconds(now).saturating_sub(SKEW_SECONDS));
    params.not_after = date(seconds(until));
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_seconds()).unwrap_or(0).min(LAST)
}
