//! The other end of a connection: how far away its address is, and who is there.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::ProcessId;

/// How far an address reaches (RFC 6890, RFC 4291, RFC 4193).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// This host.
    Loopback,
    /// This link: `169.254/16`, `fe80::/10`.
    Link,
    /// A private network: RFC 1918, shared (RFC 6598), unique local.
    Private,
    /// A group, or everybody on the link.
    Multicast,
    /// Everywhere else.
    Public,
}

impl Scope {
    /// The scope of an address; a mapped IPv4 address has that of the IPv4 address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) if v4.is_loopback() => Self::Loopback,
            IpAddr::V4(v4) if v4.is_multicast() || v4 == Ipv4Addr::BROADCAST => Self::Multicast,
            IpAddr::V4(v4) if v4.is_link_local() || v4.is_unspecified() => Self::Link,
            IpAddr::V4(v4) if v4.is_private() || is_shared(v4) => Self::Private,
            IpAddr::V6(v6) if v6.is_loopback() => Self::Loopback,
            IpAddr::V6(v6) if v6.is_multicast() => Self::Multicast,
            IpAddr::V6(v6) if v6.is_unicast_link_local() || v6.is_unspecified() => Self::Link,
            IpAddr::V6(v6) if v6.is_unique_local() => Self::Private,
            _ => Self::Public,
        }
    }

    /// The word that JSON, the terminal and filters use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Link => "link",
            Self::Private => "private",
            Self::Multicast => "multicast",
            Self::Public => "public",
        }
    }
}

/// 100.64.0.0/10, RFC 6598.
fn is_shared(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && second & 0xc0 == 64
}

/// The process at the other end, where that end is on this host too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Which.
    pub process: ProcessId,
    /// What it is called.
    pub name: Arc<str>,
}

/// Where in the world an address is said to be, by a database that the user gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Origin {
    /// Country, ISO 3166-1 alpha-2.
    #[serde(rename = "remote_country")]
    pub country: Option<Arc<str>>,
    /// Number of the autonomous system.
    #[serde(rename = "remote_asn")]
    pub asn: Option<u32>,
    /// Who runs it.
    #[serde(rename = "remote_organization")]
    pub organization: Option<Arc<str>>,
}

#[derive(Serialize)]
struct PeerFields<'a> {
    peer_pid: Option<u32>,
    peer_name: Option<&'a str>,
}

#[allow(clippy::ref_option)] // serde gives the field by reference
pub(crate) fn peer_fields<S: Serializer>(of: &Option<Peer>, to: S) -> Result<S::Ok, S::Error> {
    PeerFields {
        peer_pid: of.as_ref().map(|of| of.process.pid.0),
        peer_name: of.as_ref().map(|of| &*of.name),
    }
    .serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_those_of_the_registries() {
        for (address, scope) in [
            ("127.0.0.1", Scope::Loopback),
            ("::1", Scope::Loopback),
            ("::ffff:10.0.0.1", Scope::Private),
            ("169.254.3.4", Scope::Link),
            ("fe80::1", Scope::Link),
            ("192.168.1.1", Scope::Private),
            ("172.31.255.255", Scope::Private),
            ("172.32.0.1", Scope::Public),
            ("100.64.0.1", Scope::Private),
            ("100.128.0.1", Scope::Public),
            ("fd00::1", Scope::Private),
            ("224.0.0.251", Scope::Multicast),
            ("255.255.255.255", Scope::Multicast),
            ("ff02::fb", Scope::Multicast),
            ("192.0.2.1", Scope::Public),
            ("2001:db8::1", Scope::Public),
        ] {
            assert_eq!(Scope::of(address.parse().unwrap()), scope, "{address}");
        }
    }
}
