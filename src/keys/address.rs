//! Addresses that keys are never fetched from, whatever name leads there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Metadata services outside the link-local ranges: Azure, Alibaba, Oracle.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
/// The same over IPv6: AWS, Google.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

/// Whether no key URL may lead to `address`: link-local, a cloud's metadata service, or no host at all. Private
/// networks are where many issuers live, so they are not refused.
pub fn is_refused_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_refused_v4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.segments();
            let low = |high: u16, low: u16| {
                let [w, x] = high.to_be_bytes();
                let [y, z] = low.to_be_bytes();
                is_refused_v4(Ipv4Addr::new(w, x, y, z))
            };
            let embedded = match [a, b, c, d, e, f] {
                [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => low(g, h),
                [0, 0, 0, 0, 0, 0] => v6 != Ipv6Addr::LOCALHOST && low(g, h),
                [0x2002, ..] => low(b, c),
                _ => false,
            };
            embedded || a & 0xffc0 == 0xfe80 || v6.is_unspecified() || v6.is_multicast() || METADATA_V6.contains(&v6)
        }
    }
}

fn is_refused_v4(v4: Ipv4Addr) -> bool {
    let [first, ..] = v4.octets();
    first == 0 || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() || METADATA_V4.contains(&v4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_and_metadata_addresses_are_refused_in_every_spelling() {
        for bad in [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "255.255.255.255",
            "224.0.0.1",
            "ff02::1",
        ] {
            assert!(is_refused_address(bad.parse().unwrap()), "{bad}");
        }
        for good in ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fd00::1", "8.8.8.8", "::ffff:127.0.0.1", "2a00::1"]
        {
            assert!(!is_refused_address(good.parse().unwrap()), "{good}");
        }
    }
}
