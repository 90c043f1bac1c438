//! Snapshots made by hand, for tests: a small host with a busy client and server, a tree, a
//! container, a process that has ended, one with the worst of names.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use netprocmon::{
    Ancestor, Connection, ConnectionId, ConnectionState, ConnectionUsage, Container, Counters,
    Degradation, DeviceCounters, Direction, InterfaceId, InterfaceSummary, InterfaceUsage,
    IpVersion, LinkHeader, NetnsId, Peer, Pid, Place, Process, ProcessId, ProcessUsage, Protocol,
    ProtocolUsage, Rates, Reason, SCHEMA_VERSION, Scope, Snapshot, SourceKind, UnattributedUsage,
};

const NETNS: NetnsId = NetnsId::new(4_026_531_840);

/// What somebody calls a process to see what we do with it.
pub(crate) const HOSTILE: &str = "\u{1b}]0;x\u{7}\u{1b}[2J\u{202e}\n";

pub(crate) fn id(pid: u32) -> ProcessId {
    ProcessId {
        pid: Pid(pid),
        start_boottime: u64::from(pid),
    }
}

const fn interface(index: u32) -> InterfaceId {
    InterfaceId {
        netns: NETNS,
        index,
    }
}

fn start() -> Timestamp {
    Timestamp::from_second(1_795_334_400).unwrap_or_default()
}

pub(crate) fn counters(sent: u64, recv: u64) -> Counters {
    Counters {
        bytes_sent: Some(sent),
        bytes_recv: Some(recv),
        packets_sent: Some(sent / 1000),
        packets_recv: Some(recv / 1000),
        payload_sent: Some(sent / 2),
        payload_recv: Some(recv / 2),
        retransmitted_bytes: Some(sent / 100),
        retransmitted_packets: Some(sent / 100_000),
    }
}

struct One {
    pid: u32,
    name: &'static str,
    user: &'static str,
    unit: Option<&'static str>,
    parents: &'static [(u32, &'static str)],
    /// Bytes a second.
    pace: (u64, u64),
    connections: Vec<Connection>,
}

fn connection(local: &str, remote: &str, direction: Direction) -> Connection {
    let remote = remote.parse().ok();
    Connection {
        protocol: Protocol::TCP,
        ip_version: IpVersion::V4,
        local: local.parse().unwrap_or_else(|_| ([0, 0, 0, 0], 0).into()),
        remote,
        remote_name: None,
        scope: remote.map(|remote: std::net::SocketAddr| Scope::of(remote.ip())),
        service: None,
        peer: None,
        origin: None,
        state: ConnectionState::Established,
        direction: Some(direction),
        interface: interface(2),
        interface_name: Some("eth0".into()),
        opened: Some(start()),
        closed: None,
    }
}

fn everybody() -> Vec<One> {
    let peer = |pid, name: &str| {
        Some(Peer {
            process: id(pid),
            name: name.into(),
        })
    };
    let named = |name: &str, service: &str, one: Connection| Connection {
        remote_name: Some(name.into()),
        service: Some(service.into()),
        ..one
    };
    let download = connection("192.0.2.2:41312", "198.51.100.7:443", Direction::Out);
    let client = Connection {
        peer: peer(1200, "nginx"),
        interface: interface(1),
        interface_name: Some("lo".into()),
        ..connection("127.0.0.1:50000", "127.0.0.1:80", Direction::Out)
    };
    let server = Connection {
        peer: peer(1100, "wrk"),
        local: client.remote.unwrap_or(client.local),
        remote: Some(client.local),
        direction: Some(Direction::In),
        ..client.clone()
    };
    let one = |pid, name, user, pace, connections| One {
        pid,
        name,
        user,
        unit: None,
        parents: &[],
        pace,
        connections,
    };
    vec![
        One {
            unit: Some("ssh.service"),
            parents: &[(1, "systemd")],
            ..one(
                900,
                "sshd",
                "root",
                (2_000, 1_000),
                vec![connection(
                    "192.0.2.2:22",
                    "203.0.113.9:60022",
                    Direction::In,
                )],
            )
        },
        One {
            parents: &[(1000, "bash"), (900, "sshd"), (1, "systemd")],
            ..one(
                1050,
                "curl",
                "ana",
                (40_000, 5_000_000),
                vec![named("downloads.example.org", "https", download)],
            )
        },
        one(1100, "wrk", "ana", (300_000, 900_000), vec![client]),
        One {
            unit: Some("nginx.service"),
            ..one(1200, "nginx", "www-data", (900_000, 300_000), vec![server])
        },
        one(
            1300,
            HOSTILE,
            "ana",
            (500, 0),
            vec![named(
                "evil\u{1b}[31m.example",
                "\u{9b}",
                connection("192.0.2.2:41400", "198.51.100.66:25", Direction::Out),
            )],
        ),
        one(1400, "日本語のとても長い名前", "ana", (0, 70), Vec::new()),
        one(1500, "idle", "ana", (0, 0), Vec::new()),
    ]
}

