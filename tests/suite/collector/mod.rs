//! A collector on a real socket: evidence in, tiers out, people's decisions.

mod approvals;
mod bounds;
mod document;
mod feed;
mod ingest;
mod trust;
mod world;
