//! Scenarios: connections, names and processes in; who is at the other end out.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::{
    Connection, ConnectionState, Counters, CountingBasis, Delta, Direction, Directory, InterfaceId,
    InterfaceReading, IpVersion, LinkHeader, Observation, Origin, Owner, Pid, Process, Protocol,
    Reason, Retention, Scope, Selection, Snapshot, SourceKind, TrafficKey,
};

const HERE: NetnsId = NetnsId::new(1);
const SERVER: &str = "127.0.0.1:80";
const CLIENT: &str = "127.0.0.1:40000";

/// Knows a little, and counts how often it is asked.
#[derive(Debug, Default)]
struct Book {
    asked: AtomicUsize,
    asked_for_a_name: AtomicUsize,
    revision: AtomicU64,
}

impl Directory for Book {
    fn service(&self, _: Protocol, port: u16) -> Option<Arc<str>> {
        self.asked.fetch_add(1, Relaxed);
        let name = match port {
            80 => "http",
            443 => "https",
            _ => return None,
        };
        Some(name.into())
    }

    fn origin(&self, _: IpAddr) -> Option<Arc<Origin>> {
        self.asked.fetch_add(1, Relaxed);
        let origin = Origin {
            asn: Some(64_496),
            ..Origin::default()
        };
        Some(Arc::new(origin))
    }

    fn name(&self, _: NetnsId, address: IpAddr) -> Option<Arc<str>> {
        self.asked_for_a_name.fetch_add(1, Relaxed);
        let is_known = self.revision() > 0 && address == IpAddr::from([192, 0, 2, 9]);
        is_known.then(|| "nine.example".into())
    }

    fn revision(&self) -> u64 {
        self.revision.load(Relaxed)
    }
}

fn process(pid: u32) -> ProcessId {
    ProcessId {
        pid: Pid(pid),
        start_boottime: 1,
    }
}

fn called(pid: u32, name: &str) -> Observation {
    Observation::Process(Arc::new(Process::new(process(pid), name)))
}

fn ledger(retention: Retention) -> Ledger {
    let mut ledger = Ledger::new(SourceKind::Ebpf, retention, true);
    for (pid, name) in [(5, "curl"), (6, "nginx"), (7, "worker")] {
        ledger.observe(called(pid, name));
    }
    ledger
}

fn reading(id: u64, pid: u32, local: &str, remote: &str) -> ConnectionReading {
    let owner = match pid {
        0 => Owner::Unattributed(Reason::BeforeStart),
        pid => Owner::Process(process(pid)),
    };
    ConnectionReading {
        id: ConnectionId(id),
        owner,
        protocol: Protocol::TCP,
        ip_version: IpVersion::V4,
        local: local.parse().unwrap(),
        remote: Some(remote.parse::<SocketAddr>().unwrap()),
        state: ConnectionState::Established,
        direction: Some(Direction::Out),
        interface: InterfaceId {
            netns: HERE,
            index: 1,
        },
        opened: Some(Timestamp::from_second(100).unwrap()),
        closed: None,
        counters: Counters::ZERO,
    }
}

fn follow(ledger: &mut Ledger, reading: ConnectionReading) {
    ledger.observe(Observation::Connection(reading));
}

fn closed(mut reading: ConnectionReading) -> ConnectionReading {
    reading.closed = Some(Timestamp::from_second(101).unwrap());
    reading
}

fn hear(ledger: &mut Ledger, address: &str, name: &str, asker: u32, second: i64) {
    ledger.observe(Observation::Name {
        netns: HERE,
        address: address.parse().unwrap(),
        name: name.into(),
        at: Timestamp::from_second(second).unwrap(),
        asker: Some(process(asker)),
    });
}

fn look(ledger: &mut Ledger) -> Snapshot {
    let (time, second) = (Timestamp::UNIX_EPOCH, Duration::from_secs(1));
    ledger.snapshot(time, second, &[], &[].into())
}

fn connection(snapshot: &Snapshot, pid: u32, id: u64) -> Option<&Connection> {
    let usage = snapshot.process(Pid(pid))?;
    let mut connections = usage.connections.as_ref()?.iter();
    connections
        .find(|one| one.id == ConnectionId(id))
        .map(|one| &one.connection)
}

fn peer(snapshot: &Snapshot, pid: u32, id: u64) -> Option<(u32, String)> {
    let peer = connection(snapshot, pid, id)?.peer.as_ref()?;
    Some((peer.process.pid.0, peer.name.to_string()))
}

