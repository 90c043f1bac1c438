//! Against the kernel of this machine, without any privilege: they run everywhere.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use netprocmon_model::{Counters, Pid, Retention, Snapshot, SourceKind};

use crate::{Monitor, SourceChoice};

/// One at a time: they all move bytes in this one process.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn monitor() -> Monitor {
    let builder = Monitor::builder()
        .source(SourceChoice::Sockdiag)
        .retention(Retention::Keep)
        .connections(true);
    builder.start().unwrap()
}

fn of(snapshot: &Snapshot, pid: Pid) -> Counters {
    snapshot.process(pid).unwrap().counters
}

#[test]
fn payload_of_this_process_to_the_byte_and_nothing_else() {
    let _alone = alone();
    let mut monitor = monitor();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(&vec![1; 70_000]).unwrap();
    let mut some = vec![0; 60_000];
    server.read_exact(&mut some).unwrap();

    let snapshot = monitor.snapshot().unwrap();
    assert_eq!(snapshot.source, SourceKind::Sockdiag);
    let here = Pid(std::process::id());
    let counters = of(&snapshot, here);
    // What was read, not what came.
    assert_eq!(counters.payload_sent, Some(70_000));
    assert_eq!(counters.payload_recv, Some(60_000));
    assert_eq!((counters.bytes_sent, counters.packets_recv), (None, None));
    assert_eq!(snapshot.totals.bytes_recv, None);
    let usage = snapshot.process(here).unwrap();
    let lo = usage
        .interfaces
        .iter()
        .find(|one| one.name.as_deref() == Some("lo"));
    assert_eq!(lo.unwrap().counters.payload_sent, Some(70_000));
    assert!(
        snapshot
            .degradations
            .iter()
            .any(|one| one.code == "tcp_payload_only")
    );

    // The rest, and the end: the FIN is no byte.
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    server.read_to_end(&mut rest).unwrap();
    let snapshot = monitor.snapshot().unwrap();
    assert_eq!(of(&snapshot, here).payload_recv, Some(70_000));
    let ends = snapshot
        .process(here)
        .unwrap()
        .connections
        .as_deref()
        .unwrap();
    assert!(
        ends.iter()
            .any(|one| one.counters.payload_recv == Some(70_000)),
        "{ends:?}"
    );
}

#[test]
fn what_was_moved_before_the_start_is_not_counted() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(&vec![1; 5000]).unwrap();
    server.read_exact(&mut [0; 5000]).unwrap();
    let mut monitor = monitor();
    client.write_all(&[1; 300]).unwrap();
    server.read_exact(&mut [0; 300]).unwrap();
    let snapshot = monitor.snapshot().unwrap();
    let local = client.local_addr().unwrap();
    let usage = snapshot.process(Pid(std::process::id())).unwrap();
    let all = usage.connections.as_deref().unwrap();
    let ours = all
        .iter()
        .find(|one| one.connection.local == local)
        .unwrap();
    assert_eq!(ours.counters.payload_sent, Some(300));
}

#[test]
fn a_command_and_its_children_are_a_tree() {
    let _alone = alone();
    let mut monitor = monitor();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // A grandchild moves the bytes, and waits until it has been seen.
    let script = format!(
        "(exec 3<>/dev/tcp/127.0.0.1/{port}; printf %01000d 0 >&3; read -r line <&3); true"
    );
    let mut child = monitor
        .spawn(Command::new("bash").args(["-c", &script]))
        .unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.read_exact(&mut [0; 1000]).unwrap();
    let root = Pid(child.id());
    let snapshot = monitor.snapshot().unwrap();
    let mut tree = snapshot
        .processes
        .iter()
        .filter(|one| one.process.tree == Some(root));
    assert_eq!(tree.next().unwrap().counters.payload_sent, Some(1000));
    assert!(monitor.living_in_tree(root).unwrap().contains(&root));
    server.write_all(b"over\n").unwrap();
    child.wait().unwrap();
    assert!(monitor.living_in_tree(root).unwrap().is_empty());
}
