//! Takes evidence in, sends tiers out.
