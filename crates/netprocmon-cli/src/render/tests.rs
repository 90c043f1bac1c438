//! Snapshots made by hand, with the worst names that a process can have.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use netprocmon::{
    Connection, ConnectionId, ConnectionState, ConnectionUsage, Counters, Degradation,
    DeviceCounters, Direction, InterfaceId, InterfaceSummary, InterfaceUsage, IpVersion,
    LinkHeader, NetnsId, Pid, Process, ProcessId, ProcessUsage, Protocol, ProtocolUsage, Rates,
    Reason, SCHEMA_VERSION, Scope, Snapshot, SourceKind, UnattributedUsage,
};

const NETNS: NetnsId = NetnsId::new(4_026_531_840);
const ETH0: InterfaceId = InterfaceId {
    netns: NETNS,
    index: 2,
};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn counters(sent: u64, recv: u64) -> Counters {
    Counters {
        bytes_sent: Some(sent),
        bytes_recv: Some(recv),
        packets_sent: Some(sent / 1000),
        packets_recv: Some(recv / 1000),
        payload_sent: Some(sent / 2),
        payload_recv: Some(recv / 2),
        ..Counters::ZERO
    }
}

fn connection(counters: Counters) -> ConnectionUsage {
    ConnectionUsage {
        id: ConnectionId(1),
        connection: Connection {
            protocol: Protocol::TCP,
            ip_version: IpVersion::V4,
            local: "192.0.2.2:41312".parse().unwrap(),
            remote: Some("198.51.100.7:443".parse().unwrap()),
            remote_name: Some("evil\u{1b}]0;x\u{7}.example".into()),
            scope: Some(Scope::Public),
            service: Some("https".into()),
            peer: None,
            origin: None,
            state: ConnectionState::Established,
            direction: Some(Direction::Out),
            interface: ETH0,
            interface_name: Some("eth0".into()),
            opened: Some(time("2026-11-22T08:00:01Z")),
            closed: None,
        },
        counters,
    }
}

fn process(pid: u32, name: &str, counters: Counters, rate: f64) -> ProcessUsage {
    let id = ProcessId {
        pid: Pid(pid),
        start_boottime: u64::from(pid),
    };
    ProcessUsage {
        process: Arc::new(Process {
            started: Some(time("2026-11-22T07:59:58.12Z")),
            ppid: Some(Pid(1)),
            exe: Some("/usr/bin/cu\nrl".into()),
            command: Some(["curl".into(), "-H\u{1b}[2J\"'".into()].into()),
            uid: Some(1000),
            user: Some("ana".into()),
            netns: Some(NETNS),
            tree: Some(Pid(586)),
            ..Process::new(id, name)
        }),
        counters,
        rates: Rates {
            sent: Some(rate),
            recv: Some(0.0),
        },
        interfaces: vec![InterfaceUsage {
            name: Some("eth0".into()),
            id: ETH0,
            counters,
        }],
        protocols: vec![ProtocolUsage {
            protocol: Protocol::TCP,
            ip_version: IpVersion::V4,
            counters,
        }],
        connections: Some(vec![Arc::new(connection(counters))]),
    }
}

/// Three processes: a quiet one with a hostile name, a busy one with a wide and broken one, and one
/// of another tree that moved nothing known.
pub(crate) fn snapshot() -> Snapshot {
    // What reading invalid UTF-8 leaves, as the host's facts do it.
    let broken = String::from_utf8_lossy(b"\xff\xfe\xe6\x97\xa5\xe6\x9c\xac").into_owned();
    let mut other = process(588, "sshd", Counters::UNKNOWN, 0.0);
    let facts = Arc::make_mut(&mut other.process);
    facts.tree = None;
    facts.exited = Some(time("2026-11-22T08:00:04Z"));
    other.connections = Some(Vec::new());
    let processes = vec![
        process(586, "\u{1b}[31m\"\n\r\u{202e}x", counters(1_500, 0), 300.0),
        process(587, &broken, counters(64_000, 52_428_800), 12_800.0),
        other,
    ];
    Snapshot {
        schema: SCHEMA_VERSION,
        kind: "snapshot",
        time: time("2026-11-22T08:00:05Z"),
        elapsed: Duration::from_secs(5),
        source: SourceKind::Ebpf,
        totals: counters(65_500, 52_428_800),
        processes: processes.into_iter().map(Arc::new).collect(),
        unattributed: vec![UnattributedUsage {
            reason: Reason::Kernel,
            interface_name: Some("eth0".into()),
            interface: ETH0,
            counters: counters(3_000, 0),
        }],
        interfaces: vec![InterfaceSummary {
            name: Some("eth0".into()),
            id: ETH0,
            counted: counters(68_500, 52_428_800),
            device: Some(DeviceCounters::default()),
            explained_sent: Some(0.9999),
            explained_recv: None,
            link_header: LinkHeader::default(),
        }],
        lost_events: 0,
        degradations: [Degradation::new(
            "hook_unavailable",
            "retransmissions are not counted\u{7}",
        )
        .with_remedy("use kernel 5.11 or later")]
        .into(),
    }
}
