//! What filters take, and that a filter and its negation share out every row.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use netprocmon_model::{
    ConnectionId, Counters, Filter, FilterView, InterfaceId, IpVersion, Pid, ProcessId, Protocol,
    Snapshot,
};
use proptest::prelude::*;

use crate::made::{
    ETH0, any_snapshot, bytes, come_from, connection, host, process, snapshot, usage,
};

fn filter(text: &str) -> Filter {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn pids(snapshot: &Snapshot) -> Vec<u32> {
    snapshot
        .processes
        .iter()
        .map(|usage| usage.process.pid.0)
        .collect()
}

#[test]
fn rows_taken() {
    let host = host();
    for (text, expected) in [
        ("", &[10, 11, 20, 30, 40][..]),
        ("nginx", &[10, 11]),
        ("NGINX", &[10, 11]),
        ("worker", &[11]),
        ("db", &[30]),
        ("4F0C9A7", &[30]),
        // A bare word is looked for in remotes, too, and keeps rows whole.
        ("cdn", &[20]),
        ("10.0.0.9", &[30]),
        ("10.0.0.0/8", &[30]),
        ("name=curl", &[20]),
        ("name=CURL", &[]),
        ("name:CUR", &[20]),
        ("name~^c.*l$", &[20]),
        ("name!=nginx", &[20, 30, 40]),
        ("exe=/usr/bin/curl", &[20]),
        ("cmd:example.com", &[20]),
        ("pid=20", &[20]),
        ("pid>=20 pid<40", &[20, 30]),
        ("ppid=10", &[11]),
        ("tree=10", &[10, 11]),
        ("not tree=10", &[20, 30, 40]),
        ("tree!=10", &[20, 30, 40]),
        ("user=root or user=1000", &[10, 20]),
        // What is not known is not unequal; but it is not equal either.
        ("user!=root", &[11, 20]),
        ("not user=root", &[11, 20, 30, 40]),
        ("unit=nginx", &[10, 11]),
        ("unit=nginx.service", &[10, 11]),
        ("slice:system", &[10, 11]),
        ("container=db", &[30]),
        ("image:postgres", &[30]),
        ("age<5m", &[20]),
        ("age>=1h", &[10]),
        ("sent>1M", &[11]),
        ("recv>19Mi", &[20]),
        ("total=0", &[10]),
        ("rate>0", &[10, 11, 20, 30, 40]),
        ("rate>1k/s", &[]),
        ("interface=lo", &[20]),
        ("interface=eth0", &[10, 11, 20, 30, 40]),
        ("protocol=tcp", &[11, 20, 30]),
        ("protocol=udp interface=lo", &[20]),
        ("remote=*.example.com", &[20]),
        ("remote:CDN", &[20]),
        ("remote=10.0.0.9", &[30]),
        ("local=10.0.0.0/8", &[30]),
        ("remote=198.51.100.7:50000", &[11]),
        ("port=https", &[11, 20]),
        ("rport=https", &[20]),
        ("lport=https", &[11]),
        ("service=https", &[11]),
        ("direction=in", &[11]),
        ("direction!=in", &[20]),
        ("scope=loopback", &[20]),
        ("scope=private", &[30]),
        ("peer=curl", &[30]),
        ("peer=20", &[30]),
        ("state=established", &[11, 20, 30]),
        ("name=curl port=443 recv>1M", &[20]),
        ("name=nginx port=53", &[]),
        ("(nginx or curl) not port=53", &[11, 20]),
        ("not (port=443 or port=53)", &[30]),
        ("reason=kernel", &[]),
        ("not reason=kernel", &[10, 11, 20, 30, 40]),
    ] {
        assert_eq!(pids(&host.filter(&filter(text))), expected, "{text}");
    }
}

#[test]
fn unattributed_rows_taken() {
    let host = host();
    for (text, expected) in [
        ("", 2),
        ("name=curl", 0),
        ("not name=curl", 2),
        ("reason=kernel", 1),
        ("reason=no_socket or reason=kernel", 2),
        ("interface=lo", 1),
        ("netns=9", 2),
        ("sent>1k", 1),
        ("protocol=tcp", 0),
        ("port=443", 0),
        ("not port=443 interface=eth0", 1),
    ] {
        let taken = host.filter(&filter(text));
        assert_eq!(taken.unattributed.len(), expected, "{text}");
    }
}

#[test]
fn rows_are_recounted_from_what_matches() {
    let host = host();
    let sums = |text: &str| {
        let taken = host.filter(&filter(text));
        (taken.totals.bytes_sent, taken.totals.bytes_recv)
    };
    assert_eq!(sums("name=curl"), (Some(2_060), Some(20_000_620)));
    assert_eq!(sums("name=curl interface=lo"), (Some(60), Some(120)));
    assert_eq!(sums("name=curl protocol=udp"), (Some(60), Some(620)));
    assert_eq!(sums("name=curl port=53"), (Some(60), Some(120)));
    assert_eq!(
        sums("port>0 not port=53 name=curl"),
        (Some(2_000), Some(20_000_000))
    );
    assert_eq!(sums("protocol=udp interface=eth0"), (Some(0), Some(0)));

    let taken = host.filter(&filter("name=curl port=443"));
    let curl = &taken.processes[0];
    assert_eq!(curl.interfaces.len(), 1);
    assert_eq!(curl.interfaces[0].id, ETH0);
    assert_eq!(curl.protocols[0].protocol, Protocol::TCP);
    assert_eq!(curl.connections.as_ref().unwrap().len(), 1);
    assert_eq!(curl.rates.sent, None);
    // Nobody knows what of each protocol crossed the loopback.
    let taken = host.filter(&filter("name=curl interface=lo"));
    assert!(taken.processes[0].protocols.is_empty());
    assert_eq!(taken.processes[0].connections.as_ref().unwrap().len(), 1);
}

#[test]
fn a_cut_name_is_found_whole() {
    let mut cut = process(1, "systemd-resolve");
    cut.exe = Some("/lib/systemd/systemd-resolved".into());
    let host = snapshot(
        vec![usage(cut, Vec::new(), Counters::ZERO)],
        Vec::new(),
        Counters::ZERO,
    );
    assert_eq!(pids(&host.filter(&filter("name=systemd-resolved"))), [1]);
}

#[test]
fn a_tree_has_those_that_were_followed_and_all_that_come_from_it() {
    let mut orphan = process(50, "orphan");
    orphan.tree = Some(Pid(10));
    come_from(&mut orphan, &[&process(1, "init")]);
    // Below a shell that does not use the network, and has ended.
    let mut far = process(60, "far");
    come_from(&mut far, &[&process(55, "sh"), &process(10, "root")]);
    let mut other = process(5, "other");
    come_from(&mut other, &[&process(1, "init")]);
    let rows = [process(10, "root"), orphan, far, other];
    let rows = rows.map(|process| usage(process, Vec::new(), Counters::ZERO));
    let host = snapshot(rows.into(), Vec::new(), Counters::ZERO);
    assert_eq!(pids(&host.filter(&filter("tree=10"))), [10, 50, 60]);
    assert_eq!(pids(&host.filter(&filter("tree=55"))), [60]);
    assert_eq!(pids(&host.filter(&filter("tree!=10"))), [5]);
}

#[test]
fn a_view_has_rates_and_keeps_what_has_left() {
    let ends = ("192.0.2.2:40000", "203.0.113.5:443");
    let at = |seconds: u64, rows: &[(u32, &[(u64, u64)])]| {
        let rows = rows.iter().map(|(pid, connections)| {
            let connections = connections
                .iter()
                .map(|&(id, sent)| connection(id, Protocol::TCP, ETH0, ends, bytes(sent, 0)));
            usage(process(*pid, "curl"), connections.collect(), bytes(7, 0))
        });
        let mut made = snapshot(rows.collect(), Vec::new(), Counters::ZERO);
        made.elapsed = Duration::from_secs(seconds);
        Arc::new(made)
    };
    let mut view = FilterView::new(filter("port=443"));
    let first = view.next(&at(1, &[(1, &[(1, 100)]), (2, &[(2, 50)])]));
    assert_eq!(first.totals.bytes_sent, Some(150));
    assert_eq!(first.processes[0].rates.sent, Some(100.0));
    // One connection goes, one comes.
    let second = view.next(&at(3, &[(1, &[(3, 10)]), (2, &[(2, 70)])]));
    assert_eq!(second.processes[0].counters.bytes_sent, Some(110));
    assert_eq!(second.processes[0].rates.sent, Some(5.0));
    assert_eq!(second.processes[1].rates.sent, Some(10.0));
    assert_eq!(second.totals.bytes_sent, Some(180));
    // A process goes.
    let third = view.next(&at(4, &[(2, &[(2, 70)])]));
    assert_eq!(pids(&third), [2]);
    assert_eq!(third.totals.bytes_sent, Some(180));
}

/// The parts that a filter is asked of, each with what it moved.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Parts {
    processes: BTreeSet<ProcessId>,
    interfaces: BTreeSet<(ProcessId, InterfaceId)>,
    protocols: BTreeSet<(ProcessId, Protocol, IpVersion)>,
    connections: BTreeSet<ConnectionId>,
    unattributed: usize,
}

