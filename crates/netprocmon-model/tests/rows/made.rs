//! Snapshots: one that is always the same, and any that a monitor could have made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use netprocmon_model::{
    Ancestor, Connection, ConnectionId, ConnectionState, ConnectionUsage, Container, Counters,
    Direction, InterfaceId, InterfaceUsage, IpVersion, NetnsId, Peer, Pid, Place, Process,
    ProcessId, ProcessUsage, Protocol, ProtocolUsage, Rates, Reason, SCHEMA_VERSION, Scope,
    Snapshot, SourceKind, UnattributedUsage,
};
use proptest::prelude::*;

pub(crate) const LO: InterfaceId = InterfaceId {
    netns: NetnsId::new(9),
    index: 1,
};
pub(crate) const ETH0: InterfaceId = InterfaceId {
    netns: NetnsId::new(9),
    index: 2,
};

pub(crate) fn interface_name(id: InterfaceId) -> Arc<str> {
    if id == LO { "lo" } else { "eth0" }.into()
}

pub(crate) fn bytes(sent: u64, recv: u64) -> Counters {
    Counters {
        bytes_sent: Some(sent),
        bytes_recv: Some(recv),
        packets_sent: Some(sent / 100),
        packets_recv: Some(recv / 100),
        payload_sent: Some(sent / 2),
        payload_recv: Some(recv / 2),
        ..Counters::ZERO
    }
}

pub(crate) fn now() -> Timestamp {
    "2026-11-22T08:00:00Z".parse().unwrap()
}

pub(crate) fn before(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() - seconds).unwrap()
}

/// A connection of a protocol and an interface, from `local` to `remote`.
pub(crate) fn connection(
    id: u64,
    protocol: Protocol,
    interface: InterfaceId,
    (local, remote): (&str, &str),
    counters: Counters,
) -> ConnectionUsage {
    let remote: std::net::SocketAddr = remote.parse().unwrap();
    ConnectionUsage {
        id: ConnectionId(id),
        connection: Connection {
            protocol,
            ip_version: IpVersion::V4,
            local: local.parse().unwrap(),
            remote: Some(remote),
            remote_name: None,
            scope: Some(Scope::of(remote.ip())),
            service: None,
            peer: None,
            origin: None,
            state: ConnectionState::Established,
            direction: Some(Direction::Out),
            interface,
            interface_name: Some(interface_name(interface)),
            opened: Some(before(30)),
            closed: None,
        },
        counters,
    }
}

/// A process with these connections, and `rest` that none of them explains, over eth0 and UDP.
pub(crate) fn usage(
    process: Process,
    connections: Vec<ConnectionUsage>,
    rest: Counters,
) -> ProcessUsage {
    let mut interfaces: BTreeMap<InterfaceId, Counters> = BTreeMap::new();
    let mut protocols: BTreeMap<(Protocol, IpVersion), Counters> = BTreeMap::new();
    for one in &connections {
        let key = (one.connection.protocol, one.connection.ip_version);
        *interfaces.entry(one.connection.interface).or_default() += one.counters;
        *protocols.entry(key).or_default() += one.counters;
    }
    *interfaces.entry(ETH0).or_default() += rest;
    *protocols.entry((Protocol::UDP, IpVersion::V4)).or_default() += rest;
    ProcessUsage {
        process: Arc::new(process),
        counters: interfaces.values().sum(),
        rates: Rates {
            sent: Some(100.0),
            recv: Some(0.5),
        },
        interfaces: interfaces
            .into_iter()
            .map(|(id, counters)| InterfaceUsage {
                name: Some(interface_name(id)),
                id,
                counters,
            })
            .collect(),
        protocols: protocols
            .into_iter()
            .map(|((protocol, ip_version), counters)| ProtocolUsage {
                protocol,
                ip_version,
                counters,
            })
            .collect(),
        connections: Some(connections.into_iter().map(Arc::new).collect()),
    }
}

pub(crate) fn process(pid: u32, name: &str) -> Process {
    let id = ProcessId {
        pid: Pid(pid),
        start_boottime: u64::from(pid),
    };
    Process::new(id, name)
}

/// Says whose child it is, the nearest first.
pub(crate) fn come_from(process: &mut Process, above: &[&Process]) {
    process.ppid = above.first().map(|parent| parent.pid);
    let above = above.iter().map(|one| Ancestor {
        id: one.id,
        pid: one.pid,
        name: Some(Arc::clone(&one.name)),
    });
    process.parents = above.collect();
}

/// A snapshot of these; `departed` is what processes moved that have left the list.
pub(crate) fn snapshot(
    processes: Vec<ProcessUsage>,
    unattributed: Vec<(Reason, InterfaceId, Counters)>,
    departed: Counters,
) -> Snapshot {
    let mut totals: Counters = processes.iter().map(|usage| &usage.counters).sum();
    totals += departed;
    Snapshot {
        schema: SCHEMA_VERSION,
        kind: "snapshot",
        time: now(),
        elapsed: Duration::from_secs(10),
        source: SourceKind::Ebpf,
        totals,
        processes: processes.into_iter().map(Arc::new).collect(),
        unattributed: unattributed
            .into_iter()
            .map(|(reason, interface, counters)| UnattributedUsage {
                reason,
                interface_name: Some(interface_name(interface)),
                interface,
                counters,
            })
            .collect(),
        interfaces: Vec::new(),
        lost_events: 0,
        degradations: [].into(),
    }
}

