//! Betas: switches in a header under which an API can do more than Pactgate reads. They are an allow-list.

use http::HeaderMap;

use crate::classify::fault::Fault;
use crate::classify::{Peer, Problem};

/// Switches in one request.
const BETAS_MAX: usize = 64;

/// The switches in all header fields of that name, each one listed in the upstream's config.
pub(super) fn in_header(
    peer: &Peer,
    headers: &HeaderMap,
    header: &'static str,
) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    for value in headers.get_all(header) {
        let text = value.to_str().map_err(|_| {
            let what = format!("header `{header}` has a byte that is not ASCII text");
            Fault::new(Problem::HeaderMismatch, what)
        })?;
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            admit(&peer.betas, &mut names, name).map_err(|fault| fault.under_member(header))?;
        }
    }
    Ok(names)
}

/// Takes one more switch, if it is listed.
pub(super) fn admit(listed: &[String], names: &mut Vec<String>, name: &str) -> Result<(), Fault> {
    if names.len() == BETAS_MAX {
        return Err(Fault::new(Problem::TooLarge, "more betas than are read in one call; send fewer"));
    }
    if !listed.iter().any(|listed| listed == name) {
        let what = "this beta is not on the list; send the call without it, or have it named in \
                    `upstreams[].betas` of the sidecar's config";
        return Err(Fault::new(Problem::Beta, what).under_member(name));
    }
    names.push(name.to_owned());
    Ok(())
}