fn parts(snapshot: &Snapshot, basis: char) -> Parts {
    let mut parts = Parts {
        unattributed: snapshot.unattributed.len(),
        ..Parts::default()
    };
    for usage in &snapshot.processes {
        let id = usage.process.id;
        match basis {
            'p' => drop(parts.processes.insert(id)),
            'i' => parts
                .interfaces
                .extend(usage.interfaces.iter().map(|one| (id, one.id))),
            't' => {
                let rows = usage.protocols.iter();
                parts
                    .protocols
                    .extend(rows.map(|one| (id, one.protocol, one.ip_version)));
            }
            _ => parts
                .connections
                .extend(usage.connections.iter().flatten().map(|one| one.id)),
        }
    }
    parts
}

fn any_filter() -> impl Strategy<Value = (char, String)> {
    let terms = |texts: &'static [&'static str]| prop::sample::select(texts);
    let process = || {
        terms(&[
            "curl",
            "name=nginx",
            "name!=nginx",
            "unit=nginx",
            "user!=x",
            "tree=3",
            "pid>4",
            "sent>20k",
            "cdn",
            "reason=kernel",
            "total<30k",
            "10.0.0.9",
            "rate>0",
            "ppid=2",
            "name~^a",
            "age>0",
        ])
    };
    let mixed = move |basis: char, own: &'static [&'static str]| {
        (terms(own), process(), process(), 0..5).prop_map(move |(own, a, b, shape)| {
            let text = match shape {
                0 => own.to_owned(),
                1 => format!("{own} and {a}"),
                2 => format!("{a} or not ({own} {b})"),
                3 => format!("{own} or {a} or {b}"),
                _ => format!("not {own} and ({a} or {b})"),
            };
            (basis, text)
        })
    };
    prop_oneof![
        mixed('p', &["curl", "sent>1k", "not nginx"]),
        mixed(
            'i',
            &[
                "interface=lo",
                "interface!=eth0",
                "netns=9",
                "interface:ETH"
            ]
        ),
        mixed('t', &["protocol=tcp", "protocol!=udp", "not protocol:ICMP"]),
        mixed(
            'c',
            &[
                "port=443",
                "remote=10.0.0.0/8",
                "remote=*.example.com",
                "not scope=loopback",
                "rport!=53",
                "interface=lo protocol=tcp",
                "state=established",
                "lport>41000",
                "direction=in",
            ]
        ),
    ]
}

