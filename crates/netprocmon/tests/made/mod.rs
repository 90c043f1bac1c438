//! A host made by hand: a listener shared by two workers, a connection, a datagram socket, and what
//! nobody may see. For the tests of the command too.
#![allow(dead_code)] // what the one does not need
#![allow(clippy::unwrap_used)] // as in tests

use std::collections::HashMap;
use std::sync::Arc;

use netprocmon::host::socket::{Socket, TcpInfo};
use netprocmon::sockets::{Inventory, Viewer};
use netprocmon::{ConnectionState, IpVersion, NetnsId, Pid, Process, ProcessId, Protocol};

pub(crate) fn socket(
    protocol: Protocol,
    state: ConnectionState,
    local: &str,
    inode: u64,
) -> Socket {
    Socket {
        protocol,
        raw: false,
        ip_version: IpVersion::V4,
        local: local.parse().unwrap(),
        remote: None,
        state,
        inode,
        cookie: inode,
        uid: 1000,
        interface: 0,
        netns: NetnsId::new(4_026_531_840),
        identifier: 0,
        unread: 0,
        tcp: None,
    }
}

pub(crate) fn process(pid: Pid) -> Option<Process> {
    let id = ProcessId {
        pid,
        start_boottime: 10_000_000,
    };
    (pid.0 != 99).then(|| Process {
        uid: Some(1000),
        user: Some("ana".into()),
        exe: Some("/usr/bin/worker".into()),
        command: Some(["worker".into(), "-f\u{1b}[2J".into()].into()),
        ..Process::new(id, "wo\n\u{1b}[31mrk日本")
    })
}

pub(crate) fn service(port: u16, _: Protocol) -> Option<Arc<str>> {
    (port == 80).then(|| "http".into())
}

/// Pids 7 and 8 share a listener, 8 has a connection, 9 is bound to UDP 53; one socket is hidden.
pub(crate) fn inventory() -> Inventory {
    let mut connection = socket(
        Protocol::TCP,
        ConnectionState::Established,
        "192.0.2.2:80",
        2,
    );
    connection.remote = Some("198.51.100.7:41312".parse().unwrap());
    connection.tcp = Some(TcpInfo {
        bytes_sent: Some(3000),
        bytes_retrans: Some(1000),
        bytes_received: Some(500),
        total_retrans: Some(1),
        ..TcpInfo::default()
    });
    let mut wait = socket(Protocol::TCP, ConnectionState::TimeWait, "192.0.2.2:80", 0);
    wait.remote = connection.remote;
    let sockets = vec![
        socket(Protocol::TCP, ConnectionState::Listen, "0.0.0.0:80", 1),
        connection,
        socket(Protocol::UDP, ConnectionState::Stateless, "[::]:53", 3),
        socket(Protocol::TCP, ConnectionState::Listen, "127.0.0.1:631", 4),
        wait,
        socket(Protocol::UDP, ConnectionState::Stateless, "0.0.0.0:0", 5),
    ];
    let owners = HashMap::from([
        (1, vec![Pid(7), Pid(8)]),
        (2, vec![Pid(8)]),
        (3, vec![Pid(9)]),
        (5, vec![Pid(99)]),
    ]);
    Inventory::of(sockets, &owners, process, service, Viewer::OfItsOwn)
}
