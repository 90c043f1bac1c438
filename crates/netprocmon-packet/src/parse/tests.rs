//! Packets that tcpdump has recorded (`tests/recorded`), compared with what etherparse, which none
//! of us wrote, makes of the same bytes; and the same packets cut and changed.

use etherparse::{LaxPacketHeaders, NetHeaders, TransportHeader};
use proptest::prelude::*;

use super::*;

/// The packets of a capture file, with its link type (`pcap-savefile(5)`).
fn recorded(name: &str) -> (u32, Vec<Vec<u8>>) {
    let path = format!("{}/tests/recorded/{name}.pcap", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read(path).unwrap();
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let (mut at, mut packets) = (24, Vec::new());
    while at < file.len() {
        let length = number(at + 8) as usize;
        packets.push(file[at + 16..at + 16 + length].to_vec());
        at += 16 + length;
    }
    (number(20), packets)
}

/// What etherparse says: protocol, ports, headers behind the link.
fn theirs(headers: &LaxPacketHeaders<'_>) -> Option<(u8, u16, u16, usize)> {
    let (mut protocol, mut length) = match headers.net.as_ref()? {
        NetHeaders::Ipv4(ip, extensions) => {
            (ip.protocol.0, ip.header_len() + extensions.header_len())
        }
        NetHeaders::Ipv6(ip, extensions) => {
            (ip.next_header.0, ip.header_len() + extensions.header_len())
        }
        NetHeaders::Arp(_) => return None,
    };
    let (source, destination) = match &headers.transport {
        Some(TransportHeader::Tcp(tcp)) => {
            (protocol, length) = (6, length + tcp.header_len());
            (tcp.source_port, tcp.destination_port)
        }
        Some(TransportHeader::Udp(udp)) => {
            (protocol, length) = (17, length + 8);
            (udp.source_port, udp.destination_port)
        }
        Some(TransportHeader::Icmpv4(icmp)) => {
            (protocol, length) = (1, length + icmp.header_len());
            (0, 0)
        }
        Some(TransportHeader::Icmpv6(icmp)) => {
            (protocol, length) = (58, length + icmp.header_len());
            (0, 0)
        }
        Some(TransportHeader::Igmp(_)) | None => (0, 0),
    };
    Some((protocol, source, destination, length))
}

fn compare(bytes: &[u8], link: Link, headers: &LaxPacketHeaders<'_>) {
    let Some((protocol, source, destination, length)) = theirs(headers) else {
        assert!(matches!(parse(bytes, link), Err(Malformed::NotIp(_))));
        return;
    };
    let ours = parse(bytes, link).unwrap();
    if headers.transport.is_some() {
        assert_eq!(ours.protocol.0, protocol, "{bytes:x?}");
        if ours.protocol.has_ports() {
            let ports = (ours.source.port(), ours.destination.port());
            assert_eq!(ports, (source, destination), "{bytes:x?}");
        }
        assert_eq!(ours.headers as usize, length, "{bytes:x?}");
    }
}

#[test]
fn recorded_packets_are_what_etherparse_says() {
    for name in ["ethernet", "vlan", "loopback"] {
        let (kind, packets) = recorded(name);
        assert_eq!(kind, 1);
        assert!(packets.len() > 1);
        for bytes in packets {
            let headers = LaxPacketHeaders::from_ethernet(&bytes).unwrap();
            compare(&bytes, Link::Ethernet, &headers);
            let kind = u16::from_be_bytes([bytes[12], bytes[13]]);
            let bare = parse(&bytes[14..], Link::Network(kind));
            assert_eq!(bare, parse(&bytes, Link::Ethernet));
        }
    }
}

#[test]
fn each_link_has_the_same_packet_behind_it() {
    let (kind, packets) = recorded("cooked2");
    assert_eq!(kind, 276);
    assert!(packets.len() > 10);
    for bytes in packets {
        let headers = LaxPacketHeaders::from_ip(&bytes[20..]).unwrap();
        compare(&bytes, Link::Cooked2, &headers);
        let packet = parse(&bytes, Link::Cooked2);
        assert_eq!(parse(&bytes[20..], Link::Ip), packet);
        let mut first_version = vec![0; 14];
        first_version.extend(&bytes[..2]);
        first_version.extend(&bytes[20..]);
        assert_eq!(parse(&first_version, Link::Cooked), packet);
    }
}

/// What the recording holds was counted with tcpdump's own filters.
#[test]
fn the_recording_has_what_is_rare() {
    let (_, packets) = recorded("ethernet");
    let parsed = packets.iter().map(|bytes| parse(bytes, Link::Ethernet));
    let all: Vec<_> = parsed.filter_map(Result::ok).collect();
    let count = |what: &dyn Fn(&Packet) -> bool| all.iter().filter(|one| what(one)).count();
    let v4 = |one: &Packet| one.ip_version == IpVersion::V4;
    // tcpdump -r ethernet.pcap 'ip[6:2] & 0x3fff != 0', and ip6[6] == 44 or ip6[40] == 44
    assert_eq!(count(&|one| v4(one) && one.fragment.is_some()), 12);
    assert_eq!(count(&|one| !v4(one) && one.fragment.is_some()), 12);
    let first = |one: &Packet| one.fragment.is_some_and(|part| part.is_first);
    assert_eq!(count(&|one| first(one) && one.source.port() != 0), 8);
    let later = |one: &Packet| one.fragment.is_some_and(|part| !part.is_first);
    assert_eq!(count(&|one| later(one) && one.source.port() == 0), 16);
    // 'ip[0] & 0xf > 5 and tcp': record route, 8 bytes
    let with_options = |one: &Packet| v4(one) && one.protocol == Protocol::TCP;
    assert!(count(&|one| with_options(one) && one.headers >= 28 + 20 && one.length > 0) > 0);
    let echo = |icmp| move |one: &Packet| one.icmp == Some(icmp);
    assert_eq!(count(&echo(Icmp::EchoRequest)), 2);
    assert_eq!(count(&echo(Icmp::EchoReply)), 2);
    assert!(count(&|one| !v4(one) && one.headers == 40 + 8 + 8 + 8) > 0); // two extensions
}

#[test]
fn chains_and_lengths_that_contradict_themselves() {
    let mut chain = vec![0x60, 0, 0, 0, 0, 8, 0, 64];
    chain.extend([0; 32]);
    chain.extend([0; 256]); // hop-by-hop upon hop-by-hop
    assert_eq!(parse(&chain, Link::Ip), Err(Malformed::Nonsense));
    let mut short = vec![0x44];
    short.extend([0; 40]); // four words of header are no IPv4
    assert_eq!(parse(&short, Link::Ip), Err(Malformed::Nonsense));
    assert_eq!(parse(&[], Link::Ip), Err(Malformed::Cut));
    assert_eq!(
        parse(&[0; 60], Link::Network(0x0806)),
        Err(Malformed::NotIp(0x0806))
    );
}

proptest! {
    #[test]
    fn cut_and_changed_packets_do_no_harm(
        which: prop::sample::Index,
        cut in 0_usize..160,
        at in 0_usize..150,
        byte: u8,
    ) {
        let (_, packets) = recorded("ethernet");
        let mut bytes = which.get(&packets).clone();
        bytes.truncate(cut);
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        for link in [Link::Ethernet, Link::Cooked, Link::Cooked2, Link::Ip, Link::Network(0x86dd)] {
            if let Ok(packet) = parse(&bytes, link) {
                // What is behind the end is never said to be there, but for what a header names.
                prop_assert!(packet.headers as usize <= bytes.len() + 2048);
            }
        }
    }

    #[test]
    fn noise_does_no_harm(noise in prop::collection::vec(any::<u8>(), 0..200), kind: u16) {
        for link in [Link::Ethernet, Link::Ip, Link::Network(kind), Link::Network(0x0800)] {
            let _ = parse(&noise, link);
        }
    }
}
