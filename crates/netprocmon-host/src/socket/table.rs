//! The socket tables of `/proc/net` (`proc_pid_net(5)`), for what `sock_diag` does not list.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netprocmon_model::{ConnectionState, NetnsId, Protocol};

use super::Socket;
use super::diag::{Dump, Ends};

/// ICMP "ping" sockets (`SOCK_DGRAM`, `IPPROTO_ICMP`; icmp(7)), of which there is no dump.
pub(super) const PING: [Dump; 2] = [
    Dump::new(Protocol::ICMP, 2, "icmp"),
    Dump::new(Protocol::ICMPV6, 10, "icmp6"),
];

/// The sockets of one table in the calling thread's namespace; none where the kernel has no such
/// table.
pub(super) fn read(dump: Dump, netns: NetnsId) -> Vec<Socket> {
    let path = format!("/proc/thread-self/net/{}", dump.table);
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().skip(1);
    lines.filter_map(|text| line(dump, netns, text)).collect()
}

/// `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`, numbers in hex but
/// for the last three.
fn line(dump: Dump, netns: NetnsId, text: &str) -> Option<Socket> {
    let mut fields = text.split_ascii_whitespace();
    let (local, local_port) = end(dump.is_v6(), fields.nth(1)?)?;
    let (remote, remote_port) = end(dump.is_v6(), fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let state = match dump.protocol {
        Protocol::TCP => ConnectionState::from_tcp(state)?,
        _ => ConnectionState::Stateless,
    };
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    let ends = Ends {
        local,
        local_port,
        remote,
        remote_port,
        scope: 0,
    };
    Some(Socket {
        inode,
        uid,
        ..ends.socket(dump.protocol, state, netns)
    })
}

/// `0100007F:0016`: the address as words of the machine's byte order.
fn end(v6: bool, text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = [0; 16];
    let words = address
        .len()
        .checked_div(8)
        .filter(|words| *words == if v6 { 4 } else { 1 })?;
    for (word, place) in (0..words).zip(bytes.chunks_exact_mut(4)) {
        let digits = address.get(word * 8..word * 8 + 8)?;
        place.copy_from_slice(&u32::from_str_radix(digits, 16).ok()?.to_ne_bytes());
    }
    let [a, b, c, d, ..] = bytes;
    let ip = if v6 {
        Ipv6Addr::from(bytes).into()
    } else {
        Ipv4Addr::new(a, b, c, d).into()
    };
    Some((ip, port))
}

#[cfg(test)]
mod tests {
    use netprocmon_model::IpVersion;
    use proptest::prelude::*;

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn a_ping_socket_and_a_listener() {
        let ping = "  215: 00000000:0005 010200C0:0000 07 00000000:00000000 00:00000000 00000000  1000        0 33561 2 ffff8f 0";
        let socket = line(PING[0], NetnsId::new(1), ping).unwrap();
        assert_eq!((socket.uid, socket.inode), (1000, 33561));
        assert_eq!(socket.remote.unwrap().to_string(), "192.0.2.1:0");
        assert_eq!(socket.state, ConnectionState::Stateless);
        assert_eq!((socket.local.port(), socket.identifier), (0, 5));
        let tcp6 = Dump::new(Protocol::TCP, 10, "tcp6");
        let listener = "   0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 501 1 x";
        let socket = line(tcp6, NetnsId::new(1), listener).unwrap();
        assert_eq!(socket.local.to_string(), "[::1]:22");
        assert_eq!((socket.remote, socket.ip_version), (None, IpVersion::V6));
        assert_eq!(socket.state, ConnectionState::Listen);
    }

    proptest! {
        #[test]
        fn noise_does_no_harm(noise in "[0-9A-F: é]{0,120}") {
            let _ = (line(PING[0], NetnsId::new(1), &noise), line(PING[1], NetnsId::new(1), &noise));
            let _ = (end(true, &noise), end(false, &noise));
        }
    }
}
