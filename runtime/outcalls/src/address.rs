//! Classes of IP addresses: which of them belong to the public internet, and what the others are.
//!
//! By the IANA special-purpose registries for IPv4 and IPv6. An address that stands for an IPv4 address in another
//! notation is refused as such, whatever it stands for; only NAT64 is looked through, since hosts without IPv4 of their
//! own reach all of the IPv4 internet by it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where addresses of the clouds' metadata services lie outside of the ranges below, or deserve their name.
const METADATA_V4: [Ipv4Addr; 5] = [
    Ipv4Addr::new(169, 254, 169, 254), // AWS, Google, Azure, DigitalOcean and others
    Ipv4Addr::new(169, 254, 170, 2),   // AWS ECS
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle
    Ipv4Addr::new(168, 63, 129, 16),   // Azure's host; a public address everywhere else
];
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254), // AWS
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254), // Google
];

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Public,
    Loopback,
    Private,
    UniqueLocal,
    LinkLocal,
    Metadata,
    Shared,
    Unspecified,
    Multicast,
    Broadcast,
    Documentation,
    Benchmarking,
    SiteLocal,
    Mapped,
    Compatible,
    LocalNat64,
    SixToFour,
    Teredo,
    Isatap,
    Reserved,
}

impl Class {
    /// What `address` is.
    pub(crate) fn of(address: IpAddr) -> Class {
        match address {
            IpAddr::V4(address) => v4(address),
            IpAddr::V6(address) => v6(address),
        }
    }

    /// Whether a call may go there. `private` lets it go to the machine itself and its own network, for development;
    /// the clouds' metadata and all else stays closed.
    pub(crate) fn is_allowed(self, private: bool) -> bool {
        match self {
            Class::Public => true,
            Class::Loopback | Class::Private | Class::UniqueLocal => private,
            _ => false,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Public => "a public address",
            Class::Loopback => "a loopback address",
            Class::Private => "a private address",
            Class::UniqueLocal => "a unique-local address",
            Class::LinkLocal => "a link-local address",
            Class::Metadata => "the address of a cloud's metadata service",
            Class::Shared => "an address of carrier-grade NAT (100.64.0.0/10)",
            Class::Unspecified => "an unspecified address",
            Class::Multicast => "a multicast address",
            Class::Broadcast => "the broadcast address",
            Class::Documentation => "an address for documentation",
            Class::Benchmarking => "an address for benchmarking",
            Class::SiteLocal => "a site-local address",
            Class::Mapped => "an IPv4-mapped address",
            Class::Compatible => "an IPv4-compatible address",
            Class::LocalNat64 => "an address of local NAT64",
            Class::SixToFour => "a 6to4 address",
            Class::Teredo => "a Teredo address",
            Class::Isatap => "an ISATAP address",
            Class::Reserved => "a reserved address",
        })
    }
}

fn v4(address: Ipv4Addr) -> Class {
    if METADATA_V4.contains(&address) {
        return Class::Metadata;
    }
    match address.octets() {
        [0, ..] => Class::Unspecified,
        [127, ..] => Class::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Class::Private,
        [100, 64..=127, ..] => Class::Shared,
        [169, 254, ..] => Class::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Class::Documentation,
        [198, 18..=19, ..] => Class::Benchmarking,
        // Protocol assignments, and the former relays of 6to4.
        [192, 0, 0, _] | [192, 88, 99, _] => Class::Reserved,
        [224..=239, ..] => Class::Multicast,
        [255, 255, 255, 255] => Class::Broadcast,
        [240..=255, ..] => Class::Reserved,
        _ => Class::Public,
    }
}