fn usage(one: One, seconds: u64) -> ProcessUsage {
    let moved = counters(one.pace.0 * seconds, one.pace.1 * seconds);
    #[allow(clippy::cast_precision_loss)] // small numbers
    let rates = Rates {
        sent: Some(one.pace.0 as f64),
        recv: Some(one.pace.1 as f64),
    };
    let parents = one.parents.iter().map(|(pid, name)| Ancestor {
        id: id(*pid),
        pid: Pid(*pid),
        name: Some((*name).into()),
    });
    let place = Place {
        unit: one.unit.map(Into::into),
        container: (one.name == "wrk").then(|| Container {
            runtime: "docker".into(),
            id: "4f0c9a7be21d77".into(),
            name: Some("load".into()),
            image: Some("load:1".into()),
        }),
        ..Place::default()
    };
    let over = one
        .connections
        .first()
        .map_or(2, |first| first.interface.index);
    ProcessUsage {
        process: Arc::new(Process {
            started: Some(start()),
            ppid: one.parents.first().map(|(pid, _)| Pid(*pid)),
            parents: parents.collect(),
            exe: Some(format!("/usr/bin/{}", one.name).into()),
            command: Some([one.name.into(), "--some=\u{1b}[7mthing".into()].into()),
            uid: Some(1000),
            user: Some(one.user.into()),
            place: Arc::new(place),
            netns: Some(NETNS),
            ..Process::new(id(one.pid), one.name)
        }),
        counters: moved,
        rates,
        interfaces: vec![InterfaceUsage {
            name: Some(if over == 1 { "lo" } else { "eth0" }.into()),
            id: interface(over),
            counters: moved,
        }],
        protocols: vec![ProtocolUsage {
            protocol: Protocol::TCP,
            ip_version: IpVersion::V4,
            counters: moved,
        }],
        connections: Some(
            (0..)
                .zip(one.connections)
                .map(|(number, connection)| {
                    Arc::new(ConnectionUsage {
                        id: ConnectionId(u64::from(one.pid) * 10 + number),
                        connection,
                        counters: moved,
                    })
                })
                .collect(),
        ),
    }
}

/// The host so many seconds after the start; from the fourth on a process has ended.
pub(crate) fn snapshot(seconds: u64) -> Snapshot {
    let mut processes: Vec<_> = everybody()
        .into_iter()
        .map(|one| usage(one, seconds))
        .collect();
    match seconds {
        0..4 => {}
        4 => {
            let mut ended = usage(everybody().remove(2), 3);
            Arc::make_mut(&mut ended.process).exited = Some(start());
            processes[2] = ended;
        }
        _ => drop(processes.remove(2)),
    }
    let totals: Counters = processes.iter().map(|usage| &usage.counters).sum();
    let both = counters(1_243_000 * seconds, 6_200_000 * seconds);
    let summary = |index, name: &str, counted: Counters, device: DeviceCounters| {
        InterfaceSummary::new(
            Some(name.into()),
            interface(index),
            counted,
            Some(device),
            LinkHeader::default(),
        )
    };
    let device = |sent, recv| DeviceCounters {
        bytes_sent: sent,
        bytes_recv: recv,
        packets_sent: 1,
        packets_recv: 1,
    };
    let sent = both.bytes_sent.unwrap_or(0);
    Snapshot {
        schema: SCHEMA_VERSION,
        kind: "snapshot",
        time: start() + Duration::from_secs(seconds),
        elapsed: Duration::from_secs(seconds),
        source: SourceKind::Ebpf,
        totals,
        processes: processes.into_iter().map(Arc::new).collect(),
        unattributed: vec![UnattributedUsage {
            reason: Reason::Kernel,
            interface_name: Some("eth0".into()),
            interface: interface(2),
            counters: counters(3_000 * seconds, 0),
        }],
        interfaces: vec![
            summary(1, "lo", both, device(sent, sent * 5)),
            summary(2, "eth0", counters(sent, sent), device(sent * 2, sent)),
        ],
        lost_events: 0,
        degradations: [Degradation::new(
            "hook_unavailable",
            "retransmissions are not counted\u{7}",
        )
        .with_remedy("use kernel 5.11 or later")]
        .into(),
    }
}
