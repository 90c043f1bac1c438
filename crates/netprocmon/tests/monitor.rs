//! Every method of the monitor, against traffic over loopback whose size is known.
//!
//! They need the privilege to count, so a plain `cargo test` shows them as ignored. One at a time:
//! they all move bytes in this one process.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test's helpers may, as its tests do

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use netprocmon::{
    Children, Connection, Counters, ErrorKind, Monitor, MonitorBuilder, Pid, Protocol, Retention,
    Snapshot, SourceChoice,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn here() -> Pid {
    Pid(std::process::id())
}

fn start(builder: MonitorBuilder) -> Monitor {
    builder.start().unwrap_or_else(|error| {
        panic!(
            "{error}: {:?}; {:?}",
            std::error::Error::source(&error),
            error.remedy()
        )
    })
}

/// Moves this many bytes from one socket of this process to another.
fn exchange(bytes: usize) {
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let sender = std::thread::spawn(move || client.write_all(&vec![7; bytes]).unwrap());
    let mut received = Vec::new();
    server.read_to_end(&mut received).unwrap();
    sender.join().unwrap();
    assert_eq!(received.len(), bytes);
}

fn payload(monitor: &mut Monitor, pid: Pid) -> (u64, u64) {
    let sum: Counters = monitor
        .traffic(pid)
        .unwrap()
        .iter()
        .map(|one| &one.counters)
        .sum();
    (sum.payload_sent.unwrap(), sum.payload_recv.unwrap())
}

/// Bindings hand a monitor from thread to thread.
#[test]
fn a_monitor_may_be_sent_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Monitor>();
}