fn v6(address: Ipv6Addr) -> Class {
    if METADATA_V6.contains(&address) {
        return Class::Metadata;
    }
    let segments = address.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        [0, 0, 0, 0, 0, 0, ..] => Class::Compatible,
        // ::ffff:0:0/96, and the translated addresses ::ffff:0:0:0/96.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => Class::Mapped,
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            v4(Ipv4Addr::new(a, b, c, d))
        }
        [0x0064, 0xff9b, 1, ..] => Class::LocalNat64,
        [0x2001, 0, ..] => Class::Teredo,
        [0x2001, 2, 0, ..] => Class::Benchmarking,
        // Protocol assignments, 2001::/23.
        [0x2001, 0..=0x01ff, ..] => Class::Reserved,
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Class::Documentation,
        [0x2002, ..] => Class::SixToFour,
        [0xfc00..=0xfdff, ..] => Class::UniqueLocal,
        [0xfe80..=0xfebf, ..] => Class::LinkLocal,
        [0xfec0..=0xfeff, ..] => Class::SiteLocal,
        [0xff00..=0xffff, ..] => Class::Multicast,
        [0x2000..=0x3fff, _, _, _, 0 | 0x0200, 0x5efe, ..] => Class::Isatap,
        [0x2000..=0x3fff, ..] => Class::Public,
        _ => Class::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_range_has_its_class_at_both_ends() {
        let cases = [
            (
                Class::Public,
                "1.0.0.0 1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0",
            ),
            (Class::Public, "169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.88.98.255"),
            (Class::Public, "192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 203.0.114.0"),
            (Class::Public, "223.255.255.255 2000::1 2001:200::1 2001:4860:4860::8888 2606:4700::1111 3ffe:ffff::1"),
            (Class::Public, "64:ff9b::8.8.8.8 2001:db7:ffff::1 2003::1"),
            (Class::Unspecified, "0.0.0.0 0.1.2.3 0.255.255.255 :: 64:ff9b::0.0.0.0"),
            (Class::Loopback, "127.0.0.0 127.0.0.1 127.255.255.255 ::1 64:ff9b::127.0.0.1"),
            (Class::Private, "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255"),
            (Class::Private, "64:ff9b::10.0.0.1 64:ff9b::c0a8:101"),
            (Class::Shared, "100.64.0.0 100.127.255.255"),
            (Class::LinkLocal, "169.254.0.0 169.254.169.253 169.254.255.255 fe80::1 febf::1"),
            (Class::Metadata, "169.254.169.254 169.254.170.2 100.100.100.200 192.0.0.192 168.63.129.16"),
            (Class::Metadata, "fd00:ec2::254 fd20:ce::254 64:ff9b::169.254.169.254 64:ff9b::a9fe:a9fe"),
            (Class::Documentation, "192.0.2.1 198.51.100.255 203.0.113.0 2001:db8::1 3fff::1 3fff:fff::1"),
            (Class::Benchmarking, "198.18.0.0 198.19.255.255 2001:2::1"),
            (Class::Multicast, "224.0.0.1 239.255.255.255 ff00:: ff02::1"),
            (Class::Broadcast, "255.255.255.255"),
            (Class::Reserved, "192.0.0.1 192.88.99.1 240.0.0.0 255.255.255.254 100::1 4000::1 2001:1ff::1 5f00::1"),
            (Class::Reserved, "64:ff9b:2::1 1::1 2001:20::1"),
            (Class::UniqueLocal, "fc00:: fd12:3456::1 fdff:ffff::1"),
            (Class::SiteLocal, "fec0::1 feff::1"),
            (Class::Mapped, "::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:a9fe:a9fe ::ffff:0:7f00:1"),
            (Class::Compatible, "::127.0.0.1 ::2 ::a9fe:a9fe"),
            (Class::LocalNat64, "64:ff9b:1::1 64:ff9b:1:ffff::10.0.0.1"),
            (Class::SixToFour, "2002:7f00:1:: 2002:a9fe:a9fe::1"),
            (Class::Teredo, "2001::1 2001:0:53aa:64c:0:0:80ff:fffe"),
            (Class::Isatap, "2001:4860:0:0:0:5efe:10.0.0.1 2606:4700::200:5efe:7f00:1"),
        ];
        for (expected, addresses) in cases {
            for address in addresses.split(' ') {
                let parsed: IpAddr = address.parse().unwrap_or_else(|_| panic!("{address} is no address"));
                assert_eq!(Class::of(parsed), expected, "{address}");
                assert_eq!(expected.is_allowed(false), expected == Class::Public, "{address}");
            }
        }
    }

    #[test]
    fn development_opens_the_own_network_and_nothing_else() {
        let open = |address: &str| Class::of(address.parse().expect("an address")).is_allowed(true);
        for address in ["127.0.0.1", "10.1.2.3", "::1", "fd12::1", "8.8.8.8"] {
            assert!(open(address), "{address}");
        }
        for address in ["169.254.169.254", "0.0.0.0", "100.64.0.1", "::ffff:127.0.0.1", "2002:7f00:1::", "fe80::1"] {
            assert!(!open(address), "{address}");
        }
    }
}
