//! A packet's headers, taken apart: who talks to whom, and how long the headers are.
//!
//! Pure: no allocation, no system call, no `unsafe`. What it is given comes from the network and is
//! cut off after some 128 bytes; a packet whose headers end before that is an error of that packet.
//! Our own and not a crate's, because this runs once a packet and needs seven numbers: etherparse,
//! which the tests compare it with, makes structures of every field there is.
//!
//! Not here: whether the checksums hold (the kernel looks), and what a packet carries.

mod link;
mod network;

use std::net::{IpAddr, SocketAddr};

use netprocmon_model::{IpVersion, Protocol};

/// What the bytes begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// An Ethernet header, loopback's too, perhaps with VLAN tags.
    Ethernet,
    /// A Linux "cooked" header (`LINUX_SLL`), as tcpdump writes for `-i any`.
    Cooked,
    /// The second version of it (`LINUX_SLL2`).
    Cooked2,
    /// An IP header, of the version that its first bits say: tun, raw IP.
    Ip,
    /// What the link layer said to be of this `EtherType`.
    Network(u16),
}

/// What is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Of the packet itself.
    pub ip_version: IpVersion,
    /// The transport protocol, behind extension headers.
    pub protocol: Protocol,
    /// Where it comes from; port 0 where there is none to be known.
    pub source: SocketAddr,
    /// Where it goes to. Of an ICMP echo both ports are its identifier.
    pub destination: SocketAddr,
    /// The packet's length by its IP header; 0 where that is left open (segmentation buffers of
    /// more than 64 KiB).
    pub length: u32,
    /// IP header, its options or extensions, and transport header.
    pub headers: u32,
    /// TCP's flags; 0 for other protocols.
    pub flags: TcpFlags,
    /// What ICMP says; `None` for other protocols.
    pub icmp: Option<Icmp>,
    /// Set for a part of a packet that was too long.
    pub fragment: Option<Fragment>,
}

/// A part of a fragmented packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The same in all parts of one packet between two addresses.
    pub identification: u32,
    /// Only the first part has the ports.
    pub is_first: bool,
}

/// The kinds of ICMP message that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icmp {
    /// An echo request; the identifier is in the ports.
    EchoRequest,
    /// An echo reply; the identifier is in the ports.
    EchoReply,
    /// Errors, neighbours, routers, groups: the kernel's own business.
    Other,
}

/// The flag bits of a TCP header (RFC 9293).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// The first packet of a direction.
    pub const SYN: Self = Self(0x02);
    /// The connection is no more.
    pub const RST: Self = Self(0x04);
    /// Acknowledges something: all but the very first.
    pub const ACK: Self = Self(0x10);

    /// Whether all of `flags` are set.
    #[must_use]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

/// Why a packet cannot be counted under a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A header goes on behind the end of what there is.
    #[error("a header is cut short")]
    Cut,
    /// ARP, LLDP and others that are no IP.
    #[error("not an IP packet (EtherType {0:#06x})")]
    NotIp(u16),
    /// A field that says what cannot be.
    #[error("a header contradicts itself")]
    Nonsense,
}

/// Takes a packet apart.
///
/// # Errors
///
/// A packet that is no IP, is cut off before its IP header ends, or contradicts itself. A transport
/// header that is cut off is none: then the ports are 0.
pub fn parse(bytes: &[u8], link: Link) -> Result<Packet, Malformed> {
    let (protocol, bytes) = link::strip(bytes, link)?;
    network::parse(bytes, protocol)
}

impl Packet {
    fn new(ip_version: IpVersion, protocol: Protocol, source: IpAddr, destination: IpAddr) -> Self {
        Self {
            ip_version,
            protocol,
            source: SocketAddr::new(source, 0),
            destination: SocketAddr::new(destination, 0),
            length: 0,
            headers: 0,
            flags: TcpFlags::default(),
            icmp: None,
            fragment: None,
        }
    }
}

/// `N` bytes at an offset.
fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    let tail = bytes.get(at..).ok_or(Malformed::Cut)?;
    tail.first_chunk().copied().ok_or(Malformed::Cut)
}

fn u16_be(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    array(bytes, at).map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests;