/// nginx (10, with a worker 11 below it), curl (20), a container's postgres (30), an idle one of
/// which nothing is known (40).
pub(crate) fn host() -> Snapshot {
    let mut nginx = process(10, "nginx");
    nginx.user = Some("root".into());
    nginx.uid = Some(0);
    come_from(&mut nginx, &[&process(1, "systemd")]);
    nginx.started = Some(before(3600));
    nginx.place = Arc::new(Place {
        unit: Some("nginx.service".into()),
        slice: Some("system.slice".into()),
        ..Place::default()
    });
    let mut worker = process(11, "nginx");
    come_from(&mut worker, &[&nginx]);
    worker.user = Some("www-data".into());
    worker.place = Arc::clone(&nginx.place);
    worker.command = Some(["nginx:".into(), "worker process".into()].into());
    let mut curl = process(20, "curl");
    curl.user = Some("ana".into());
    curl.uid = Some(1000);
    curl.exe = Some("/usr/bin/curl".into());
    curl.command = Some(["curl".into(), "-sO".into(), "https://Example.com/x".into()].into());
    curl.started = Some(before(60));
    let mut postgres = process(30, "postgres");
    postgres.place = Arc::new(Place {
        container: Some(Container {
            runtime: "docker".into(),
            id: "4f0c9a7be21d77aa".into(),
            name: Some("db".into()),
            image: Some("postgres:16".into()),
        }),
        ..Place::default()
    });
    let web = ("192.0.2.2:443", "198.51.100.7:50000");
    let mut accepted = connection(1, Protocol::TCP, ETH0, web, bytes(5_000_000, 1_000));
    accepted.connection.direction = Some(Direction::In);
    accepted.connection.service = Some("https".into());
    let out = ("192.0.2.2:40000", "203.0.113.5:443");
    let mut download = connection(2, Protocol::TCP, ETH0, out, bytes(2_000, 20_000_000));
    download.connection.remote_name = Some("cdn.example.com".into());
    let dns = ("127.0.0.1:40001", "127.0.0.53:53");
    let question = connection(3, Protocol::UDP, LO, dns, bytes(60, 120));
    let here = ("[::ffff:10.0.0.2]:5432", "[::ffff:10.0.0.9]:41000");
    let mut query = connection(4, Protocol::TCP, ETH0, here, bytes(700, 300));
    query.connection.direction = None;
    query.connection.peer = Some(Peer {
        process: curl.id,
        name: "curl".into(),
    });
    snapshot(
        vec![
            usage(nginx, Vec::new(), bytes(0, 0)),
            usage(worker, vec![accepted], bytes(0, 0)),
            usage(curl, vec![download, question], bytes(0, 500)),
            usage(postgres, vec![query], bytes(0, 0)),
            usage(process(40, "idle"), Vec::new(), Counters::UNKNOWN),
        ],
        vec![
            (Reason::Kernel, ETH0, bytes(3_000, 0)),
            (Reason::NoSocket, LO, bytes(40, 0)),
        ],
        bytes(111, 222),
    )
}

/// Anything that a monitor could show. A few names, remotes and ports, so that they meet.
pub(crate) fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let amount = || (0_u64..50_000, 0_u64..50_000).prop_map(|(sent, recv)| bytes(sent, recv));
    let one = (0_u32..4, 0_usize..3, 0_usize..3, any::<bool>(), amount());
    let process = (
        (1_u32..9, 0_u32..9, 0_usize..3, 0_usize..4),
        prop::collection::vec(one, 0..4),
        amount(),
    );
    let unattributed = (any::<bool>(), any::<bool>(), amount());
    (
        prop::collection::vec(process, 0..7),
        prop::collection::vec(unattributed, 0..4),
        amount(),
    )
        .prop_map(|(processes, unattributed, departed)| {
            let mut next = 0;
            let processes = processes.into_iter().enumerate();
            let processes = processes.map(|(number, ((pid, ppid, name, place), ones, rest))| {
                let mut facts = process_of(number, pid, ppid, name, place);
                facts.tree = (place == 3).then_some(Pid(5));
                let connections = ones.into_iter().map(|(kind, remote, port, lo, counters)| {
                    next += 1;
                    let protocol = [Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol::TCP];
                    let port = [443, 53, 50_000][port];
                    let remote = ["198.51.100.7", "10.0.0.9", "127.0.0.1"][remote];
                    let mut made = connection(
                        next,
                        protocol[kind as usize],
                        if lo { LO } else { ETH0 },
                        ("192.0.2.2:41000", &format!("{remote}:{port}")),
                        counters,
                    );
                    made.connection.remote_name = (kind == 3).then(|| "cdn.example.com".into());
                    made
                });
                usage(facts, connections.collect(), rest)
            });
            let processes = processes.collect();
            let mut rows = BTreeMap::new();
            for (kernel, lo, counters) in unattributed {
                let reason = if kernel {
                    Reason::Kernel
                } else {
                    Reason::Exited
                };
                let interface = if lo { LO } else { ETH0 };
                *rows.entry((reason, interface)).or_default() += counters;
            }
            let rows = rows
                .into_iter()
                .map(|((reason, id), counters)| (reason, id, counters));
            snapshot(processes, rows.collect(), departed)
        })
}

fn process_of(number: usize, pid: u32, ppid: u32, name: usize, place: usize) -> Process {
    let id = ProcessId {
        pid: Pid(pid),
        start_boottime: number as u64 + 1,
    };
    let mut process = Process::new(id, ["curl", "nginx", "a b"][name]);
    if ppid > 0 {
        come_from(&mut process, &[&self::process(ppid, "a parent")]);
    }
    process.user = (place > 1).then(|| "ana".into());
    process.place = Arc::new(Place {
        unit: (place == 1).then(|| "nginx.service".into()),
        ..Place::default()
    });
    process
}
