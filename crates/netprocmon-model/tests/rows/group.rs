//! That groups always sum to what is above them, and what is in them.

use std::sync::Arc;
use std::time::Duration;

use netprocmon_model::{
    ConnectionId, Counters, Filter, FilterView, Group, GroupBy, GroupKey, GroupView, InterfaceId,
    ProcessUsage, Protocol, Snapshot,
};
use proptest::prelude::*;

use crate::made::{ETH0, any_snapshot, bytes, connection, host, process, snapshot, usage};

fn by(text: &str) -> Vec<GroupBy> {
    text.split(',').map(|word| word.parse().unwrap()).collect()
}

fn everything(snapshot: &Snapshot) -> Counters {
    let rows = snapshot.unattributed.iter().map(|usage| &usage.counters);
    rows.chain([&snapshot.totals]).sum()
}

/// Checks every level.
fn sums(groups: &[Group], total: &Counters, above: &str) -> Result<(), TestCaseError> {
    let sum: Counters = groups.iter().map(|group| &group.counters).sum();
    prop_assert_eq!(&sum, total, "in {}", above);
    for group in groups.iter().filter(|group| !group.groups.is_empty()) {
        sums(&group.groups, &group.counters, &group.label)?;
    }
    Ok(())
}

/// `label sent recv`, indented.
fn lines(groups: &[Group], depth: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for group in groups {
        let (sent, recv) = (group.counters.bytes_sent, group.counters.bytes_recv);
        let indent = "  ".repeat(depth);
        let (sent, recv) = (sent.unwrap_or(0), recv.unwrap_or(0));
        lines.push(format!("{indent}{} {sent} {recv}", group.label));
        lines.extend(lines_below(group, depth));
    }
    lines
}

fn lines_below(group: &Group, depth: usize) -> Vec<String> {
    lines(&group.groups, depth + 1)
}

/// The host without the process of which nothing is known.
fn known() -> Snapshot {
    let mut host = host();
    host.processes.pop();
    host.totals = host.processes.iter().map(|usage| &usage.counters).sum();
    host.totals += bytes(111, 222);
    host
}

#[test]
fn groups_of_the_host() {
    let shown = |text: &str| lines(&known().group_by(&by(text)), 0);
    assert_eq!(
        shown("name"),
        [
            "curl 2060 20000620",
            "nginx 5000000 1000",
            "postgres 700 300",
            "unattributed 3040 0",
            "  kernel 3000 0",
            "  no_socket 40 0",
            "ended 111 222",
        ]
    );
    assert_eq!(
        shown("unit,process")[..6],
        [
            "nginx.service 5000000 1000",
            "  nginx 5000000 1000",
            "  nginx 0 0",
            "no unit 2760 20000920",
            "  curl 2060 20000620",
            "  postgres 700 300",
        ]
    );
    assert_eq!(
        shown("remote,port")[..10],
        [
            "cdn.example.com 2000 20000000",
            "  443 2000 20000000",
            "198.51.100.7 5000000 1000",
            "  443 (https) 5000000 1000",
            "10.0.0.9 700 300",
            "  5432 700 300",
            "127.0.0.53 60 120",
            "  53 60 120",
            "unattributed 3040 0",
            "  kernel 3000 0",
        ]
    );
    assert!(shown("remote").contains(&"no connection 0 500".to_owned()));
    assert_eq!(
        shown("interface,protocol")[..7],
        [
            "eth0 5002700 20001800",
            "  tcp 5002700 20001300",
            "  no protocol 0 500",
            "lo 60 120",
            "  udp 60 120",
            "unattributed 3040 0",
            "  kernel 3000 0",
        ]
    );
    assert!(shown("tree").contains(&"nginx 5000000 1000".to_owned()));
}

