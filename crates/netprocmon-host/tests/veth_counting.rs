//! The rules of `interface::counting` for a veth, against the kernel: known traffic between two
//! namespaces of this test's own, offloads switched on and off, and the device's own counters.
//!
//! Needs root, `ip` and `ethtool`, so a plain `cargo test` shows it as ignored.
#![allow(clippy::unwrap_used, clippy::panic)] // a test: failing is how it speaks

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;

use netprocmon_host::interface::{Counting, Surveyed, survey};
use netprocmon_host::netns::{self, Netns};
use netprocmon_host::socket::{self, TcpInfo};
use netprocmon_model::DeviceCounters;

const HERE: &str = "10.211.7.1";
const THERE: &str = "10.211.7.2";
const PAYLOAD: usize = 2_000_000;
/// IPv4 header and TCP header with timestamps; the SYN has eight bytes more of options.
const HEADERS: u64 = 20 + 32;
const SYN_EXTRA: u64 = 8;

/// Two namespaces with a veth between them, removed at the end.
struct Pair {
    names: [String; 2],
    namespaces: [Netns; 2],
}

impl Pair {
    fn new() -> Self {
        let names = ["a", "b"].map(|end| format!("npm-veth-{end}-{}", std::process::id()));
        for name in &names {
            assert!(
                run(&format!("ip netns add {name}")),
                "cannot make a network namespace"
            );
        }
        let pair = |[a, b]: [String; 2]| {
            let find = |name: &str| {
                let path = fs::canonicalize(format!("/run/netns/{name}")).unwrap();
                let all = netns::all().into_iter();
                all.into_iter().find(|one| one.path == path).unwrap()
            };
            let namespaces = [find(&a), find(&b)];
            Self {
                names: [a, b],
                namespaces,
            }
        };
        let pair = pair(names);
        let [a, b] = &pair.names;
        assert!(run(&format!(
            "ip -n {a} link add v type veth peer name v netns {b}"
        )));
        for (name, address, mac, other, other_mac) in [
            (a, HERE, "02:00:00:00:07:01", THERE, "02:00:00:00:07:02"),
            (b, THERE, "02:00:00:00:07:02", HERE, "02:00:00:00:07:01"),
        ] {
            // Nothing may pass but what the test sends: no IPv6, no ARP.
            assert!(run(&format!(
                "ip netns exec {name} sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 \
                 && ip -n {name} link set v address {mac} up \
                 && ip -n {name} addr add {address}/24 dev v \
                 && ip -n {name} neigh add {other} lladdr {other_mac} dev v nud permanent"
            )));
        }
        pair
    }

    fn set(&self, end: usize, features: &str) -> bool {
        run(&format!(
            "ip netns exec {} ethtool -K v {features}",
            self.names[end]
        ))
    }

    fn inside<T: Send>(&self, end: usize, mut f: impl FnMut() -> T + Send) -> T {
        let here = std::slice::from_ref(&self.namespaces[end]);
        netns::enter(here, |_| f()).pop().unwrap().unwrap()
    }

    fn survey(&self) -> [Surveyed; 2] {
        let (found, errors) = survey(&self.namespaces);
        assert!(errors.is_empty(), "{errors:?}");
        let end = |netns: &Netns| {
            let mut veth = found
                .iter()
                .filter(|one| one.netns == netns.id && &*one.interface.name == "v");
            veth.next().unwrap().clone()
        };
        [end(&self.namespaces[0]), end(&self.namespaces[1])]
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for name in &self.names {
            run(&format!("ip netns del {name}"));
        }
    }
}

fn run(command: &str) -> bool {
    let output = Command::new("sh").args(["-c", command]).output();
    output.is_ok_and(|output| output.status.success())
}

/// One direction of both devices: what the sender's said it sent and the receiver's it received.
struct Moved {
    bytes: [u64; 2],
    packets: [u64; 2],
    counting: [Counting; 2],
}

impl Moved {
    fn between(before: &[Surveyed; 2], after: &[Surveyed; 2]) -> Self {
        let since = |end: usize| -> DeviceCounters {
            after[end]
                .interface
                .stats
                .since(before[end].interface.stats)
        };
        let (a, b) = (since(0), since(1));
        Self {
            bytes: [a.bytes_sent, b.bytes_recv],
            packets: [a.packets_sent, b.packets_recv],
            counting: [after[0].counting, after[1].counting],
        }
    }

