//! One look at the sockets of the host and the processes that hold them: what `ps` and `ports`
//! show.
//!
//! A socket that several processes hold (a listener with forked workers) stands under each of them
//! and once in the totals. What could not be looked at is said as a degradation. Nothing is counted
//! here: the bytes are TCP's own, since each connection began.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use netprocmon::host::ancestry::Ancestry;
use netprocmon::host::privilege::Capabilities;
use netprocmon::host::socket::Socket;
use netprocmon::host::{BootClock, HostError, process, services, socket};
use netprocmon::{
    Connection, ConnectionId, ConnectionState, ConnectionUsage, Counters, Degradation, Filter,
    InterfaceId, Pid, Process, Protocol, Scope,
};

mod matching;
mod remotes;

pub(crate) use remotes::Remotes;

/// What the look found.
#[derive(Debug)]
pub(crate) struct Inventory {
    /// Processes with sockets, by pid.
    pub(crate) holders: Vec<Holder>,
    /// Sockets that belong to a process that may not be looked at.
    pub(crate) hidden: Vec<Arc<Socket>>,
    /// What TCP moved on all of them together.
    pub(crate) totals: Counters,
    pub(crate) remotes: Remotes,
    pub(crate) degradations: Vec<Degradation>,
}

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Viewer {
    /// Sees all that this pid namespace shows.
    OfAll,
    OfItsOwn,
}

/// A process and its sockets.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) process: Process,
    pub(crate) sockets: Vec<Arc<Socket>>,
}

impl Inventory {
    /// Looks now.
    pub(crate) fn take() -> Self {
        let (sockets, errors) = socket::all_namespaces();
        let owners = socket::owners();
        let clock = BootClock::new();
        let mut ancestry = Ancestry::default();
        let read = |pid| {
            let mut process = process::read_with(pid, &clock)?;
            process.parents = ancestry.of(&process, |_| None);
            Some(process)
        };
        let viewer = if Capabilities::effective().see_all_processes() {
            Viewer::OfAll
        } else {
            Viewer::OfItsOwn
        };
        let mut inventory = Self::of(sockets, &owners, read, services::name, viewer);
        inventory.degradations.extend(hidden_namespaces(&errors));
        inventory
    }

    /// Puts sockets and processes together; `read` gives the facts about a process that still
    /// lives, `service` the name of a port.
    fn of(
        sockets: Vec<Socket>,
        owners: &HashMap<u64, Vec<Pid>>,
        mut read: impl FnMut(Pid) -> Option<Process>,
        service: impl Fn(u16, Protocol) -> Option<Arc<str>>,
        viewer: Viewer,
    ) -> Self {
        let mut held: BTreeMap<Pid, Vec<Arc<Socket>>> = BTreeMap::new();
        let mut hidden = Vec::new();
        let mut known = Vec::new();
        for socket in sockets.into_iter().map(Arc::new) {
            // Inode 0 is a time-wait or half-open connection: no process holds it any more, or yet.
            if socket.inode == 0 {
                continue;
            }
            known.push(Arc::clone(&socket));
            match owners.get(&socket.inode) {
                Some(pids) => {
                    for pid in pids {
                        held.entry(*pid).or_default().push(Arc::clone(&socket));
                    }
                }
                None => hidden.push(socket),
            }
        }
        let holders = held.into_iter().filter_map(|(pid, sockets)| {
            let process = read(pid)?;
            Some(Holder { process, sockets })
        });
        let holders: Vec<_> = holders.collect();
        let degradations = hidden_owners(hidden.len(), viewer).into_iter().collect();
        Self {
            remotes: Remotes::of(&holders, service),
            holders,
            totals: counters(known.iter().map(Arc::as_ref)),
            hidden,
            degradations,
        }
    }
}

impl Inventory {
    /// Leaves the processes and sockets that a filter takes, and their totals.
    pub(crate) fn filter(&mut self, filter: &Filter) {
        if filter.takes_everything() {
            return;
        }
        let taken = matching::taken(&self.holders, &self.remotes, filter);
        self.holders.retain_mut(|holder| {
            let Some(sockets) = taken.get(&holder.process.id) else {
                return false;
            };
            let kept = |socket: &Arc<Socket>| sockets.contains(&ConnectionId(socket.cookie));
            holder.sockets.retain(kept);
            true
        });
        let sockets = self.holders.iter().flat_map(|holder| &holder.sockets);
        let once: BTreeMap<u64, &Socket> =
            sockets.map(|socket| (socket.inode, &**socket)).collect();
        self.totals = counters(once.into_values());
    }
}