#[test]
fn json_has_the_key_and_what_it_is() {
    let host = known();
    let json = serde_json::to_value(host.group_by(&by("interface,user"))).unwrap();
    assert_eq!(json[0]["by"], "interface");
    assert_eq!(json[0]["key"], 2);
    assert_eq!(json[0]["netns"], 9);
    assert_eq!(json[0]["label"], "eth0");
    assert_eq!(json[0]["bytes_sent"], 5_002_700);
    assert!(json[0]["groups"][0]["groups"].is_null());
    assert_eq!(json[0]["groups"][0]["by"], "user");
    let unattributed = json.as_array().unwrap().iter();
    let mut unattributed = unattributed.filter(|group| group["by"] == "unattributed");
    assert!(unattributed.next().unwrap()["key"].is_null());
}

#[test]
fn whole_processes_have_their_rates() {
    let groups = known().group_by(&[GroupBy::Name]);
    let nginx = groups.iter().find(|group| group.label == "nginx").unwrap();
    assert_eq!(nginx.rates.sent, Some(200.0));
    let groups = known().group_by(&[GroupBy::Remote]);
    assert_eq!(groups[0].rates.sent, None);
}

/// A connection that was handed from one process to another, over two interfaces: the owners' rows
/// are right, and nothing is below zero.
#[test]
fn a_connection_that_changed_hands() {
    let ends = ("192.0.2.2:40000", "203.0.113.5:443");
    let one = connection(1, Protocol::TCP, ETH0, ends, bytes(1_000, 0));
    let mut parent = usage(process(1, "parent"), Vec::new(), bytes(0, 0));
    let mut worker = usage(process(2, "worker"), vec![one], bytes(0, 0));
    let charge = |usage: &mut netprocmon_model::ProcessUsage, sent| {
        usage.counters = bytes(sent, 0);
        usage.protocols[0].counters = bytes(sent, 0);
        usage.interfaces[0].counters = bytes(sent, 0);
    };
    charge(&mut parent, 400);
    charge(&mut worker, 600);
    let host = snapshot(vec![parent, worker], Vec::new(), Counters::ZERO);
    let shown = |text: &str| lines(&host.group_by(&by(text)), 0);
    assert_eq!(shown("remote"), ["203.0.113.5 1000 0", "no connection 0 0"]);
    assert_eq!(
        shown("name,remote"),
        [
            "worker 600 0",
            "  203.0.113.5 600 0",
            "  no connection 0 0",
            "parent 400 0",
            "  no connection 400 0",
        ]
    );
}

#[test]
fn a_view_keeps_what_has_ended_and_has_rates() {
    let at = |seconds: u64, connections: &[(u64, &str, u64)], departed: u64| {
        let connections = connections.iter().map(|&(id, remote, sent)| {
            let ends = ("192.0.2.2:40000", remote);
            connection(id, Protocol::TCP, ETH0, ends, bytes(sent, 0))
        });
        let row = usage(
            process(1, "curl"),
            connections.collect(),
            bytes(departed, 0),
        );
        let mut made = snapshot(vec![row], Vec::new(), Counters::ZERO);
        made.elapsed = Duration::from_secs(seconds);
        Arc::new(made)
    };
    let (a, b) = ("203.0.113.5:443", "203.0.113.6:443");
    let mut view = GroupView::new(&[GroupBy::Remote]);
    view.next(at(1, &[(1, a, 100)], 0));
    // The first has left the list; the process still counts its bytes.
    let groups = view.next(at(2, &[(2, b, 30), (3, a, 5)], 100));
    assert_eq!(lines(&groups, 0), ["203.0.113.5 105 0", "203.0.113.6 30 0"]);
    assert_eq!(groups[0].rates.sent, Some(5.0));
    assert_eq!(groups[1].rates.sent, Some(30.0));
}