fn is(pid: u32, name: &str) -> (u32, String) {
    (pid, name.to_owned())
}

#[test]
fn both_ends_name_each_other_when_the_second_appears() {
    let mut ledger = ledger(Retention::ShowOnce);
    follow(&mut ledger, reading(1, 5, CLIENT, SERVER));
    assert_eq!(peer(&look(&mut ledger), 5, 1), None);
    follow(&mut ledger, reading(2, 6, SERVER, CLIENT));
    let snapshot = look(&mut ledger);
    assert_eq!(peer(&snapshot, 5, 1), Some(is(6, "nginx")));
    assert_eq!(peer(&snapshot, 6, 2), Some(is(5, "curl")));
    let json = serde_json::to_value(&snapshot).unwrap();
    let one = &json["processes"][0]["connections"][0];
    assert_eq!(
        (&one["peer_pid"], &one["peer_name"]),
        (&6.into(), &"nginx".into())
    );
}

#[test]
fn a_new_owner_and_a_new_name_are_shown_at_the_other_end() {
    let mut ledger = ledger(Retention::ShowOnce);
    follow(&mut ledger, reading(1, 5, CLIENT, SERVER));
    follow(&mut ledger, reading(2, 0, SERVER, CLIENT)); // not accepted yet
    assert_eq!(peer(&look(&mut ledger), 5, 1), None);
    follow(&mut ledger, reading(2, 6, SERVER, CLIENT));
    assert_eq!(peer(&look(&mut ledger), 5, 1), Some(is(6, "nginx")));
    follow(&mut ledger, reading(2, 7, SERVER, CLIENT));
    assert_eq!(peer(&look(&mut ledger), 5, 1), Some(is(7, "worker")));
    ledger.observe(called(7, "nginx: worker")); // exec, or prctl(2)
    assert_eq!(peer(&look(&mut ledger), 5, 1), Some(is(7, "nginx: worker")));
}

#[test]
fn what_does_not_change_is_not_made_again() {
    let mut ledger = ledger(Retention::ShowOnce);
    follow(&mut ledger, reading(1, 5, CLIENT, SERVER));
    follow(&mut ledger, reading(2, 6, SERVER, CLIENT));
    follow(&mut ledger, reading(3, 5, "192.0.2.1:1", "192.0.2.2:2"));
    let one = |snapshot: &Snapshot| {
        let usage = snapshot.process(Pid(5)).unwrap();
        Arc::clone(&usage.connections.as_ref().unwrap()[0])
    };
    let before = one(&look(&mut ledger));
    follow(&mut ledger, reading(3, 5, "192.0.2.1:1", "192.0.2.2:2"));
    assert!(Arc::ptr_eq(&before, &one(&look(&mut ledger))));
    follow(&mut ledger, reading(1, 5, CLIENT, SERVER));
    assert!(!Arc::ptr_eq(&before, &one(&look(&mut ledger))));
}

#[test]
fn a_record_is_changed_in_place_where_no_snapshot_holds_it_any_more() {
    let mut ledger = ledger(Retention::ShowOnce);
    let moved = |bytes| {
        let mut moved = reading(1, 5, CLIENT, SERVER);
        moved.counters.bytes_sent = Some(bytes);
        moved
    };
    let look = |ledger: &mut Ledger, bytes| {
        // What a source says first.
        ledger.observe(called(5, "curl"));
        follow(ledger, moved(bytes));
        look(ledger)
    };
    let one = |snapshot: &Snapshot| {
        let usage = snapshot.process(Pid(5)).unwrap();
        let one = &usage.connections.as_ref().unwrap()[0];
        (Arc::as_ptr(one), one.counters.bytes_sent)
    };
    let (place, _) = one(&look(&mut ledger, 1));
    let held = look(&mut ledger, 2);
    assert_eq!(one(&held), (place, Some(2)));
    let (elsewhere, bytes) = one(&look(&mut ledger, 3));
    assert_eq!(bytes, Some(3));
    assert_ne!(elsewhere, place);
    assert_eq!(one(&held), (place, Some(2)));
    assert_eq!(one(&look(&mut ledger, 4)), (elsewhere, Some(4)));
}

