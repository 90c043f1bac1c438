//! Look-ups that need no monitor: whose the sockets and ports are, and which interfaces there are.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use netprocmon::host::socket::{self, Socket, TcpInfo};
use netprocmon::host::{interface, netns, process, services};
use netprocmon::{
    Connection, ConnectionId, ConnectionUsage, Counters, InterfaceId, Pid, Process, Protocol, Scope,
};
use pyo3::prelude::*;

use crate::{errors, records};

/// Every socket of the host, or of one process, as `Connection`s.
#[pyfunction]
pub(crate) fn connections(py: Python<'_>, pid: Option<u32>) -> PyResult<Vec<Bound<'_, PyAny>>> {
    if let Some(pid) = pid {
        may_look_at(py, pid)?;
    }
    let rows = py.detach(|| sockets_with_owners(pid.map(Pid)));
    rows.iter()
        .map(|(usage, owner)| records::connection(py, usage, owner.as_deref()))
        .collect()
}

type Row = (ConnectionUsage, Option<Arc<Process>>);

fn may_look_at(py: Python<'_>, pid: u32) -> PyResult<()> {
    match std::fs::read_dir(format!("/proc/{pid}/fd")) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(errors::denied(
            py,
            &format!("the sockets of process {pid} are another user's"),
            "run it as root, or as the user of that process",
        )),
        Err(_) if !process::exists(Pid(pid)) => Err(errors::no_such_process(py, pid)),
        _ => Ok(()),
    }
}

/// A socket that several processes hold stands under each of them; one whose holders cannot be seen
/// under none.
fn sockets_with_owners(only: Option<Pid>) -> Vec<Row> {
    let (sockets, _unreachable) = socket::all_namespaces();
    let owners = match only {
        Some(pid) => socket::inodes_of(pid)
            .into_iter()
            .map(|inode| (inode, vec![pid]))
            .collect(),
        None => socket::owners(),
    };
    let mut facts: HashMap<Pid, Option<Arc<Process>>> = HashMap::new();
    let mut rows = Vec::with_capacity(sockets.len());
    for socket in &sockets {
        let usage = usage(socket);
        match owners.get(&socket.inode).filter(|_| socket.inode != 0) {
            Some(pids) => {
                for pid in pids {
                    let owner = facts
                        .entry(*pid)
                        .or_insert_with(|| process::read(*pid).map(Arc::new));
                    rows.push((usage.clone(), owner.clone()));
                }
            }
            None if only.is_none() => rows.push((usage, None)),
            None => {}
        }
    }
    rows
}

/// A socket as the contract's connection. What `sock_diag` cannot know stays unknown.
fn usage(socket: &Socket) -> ConnectionUsage {
    let remote = socket.remote;
    let service = remote
        .and_then(|remote| services::name(remote.port(), socket.protocol))
        .or_else(|| services::name(socket.local.port(), socket.protocol));
    let tcp = socket.tcp.as_ref();
    ConnectionUsage {
        id: ConnectionId(socket.cookie),
        connection: Connection {
            protocol: socket.protocol,
            ip_version: socket.ip_version,
            local: socket.local,
            remote,
            remote_name: None,
            scope: remote.map(|remote| Scope::of(remote.ip())),
            service,
            peer: None,
            origin: None,
            state: socket.state,
            direction: None,
            interface: InterfaceId {
                netns: socket.netns,
                index: socket.interface,
            },
            interface_name: None,
            opened: None,
            closed: None,
        },
        counters: Counters {
            payload_sent: tcp.and_then(TcpInfo::payload_sent),
            payload_recv: tcp.and_then(|tcp| tcp.payload_recv(socket.state)),
            retransmitted_packets: tcp.and_then(|tcp| tcp.total_retrans).map(u64::from),
            ..Counters::UNKNOWN
        },
    }
}

/// The local ports in use, all or of a protocol.
#[pyfunction]
pub(crate) fn ports(py: Python<'_>, protocol: Option<u8>) -> Vec<u16> {
    py.detach(|| match protocol {
        Some(protocol) => netprocmon::ports::of_protocol(Protocol(protocol)),
        None => netprocmon::ports::all(),
    })
}

/// The local ports of a process.
#[pyfunction]
pub(crate) fn ports_of_pid(py: Python<'_>, pid: u32) -> PyResult<Vec<u16>> {
    py.detach(|| netprocmon::ports::of_pid(Pid(pid)))
        .map_err(|error| errors::raise(py, &error))
}

/// The process that owns a local port.
#[pyfunction]
pub(crate) fn pid_of_port(py: Python<'_>, protocol: u8, port: u16) -> Option<u32> {
    py.detach(|| netprocmon::ports::owner(Protocol(protocol), port))
        .map(|pid| pid.0)
}

/// Names and addresses of the interfaces of this network namespace, or of all that can be entered.
#[pyfunction]
pub(crate) fn interfaces(py: Python<'_>, everywhere: bool) -> PyResult<Vec<(String, Vec<String>)>> {
    let all = py.detach(|| {
        if everywhere {
            let (found, _unreachable) = interface::survey(&netns::all());
            Ok(found.into_iter().map(|one| one.interface).collect())
        } else {
            interface::list()
        }
    });
    let all = all.map_err(|error| errors::system(py, "list the interfaces", &error))?;
    let named = all.into_iter().map(|one: interface::Interface| {
        let addresses = one.addresses.iter().map(ToString::to_string).collect();
        (one.name.to_string(), addresses)
    });
    Ok(named.collect())
}