/// What it had moved is its old owner's; what the connection moves from then on is the new one's.
#[test]
fn a_view_follows_a_connection_that_changes_hands() {
    let ends = ("192.0.2.2:40000", "203.0.113.5:443");
    let one = |sent| connection(1, Protocol::TCP, ETH0, ends, bytes(sent, 0));
    let other = || {
        let ends = ("192.0.2.2:40001", "203.0.113.6:443");
        connection(2, Protocol::TCP, ETH0, ends, bytes(7, 0))
    };
    let at = |seconds, parent, worker| {
        let rows = [(1, "parent", parent), (2, "worker", worker)];
        let rows = rows.map(|(pid, name, connections)| {
            let mut row = usage(process(pid, name), connections, Counters::ZERO);
            let sent = match (seconds, pid) {
                (_, 1) => 107,
                (1, _) => 0,
                _ => 30,
            };
            row.counters = bytes(sent, 0);
            row
        });
        let mut made = snapshot(rows.into(), Vec::new(), Counters::ZERO);
        made.elapsed = Duration::from_secs(seconds);
        Arc::new(made)
    };
    let mut view = GroupView::new(&by("remote,name"));
    view.next(at(1, vec![one(100), other()], Vec::new()));
    let groups = view.next(at(2, vec![other()], vec![one(130)]));
    assert_eq!(
        lines(&groups, 0),
        [
            "203.0.113.5 130 0",
            "  parent 100 0",
            "  worker 30 0",
            "203.0.113.6 7 0",
            "  parent 7 0",
        ]
    );
    assert_eq!(groups[0].rates.sent, Some(30.0));
    assert_eq!(groups[1].rates.sent, Some(0.0));
}

/// A connection at rest is not looked at; that its process is called something else is.
#[test]
fn a_view_calls_processes_what_they_are_called_now() {
    let ends = ("192.0.2.2:40000", "203.0.113.5:443");
    let one = connection(1, Protocol::TCP, ETH0, ends, bytes(100, 0));
    let before = usage(process(1, "sh"), vec![one], Counters::ZERO);
    let mut after = before.clone();
    after.process = Arc::new(process(1, "curl"));
    let mut view = GroupView::new(&by("remote,process"));
    let mut seen = |row| {
        let made = snapshot(vec![row], Vec::new(), Counters::ZERO);
        lines(&view.next(Arc::new(made)), 0)
    };
    assert_eq!(seen(before), ["203.0.113.5 100 0", "  sh 100 0"]);
    assert_eq!(seen(after), ["203.0.113.5 100 0", "  curl 100 0"]);
}

/// Hosts have nothing to do with each other, but a number belongs to one connection.
fn number_connections(usage: &mut Arc<ProcessUsage>) {
    let usage = Arc::make_mut(usage);
    let id = usage.process.id;
    let first = (u64::from(id.pid.0) << 32) + (id.start_boottime << 16);
    for (number, one) in (first..).zip(usage.connections.iter_mut().flatten()) {
        Arc::make_mut(one).id = ConnectionId(number);
    }
}

/// The same with a record of its own for everything.
fn unshared(snapshot: &Snapshot) -> Snapshot {
    let mut copy = snapshot.clone();
    for usage in &mut copy.processes {
        let usage = Arc::make_mut(usage);
        usage.process = Arc::new((*usage.process).clone());
        for one in usage.connections.iter_mut().flatten() {
            *one = Arc::new((**one).clone());
        }
    }
    copy
}

fn any_by() -> impl Strategy<Value = Vec<GroupBy>> {
    prop::collection::vec(prop::sample::select(GroupBy::ALL.to_vec()), 1..4)
}

