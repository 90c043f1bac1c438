//! One socket, by what its packets say: an exact question to `sock_diag` instead of a table.
//!
//! The kernel answers from its own look-up tables, as it does for a packet: the connected socket
//! first, else the listener or the bound socket that would get it (`SO_REUSEPORT` groups, sockets
//! bound to any address, dual-stack sockets and IPv4-mapped addresses included). A few microseconds,
//! however many sockets there are. Needs no privilege.
//!
//! The socket that asks belongs to the namespace of the thread that opened it, and keeps that
//! namespace alive: whoever holds a [`Lookup`] closes it when the namespace should go.

use std::io;
use std::net::{IpAddr, SocketAddr};

use netprocmon_model::{NetnsId, Protocol};

use super::Socket;
use super::diag::{self, Dump, REQUEST, SOCK_DIAG_BY_FAMILY};
use crate::netlink::Netlink;
use crate::netns;

/// What is known of the socket that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// TCP, UDP or UDP-Lite: one that has ports. For others see [`super::portless`].
    pub protocol: Protocol,
    /// This end of the packet.
    pub local: SocketAddr,
    /// The other end of the packet.
    pub remote: SocketAddr,
    /// The interface that the packet crossed; sockets that are bound to another do not get it.
    pub interface: u32,
}

/// Asks for single sockets of one network namespace.
#[derive(Debug)]
pub struct Lookup {
    netlink: Netlink,
    netns: NetnsId,
}

impl Lookup {
    /// In the calling thread's namespace, from whichever thread it is asked later.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            netlink: Netlink::sock_diag()?,
            netns: netns::current()?,
        })
    }

    /// The socket that the kernel would give the packet to; `None` where there is none.
    pub fn find(&mut self, question: &Question) -> io::Result<Option<Socket>> {
        let dump = Dump::new(
            question.protocol,
            if question.local.is_ipv4() {
                diag::V4
            } else {
                diag::V6
            },
            "",
        );
        let body = request(dump, question);
        let netns = self.netns;
        self.netlink.ask(SOCK_DIAG_BY_FAMILY, &body, |body| {
            diag::parse(dump, netns, body)
        })
    }
}

/// `struct inet_diag_req_v2`: after the first eight bytes source and destination port (network
/// order), two addresses of 16 bytes, interface u32, cookie u32[2] (all ones: any).
fn request(dump: Dump, question: &Question) -> [u8; REQUEST] {
    let mut request = [0; REQUEST];
    request[0] = dump.family;
    request[1] = dump.protocol.0;
    request[4..8].fill(0xff); // in every state
    // UDP takes the two ends as the packet has them, "for historical reasons" (udp_dump_one,
    // net/ipv4/udp_diag.c); the others as the socket has them.
    let as_a_packet = matches!(dump.protocol, Protocol::UDP | Protocol::UDPLITE);
    let (source, destination) = if as_a_packet {
        (question.remote, question.local)
    } else {
        (question.local, question.remote)
    };
    request[8..10].copy_from_slice(&source.port().to_be_bytes());
    request[10..12].copy_from_slice(&destination.port().to_be_bytes());
    put(&mut request[12..28], source.ip());
    put(&mut request[28..44], destination.ip());
    request[44..48].copy_from_slice(&question.interface.to_ne_bytes());
    request[48..56].fill(0xff);
    request
}

fn put(place: &mut [u8], address: IpAddr) {
    match address {
        IpAddr::V4(v4) => place[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => place.copy_from_slice(&v6.octets()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use netprocmon_model::ConnectionState;

    use super::*;

    fn ask(protocol: Protocol, local: SocketAddr, remote: SocketAddr) -> Option<Socket> {
        let question = Question {
            protocol,
            local,
            remote,
            interface: 1,
        };
        Lookup::open().unwrap().find(&question).unwrap()
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_connection_is_found_from_either_end_and_the_listener_for_a_stranger() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let client = TcpStream::connect(server).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let client = client.local_addr().unwrap();
        let found = ask(Protocol::TCP, client, server).unwrap();
        assert_eq!((found.local, found.remote), (client, Some(server)));
        assert_ne!(found.inode, 0);
        let other = ask(Protocol::TCP, server, client).unwrap();
        assert_eq!(other.remote, Some(accepted.peer_addr().unwrap()));
        assert_ne!(other.inode, found.inode);
        let stranger = ask(Protocol::TCP, server, at("127.0.0.9:9")).unwrap();
        assert_eq!(stranger.state, ConnectionState::Listen);
        drop(listener);
        assert_eq!(ask(Protocol::TCP, server, at("127.0.0.9:9")), None);
    }

    #[test]
    fn datagram_sockets_with_and_without_a_peer() {
        let bound = UdpSocket::bind("0.0.0.0:0").unwrap();
        let local = SocketAddr::new(at("127.0.0.1:1").ip(), bound.local_addr().unwrap().port());
        let found = ask(Protocol::UDP, local, at("127.0.0.1:9")).unwrap();
        assert_eq!((found.local.port(), found.remote), (local.port(), None));
        let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
        connected.connect(local).unwrap();
        let ours = connected.local_addr().unwrap();
        let found = ask(Protocol::UDP, ours, local).unwrap();
        assert_eq!(found.remote, Some(local));
        assert_eq!(ask(Protocol::UDP, ours, at("127.0.0.9:9")), None);
    }

    #[test]
    fn packets_of_ipv4_find_the_socket_of_ipv6_that_takes_both() {
        let Ok(listener) = TcpListener::bind("[::]:0") else {
            eprintln!("SKIPPED: no IPv6 here");
            return;
        };
        let port = listener.local_addr().unwrap().port();
        let server = SocketAddr::new(at("127.0.0.1:1").ip(), port);
        let found = ask(Protocol::TCP, server, at("127.0.0.1:9")).unwrap();
        assert_eq!(found.state, ConnectionState::Listen);
        let client = TcpStream::connect(server).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let found = ask(Protocol::TCP, server, client.local_addr().unwrap()).unwrap();
        assert_eq!(found.remote, Some(client.local_addr().unwrap()));
        drop(accepted);
    }
}