#[test]
fn one_that_has_ended_is_still_named_and_takes_nothing_with_it() {
    for (retention, kept) in [(Retention::ShowOnce, false), (Retention::Keep, true)] {
        let mut ledger = ledger(retention);
        let server = reading(2, 6, SERVER, CLIENT);
        follow(&mut ledger, closed(reading(1, 5, CLIENT, SERVER)));
        follow(&mut ledger, server.clone());
        let snapshot = look(&mut ledger);
        assert_eq!(peer(&snapshot, 5, 1), Some(is(6, "nginx")));
        let snapshot = look(&mut ledger);
        assert_eq!(connection(&snapshot, 5, 1).is_some(), kept);
        assert_eq!(peer(&snapshot, 6, 2), Some(is(5, "curl")));
        ledger.observe(Observation::Exited {
            process: process(5),
            at: Timestamp::UNIX_EPOCH,
        });
        ledger.observe(Observation::Settled(process(5)));
        look(&mut ledger);
        follow(&mut ledger, server.clone());
        assert_eq!(peer(&look(&mut ledger), 6, 2), Some(is(5, "curl")));
        follow(&mut ledger, closed(server));
        (0..2).for_each(|_| drop(look(&mut ledger)));
        assert_eq!(ledger.conversations.iter().next().is_none(), !kept);
        ledger.select(Selection {
            pids: [Pid(7)].into(),
            ..Selection::default()
        });
        look(&mut ledger);
        assert!(ledger.conversations.iter().next().is_none() && ledger.ended.is_empty());
        assert_eq!(ledger.pairs.len(), 0);
    }
}

#[test]
fn a_port_that_is_used_again_is_the_next_clients() {
    for retention in [Retention::ShowOnce, Retention::Keep] {
        let mut ledger = ledger(retention);
        follow(&mut ledger, reading(1, 6, SERVER, CLIENT));
        follow(&mut ledger, reading(2, 5, CLIENT, SERVER));
        follow(&mut ledger, closed(reading(2, 5, CLIENT, SERVER)));
        assert_eq!(peer(&look(&mut ledger), 6, 1), Some(is(5, "curl")));
        follow(&mut ledger, reading(3, 7, CLIENT, SERVER));
        let snapshot = look(&mut ledger);
        assert_eq!(peer(&snapshot, 6, 1), Some(is(7, "worker")));
        assert_eq!(peer(&snapshot, 7, 3), Some(is(6, "nginx")));
    }
}

#[test]
fn an_interface_that_is_renamed_is_called_so_by_connections_at_rest() {
    let mut ledger = ledger(Retention::ShowOnce);
    let one = reading(1, 5, CLIENT, SERVER);
    let key = TrafficKey {
        owner: one.owner,
        interface: one.interface,
        protocol: one.protocol,
        ip_version: one.ip_version,
    };
    ledger.observe(Observation::Traffic(key, Delta::default()));
    follow(&mut ledger, one.clone());
    for name in ["eth0", "wan"] {
        let reading = InterfaceReading {
            id: one.interface,
            name: name.into(),
            device: None,
            link_header: LinkHeader::default(),
            basis: CountingBasis::default(),
        };
        let (time, second) = (Timestamp::UNIX_EPOCH, Duration::from_secs(1));
        let snapshot = ledger.snapshot(time, second, &[reading], &[].into());
        let shown = connection(&snapshot, 5, 1).unwrap();
        assert_eq!(shown.interface_name.as_deref(), Some(name));
    }
}

#[test]
fn datagrams_to_a_remote_are_paired_as_connections_are() {
    let mut ledger = ledger(Retention::ShowOnce);
    let udp = |id, pid, local, remote| ConnectionReading {
        protocol: Protocol::UDP,
        state: ConnectionState::Stateless,
        direction: None,
        ..reading(id, pid, local, remote)
    };
    // One socket with two remotes: a row for each.
    follow(&mut ledger, udp(1, 6, "127.0.0.1:53", "127.0.0.1:40000"));
    follow(&mut ledger, udp(2, 6, "127.0.0.1:53", "127.0.0.1:40001"));
    follow(&mut ledger, udp(3, 5, "127.0.0.1:40000", "127.0.0.1:53"));
    follow(&mut ledger, udp(4, 7, "127.0.0.1:40001", "127.0.0.1:53"));
    let snapshot = look(&mut ledger);
    assert_eq!(peer(&snapshot, 6, 1), Some(is(5, "curl")));
    assert_eq!(peer(&snapshot, 6, 2), Some(is(7, "worker")));
    assert_eq!(peer(&snapshot, 7, 4), Some(is(6, "nginx")));
}

