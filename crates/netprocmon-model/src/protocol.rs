//! Transport protocols and IP versions, by their IANA numbers and names.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use thiserror::Error;

/// A transport protocol by its IANA number (`/etc/protocols`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// Internet Control Message Protocol, RFC 792.
    pub const ICMP: Self = Self(1);
    /// Transmission Control Protocol, RFC 9293.
    pub const TCP: Self = Self(6);
    /// User Datagram Protocol, RFC 768.
    pub const UDP: Self = Self(17);
    /// ICMP for IPv6, RFC 4443.
    pub const ICMPV6: Self = Self(58);
    /// Stream Control Transmission Protocol, RFC 9260.
    pub const SCTP: Self = Self(132);
    /// UDP-Lite, RFC 3828.
    pub const UDPLITE: Self = Self(136);
    /// A raw socket that writes its own IP headers (`IPPROTO_RAW`, raw(7)).
    pub const RAW: Self = Self(255);

    /// The IANA keyword in lower case, where the protocol has one that people use.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "icmp",
            2 => "igmp",
            4 => "ipip",
            6 => "tcp",
            17 => "udp",
            41 => "ipv6",
            47 => "gre",
            50 => "esp",
            51 => "ah",
            58 => "icmpv6",
            89 => "ospf",
            103 => "pim",
            112 => "vrrp",
            132 => "sctp",
            136 => "udplite",
            255 => "raw",
            _ => return None,
        })
    }

    /// Whether sockets of this protocol have port numbers.
    #[must_use]
    pub const fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP | Self::SCTP | Self::UDPLITE)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("ip-{}", self.0)),
        }
    }
}

/// A text that names no transport protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown protocol {0:?}: give a name such as tcp, udp or icmp, or a number from 0 to 255")]
pub struct UnknownProtocol(pub String);

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    /// Reads a name in any case, a number, or the `ip-N` that [`Display`](fmt::Display) prints.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.to_ascii_lowercase();
        (0..=u8::MAX)
            .map(Self)
            .find(|protocol| protocol.name() == Some(lower.as_str()))
            .or_else(|| {
                lower
                    .strip_prefix("ip-")
                    .unwrap_or(&lower)
                    .parse()
                    .ok()
                    .map(Self)
            })
            .ok_or_else(|| UnknownProtocol(text.to_owned()))
    }
}

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The IP version of the packets themselves: a v6 socket that talks to an IPv4-mapped address
/// moves `V4` packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpVersion {
    /// RFC 791.
    V4,
    /// RFC 8200.
    V6,
}

impl IpVersion {
    /// 4 or 6.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }
}

impl Serialize for IpVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_reads_back_what_it_prints() {
        for protocol in (0..=u8::MAX).map(Protocol) {
            assert_eq!(protocol.to_string().parse(), Ok(protocol));
        }
    }

    #[test]
    fn a_number_a_name_and_nonsense() {
        assert_eq!("UDP".parse(), Ok(Protocol::UDP));
        assert_eq!("47".parse(), Ok(Protocol(47)));
        assert!("256".parse::<Protocol>().is_err());
        assert!("".parse::<Protocol>().is_err());
    }
}
