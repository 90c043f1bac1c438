//! `sock_diag` requests and answers (`sock_diag(7)`, `<linux/inet_diag.h>`).

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use netprocmon_model::{ConnectionState, IpVersion, NetnsId, Protocol};

use super::{Socket, TcpInfo};
use crate::netlink::{Netlink, attributes, bytes_at, u32_at};

pub(super) const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// Extensions are asked for by bit number less one, and answered by number.
const INET_DIAG_INFO: u16 = 2;
/// `struct inet_diag_req_v2`: family, protocol, extensions, pad u8 each, states u32, then 48 bytes
/// of a socket's identity that only matter when one socket is asked for.
pub(super) const REQUEST: usize = 56;
/// `struct inet_diag_msg`: family, state, timer, retransmits u8 each; source and destination port
/// (network order), two addresses of 16 bytes, interface u32, cookie u32[2]; expires, receive
/// queue, send queue, uid, inode u32 each.
const ANSWER: usize = 72;

/// A kind of socket to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dump {
    pub(super) protocol: Protocol,
    pub(super) family: u8,
    /// The file in `/proc/net` that lists the same.
    pub(super) table: &'static str,
}

pub(super) const V4: u8 = 2; // AF_INET
pub(super) const V6: u8 = 10; // AF_INET6

pub(crate) const DUMPS: [Dump; 8] = [
    Dump::new(Protocol::TCP, V4, "tcp"),
    Dump::new(Protocol::TCP, V6, "tcp6"),
    Dump::new(Protocol::UDP, V4, "udp"),
    Dump::new(Protocol::UDP, V6, "udp6"),
    Dump::new(Protocol::UDPLITE, V4, "udplite"),
    Dump::new(Protocol::UDPLITE, V6, "udplite6"),
    Dump::new(Protocol::RAW, V4, "raw"),
    Dump::new(Protocol::RAW, V6, "raw6"),
];

impl Dump {
    pub(super) const fn new(protocol: Protocol, family: u8, table: &'static str) -> Self {
        Self {
            protocol,
            family,
            table,
        }
    }

    pub(super) fn is_tcp(self) -> bool {
        self.protocol == Protocol::TCP
    }

    /// Whether it is the dump that a message about a TCP socket would stand in.
    pub(super) fn is_tcp_of(self, body: &[u8]) -> bool {
        self.is_tcp() && body.first() == Some(&self.family)
    }

    pub(super) const fn is_v6(self) -> bool {
        self.family == V6
    }
}

/// Lists one kind of socket in the calling thread's namespace.
pub(super) fn dump(dump: Dump, netns: NetnsId) -> io::Result<Vec<Socket>> {
    let request = request(dump);
    Netlink::sock_diag()?.dump(SOCK_DIAG_BY_FAMILY, &request, |body| {
        parse(dump, netns, body)
    })
}

/// Whether the kernel has no such dump: built without, or the module cannot be loaded.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOENT | libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::EINVAL)
    )
}

pub(super) fn request(dump: Dump) -> [u8; REQUEST] {
    let mut request = [0; REQUEST];
    request[0] = dump.family;
    request[1] = dump.protocol.0;
    if dump.protocol == Protocol::TCP {
        request[2] = 1 << (INET_DIAG_INFO - 1);
    }
    request[4..8].fill(0xff); // in every state
    request
}

/// One socket of a dump; `None` where the message is cut short or in no state that we know.
pub(crate) fn parse(dump: Dump, netns: NetnsId, body: &[u8]) -> Option<Socket> {
    let family = *body.first()?;
    let state = match dump.protocol {
        Protocol::TCP => ConnectionState::from_tcp(*body.get(1)?)?,
        _ => ConnectionState::Stateless,
    };
    let ends = Ends {
        local: address(family, body, 8)?,
        local_port: u16::from_be_bytes(bytes_at(body, 4)?),
        remote: address(family, body, 24)?,
        remote_port: u16::from_be_bytes(bytes_at(body, 6)?),
        scope: u32_at(body, 40)?,
    };
    let info = attributes(body.get(ANSWER..)?).find(|(kind, _)| *kind == INET_DIAG_INFO);
    let info = info.filter(|_| state != ConnectionState::Listen && dump.protocol == Protocol::TCP);
    let cookie = u64::from(u32_at(body, 44)?) | u64::from(u32_at(body, 48)?) << 32;
    Some(Socket {
        cookie,
        uid: u32_at(body, 64)?,
        unread: match state {
            ConnectionState::Listen | ConnectionState::Stateless => 0, // of those it is something else
            _ => u32_at(body, 56)?,
        },
        inode: u32_at(body, 68)?.into(),
        tcp: info.map(|(_, bytes)| TcpInfo::parse(bytes)),
        ..ends.socket(dump.protocol, state, netns)
    })
}

fn address(family: u8, body: &[u8], offset: usize) -> Option<IpAddr> {
    match family {
        V4 => bytes_at::<4>(body, offset).map(IpAddr::from),
        V6 => bytes_at::<16>(body, offset).map(IpAddr::from),
        _ => None,
    }
}

/// The addresses of a socket as the kernel keeps them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) local: IpAddr,
    pub(super) local_port: u16,
    pub(super) remote: IpAddr,
    pub(super) remote_port: u16,
    pub(super) scope: u32,
}

