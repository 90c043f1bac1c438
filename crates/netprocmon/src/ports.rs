//! Who owns a port, and which ports a process owns: one look at the kernel's list of sockets, in
//! every namespace that can be entered. Needs no [`Monitor`](crate::Monitor), and no privilege but
//! to see whose the sockets of other users are.

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

/// The local ports of a process, in order.
///
/// # Errors
///
/// [`NoSuchProcess`](crate::ErrorKind::NoSuchProcess).
pub fn of_pid(pid: Pid) -> Result<Vec<u16>, Error> {
    if !netprocmon_host::process::exists(pid) {
        return Err(no_such_process(pid));
    }
    let inodes: HashSet<u64> = socket::inodes_of(pid).into_iter().collect();
    Ok(ports_where(|socket| inodes.contains(&socket.inode)))
}

/// The local ports in use by sockets of a protocol, in order.
#[must_use]
pub fn of_protocol(protocol: Protocol) -> Vec<u16> {
    ports_where(|socket| socket.protocol == protocol)
}

/// All local ports in use, in order.
#[must_use]
pub fn all() -> Vec<u16> {
    ports_where(|socket| socket.protocol.has_ports())
}

/// The process that owns a local port: a listener or bound socket before a connection, and of
/// several processes that share it the one with the lowest pid.
///
/// ```
/// use netprocmon::{Protocol, ports};
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let owner = ports::owner(Protocol::TCP, listener.local_addr()?.port());
/// assert_eq!(owner.map(|pid| pid.0), Some(std::process::id()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn owner(protocol: Protocol, port: u16) -> Option<Pid> {
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
