//! Which addresses may be dialed: the table of special ranges, and who may go there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far a destination may lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reach {
    /// A destination that the agent named: globally routable addresses only.
    #[default]
    Public,
    /// A destination that the sidecar's config named.
    Declared {
        /// Whether it may lie on loopback, in private (RFC 1918, RFC 6598) or unique local (RFC 4193) ranges.
        private: bool,
    },
}

/// A range of addresses with a special meaning (IANA special-purpose registries, and what clouds put there).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    /// Cloud metadata and credential services: whoever reads them becomes the machine.
    Metadata,
    /// 169.254.0.0/16 and fe80::/10.
    LinkLocal,
    /// 127.0.0.0/8 and ::1.
    Loopback,
    /// 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16.
    Private,
    /// 100.64.0.0/10, between a provider and its customers.
    Shared,
    /// fc00::/7.
    UniqueLocal,
    /// fec0::/10, deprecated.
    SiteLocal,
    /// 224.0.0.0/4 and ff00::/8.
    Multicast,
    /// 255.255.255.255.
    Broadcast,
    /// 0.0.0.0/8 and ::, which systems take for themselves.
    Unspecified,
    /// Addresses for examples.
    Documentation,
    /// Addresses for measuring.
    Benchmarking,
    /// An IPv4 address in a disguise that no honest name server hands out: IPv4-compatible, 6to4, Teredo, and
    /// the local-use form of NAT64.
    Translated,
    /// Set aside, or not given to anyone.
    Reserved,
    /// A port on which this very process listens.
    OwnListener,
    /// A place that this process speaks to for itself.
    Closed,
}

impl Range {
    /// The name used in records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::LinkLocal => "link-local",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::UniqueLocal => "unique-local",
            Self::SiteLocal => "site-local",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Unspecified => "unspecified",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Translated => "translated",
            Self::Reserved => "reserved",
            Self::OwnListener => "own-listener",
            Self::Closed => "closed",
        }
    }

    /// Whether `private: true` in the config of an upstream opens this range to it. Metadata and link-local
    /// addresses never open: an upstream's name may come to point there without anyone's decision.
    const fn opens_when_private(self) -> bool {
        matches!(self, Self::Loopback | Self::Private | Self::Shared | Self::UniqueLocal)
    }
}

/// An address that must not be dialed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address `{ip}` is {range} and must not be reached")]
pub struct Forbidden {
    /// The address as it was resolved.
    pub ip: IpAddr,
    /// Where it lies.
    pub range: Range,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether `ip` may be dialed under `reach`. An IPv4 address inside an IPv6 one is judged as well.
///
/// # Errors
/// [`Forbidden`] when the address lies in a special range that `reach` does not open.
pub fn check_address(ip: IpAddr, reach: Reach) -> Result<(), Forbidden> {
    let range = match ip {
        IpAddr::V4(ip) => range_of_v4(ip),
        IpAddr::V6(ip) => range_of_v6(ip),
    };
    match (range, reach) {
        (None, _) => Ok(()),
        (Some(range), Reach::Declared { private: true }) if range.opens_when_private() => Ok(()),
        (Some(range), _) => Err(Forbidden { ip, range }),
    }
}

/// The special range of an IPv4 address; `None` for a globally routable one.
const fn range_of_v4(ip: Ipv4Addr) -> Option<Range> {
    Some(match ip.octets() {
        // The common one, the container credentials of AWS (ECS, EKS) and the metadata service of Scaleway.
        [169, 254, 169, 254] | [169, 254, 170, 2 | 23] | [169, 254, 42, 42] => Range::Metadata,
        // Alibaba and Oracle keep theirs in other ranges, Azure's WireServer looks like a public address.
        [100, 100, 100, 200] | [192, 0, 0, 192] | [168, 63, 129, 16] => Range::Metadata,
        [0, ..] => Range::Unspecified,
        [127, ..] => Range::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Range::Private,
        [100, 64..=127, ..] => Range::Shared,
        [169, 254, ..] => Range::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Range::Documentation,
        [198, 18 | 19, ..] => Range::Benchmarking,
        // IETF protocol assignments, and the relay anycast of 6to4 (RFC 7526).
        [192, 0, 0, _] | [192, 88, 99, _] => Range::Reserved,
        [255, 255, 255, 255] => Range::Broadcast,
        [224..=239, ..] => Range::Multicast,
        [240..=255, ..] => Range::Reserved,
        _ => return None,
    })
}

/// The special range of an IPv6 address; `None` for a globally routable one, which lies in 2000::/3 or is the
/// NAT64 form of a globally routable IPv4 address.
fn range_of_v6(ip: Ipv6Addr) -> Option<Range> {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(Range::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Range::Loopback),
        // The mapped form travels as IPv4; the well-known NAT64 prefix (RFC 6052) is how clusters without
        // IPv4 reach the rest of the world.
        [0, 0, 0, 0, 0, 0xffff, a, b] | [0x64, 0xff9b, 0, 0, 0, 0, a, b] => range_of_v4(embedded(a, b)),
        // IPv4-compatible, IPv4-translated and 6to4.
        [0, 0, 0, 0, 0, 0, a, b] | [0, 0, 0, 0, 0xffff, 0, a, b] | [0x2002, a, b, ..] => {
            range_of_v4(embedded(a, b)).or(Some(Range::Translated))
        }
        // Teredo carries the client's address with all bits turned over.
        [0x2001, 0, _, _, _, _, a, b] => range_of_v4(embedded(!a, !b)).or(Some(Range::Translated)),
        [0x64, 0xff9b, 1, ..] => Some(Range::Translated),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => Some(Range::Documentation),
        [0x2001, 2, 0, ..] => Some(Range::Benchmarking),
        [0x2001, 0..=0x01ff, ..] => Some(Range::Reserved),
        // The metadata services of AWS (and of its pods), Google and Scaleway.
        [0xfd00, 0x0ec2, ..] | [0xfd20, 0x00ce, ..] | [0xfd00, 0x0042, ..] => Some(Range::Metadata),
        [0xfe80..=0xfebf, ..] => Some(Range::LinkLocal),
        [0xfec0..=0xfeff, ..] => Some(Range::SiteLocal),
        [0xff00..=0xffff, ..] => Some(Range::Multicast),
        // ISATAP (RFC 5214) hands the packet on to the address inside.
        [_, _, _, _, 0 | 0x200, 0x5efe, a, b] if range_of_v4(embedded(a, b)).is_some() => {
            range_of_v4(embedded(a, b))
        }
        [0xfc00..=0xfdff, ..] => Some(Range::UniqueLocal),
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Range::Reserved),
    }
}

/// The IPv4 address in two segments of an IPv6 one.
fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
#[path = "tests/address.rs"]
mod tests;
