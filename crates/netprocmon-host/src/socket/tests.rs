//! Sockets of this test's own on loopback, found again in the lists.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;

use netprocmon_model::Pid;
use rustix::net::{AddressFamily, SocketType, ipproto, socket};

use super::*;

fn inode_of(fd: impl AsFd) -> u64 {
    rustix::fs::fstat(fd).unwrap().st_ino
}

fn find(inode: u64) -> Socket {
    let mut found = list().unwrap().into_iter().filter(|one| one.inode == inode);
    let socket = found.next().unwrap();
    assert!(found.next().is_none());
    socket
}

fn pair(address: &str) -> (TcpListener, TcpStream, TcpStream) {
    let listener = TcpListener::bind(address).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    (listener, client, server)
}

#[test]
fn both_ends_of_a_connection_and_its_listener() {
    let (listener, client, server) = pair("127.0.0.1:0");
    let listening = find(inode_of(&listener));
    assert_eq!(listening.state, ConnectionState::Listen);
    assert_eq!((listening.remote, listening.tcp), (None, None));
    let end = find(inode_of(&client));
    assert_eq!(end.protocol, Protocol::TCP);
    assert_eq!(end.state, ConnectionState::Established);
    assert_eq!(end.local, client.local_addr().unwrap());
    assert_eq!(end.remote, Some(server.local_addr().unwrap()));
    assert_eq!(
        end.cookie,
        rustix::net::sockopt::socket_cookie(&client).unwrap()
    );
    assert_eq!(end.uid, rustix::process::getuid().as_raw());
    assert_eq!(end.netns, netns::current().unwrap());
    assert_eq!(end.ip_version, IpVersion::V4);
}

#[test]
fn payload_is_exact_with_and_without_the_fin() {
    let (_listener, mut client, mut server) = pair("127.0.0.1:0");
    let sent = vec![7_u8; 300_000];
    let reader = std::thread::spawn(move || {
        let mut got = vec![0; 300_000];
        server.read_exact(&mut got).unwrap();
        server.write_all(b"answer").unwrap();
        server
    });
    client.write_all(&sent).unwrap();
    let mut answer = [0; 6];
    client.read_exact(&mut answer).unwrap();
    let mut server = reader.join().unwrap();
    let payload = |inode| {
        let end = find(inode);
        let tcp = end.tcp.unwrap();
        (end.state, tcp.payload_sent(), tcp.payload_recv(end.state))
    };
    let established = ConnectionState::Established;
    assert_eq!(
        payload(inode_of(&client)),
        (established, Some(300_000), Some(6))
    );
    assert_eq!(
        payload(inode_of(&server)),
        (established, Some(6), Some(300_000))
    );
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.read(&mut [0; 9]).unwrap(), 0); // the FIN is here
    let closed = (ConnectionState::CloseWait, Some(6), Some(300_000));
    assert_eq!(payload(inode_of(&server)), closed);
}

#[test]
fn udp_with_and_without_a_peer() {
    let alone = UdpSocket::bind("127.0.0.1:0").unwrap();
    let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
    connected.connect(alone.local_addr().unwrap()).unwrap();
    let found = find(inode_of(&alone));
    assert_eq!(
        (found.protocol, found.state),
        (Protocol::UDP, ConnectionState::Stateless)
    );
    assert_eq!(
        (found.local, found.remote),
        (alone.local_addr().unwrap(), None)
    );
    assert_eq!(find(inode_of(&connected)).remote, Some(found.local));
}

#[test]
fn ipv6_and_ipv4_over_a_v6_socket() {
    let listener = TcpListener::bind("[::]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(find(inode_of(&listener)).ip_version, IpVersion::V6);
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (server, _) = listener.accept().unwrap();
    let end = find(inode_of(&server));
    assert_eq!(end.ip_version, IpVersion::V4);
    assert_eq!(end.remote, Some(client.local_addr().unwrap()));
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn raw_and_ping_sockets() {
    let in_a_namespace_of_its_own = || {
        // SAFETY: of a thread that shares nothing with others but memory, only the network
        // namespace changes.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.unwrap();
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647").unwrap();
        let open = |kind| socket(AddressFamily::INET, kind, Some(ipproto::ICMP)).unwrap();
        let raw = open(SocketType::RAW);
        let found = find(inode_of(&raw));
        assert_eq!((found.protocol, found.raw), (Protocol::ICMP, true));
        assert_eq!((found.local.port(), found.remote), (0, None));
        let ping = open(SocketType::DGRAM);
        // It has no place in the table before it has an identifier.
        rustix::net::bind(&ping, &"0.0.0.0:0".parse::<SocketAddr>().unwrap()).unwrap();
        let found = find(inode_of(&ping));
        assert_eq!((found.protocol, found.raw), (Protocol::ICMP, false));
    };
    std::thread::spawn(in_a_namespace_of_its_own)
        .join()
        .unwrap();
}

#[test]
fn the_table_says_the_same_as_the_dump() {
    let (_listener, client, _server) = pair("127.0.0.1:0");
    let here = netns::current().unwrap();
    let tcp4 = diag::DUMPS[0];
    let inode = inode_of(&client);
    let dumped = find(inode);
    let table = table::read(tcp4, here);
    let listed = table.iter().find(|one| one.inode == inode).unwrap();
    let same = Socket {
        cookie: 0,
        tcp: None,
        ..dumped
    };
    assert_eq!(*listed, same);
}

#[test]
fn holders() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let twice = socket.try_clone().unwrap();
    let me = Pid(std::process::id());
    assert_eq!(owners()[&inode_of(&twice)], [me]);
    assert!(inodes_of(me).contains(&inode_of(&socket)));
    assert!(inodes_of(Pid(u32::MAX)).is_empty());
}

#[test]
fn this_namespace_is_among_all() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (sockets, _) = all_namespaces();
    assert!(sockets.iter().any(|one| one.inode == inode_of(&socket)));
}
