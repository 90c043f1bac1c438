//! Who owns a port, and which ports a process owns: one look at the kernel's list of sockets.

use std::collections::{BTreeSet, HashSet};

use netprocmon_host::socket::{self, Socket};
use netprocmon_model::{ConnectionState, Pid, Protocol};

use crate::Error;
use crate::error::no_such_process;

/// The local ports in use by sockets that satisfy `taken`, in every namespace that can be entered.
fn ports_where(taken: impl Fn(&Socket) -> bool) -> Vec<u16> {
    let (sockets, _unreachable) = socket::all_namespaces();
    let bound = sockets
        .iter()
        .filter(|socket| socket.local.port() != 0 && taken(socket));
    bound
        .map(|socket| socket.local.port())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

pub(crate) fn of_pid(pid: Pid) -> Result<Vec<u16>, Error> {
    if !netprocmon_host::process::exists(pid) {
        return Err(no_such_process(pid));
    }
    let inodes: HashSet<u64> = socket::inodes_of(pid).into_iter().collect();
    Ok(ports_where(|socket| inodes.contains(&socket.inode)))
}

pub(crate) fn of_protocol(protocol: Protocol) -> Vec<u16> {
    ports_where(|socket| socket.protocol == protocol)
}

pub(crate) fn all() -> Vec<u16> {
    ports_where(|socket| socket.protocol.has_ports())
}

/// The process that owns a local port: a listener or bound socket before a connection, and of
/// several processes that share it the one with the lowest pid.
pub(crate) fn owner(protocol: Protocol, port: u16) -> Option<Pid> {
    let (sockets, _unreachable) = socket::all_namespaces();
    let mut bound: Vec<_> = sockets
        .iter()
        .filter(|socket| socket.protocol == protocol && socket.local.port() == port)
        .filter(|socket| socket.inode != 0)
        .collect();
    bound.sort_by_key(|socket| socket.remote.is_some() && socket.state != ConnectionState::Listen);
    let owners = socket::owners();
    bound
        .iter()
        .find_map(|socket| owners.get(&socket.inode)?.iter().min().copied())
}