proptest! {
    #[test]
    fn groups_sum_to_what_is_above_them(host in any_snapshot(), by in any_by()) {
        let groups = host.group_by(&by);
        sums(&groups, &everything(&host), "the whole")?;
    }

    /// Snapshots that have nothing to do with each other: rows come, go, and count backwards.
    #[test]
    fn groups_of_a_view_do_so_whatever_came_before(
        mut hosts in prop::collection::vec(any_snapshot(), 1..4),
        by in any_by(),
    ) {
        let mut view = GroupView::new(&by);
        for host in hosts.drain(..) {
            // Rows of bytes that no process is charged with never go, so they are not compared.
            let host = Snapshot { unattributed: Vec::new(), ..host };
            let whole = host.totals;
            let groups = view.next(Arc::new(host));
            sums(&groups, &whole, "the whole")?;
        }
    }

    /// Only what is another record than before is looked at, and nothing is missed by that. (But what
    /// a tree is called: its root's name is in the records of others, which change with it.)
    #[test]
    fn what_snapshots_share_is_summed_no_otherwise(
        hosts in prop::collection::vec(any_snapshot(), 1..4),
        stays in prop::collection::vec(any::<bool>(), 8),
        by in any_by().prop_filter("trees", |by| !by.contains(&GroupBy::Tree)),
    ) {
        let (mut shared, mut apart) = (GroupView::new(&by), GroupView::new(&by));
        let mut before: Vec<Arc<ProcessUsage>> = Vec::new();
        for (second, mut host) in (1..).zip(hosts) {
            host.processes.iter_mut().for_each(number_connections);
            // Some of the host before, and who of this one is not among them.
            let mut stays = stays.iter().cycle();
            before.retain(|_| *stays.next().unwrap());
            let is_new = |one: &Arc<ProcessUsage>| {
                before.iter().all(|then| then.process.id != one.process.id)
            };
            host.processes.retain(is_new);
            host.processes.append(&mut before);
            host.processes.sort_by_key(|usage| usage.process.id);
            host.totals = host.processes.iter().map(|usage| &usage.counters).sum();
            host.elapsed = Duration::from_secs(second);
            before.clone_from(&host.processes);
            let copy = unshared(&host);
            prop_assert_eq!(shared.next(Arc::new(host)), apart.next(Arc::new(copy)));
        }
    }

    /// What a filter leaves can be grouped like anything else.
    #[test]
    fn a_filtered_view_is_summed_too(
        hosts in prop::collection::vec(any_snapshot(), 1..4),
        text in prop::sample::select(vec!["curl", "port=443", "interface=lo", "protocol=tcp", "sent>9k"]),
        by in any_by(),
    ) {
        let filter: Filter = text.parse().unwrap();
        let mut filtered = FilterView::new(filter);
        let mut view = GroupView::new(&by);
        for host in hosts {
            let host = Snapshot { unattributed: Vec::new(), ..host };
            let shown = filtered.next(&Arc::new(host));
            let whole = shown.totals;
            sums(&view.next(Arc::new(shown)), &whole, text)?;
        }
    }

    #[test]
    fn interfaces_have_exactly_their_rows(host in any_snapshot(), rest in any_by()) {
        let mut by = vec![GroupBy::Interface];
        by.extend(rest);
        for group in host.group_by(&by) {
            if let GroupKey::Interface(id) = group.key {
                prop_assert_eq!(group.counters, over(&host, id));
            }
        }
    }
}

/// Prints what it takes; see the filters' for the bound.
#[test]
fn ten_thousand_connections_are_grouped_quickly() {
    let rows = (0..100_u64).map(|pid| {
        let connections = (0..100).map(|number| {
            let remote = format!("10.0.{pid}.{number}:443");
            let ends = ("192.0.2.2:40000", remote.as_str());
            connection(pid * 100 + number, Protocol::TCP, ETH0, ends, bytes(5, 5))
        });
        let facts = process(u32::try_from(pid).unwrap() + 2, "worker");
        usage(facts, connections.collect(), Counters::ZERO)
    });
    let host = Arc::new(snapshot(rows.collect(), Vec::new(), Counters::ZERO));
    for text in ["name,remote", "remote,port,process", "tree,unit"] {
        let mut view = GroupView::new(&by(text));
        view.next(Arc::clone(&host));
        // Each of them another record.
        let next = Arc::new(unshared(&host));
        let started = std::time::Instant::now();
        let groups = view.next(next);
        let took = started.elapsed();
        println!("{took:>10.1?}  {text}");
        let sum: Counters = groups.iter().map(|group| &group.counters).sum();
        assert_eq!(sum, host.totals);
        let allowed = if cfg!(debug_assertions) { 3_000 } else { 200 };
        assert!(took < Duration::from_millis(allowed), "{text}: {took:?}");
    }
}

fn over(host: &Snapshot, id: InterfaceId) -> Counters {
    let rows = host.processes.iter().flat_map(|usage| &usage.interfaces);
    rows.filter(|row| row.id == id)
        .map(|row| &row.counters)
        .sum()
}
