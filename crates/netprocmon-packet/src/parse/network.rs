//! IP of both versions, and as much of the transport header as is needed. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netprocmon_model::{IpVersion, Protocol};

use super::link::{IPV4, IPV6};
use super::{Fragment, Icmp, Malformed, Packet, TcpFlags, array, u16_be};

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const TCP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;

// Extension headers of IPv6 (IANA "Protocol Numbers", RFC 8200, RFC 4302).
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;
/// Chains that are longer are an attack on parsers.
const MOST_EXTENSIONS: usize = 12;

/// The packet behind an `EtherType`.
pub(super) fn parse(bytes: &[u8], kind: u16) -> Result<Packet, Malformed> {
    match kind {
        IPV4 => v4(bytes),
        IPV6 => v6(bytes),
        other => Err(Malformed::NotIp(other)),
    }
}

fn v4(bytes: &[u8]) -> Result<Packet, Malformed> {
    let header: [u8; IPV4_HEADER] = array(bytes, 0)?;
    let length = usize::from(header[0] & 0xf) * 4;
    if header[0] >> 4 != 4 || length < IPV4_HEADER {
        return Err(Malformed::Nonsense);
    }
    let total = u16_be(&header, 2)?;
    let place = u16_be(&header, 6)?;
    let (offset, more) = (place & 0x1fff, place & 0x2000 != 0);
    let mut packet = Packet::new(
        IpVersion::V4,
        Protocol(header[9]),
        IpAddr::V4(Ipv4Addr::from(array::<4>(&header, 12)?)),
        IpAddr::V4(Ipv4Addr::from(array::<4>(&header, 16)?)),
    );
    packet.length = u32::from(total);
    packet.fragment = (offset != 0 || more).then_some(Fragment {
        identification: u32::from(u16_be(&header, 4)?),
        is_first: offset == 0,
    });
    transport(&mut packet, bytes, length);
    Ok(packet)
}

fn v6(bytes: &[u8]) -> Result<Packet, Malformed> {
    let header: [u8; IPV6_HEADER] = array(bytes, 0)?;
    if header[0] >> 4 != 6 {
        return Err(Malformed::Nonsense);
    }
    let payload = u16_be(&header, 4)?;
    let mut packet = Packet::new(
        IpVersion::V6,
        Protocol(header[6]),
        IpAddr::V6(Ipv6Addr::from(array::<16>(&header, 8)?)),
        IpAddr::V6(Ipv6Addr::from(array::<16>(&header, 24)?)),
    );
    // 0 stands for a length that does not fit (RFC 2675).
    packet.length = match payload {
        0 => 0,
        _ => u32::from(payload) + 40,
    };
    let at = extensions(&mut packet, bytes)?;
    transport(&mut packet, bytes, at);
    Ok(packet)
}

/// Walks to the transport header; gives where it begins.
fn extensions(packet: &mut Packet, bytes: &[u8]) -> Result<usize, Malformed> {
    let mut at = IPV6_HEADER;
    for _ in 0..MOST_EXTENSIONS {
        let units = match packet.protocol.0 {
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | HIP | SHIM6 => 8,
            AUTHENTICATION => 4,
            FRAGMENT => {
                let [next, _, place @ ..] = array::<4>(bytes, at)?;
                let place = u16::from_be_bytes(place);
                let is_first = place >> 3 == 0;
                packet.protocol = Protocol(next);
                // A lone fragment is a whole packet (RFC 6946).
                if place & 0xfff9 != 0 {
                    packet.fragment = Some(Fragment {
                        identification: u32::from_be_bytes(array(bytes, at + 4)?),
                        is_first,
                    });
                }
                at += 8;
                if !is_first {
                    return Ok(at); // what follows is the middle of something
                }
                continue;
            }
            _ => return Ok(at),
        };
        let [next, length] = array(bytes, at)?;
        let length = usize::from(length);
        at += if units == 8 {
            (length + 1) * 8
        } else {
            (length + 2) * 4
        };
        packet.protocol = Protocol(next);
    }
    Err(Malformed::Nonsense)
}

/// Fills in what is behind the IP header, as far as it is there.
fn transport(packet: &mut Packet, bytes: &[u8], at: usize) {
    let behind = packet.fragment.is_some_and(|part| !part.is_first);
    let bytes = bytes.get(at..).filter(|_| !behind).unwrap_or_default();
    let found = match packet.protocol {
        Protocol::TCP => tcp(packet, bytes),
        Protocol::UDP | Protocol::UDPLITE => ports(packet, bytes).map(|()| UDP_HEADER),
        Protocol::SCTP => ports(packet, bytes).map(|()| 12),
        Protocol::ICMP => icmp(packet, bytes, 8, 0),
        Protocol::ICMPV6 => icmp(packet, bytes, 128, 129),
        _ => Ok(0),
    };
    let header = found.unwrap_or_default();
    packet.headers = u32::try_from(at + header).unwrap_or(u32::MAX);
}

fn ports(packet: &mut Packet, bytes: &[u8]) -> Result<(), Malformed> {
    let (source, destination) = (u16_be(bytes, 0)?, u16_be(bytes, 2)?);
    packet.source.set_port(source);
    packet.destination.set_port(destination);
    Ok(())
}

fn tcp(packet: &mut Packet, bytes: &[u8]) -> Result<usize, Malformed> {
    ports(packet, bytes)?;
    let [offset, flags] = array(bytes, 12)?;
    packet.flags = TcpFlags(flags);
    Ok(usize::from(offset >> 4).max(TCP_HEADER / 4) * 4)
}

/// An echo's identifier stands where others have ports.
fn icmp(packet: &mut Packet, bytes: &[u8], request: u8, reply: u8) -> Result<usize, Malformed> {
    packet.icmp = Some(Icmp::Other);
    let [kind] = array(bytes, 0)?;
    let identifier = u16_be(bytes, 4)?;
    if kind == request || kind == reply {
        packet.icmp = Some(if kind == request {
            Icmp::EchoRequest
        } else {
            Icmp::EchoReply
        });
        packet.source.set_port(identifier);
        packet.destination.set_port(identifier);
    }
    Ok(8)
}
