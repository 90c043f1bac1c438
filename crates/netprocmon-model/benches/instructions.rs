//! How many instructions the model spends in a tick: the ledger, its snapshot, and what front ends
//! do with that snapshot. `cargo xtask instructions` compares them with the committed ones.
//!
//! Instructions, not time: they are the same on a busy machine. What the kernel and the caches do
//! is not in them; `cargo xtask bench` measures that.
#![allow(missing_docs)] // of what the macros make
#![allow(clippy::unwrap_used)] // as in tests

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gungraun::Callgrind;
use gungraun::prelude::*;
use jiff::Timestamp;
use netprocmon_model::{
    ConnectionId, ConnectionReading, ConnectionState, Counters, CountingBasis, Delta, Direction,
    Filter, Group, GroupBy, GroupView, InterfaceId, InterfaceReading, IpVersion, Ledger,
    LinkHeader, NetnsId, Observation, Owner, Pid, Process, ProcessId, Protocol, Retention,
    Snapshot, SourceKind, TrafficKey, text,
};

const ETH0: InterfaceId = InterfaceId {
    netns: NetnsId::new(4_026_531_840),
    index: 2,
};
const CONNECTIONS_A_PROCESS: u64 = 10;

/// A ledger, and what it is told in the tick that is measured.
struct Tick {
    ledger: Ledger,
    news: Vec<Observation>,
}

fn owner(number: u64) -> ProcessId {
    ProcessId {
        pid: Pid(1000 + u32::try_from(number).unwrap()),
        start_boottime: 10_000_000_000 + number,
    }
}

fn process(number: u64) -> Observation {
    let id = owner(number);
    Observation::Process(Arc::new(Process {
        started: Some(Timestamp::UNIX_EPOCH),
        ppid: Some(Pid(1)),
        exe: Some("/usr/lib/postgresql/15/bin/postgres".into()),
        command: Some(
            ["postgres:", "main:", "checkpointer"]
                .map(Into::into)
                .into(),
        ),
        uid: Some(114),
        user: Some("postgres".into()),
        cgroup: Some("/system.slice/system-postgresql.slice/postgresql@15-main.service".into()),
        netns: Some(ETH0.netns),
        ..Process::new(id, "postgres")
    }))
}

fn traffic(number: u64, protocol: Protocol) -> Observation {
    let key = TrafficKey {
        owner: Owner::Process(owner(number)),
        interface: ETH0,
        protocol,
        ip_version: IpVersion::V4,
    };
    let delta = Delta {
        bytes_sent: 1500,
        bytes_recv: 52,
        packets_sent: 1,
        packets_recv: 1,
        payload_sent: Some(1448),
        payload_recv: Some(0),
        retransmitted_bytes: Some(0),
        retransmitted_packets: Some(0),
        ..Delta::default()
    };
    Observation::Traffic(key, delta)
}

fn connection(number: u64, bytes: u64) -> Observation {
    let port = 1024 + u16::try_from(number).unwrap();
    Observation::Connection(ConnectionReading {
        id: ConnectionId(number),
        owner: Owner::Process(owner(number / CONNECTIONS_A_PROCESS)),
        protocol: Protocol::TCP,
        ip_version: IpVersion::V4,
        local: SocketAddr::from(([192, 0, 2, 1], port)),
        remote: Some(SocketAddr::from(([198, 51, 100, 7], 443))),
        state: ConnectionState::Established,
        direction: Some(Direction::Out),
        interface: ETH0,
        opened: Some(Timestamp::UNIX_EPOCH),
        closed: None,
        counters: Counters {
            bytes_sent: Some(bytes),
            ..Counters::ZERO
        },
    })
}

fn look(ledger: &mut Ledger, second: u64) -> Snapshot {
    let time = Timestamp::UNIX_EPOCH;
    let eth0 = InterfaceReading {
        id: ETH0,
        name: "eth0".into(),
        device: None,
        link_header: LinkHeader::default(),
        basis: CountingBasis::default(),
    };
    let elapsed = Duration::from_secs(second);
    ledger.snapshot(time, elapsed, &[eth0], &[].into())
}

/// A ledger at rest: everything was told, shown, and shown again with rates of 0.
fn at_rest(processes: u64, connections: u64) -> Ledger {
    let with_connections = connections > 0;
    let mut ledger = Ledger::new(SourceKind::Ebpf, Retention::ShowOnce, with_connections);
    for number in 0..processes {
        ledger.observe(process(number));
        ledger.observe(traffic(number, Protocol::TCP));
        ledger.observe(traffic(number, Protocol::UDP));
    }
    (0..connections).for_each(|number| ledger.observe(connection(number, 1)));
    (1..=2).for_each(|second| drop(look(&mut ledger, second)));
    ledger
}

fn all_changed(connections: u64) -> Tick {
    let processes = connections / CONNECTIONS_A_PROCESS;
    let traffic = (0..processes).map(|number| traffic(number, Protocol::TCP));
    let readings = (0..connections).map(|number| connection(number, 1501));
    Tick {
        ledger: at_rest(processes, connections),
        news: traffic.chain(readings).collect(),
    }
}