impl Ends {
    /// A socket with these ends and nothing else known.
    pub(super) fn socket(
        self,
        protocol: Protocol,
        state: ConnectionState,
        netns: NetnsId,
    ) -> Socket {
        // A raw socket's "port" is the protocol that it was opened for (`inet_num`).
        let raw = protocol == Protocol::RAW;
        let spoken = u8::try_from(self.local_port).map_or(protocol, Protocol);
        let ports = protocol.has_ports();
        let local = self.end(self.local, if ports { self.local_port } else { 0 });
        let remote = self.end(self.remote, if ports { self.remote_port } else { 0 });
        let connected = remote.port() != 0 || !remote.ip().is_unspecified();
        let is_v4 = local.is_ipv4() || connected && remote.is_ipv4();
        Socket {
            protocol: if raw { spoken } else { protocol },
            raw,
            ip_version: if is_v4 { IpVersion::V4 } else { IpVersion::V6 },
            local,
            remote: (connected && state != ConnectionState::Listen).then_some(remote),
            state,
            inode: 0,
            cookie: 0,
            uid: 0,
            interface: self.scope,
            netns,
            identifier: if ports || raw { 0 } else { self.local_port },
            unread: 0,
            tcp: None,
        }
    }

    fn end(self, address: IpAddr, port: u16) -> SocketAddr {
        match address.to_canonical() {
            IpAddr::V6(v6) if is_link_local(v6) => {
                SocketAddrV6::new(v6, port, 0, self.scope).into()
            }
            ip => SocketAddr::new(ip, port),
        }
    }
}

/// Only these addresses need an interface to mean something (RFC 4007).
fn is_link_local(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_unicast_link_local() || first == 0xff && second & 0xf == 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TCP6: Dump = DUMPS[1];

    /// An established v6 socket with 150 bytes of `tcp_info`.
    fn recorded() -> Vec<u8> {
        let mut body = vec![V6, 1, 0, 0];
        body.extend(443_u16.to_be_bytes());
        body.extend(50_000_u16.to_be_bytes());
        body.extend("::ffff:192.0.2.1".parse::<Ipv6Addr>().unwrap().octets());
        body.extend("::ffff:192.0.2.2".parse::<Ipv6Addr>().unwrap().octets());
        for number in [0_u32, 7, 1, 0, 0, 0, 1000, 4242] {
            body.extend(number.to_ne_bytes());
        }
        body.extend(154_u16.to_ne_bytes());
        body.extend(INET_DIAG_INFO.to_ne_bytes());
        body.extend([1; 150]);
        body
    }

    #[test]
    fn a_mapped_address_is_ipv4() {
        let socket = parse(TCP6, NetnsId::new(9), &recorded()).unwrap();
        assert_eq!(socket.local.to_string(), "192.0.2.1:443");
        assert_eq!(socket.remote.unwrap().to_string(), "192.0.2.2:50000");
        assert_eq!(socket.ip_version, IpVersion::V4);
        assert_eq!(
            (socket.uid, socket.inode, socket.cookie),
            (1000, 4242, 1 << 32 | 7)
        );
        assert_eq!(socket.netns, NetnsId::new(9));
        let tcp = socket.tcp.unwrap();
        assert_eq!((tcp.bytes_received.is_some(), tcp.bytes_sent), (true, None));
    }

    #[test]
    fn a_listener_has_no_other_end_and_no_counters() {
        let mut body = recorded();
        body[1] = 10;
        let socket = parse(TCP6, NetnsId::new(9), &body).unwrap();
        assert_eq!(socket.state, ConnectionState::Listen);
        assert_eq!((socket.remote, socket.tcp), (None, None));
    }

    #[test]
    fn a_raw_socket_names_its_protocol_where_others_have_a_port() {
        let mut body = recorded();
        body[4..6].copy_from_slice(&58_u16.to_be_bytes());
        body[6..8].fill(0);
        body[8..40].fill(0);
        let socket = parse(DUMPS[7], NetnsId::new(9), &body).unwrap();
        assert_eq!((socket.protocol, socket.raw), (Protocol::ICMPV6, true));
        assert_eq!(socket.local.to_string(), "[::]:0");
        assert_eq!(socket.remote, None);
        assert_eq!(socket.ip_version, IpVersion::V6);
    }

    #[test]
    fn link_local_addresses_keep_their_interface() {
        let mut body = recorded();
        body[8..24].copy_from_slice(&"fe80::1".parse::<Ipv6Addr>().unwrap().octets());
        body[40..44].copy_from_slice(&3_u32.to_ne_bytes());
        let socket = parse(TCP6, NetnsId::new(9), &body).unwrap();
        assert_eq!(socket.local.to_string(), "[fe80::1%3]:443");
    }

    proptest! {
        #[test]
        fn cut_and_changed_messages_do_no_harm(cut in 0_usize..230, at in 0_usize..230, byte: u8) {
            let mut body = recorded();
            body.truncate(cut);
            if let Some(place) = body.get_mut(at) {
                *place = byte;
            }
            for dump in DUMPS {
                let found = parse(dump, NetnsId::new(1), &body);
                prop_assert!(cut >= ANSWER || found.is_none());
            }
        }
    }
}
