//! One look at the sockets of the host and the processes that hold them: what `netprocmon ps` and
//! `ports` show. Needs no [`Monitor`](crate::Monitor), and no privilege but to see whose the sockets
//! of other users are.
//!
//! ```no_run
//! use netprocmon::sockets::{Inventory, usage};
//!
//! let look = Inventory::take();
//! for holder in &look.holders {
//!     for socket in holder.connections() {
//!         let peer = usage(socket, &look.remotes).connection.peer;
//!         println!("{} {} {peer:?}", holder.process.name, socket.local);
//!     }
//! }
//! ```
//!
//! A socket that several processes hold (a listener with forked workers) stands under each of them
//! and once in the totals. What could not be looked at is said as a degradation. Nothing is counted
//! here: the bytes are TCP's own, since each connection began.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use netprocmon_host::ancestry::Ancestry;
use netprocmon_host::privilege::Capabilities;
use netprocmon_host::socket::Socket;
use netprocmon_host::{BootClock, HostError, process, services, socket};
use netprocmon_model::{
    Connection, ConnectionId, ConnectionState, ConnectionUsage, Counters, Degradation, Filter,
    InterfaceId, Pid, Process, Protocol, Scope,
};

mod matching;
mod remotes;

pub use remotes::Remotes;

/// What the look found.
#[derive(Debug)]
pub struct Inventory {
    /// Processes with sockets, by pid.
    pub holders: Vec<Holder>,
    /// Sockets that belong to a process that may not be looked at.
    pub hidden: Vec<Arc<Socket>>,
    /// Time-wait or half-open connections: no process holds them any more, or yet.
    pub unheld: Vec<Arc<Socket>>,
    /// What TCP moved on all of them together.
    pub totals: Counters,
    /// Who and what is at the other ends.
    pub remotes: Remotes,
    /// What could not be looked at.
    pub degradations: Vec<Degradation>,
}

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Sees all that this pid namespace shows.
    OfAll,
    /// Sees its own processes.
    OfItsOwn,
}

/// A process and its sockets.
#[derive(Debug)]
pub struct Holder {
    /// Which.
    pub process: Process,
    /// In the order of the kernel's lists.
    pub sockets: Vec<Arc<Socket>>,
}

impl Inventory {
    /// Looks now, into every network namespace that can be entered.
    #[must_use]
    pub fn take() -> Self {
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
    #[must_use]
    pub fn of(
        sockets: Vec<Socket>,
        owners: &HashMap<u64, Vec<Pid>>,
        mut read: impl FnMut(Pid) -> Option<Process>,
        service: impl Fn(u16, Protocol) -> Option<Arc<str>>,
        viewer: Viewer,
    ) -> Self {
        let mut held: BTreeMap<Pid, Vec<Arc<Socket>>> = BTreeMap::new();
        let (mut hidden, mut unheld) = (Vec::new(), Vec::new());
        let mut known = Vec::new();
        for socket in sockets.into_iter().map(Arc::new) {
            if socket.inode == 0 {
                unheld.push(socket);
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
            unheld,
            degradations,
        }
    }
}

impl Inventory {
    /// Leaves the processes and sockets that a filter takes, and their totals.
    pub fn filter(&mut self, filter: &Filter) {
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
    #[must_use]
    pub fn counters(&self) -> Counters {
        counters(self.sockets.iter().map(Arc::as_ref))
    }

    /// Its sockets that have a peer.
    pub fn connections(&self) -> impl Iterator<Item = &Socket> {
        let sockets = self.sockets.iter().map(Arc::as_ref);
        sockets.filter(|socket| is_connection(socket))
    }

    /// The sockets that wait for others to come: listeners and bound datagram sockets.
    pub fn bound(&self) -> impl Iterator<Item = &Socket> {
        let sockets = self.sockets.iter().map(Arc::as_ref);
        sockets.filter(|socket| is_bound(socket))
    }
}

/// Whether the socket has a peer.
#[must_use]
pub fn is_connection(socket: &Socket) -> bool {
    socket.remote.is_some() && socket.state != ConnectionState::Listen
}

/// Whether the socket has a port that others can come to.
#[must_use]
pub fn is_bound(socket: &Socket) -> bool {
    socket.local.port() != 0 && !is_connection(socket) && socket.state != ConnectionState::Closed
}

/// A socket as the contract's connection. What `sock_diag` cannot know stays unknown.
#[must_use]
pub fn usage(socket: &Socket, remotes: &Remotes) -> ConnectionUsage {
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
