//! The edges of every range.

use super::*;

const DECLARED: Reach = Reach::Declared { private: false };
const PRIVATE: Reach = Reach::Declared { private: true };

/// Checks an address under every reach. `opens` says whether `private: true` opens the range.
fn check(text: &str, expected: Option<(Range, bool)>) {
    let ip: IpAddr = text.parse().unwrap();
    let refused = |reach| check_address(ip, reach).err().map(|forbidden| forbidden.range);
    match expected {
        None => {
            assert_eq!(refused(Reach::Public), None, "{text}");
            assert_eq!(refused(DECLARED), None, "{text}");
            assert_eq!(refused(PRIVATE), None, "{text}");
        }
        Some((range, opens)) => {
            assert_eq!(refused(Reach::Public), Some(range), "{text}");
            assert_eq!(refused(DECLARED), Some(range), "{text}");
            assert_eq!(refused(PRIVATE), (!opens).then_some(range), "{text} declared private");
        }
    }
}

fn never(range: Range, addresses: &[&str]) {
    for text in addresses {
        check(text, Some((range, false)));
    }
}

fn when_private(range: Range, addresses: &[&str]) {
    for text in addresses {
        check(text, Some((range, true)));
    }
}

fn always(addresses: &[&str]) {
    for text in addresses {
        check(text, None);
    }
}

#[test]
fn every_ipv4_range_ends_where_it_should() {
    never(Range::Unspecified, &["0.0.0.0", "0.255.255.255"]);
    always(&["1.0.0.0", "1.1.1.1", "8.8.8.8", "9.255.255.255"]);
    when_private(Range::Private, &["10.0.0.0", "10.255.255.255"]);
    always(&["11.0.0.0", "100.63.255.255"]);
    when_private(Range::Shared, &["100.64.0.0", "100.127.255.255"]);
    always(&["100.128.0.0", "126.255.255.255"]);
    when_private(Range::Loopback, &["127.0.0.0", "127.0.0.1", "127.255.255.255"]);
    always(&["128.0.0.0", "169.253.255.255"]);
    never(Range::LinkLocal, &["169.254.0.0", "169.254.255.255"]);
    always(&["169.255.0.0", "172.15.255.255"]);
    when_private(Range::Private, &["172.16.0.0", "172.31.255.255"]);
    always(&["172.32.0.0", "191.255.255.255"]);
    never(Range::Reserved, &["192.0.0.0", "192.0.0.255"]);
    always(&["192.0.1.0", "192.0.1.255"]);
    never(Range::Documentation, &["192.0.2.0", "192.0.2.255"]);
    always(&["192.0.3.0", "192.88.98.255"]);
    never(Range::Reserved, &["192.88.99.0", "192.88.99.255"]);
    always(&["192.88.100.0", "192.167.255.255"]);
    when_private(Range::Private, &["192.168.0.0", "192.168.255.255"]);
    always(&["192.169.0.0", "198.17.255.255"]);
    never(Range::Benchmarking, &["198.18.0.0", "198.19.255.255"]);
    always(&["198.20.0.0", "198.51.99.255"]);
    never(Range::Documentation, &["198.51.100.0", "198.51.100.255"]);
    always(&["198.51.101.0", "203.0.112.255"]);
    never(Range::Documentation, &["203.0.113.0", "203.0.113.255"]);
    always(&["203.0.114.0", "223.255.255.255"]);
    never(Range::Multicast, &["224.0.0.0", "239.255.255.255"]);
    never(Range::Reserved, &["240.0.0.0", "255.255.255.254"]);
    never(Range::Broadcast, &["255.255.255.255"]);
}

#[test]
fn metadata_services_are_never_reached() {
    never(
        Range::Metadata,
        &[
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "169.254.42.42",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd00:ec2::",
            "fd20:ce::254",
            "fd00:42::42",
        ],
    );
    always(&["168.63.129.15", "168.63.129.17"]);
    when_private(Range::Shared, &["100.100.100.199", "100.100.100.201"]);
}