impl Holder {
    /// What TCP moved on the connections that the process holds now; unknown where it holds none.
    pub(crate) fn counters(&self) -> Counters {
        counters(self.sockets.iter().map(Arc::as_ref))
    }

    pub(crate) fn connections(&self) -> impl Iterator<Item = &Socket> {
        let sockets = self.sockets.iter().map(Arc::as_ref);
        sockets.filter(|socket| is_connection(socket))
    }

    /// The sockets that wait for others to come: listeners and bound datagram sockets.
    pub(crate) fn bound(&self) -> impl Iterator<Item = &Socket> {
        let sockets = self.sockets.iter().map(Arc::as_ref);
        sockets.filter(|socket| is_bound(socket))
    }
}

/// Whether the socket has a peer.
pub(crate) fn is_connection(socket: &Socket) -> bool {
    socket.remote.is_some() && socket.state != ConnectionState::Listen
}

/// Whether the socket has a port that others can come to.
pub(crate) fn is_bound(socket: &Socket) -> bool {
    socket.local.port() != 0 && !is_connection(socket) && socket.state != ConnectionState::Closed
}

/// A socket as the contract's connection. What `sock_diag` cannot know stays unknown.
pub(crate) fn usage(socket: &Socket, remotes: &Remotes) -> ConnectionUsage {
    ConnectionUsage {
        id: ConnectionId(socket.cookie),
        connection: Connection {
            protocol: socket.protocol,
            ip_version: socket.ip_version,
            local: socket.local,
            remote: socket.remote,
            remote_name: None,
            scope: socket.remote.map(|remote| Scope::of(remote.ip())),
            service: remotes.service(socket),
            peer: remotes.peer(socket),
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
        counters: counters_of(socket),
    }
}

/// The payload of one connection, since it began.
fn counters_of(socket: &Socket) -> Counters {
    let tcp = socket.tcp.as_ref();
    Counters {
        payload_sent: tcp.and_then(socket::TcpInfo::payload_sent),
        payload_recv: tcp.and_then(|tcp| tcp.payload_recv(socket.state)),
        retransmitted_packets: tcp.and_then(|tcp| tcp.total_retrans).map(u64::from),
        ..Counters::UNKNOWN
    }
}

fn counters<'a>(sockets: impl Iterator<Item = &'a Socket>) -> Counters {
    let tcp = sockets.filter(|socket| socket.protocol == Protocol::TCP && is_connection(socket));
    let mut known = tcp.map(counters_of).peekable();
    if known.peek().is_none() {
        return Counters::UNKNOWN;
    }
    known.sum()
}

/// What is not seen without privilege, in one sentence.
fn hidden_owners(sockets: usize, viewer: Viewer) -> Option<Degradation> {
    if sockets == 0 {
        return None;
    }
    let (subject, verb) = match sockets {
        1 => ("1 socket".to_owned(), "belongs"),
        many => (format!("{many} sockets"), "belong"),
    };
    let message =
        format!("{subject} {verb} to the kernel or to a process that cannot be looked at");
    let degradation = Degradation::new("owners_hidden", message);
    Some(match viewer {
        Viewer::OfAll => degradation,
        Viewer::OfItsOwn => {
            degradation.with_remedy("run it as root to see every owner: sudo netprocmon …")
        }
    })
}

fn hidden_namespaces(errors: &[HostError]) -> Option<Degradation> {
    // A namespace that has just gone is no loss.
    let mut refused = errors
        .iter()
        .filter(|error| error.kind() != std::io::ErrorKind::NotFound);
    let first = refused.next()?;
    let others = refused.count();
    let more = match others {
        0 => String::new(),
        _ => format!(" (and {others} more)"),
    };
    Some(
        Degradation::new("namespaces_hidden", format!("{first}{more}"))
            .with_remedy("run it as root to see every network namespace: sudo netprocmon …"),
    )
}

#[cfg(test)]
pub(crate) mod tests;