proptest! {
    #[test]
    fn a_filter_and_its_negation_share_out_every_row(
        host in any_snapshot(),
        (basis, text) in any_filter(),
    ) {
        let taken = host.filter(&filter(&text));
        let left = host.filter(&filter(&format!("not ({text})")));
        let (mut a, b, all) = (parts(&taken, basis), parts(&left, basis), parts(&host, basis));
        prop_assert!(a.processes.is_disjoint(&b.processes));
        prop_assert!(a.interfaces.is_disjoint(&b.interfaces));
        prop_assert!(a.protocols.is_disjoint(&b.protocols));
        prop_assert!(a.connections.is_disjoint(&b.connections));
        a.processes.extend(b.processes);
        a.interfaces.extend(b.interfaces);
        a.protocols.extend(b.protocols);
        a.connections.extend(b.connections);
        a.unattributed += b.unattributed;
        prop_assert_eq!(a, all, "{}", text);
        // The bytes too: whatever was asked is in one of the two.
        let asked: Counters = match basis {
            'c' => {
                let rows = host.processes.iter().flat_map(|usage| &usage.connections);
                rows.flatten().map(|one| &one.counters).sum()
            }
            _ => host.processes.iter().map(|usage| &usage.counters).sum(),
        };
        let both: Counters = [taken.totals, left.totals].iter().sum();
        prop_assert_eq!(both, asked, "{}", text);
    }

    #[test]
    fn a_row_is_the_sum_of_its_parts(host in any_snapshot(), (basis, text) in any_filter()) {
        for usage in &host.filter(&filter(&text)).processes {
            let interfaces: Counters = usage.interfaces.iter().map(|one| &one.counters).sum();
            let protocols: Counters = usage.protocols.iter().map(|one| &one.counters).sum();
            if basis != 't' || !usage.interfaces.is_empty() {
                prop_assert_eq!(interfaces, usage.counters, "{}", text);
            }
            if basis != 'i' || !usage.protocols.is_empty() {
                prop_assert_eq!(protocols, usage.counters, "{}", text);
            }
            if basis == 'c' {
                let connections = usage.connections.iter().flatten();
                let sum: Counters = connections.map(|one| &one.counters).sum();
                prop_assert_eq!(sum, usage.counters);
            }
        }
    }
}