#[test]
fn what_does_not_exist_is_refused_before_anything_is_attached() {
    let _alone = alone(); // descriptors are counted elsewhere
    let kind = |builder: MonitorBuilder| builder.start().err().map(|error| error.kind());
    let nobody = Monitor::builder().pid(Pid(u32::MAX), Children::Ignore);
    assert_eq!(kind(nobody), Some(ErrorKind::NoSuchProcess));
    let no_interface = Monitor::builder().interface("no such one");
    assert_eq!(kind(no_interface), Some(ErrorKind::NoSuchInterface));
    let unspecified = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let no_address = Monitor::builder().address(unspecified);
    assert_eq!(kind(no_address), Some(ErrorKind::NoSuchAddress));
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn pids_are_added_listed_removed_and_cleared_and_count_from_then_on() {
    let _alone = alone();
    let mut monitor = start(Monitor::builder());
    exchange(1000);
    monitor.add_pid(here(), Children::Ignore).unwrap();
    assert_eq!(monitor.pids(), [here()]);
    assert_eq!(payload(&mut monitor, here()), (0, 0));
    exchange(77_777);
    assert_eq!(payload(&mut monitor, here()), (77_777, 77_777));
    let traffic = monitor.traffic(here()).unwrap();
    assert_eq!(traffic.len(), 1);
    assert_eq!(traffic[0].interface_name.as_deref(), Some("lo"));

    assert!(monitor.remove_pid(here()));
    assert!(!monitor.remove_pid(here()));
    // Not watched any more: everything since the monitor started.
    assert_eq!(payload(&mut monitor, here()), (78_777, 78_777));
    monitor.add_pid(here(), Children::Ignore).unwrap();
    monitor.clear_pids();
    assert!(monitor.pids().is_empty());
    let missing = monitor
        .add_pid(Pid(u32::MAX), Children::Ignore)
        .unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NoSuchProcess);
    assert_eq!(
        monitor.traffic(Pid(u32::MAX)).unwrap_err().kind(),
        ErrorKind::NoSuchProcess
    );
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_watched_process_that_ends_keeps_its_counts() {
    let _alone = alone();
    let mut monitor = start(Monitor::builder());
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!("read -r go; printf hello >/dev/tcp/127.0.0.1/{port}");
    let mut child = Command::new("bash")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid(child.id());
    monitor.add_pid(pid, Children::Ignore).unwrap();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let mut text = String::new();
    listener
        .accept()
        .unwrap()
        .0
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "hello");
    child.wait().unwrap();
    let ended = |snapshot: &Snapshot| {
        snapshot
            .process(pid)
            .map(|usage| usage.process.exited.is_some())
    };
    assert_eq!(ended(&monitor.snapshot().unwrap()), Some(true));
    assert_eq!(ended(&monitor.snapshot().unwrap()), None); // shown once
    assert_eq!(payload(&mut monitor, pid), (5, 0));
    assert_eq!(monitor.pids(), [pid]);
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn addresses_restrict_what_is_listened_to() {
    let _alone = alone();
    let mut monitor = start(Monitor::builder().address(LOOPBACK));
    assert_eq!(monitor.addresses(), [LOOPBACK]);
    assert_eq!(monitor.listen_interfaces().unwrap(), ["lo".into()]);
    assert!(monitor.listen_addresses().unwrap().contains(&LOOPBACK));
    let lo = monitor.listen_interface_by_address(LOOPBACK).unwrap();
    assert_eq!(lo.as_deref(), Some("lo"));
    let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 200));
    assert_eq!(
        monitor.listen_interface_by_address(elsewhere).unwrap(),
        None
    );
    assert_eq!(
        monitor.add_address(elsewhere).unwrap_err().kind(),
        ErrorKind::NoSuchAddress
    );
    exchange(1234);
    let snapshot = monitor.snapshot().unwrap();
    assert!(
        snapshot
            .interfaces
            .iter()
            .all(|interface| interface.name.as_deref() == Some("lo"))
    );
    assert_eq!(payload(&mut monitor, here()), (1234, 1234));

    assert!(monitor.remove_address(LOOPBACK));
    assert!(!monitor.remove_address(LOOPBACK));
    monitor.add_address(LOOPBACK).unwrap();
    monitor.clear_addresses();
    assert!(monitor.addresses().is_empty());
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn an_interface_that_nothing_crosses_shows_nothing() {
    let _alone = alone();
    let interfaces = netprocmon::host::interface::list().unwrap();
    let other = interfaces.iter().find(|interface| !interface.loopback);
    let other = other.expect("an interface besides loopback, up or down");
    let mut monitor = start(Monitor::builder().interface(&*other.name));
    exchange(1234);
    assert!(monitor.traffic(here()).unwrap().is_empty());
    let snapshot = monitor.snapshot().unwrap();
    let usage = snapshot.process(here());
    assert!(usage.is_none_or(|usage| usage.counters.is_zero() && usage.interfaces.is_empty()));
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn ports_and_their_owners() {
    let _alone = alone();
    let monitor = start(Monitor::builder());
    let tcp = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let udp = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let tcp_port = tcp.local_addr().unwrap().port();
    let udp_port = udp.local_addr().unwrap().port();
    let mine = monitor.ports_of_pid(here()).unwrap();
    assert!(mine.contains(&tcp_port) && mine.contains(&udp_port));
    assert!(mine.is_sorted());
    assert!(
        monitor
            .ports_of_protocol(Protocol::TCP)
            .unwrap()
            .contains(&tcp_port)
    );
    assert!(
        monitor
            .ports_of_protocol(Protocol::UDP)
            .unwrap()
            .contains(&udp_port)
    );
    let all = monitor.ports().unwrap();
    assert!(all.contains(&tcp_port) && all.contains(&udp_port));
    assert_eq!(
        monitor.pid_of_port(Protocol::TCP, tcp_port).unwrap(),
        Some(here())
    );
    assert_eq!(
        monitor.pid_of_port(Protocol::UDP, udp_port).unwrap(),
        Some(here())
    );
    drop(tcp);
    assert_eq!(monitor.pid_of_port(Protocol::TCP, tcp_port).unwrap(), None);
    let missing = monitor.ports_of_pid(Pid(u32::MAX)).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NoSuchProcess);
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn it_turns_readable_when_a_sample_is_due() {
    let _alone = alone();
    let builder = Monitor::builder().interval(Duration::from_millis(50));
    let mut monitor = start(builder);
    let began = Instant::now();
    let mut samples = Vec::new();
    while samples.len() < 3 {
        let timeout = Timespec::try_from(Duration::from_secs(5)).unwrap();
        let ready = poll(
            &mut [PollFd::new(&monitor.as_fd(), PollFlags::IN)],
            Some(&timeout),
        );
        assert_eq!(ready.unwrap(), 1, "not readable within five seconds");
        samples.extend(monitor.try_sample().unwrap());
    }
    assert!(began.elapsed() >= Duration::from_millis(150));
    assert!(samples.is_sorted_by_key(|sample| sample.elapsed));
    let mut slow = start(Monitor::builder().interval(Duration::from_hours(1)));
    assert!(
        slow.wait(Some(Duration::from_millis(10)))
            .unwrap()
            .is_none()
    );
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_spawned_tree_is_counted_with_what_it_leaves_behind() {
    let _alone = alone();
    let builder = Monitor::builder()
        .retention(Retention::Keep)
        .connections(true);
    let mut monitor = start(builder);
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // The child ends at once; a grandchild of another session sends.
    let script = format!("setsid bash -c 'printf grand >/dev/tcp/127.0.0.1/{port}' & exit 3");
    let mut child = monitor
        .spawn(Command::new("bash").args(["-c", &script]))
        .unwrap();
    let root = Pid(child.id());
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let mut text = String::new();
    listener
        .accept()
        .unwrap()
        .0
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "grand");
    while !monitor.living_in_tree(root).unwrap().is_empty() {
        std::thread::yield_now();
    }
    exchange(10_000); // ours, and none of the tree's
    let snapshot = monitor.snapshot().unwrap();
    assert_eq!(snapshot.totals.payload_sent, Some(5));
    assert_eq!(snapshot.processes.len(), 1);
    let usage = &snapshot.processes[0];
    assert_ne!(usage.process.pid, root);
    assert_eq!(usage.process.tree, Some(root));
    assert_eq!(&*usage.process.name, "bash");
    let connections = usage.connections.as_ref().unwrap();
    assert_eq!(connections.len(), 1);
    assert_eq!(connections[0].counters, usage.counters);
    assert_eq!(
        connections[0].connection.remote.map(|remote| remote.port()),
        Some(port)
    );
    let stranger = monitor.living_in_tree(Pid(1)).unwrap_err();
    assert_eq!(stranger.kind(), ErrorKind::NoSuchProcess);
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn children_of_a_watched_process_are_followed_when_asked() {
    let _alone = alone();
    let mut monitor = start(Monitor::builder());
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!("read -r go; (printf child >/dev/tcp/127.0.0.1/{port}); read -r end");
    let mut shell = Command::new("bash")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    monitor.add_pid(Pid(shell.id()), Children::Follow).unwrap();
    let mut input = shell.stdin.take().unwrap();
    input.write_all(b"\n").unwrap();
    let mut text = String::new();
    listener
        .accept()
        .unwrap()
        .0
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "child");
    let snapshot = monitor.snapshot().unwrap();
    assert_eq!(snapshot.totals.payload_sent, Some(5));
    assert!(
        snapshot
            .processes
            .iter()
            .any(|usage| usage.process.tree == Some(Pid(shell.id())))
    );
    drop(input);
    shell.wait().unwrap();
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn two_monitors_share_nothing_and_leave_no_descriptor() {
    let _alone = alone();
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    {
        let mut one = start(Monitor::builder());
        exchange(100);
        let mut other = start(Monitor::builder().address(LOOPBACK));
        exchange(11);
        assert_eq!(payload(&mut one, here()), (111, 111));
        assert_eq!(payload(&mut other, here()), (11, 11));
        assert!(one.addresses().is_empty());
    }
    assert_eq!(open(), before);
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_refused_hook_is_said_and_its_numbers_are_unknown_not_zero() {
    let _alone = alone();
    let builder = Monitor::builder().refuse(&[
        "sock_send_length",
        "inet_sendmsg",
        "inet6_sendmsg",
        "tcp_retransmit_skb",
    ]);
    let mut monitor = start(builder);
    exchange(5000);
    let snapshot = monitor.snapshot().unwrap();
    let counters = &snapshot.process(here()).unwrap().counters;
    assert!(counters.bytes_sent.is_some_and(|bytes| bytes > 5000)); // with headers
    assert_eq!(
        (counters.payload_sent, counters.payload_recv),
        (None, Some(5000))
    );
    assert_eq!(counters.retransmitted_packets, None);
    assert_eq!(snapshot.totals.payload_sent, None);
    let said: Vec<_> = snapshot.degradations.iter().map(|one| &*one.code).collect();
    assert_eq!(said, ["hook_unavailable"; 2]);
    let fatal = Monitor::builder()
        .source(SourceChoice::Ebpf)
        .refuse(&["egress"])
        .start()
        .err()
        .unwrap();
    assert_eq!(fatal.kind(), ErrorKind::Unsupported);
}

/// By one who has read for so long that what comes in is not noted any more.
#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_stream_that_is_handed_over_takes_along_what_waits_in_it() {
    let waiting = vec![7; 50_000];
    let length = waiting.len() as u64;
    let _alone = alone();
    let mut monitor = start(Monitor::builder());
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut reader, _) = listener.accept().unwrap();
    for _ in 0..200 {
        sender.write_all(&[7; 10]).unwrap();
        reader.read_exact(&mut [0; 10]).unwrap();
    }
    sender.write_all(&waiting).unwrap();
    while reader.peek(&mut waiting.clone()).unwrap() < waiting.len() {
        std::thread::yield_now();
    }
    let mut other = Command::new("head")
        .args(["-c", &length.to_string()])
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(reader)))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    other.wait().unwrap();
    let snapshot = monitor.snapshot().unwrap();
    let counters = &snapshot.process(Pid(other.id())).unwrap().counters;
    assert_eq!(counters.payload_recv, Some(length));
    let wire = counters.bytes_recv.unwrap();
    assert!((length..length + length / 100).contains(&wire), "{wire}");
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn both_ends_of_a_connection_on_this_host_name_each_other() {
    let _alone = alone();
    let mut monitor = start(Monitor::builder().connections(true).reverse_lookup(true));
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; printf hello >&3; read");
    let mut client = Command::new("bash")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut text = [0; 5];
    server.read_exact(&mut text).unwrap();
    let snapshot = monitor.snapshot().unwrap();
    let peer = |pid: Pid, is_it: &dyn Fn(&Connection) -> bool| {
        let usage = snapshot.process(pid).unwrap();
        let mut all = usage.connections.iter().flatten();
        let one = all.find(|one| is_it(&one.connection)).unwrap();
        let peer = one.connection.peer.clone().unwrap();
        (peer.process.pid, peer.name)
    };
    let bash = Pid(client.id());
    let accepted = peer(here(), &|one| {
        one.local.port() == port && one.remote.is_some()
    });
    assert_eq!(accepted, (bash, "bash".into()));
    let connected = peer(bash, &|one| {
        one.remote.is_some_and(|end| end.port() == port)
    });
    assert_eq!(connected.0, here());
    drop(client.stdin.take());
    client.wait().unwrap();
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_second_reader_has_a_pace_of_its_own() {
    let _alone = alone();
    let mut monitor = start(Monitor::builder().interval(Duration::from_hours(1)));
    let ticker = monitor.ticker(Duration::from_millis(20)).unwrap();
    exchange(4321);
    while !ticker.take_tick().unwrap() {
        let timeout = Timespec::try_from(Duration::from_secs(20)).unwrap();
        let readable = poll(&mut [PollFd::new(&ticker, PollFlags::IN)], Some(&timeout)).unwrap();
        assert_ne!(readable, 0);
        monitor.attend();
    }
    let snapshot = monitor.snapshot().unwrap();
    let usage = snapshot.process(here()).unwrap();
    assert!(usage.counters.payload_sent.unwrap() >= 4321);
    // The monitor's own pace is as it was.
    assert!(monitor.try_sample().unwrap().is_none());
}