#[test]
fn the_name_is_the_one_that_its_own_process_asked_for() {
    let mut ledger = ledger(Retention::ShowOnce);
    hear(&mut ledger, "192.0.2.9", "mine.example", 5, 90);
    hear(&mut ledger, "192.0.2.9", "theirs.example", 6, 95);
    follow(&mut ledger, reading(1, 5, "192.0.2.1:1", "192.0.2.9:443"));
    follow(&mut ledger, reading(2, 7, "192.0.2.1:2", "192.0.2.9:443"));
    // Later answers do not change what a connection was made to.
    hear(&mut ledger, "192.0.2.9", "later.example", 5, 105);
    follow(&mut ledger, reading(1, 5, "192.0.2.1:1", "192.0.2.9:443"));
    let snapshot = look(&mut ledger);
    let name = |pid, id| connection(&snapshot, pid, id).unwrap().remote_name.clone();
    assert_eq!(name(5, 1).as_deref(), Some("mine.example"));
    assert_eq!(name(7, 2).as_deref(), Some("theirs.example"));
}

#[test]
fn a_name_that_comes_late_is_found_by_a_connection_at_rest_too() {
    let book = Arc::new(Book::default());
    let mut ledger = ledger(Retention::ShowOnce).with_directory(book.clone());
    let one = || reading(1, 5, "192.0.2.1:1", "192.0.2.8:443");
    let two = || reading(2, 5, "192.0.2.1:2", "192.0.2.9:443");
    for _ in 0..3 {
        follow(&mut ledger, one());
        follow(&mut ledger, two());
    }
    // Nothing new: nobody is asked again.
    assert_eq!(book.asked_for_a_name.load(Relaxed), 2);
    hear(&mut ledger, "192.0.2.8", "eight.example", 5, 99);
    look(&mut ledger);
    book.revision.store(1, Relaxed);
    follow(&mut ledger, one());
    // Nothing is read of the second one.
    let snapshot = look(&mut ledger);
    let name = |id| connection(&snapshot, 5, id).unwrap().remote_name.clone();
    assert_eq!(name(1).as_deref(), Some("eight.example"));
    assert_eq!(name(2).as_deref(), Some("nine.example"));
    // What has been heard is not asked for.
    assert_eq!(book.asked_for_a_name.load(Relaxed), 3);
}

#[test]
fn the_directory_is_asked_once_a_connection() {
    let book = Arc::new(Book::default());
    let mut ledger = ledger(Retention::ShowOnce).with_directory(book.clone());
    follow(
        &mut ledger,
        reading(1, 5, "192.0.2.1:1", "198.51.100.7:443"),
    );
    let asked = book.asked.load(Relaxed);
    let snapshot = look(&mut ledger);
    let one = connection(&snapshot, 5, 1).unwrap();
    assert_eq!(one.origin.as_ref().unwrap().asn, Some(64_496));
    assert_eq!(one.scope, Some(Scope::Public));
    follow(
        &mut ledger,
        reading(1, 5, "192.0.2.1:1", "198.51.100.7:443"),
    );
    look(&mut ledger);
    assert_eq!(book.asked.load(Relaxed), asked);
}

#[test]
fn the_service_is_that_of_the_end_that_was_connected_to() {
    let (http, other) = ("192.0.2.1:80", "192.0.2.2:40000");
    for (direction, local, remote, service) in [
        (Some(Direction::Out), other, http, Some("http")),
        (Some(Direction::In), http, other, Some("http")),
        (Some(Direction::Out), http, other, None),
        (Some(Direction::In), other, http, None),
        (
            Some(Direction::Out),
            "192.0.2.1:80",
            "192.0.2.2:443",
            Some("https"),
        ),
        (
            Some(Direction::In),
            "192.0.2.1:80",
            "192.0.2.2:443",
            Some("http"),
        ),
        (None, "192.0.2.1:80", "192.0.2.2:443", Some("https")),
        (None, http, other, Some("http")),
        (None, other, http, Some("http")),
        (None, other, "192.0.2.3:40000", None),
    ] {
        let mut ledger = ledger(Retention::Keep).with_directory(Arc::new(Book::default()));
        let reading = ConnectionReading {
            direction,
            ..reading(1, 5, local, remote)
        };
        follow(&mut ledger, reading);
        let snapshot = look(&mut ledger);
        let found = connection(&snapshot, 5, 1).unwrap().service.clone();
        assert_eq!(found.as_deref(), service, "{direction:?} {local} {remote}");
    }
}