/// Connections that are followed for the first time, each with its other end among them.
fn pairs_appear(connections: u64) -> Tick {
    let both_ends = (0..connections).map(|number| {
        let Observation::Connection(mut reading) = connection(number, 1) else {
            unreachable!("a connection");
        };
        if number % 2 == 1 {
            let port = 1024 + u16::try_from(number - 1).unwrap();
            reading.local = reading.remote.unwrap();
            reading.remote = Some(SocketAddr::from(([192, 0, 2, 1], port)));
        }
        Observation::Connection(reading)
    });
    let processes = connections / CONNECTIONS_A_PROCESS;
    let with_connections = true;
    let mut ledger = Ledger::new(SourceKind::Ebpf, Retention::ShowOnce, with_connections);
    (0..processes).for_each(|number| ledger.observe(process(number)));
    Tick {
        ledger,
        news: both_ends.collect(),
    }
}

fn none_changed(connections: u64) -> Tick {
    Tick {
        ledger: at_rest(connections / CONNECTIONS_A_PROCESS, connections),
        news: Vec::new(),
    }
}

fn one_changed(processes: u64) -> Tick {
    Tick {
        ledger: at_rest(processes, 0),
        news: vec![traffic(processes / 2, Protocol::TCP)],
    }
}

fn of_processes(processes: u64) -> Snapshot {
    look(&mut at_rest(processes, processes), 3)
}

fn names(count: usize) -> Vec<String> {
    let kinds = [
        "kworker/u16:3-events_unbound",
        "\x1b]0;owned\x07\x1b[2J\x1b[31mroot",
        "日本語 naïve",
        "gpj.\u{202e}exe\u{200b}\u{feff}\n\t\r",
    ];
    kinds
        .iter()
        .cycle()
        .map(ToString::to_string)
        .take(count)
        .collect()
}

#[library_benchmark]
#[bench::connections_1000_all_changed(args = (1000), setup = all_changed)]
#[bench::connections_10000_all_changed(args = (10_000), setup = all_changed)]
#[bench::connections_1000_none_changed(args = (1000), setup = none_changed)]
#[bench::connections_10000_none_changed(args = (10_000), setup = none_changed)]
#[bench::connections_1000_appear_in_pairs(args = (1000), setup = pairs_appear)]
#[bench::processes_1000_one_changed(args = (1000), setup = one_changed)]
fn ledger(mut tick: Tick) -> (Ledger, Snapshot) {
    tick.news
        .into_iter()
        .for_each(|news| tick.ledger.observe(news));
    let snapshot = look(&mut tick.ledger, 3);
    // Given back, so that taking it down is not counted.
    (tick.ledger, snapshot)
}

#[library_benchmark]
#[bench::processes_1000(args = (1000), setup = of_processes)]
fn json(snapshot: Snapshot) -> (Snapshot, String) {
    let json = serde_json::to_string(black_box(&snapshot)).unwrap();
    (snapshot, json)
}

fn of_connections(connections: u64) -> Snapshot {
    look(
        &mut at_rest(connections / CONNECTIONS_A_PROCESS, connections),
        3,
    )
}

#[library_benchmark]
#[bench::connections_10000(args = (10_000), setup = of_connections)]
fn filter(snapshot: Snapshot) -> (Snapshot, Snapshot) {
    let filter: Filter = "remote=198.51.100.0/24 and lport<6000 or name=nginx"
        .parse()
        .unwrap();
    let left = snapshot.filter(black_box(&filter));
    (snapshot, left)
}

#[library_benchmark]
#[bench::connections_10000_by_port(args = (10_000), setup = of_connections)]
fn group(snapshot: Snapshot) -> (Snapshot, Vec<Group>) {
    let groups = snapshot.group_by(black_box(&[GroupBy::User, GroupBy::Port]));
    (snapshot, groups)
}

/// A view that has seen a snapshot, and the next: with this one among so many connections changed.
fn seen(connections: u64, one_in: u64) -> (GroupView, Arc<Snapshot>) {
    let mut ledger = at_rest(connections / CONNECTIONS_A_PROCESS, connections);
    let before = look(&mut ledger, 3);
    let changed = (0..connections).filter(|number| number % one_in == 0);
    for number in changed {
        ledger.observe(traffic(number / CONNECTIONS_A_PROCESS, Protocol::TCP));
        ledger.observe(connection(number, 1501));
    }
    let mut view = GroupView::new(&[GroupBy::Remote, GroupBy::Process]);
    view.next(Arc::new(before));
    (view, Arc::new(look(&mut ledger, 4)))
}

fn seen_all_change(connections: u64) -> (GroupView, Arc<Snapshot>) {
    seen(connections, 1)
}

fn seen_one_in_a_hundred_change(connections: u64) -> (GroupView, Arc<Snapshot>) {
    seen(connections, 100)
}

#[library_benchmark]
#[bench::connections_10000_all_changed(args = (10_000), setup = seen_all_change)]
#[bench::connections_10000_few_changed(args = (10_000), setup = seen_one_in_a_hundred_change)]
fn group_again((mut view, now): (GroupView, Arc<Snapshot>)) -> (GroupView, Vec<Group>) {
    let groups = view.next(now);
    (view, groups)
}

#[library_benchmark]
#[bench::names_1000(args = (1000), setup = names)]
fn escape(names: Vec<String>) -> (Vec<String>, usize) {
    let columns = names
        .iter()
        .map(|name| text::width(&text::escape(name)))
        .sum();
    (names, columns)
}

library_benchmark_group!(
    name = anyone,
    benchmarks = [ledger, filter, group, group_again, json, escape]
);

main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = anyone
);
