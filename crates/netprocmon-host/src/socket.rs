//! Sockets of the calling thread's network namespace, as the kernel lists them, and the processes
//! that hold them.
//!
//! Dumps of `sock_diag` (`sock_diag(7)`) for TCP, UDP, UDP-Lite and raw sockets; where the kernel
//! has no such dump (ICMP "ping" sockets; a module that is not there) the tables of
//! `/proc/net` (`proc_pid_net(5)`), which say less. One look: what opens and closes between two
//! looks is not seen. Needs no privilege for the list; to see the holders of other users' sockets,
//! `CAP_SYS_PTRACE` and `CAP_DAC_READ_SEARCH`.

pub(crate) mod diag;
mod lookup;
mod owners;
mod table;
mod tcp;
mod tcp_info;

use std::io;
use std::net::SocketAddr;

use netprocmon_model::{ConnectionState, IpVersion, NetnsId, Protocol};

use crate::{HostError, netns};

pub use lookup::{Lookup, Question};
pub use owners::{Held, holds, inodes_of, owners};
pub use tcp::{Ended, Tcp};
pub use tcp_info::{PeersFin, TcpInfo};

/// One socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Transport protocol; for a raw socket the one that it was opened for.
    pub protocol: Protocol,
    /// Whether it is a raw socket (`SOCK_RAW`, raw(7)).
    pub raw: bool,
    /// The version of the packets it moves: `V4` for a v6 socket bound or connected to an
    /// IPv4-mapped address. A v6 socket bound to `::` is `V6`, though it may take IPv4 as well.
    pub ip_version: IpVersion,
    /// This end; IPv4-mapped addresses as the IPv4 that they are. Port 0 where the protocol has no
    /// ports.
    pub local: SocketAddr,
    /// The other end; `None` for a listener or an unconnected datagram socket.
    pub remote: Option<SocketAddr>,
    /// TCP state.
    pub state: ConnectionState,
    /// Inode number, which `/proc/PID/fd` shows as `socket:[N]`; 0 for one that no process holds
    /// (time-wait, half-open).
    pub inode: u64,
    /// The kernel's cookie (`SO_COOKIE`, `bpf_get_socket_cookie`); 0 where the table has none.
    pub cookie: u64,
    /// The user who opened it.
    pub uid: u32,
    /// The interface that it is bound to, or a link-local address's scope; 0 for none.
    pub interface: u32,
    /// Its network namespace.
    pub netns: NetnsId,
    /// The identifier of the echoes of a "ping" socket (icmp(7)); 0 for others.
    pub identifier: u16,
    /// TCP: bytes that came in and no call has read; 0 where it is not known.
    pub unread: u32,
    /// What TCP counted since the socket was made; `None` for other protocols, listeners and
    /// sockets that no longer have it (time-wait).
    pub tcp: Option<TcpInfo>,
}

/// Every socket of the calling thread's namespace.
pub fn list() -> io::Result<Vec<Socket>> {
    let netns = netns::current()?;
    let mut sockets = Vec::new();
    for dump in diag::DUMPS {
        match diag::dump(dump, netns) {
            Ok(found) => sockets.extend(found),
            // No such dump in this kernel: what its table says. Without the table the protocol is
            // not there at all.
            Err(error) if diag::is_absent(&error) => sockets.extend(table::read(dump, netns)),
            Err(error) => {
                return Err(HostError::new("list sockets of", dump.table, error).into());
            }
        }
    }
    for ping in table::PING {
        sockets.extend(table::read(ping, netns));
    }
    Ok(sockets)
}

/// The sockets of the calling thread's namespace that have no ports: raw ones, and ICMP "ping"
/// sockets (icmp(7)). Tables alone list them
/// on every kernel; they are few.
#[must_use]
pub fn portless() -> Vec<Socket> {
    let Ok(netns) = netns::current() else {
        return Vec::new();
    };
    let raw = diag::DUMPS.into_iter();
    let raw = raw.filter(|dump| dump.protocol == Protocol::RAW);
    let tables = raw.chain(table::PING);
    tables.flat_map(|one| table::read(one, netns)).collect()
}

/// The sockets of every network namespace that can be entered, and the errors of the others.
///
/// Without `CAP_SYS_ADMIN` that is the calling thread's namespace alone, and an error for each of
/// the others.
#[must_use]
pub fn all_namespaces() -> (Vec<Socket>, Vec<HostError>) {
    let namespaces = netns::all();
    let (mut sockets, mut errors) = (Vec::new(), Vec::new());
    let answers = netns::enter(&namespaces, |_| list());
    for (netns, answer) in namespaces.iter().zip(answers) {
        let object = || format!("network namespace {}", netns.id);
        match answer {
            Ok(Ok(found)) => sockets.extend(found),
            Ok(Err(error)) => errors.push(HostError::new("list sockets in", object(), error)),
            Err(error) => errors.push(error),
        }
    }
    (sockets, errors)
}

#[cfg(test)]
mod tests;