#[test]
fn every_ipv6_range_ends_where_it_should() {
    never(Range::Unspecified, &["::"]);
    when_private(Range::Loopback, &["::1"]);
    never(Range::Reserved, &["::1:0:0:0:1", "100::", "100::1", "200::", "1fff:ffff::"]);
    never(Range::Reserved, &["2001:1::", "2001:1ff:ffff::", "2001:10::", "2001:20::", "2001:2:1::"]);
    never(Range::Benchmarking, &["2001:2::", "2001:2:0:ffff::"]);
    always(&["2000::", "2001:200::", "2001:4860:4860::8888", "2001:db7:ffff::"]);
    never(Range::Documentation, &["2001:db8::", "2001:db8:ffff::", "3fff::", "3fff:fff:ffff::"]);
    always(&["2001:db9::", "2606:4700::1111", "2003::", "3ffe:ffff::", "3fff:1000::"]);
    never(Range::Reserved, &["4000::", "5f00::", "fbff:ffff::", "fe00::", "fe7f:ffff::"]);
    when_private(Range::UniqueLocal, &["fc00::", "fd00::1", "fdff:ffff::"]);
    never(Range::LinkLocal, &["fe80::", "fe80::1", "febf:ffff::"]);
    never(Range::SiteLocal, &["fec0::", "feff:ffff::"]);
    never(Range::Multicast, &["ff00::", "ff02::1", "ffff:ffff::"]);
}

#[test]
fn the_ipv4_address_inside_is_judged() {
    // Mapped.
    always(&["::ffff:8.8.8.8"]);
    when_private(Range::Loopback, &["::ffff:127.0.0.1"]);
    when_private(Range::Private, &["::ffff:10.0.0.1"]);
    never(Range::Metadata, &["::ffff:169.254.169.254"]);
    // NAT64.
    always(&["64:ff9b::8.8.8.8"]);
    when_private(Range::Private, &["64:ff9b::192.168.0.1"]);
    never(Range::Metadata, &["64:ff9b::169.254.169.254"]);
    never(Range::LinkLocal, &["64:ff9b::169.254.0.1"]);
    never(Range::Translated, &["64:ff9b:1::", "64:ff9b:1:fffe::8.8.8.8"]);
    never(Range::Reserved, &["64:ff9b:2::", "64:ff9b::1:0:0"]);
    // Compatible and translated.
    never(Range::Translated, &["::8.8.8.8", "::ffff:0:8.8.8.8"]);
    never(Range::Metadata, &["::169.254.169.254", "::ffff:0:169.254.169.254"]);
    // 6to4, Teredo (whose client address is turned over) and ISATAP.
    never(Range::Translated, &["2002:808:808::1", "2001:0:4136:e378:8000:63bf:f7f7:f7f7"]);
    never(Range::Metadata, &["2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:5601:5601"]);
    never(Range::Metadata, &["2606:4700::5efe:169.254.169.254", "2606:4700::200:5efe:169.254.169.254"]);
    always(&["2606:4700::5efe:8.8.8.8"]);
    never(Range::LinkLocal, &["fe80::5efe:10.0.0.1"]);
}

/// No disguise of a forbidden IPv4 address is better off than the address itself, except that ranges which are
/// forbidden as a whole may be called by their own name.
#[test]
fn no_disguise_opens_a_metadata_address() {
    for octets in [[169, 254, 169, 254], [100, 100, 100, 200], [169, 254, 7, 7], [255, 255, 255, 255]] {
        let v4 = Ipv4Addr::from(octets);
        let low = u128::from(v4.to_bits());
        for prefix in [0_u128, 0xffff << 32, 0xffff << 48, 0x64_ff9b << 96, 0x64_ff9b_0001 << 80] {
            let ip = Ipv6Addr::from_bits(prefix | low);
            assert!(check_address(ip.into(), PRIVATE).is_err(), "{ip}");
        }
        let six = Ipv6Addr::from_bits(0x2002 << 112 | low << 80);
        assert!(check_address(six.into(), PRIVATE).is_err(), "{six}");
    }
}