    /// Bytes at the IP layer, by the headers that the rules name: sender's, receiver's.
    fn at_ip_layer(&self) -> [u64; 2] {
        let headers = [
            self.counting[0].link_header.sent,
            self.counting[1].link_header.recv,
        ];
        [0, 1].map(|end| self.bytes[end] - u64::from(headers[end]) * self.packets[end])
    }
}

fn datagrams(pair: &Pair) -> Moved {
    let receiver = pair.inside(1, || UdpSocket::bind((THERE, 0)).unwrap());
    let sender = pair.inside(0, || UdpSocket::bind((HERE, 0)).unwrap());
    let before = pair.survey();
    let mut buffer = [0; 2000];
    for _ in 0..20 {
        sender
            .send_to(&[7; 1000], receiver.local_addr().unwrap())
            .unwrap();
        receiver.recv(&mut buffer).unwrap();
    }
    Moved::between(&before, &pair.survey())
}

/// A connection over which `PAYLOAD` goes, and what the sender's TCP says of it.
fn stream(pair: &Pair) -> (Moved, TcpInfo) {
    let before = pair.survey();
    let listener = pair.inside(1, || TcpListener::bind((THERE, 0)).unwrap());
    let to = listener.local_addr().unwrap();
    let mut client = pair.inside(0, || TcpStream::connect(to).unwrap());
    let (mut server, _) = listener.accept().unwrap();
    let reader = thread::spawn(move || {
        server.read_exact(&mut vec![0; PAYLOAD]).unwrap();
        server.write_all(b"!").unwrap();
        server
    });
    client.write_all(&vec![7; PAYLOAD]).unwrap();
    client.read_exact(&mut [0]).unwrap();
    let server = reader.join().unwrap();
    let local = client.local_addr().unwrap();
    let info = |sockets: Vec<socket::Socket>| {
        sockets
            .into_iter()
            .find(|one| one.local == local)
            .unwrap()
            .tcp
            .unwrap()
    };
    // The client may still delay its ACK of the answer: both are asked, in this order, until the
    // connection did nothing in between.
    loop {
        let first = info(pair.inside(0, || socket::list().unwrap()));
        let moved = Moved::between(&before, &pair.survey());
        let then = info(pair.inside(0, || socket::list().unwrap()));
        if first.segs_out == then.segs_out {
            drop(server);
            return (moved, then);
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn the_rules_agree_with_the_devices() {
    let pair = Pair::new();
    for (tso, gro) in [("on", "off"), ("off", "off"), ("on", "on"), ("off", "on")] {
        let case = format!("sender's tso {tso}, receiver's gro {gro}");
        assert!(pair.set(0, &format!("tso {tso}")) && pair.set(1, &format!("gro {gro}")));
        let udp = datagrams(&pair);
        assert_eq!(udp.packets, [20, 20], "{case}");
        assert_eq!(udp.at_ip_layer(), [20 * 1028; 2], "{case}");

        let (tcp, info) = stream(&pair);
        let segments = u64::from(info.segs_out.unwrap());
        let sent = info.bytes_sent.unwrap();
        assert_eq!(info.payload_sent(), Some(PAYLOAD as u64), "{case}");
        let [ours, theirs] = tcp.counting;
        assert_eq!(ours.basis.sent.tcp4, tso == "on", "{case}");
        assert!(theirs.basis.recv.tcp4 || gro == "on", "{case}");
        if ours.basis.sent.tcp4 {
            assert!(
                tcp.packets[0] < segments / 4,
                "{case}: {:?} of {segments}",
                tcp.packets
            );
        } else {
            assert_eq!(tcp.packets, [segments; 2], "{case}");
        }
        // Each packet that the device counted has its headers, whatever it holds.
        let expected = tcp
            .packets
            .map(|packets| sent + packets * HEADERS + SYN_EXTRA);
        assert_eq!(tcp.at_ip_layer(), expected, "{case}");
    }
}