/// Prints what it takes; the bound is far above it, since other work may run beside this test, and
/// still below what asking about a long command line ten thousand times takes.
#[test]
fn ten_thousand_connections_are_filtered_quickly() {
    let rows = (0..100).map(|pid| {
        let connections = (0..100).map(|number| {
            let remote = format!("10.0.{pid}.{number}:443");
            let ends = ("192.0.2.2:40000", remote.as_str());
            let mut one = connection(pid * 100 + number, Protocol::TCP, ETH0, ends, bytes(5, 5));
            one.connection.remote_name = Some(format!("host-{number}.cdn.example.com").into());
            one
        });
        let mut facts = process(u32::try_from(pid).unwrap() + 2, "worker");
        facts.command = Some(vec!["x".repeat(4096).into(); 8].into());
        usage(facts, connections.collect(), Counters::ZERO)
    });
    let host = snapshot(rows.collect(), Vec::new(), Counters::ZERO);
    for (text, expected) in [
        ("remote=10.0.0.0/17 port=https sent<1k", 10_000),
        ("remote=*.example.com not remote:host-7", 8_900),
        ("remote~^host-[0-4]\\d?\\.", 4_500),
        ("worker example state=established", 10_000),
        ("command:y or remote:host-99", 100),
        (
            "(command~y$ or name=worker) lport>1024 scope=private",
            10_000,
        ),
    ] {
        let filter = filter(text);
        // The best of a few: the rest is other work on this machine.
        let timed = (0..5).map(|_| {
            let started = Instant::now();
            let taken = host.filter(&filter);
            (started.elapsed(), taken)
        });
        let (took, taken) = timed.min_by_key(|(took, _)| *took).unwrap();
        let rows = taken.processes.iter().flat_map(|usage| &usage.connections);
        println!("{took:>10.1?}  {text}");
        assert_eq!(rows.flatten().count(), expected, "{text}");
        let allowed = if cfg!(debug_assertions) { 3_000 } else { 100 };
        assert!(took < Duration::from_millis(allowed), "{text}: {took:?}");
    }
}
