//! The TCP sockets that are known: what each has moved, and what of it has been told.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;

use jiff::Timestamp;
use netprocmon_host::route::Routes;
use netprocmon_host::socket::{PeersFin, Socket};
use netprocmon_model::{
    ConnectionId, ConnectionReading, ConnectionState, Counters, Delta, Direction, InterfaceId,
    Observation, Owner, Pid, ProcessId, Protocol, Reason, TrafficKey,
};

/// After so many looks nothing is told any more of a socket that is gone.
const LOOKS_UNTIL_GONE: u32 = 3;

/// What a socket has moved since its birth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) sent: u64,
    pub(super) recv: u64,
    pub(super) resent: u32,
}

/// Who holds a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// Not found yet.
    Unknown,
    Process(Pid),
    /// Somebody whose descriptors we may not see.
    Foreign,
}

#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) socket: Socket,
    pub(super) holder: Holder,
    interface: InterfaceId,
    direction: Option<Direction>,
    opened: Timestamp,
    fin: PeersFin,
    /// What it had moved when the monitor started.
    begun: Moved,
    moved: Moved,
    told: Moved,
    /// Looks since it was seen last.
    absent: u32,
    over: bool,
    /// Something about it has not been told.
    changed: bool,
}

pub(super) struct Conversations {
    by_cookie: BTreeMap<u64, Conversation>,
    routes: Routes,
    tell_each: bool,
}

impl Moved {
    /// `None` where the kernel does not tell (before 4.19).
    fn of(socket: &Socket, fin: PeersFin) -> Option<Self> {
        let info = socket.tcp?;
        Some(Self {
            sent: info.accepted(socket.state)?,
            recv: info.taken(fin, socket.unread)?,
            resent: info.total_retrans?,
        })
    }
}

impl Conversations {
    pub(super) fn new(routes: Routes, tell_each: bool) -> Self {
        Self {
            by_cookie: BTreeMap::new(),
            routes,
            tell_each,
        }
    }

    /// The sockets that are there when the monitor starts.
    pub(super) fn begin(&mut self, sockets: Vec<Socket>, now: Timestamp) {
        self.see(sockets, now, false);
        for one in self.by_cookie.values_mut() {
            one.begun = one.moved;
            one.told = one.moved;
            one.direction = None;
        }
    }

    /// A look at all. Whoever is not among them is over, unless its end will be `told`.
    pub(super) fn see(&mut self, sockets: Vec<Socket>, now: Timestamp, told: bool) {
        let listening: HashSet<u16> = sockets
            .iter()
            .filter(|one| one.state == ConnectionState::Listen)
            .map(|one| one.local.port())
            .collect();
        let waiting: HashSet<(SocketAddr, Option<SocketAddr>)> = sockets
            .iter()
            .filter(|one| one.state == ConnectionState::TimeWait)
            .map(|one| (one.local, one.remote))
            .collect();
        for one in self.by_cookie.values_mut() {
            one.absent += 1;
        }
        for socket in sockets {
            if socket.tcp.is_none() || socket.cookie == 0 {
                continue; // a listener, or in time-wait: there is nothing to be read
            }
            let known = self.by_cookie.entry(socket.cookie).or_insert_with(|| {
                let index = interface(&mut self.routes, &socket);
                Conversation::new(socket.clone(), index, now, &listening)
            });
            known.read(socket);
        }
        for one in self.by_cookie.values_mut().filter(|one| one.absent > 0) {
            // Who closed first is in time-wait now, and had not got the peer's FIN when it went.
            let closed_first = waiting.contains(&(one.socket.local, one.socket.remote));
            one.miss(closed_first, told);
        }
    }

    /// The kernel tells what a socket had counted when it went.
    pub(super) fn end(&mut self, socket: Socket) {
        let index = &mut self.routes;
        let now = Timestamp::now();
        let known = self.by_cookie.entry(socket.cookie).or_insert_with(|| {
            // It opened and closed between two looks: whose it was nobody can tell.
            let index = interface(index, &socket);
            Conversation::new(socket.clone(), index, now, &HashSet::new())
        });
        known.read(socket);
        known.over = true;
    }

    /// Those whose owner is to be looked for.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Conversation> {
        self.by_cookie.values_mut()
    }

    pub(super) fn holders(&self) -> impl Iterator<Item = Pid> + '_ {
        self.by_cookie.values().filter_map(|one| match one.holder {
            Holder::Process(pid) => Some(pid),
            Holder::Unknown | Holder::Foreign => None,
        })
    }

    /// What has changed since the last time. `introduce` tells of a process and gives its identity.
    pub(super) fn take_changes(
        &mut self,
        now: Timestamp,
        introduce: &mut impl FnMut(Pid) -> Option<ProcessId>,
    ) -> Vec<Observation> {
        let mut told = Vec::new();
        let tell_each = self.tell_each;
        self.by_cookie.retain(|_, one| {
            let gone = one.over && one.absent >= LOOKS_UNTIL_GONE;
            let owner = match one.holder {
                Holder::Process(pid) => {
                    if one.moved == one.told && !(one.changed && tell_each) {
                        return !gone;
                    }
                    introduce(pid).map_or(Owner::Unattributed(Reason::Exited), Owner::Process)
                }
                // Its holder may still be found, until it is over.
                Holder::Unknown if one.over && one.absent > 0 => {
                    Owner::Unattributed(Reason::Exited)
                }
                Holder::Unknown => return true,
                Holder::Foreign => return !gone,
            };
            one.tell(owner, now, tell_each, &mut told);
            !gone
        });
        told
    }
}

impl Conversation {
    fn new(
        socket: Socket,
        index: Option<u32>,
        opened: Timestamp,
        listening: &HashSet<u16>,
    ) -> Self {
        let direction = match socket.state {
            ConnectionState::SynSent => Some(Direction::Out),
            _ if listening.contains(&socket.local.port()) => Some(Direction::In),
            _ => None,
        };
        Self {
            interface: InterfaceId {
                netns: socket.netns,
                index: index.unwrap_or(0),
            },
            direction,
            opened,
            fin: PeersFin::Open,
            begun: Moved::default(),
            moved: Moved::default(),
            told: Moved::default(),
            absent: 0,
            over: false,
            changed: true,
            holder: Holder::Unknown,
            socket,
        }
    }

    /// What moved since the last look, for whoever wants to ask its holder again.
    pub(super) fn has_moved(&self) -> bool {
        self.moved != self.told
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    fn read(&mut self, mut socket: Socket) {
        self.absent = 0;
        if PeersFin::in_state(socket.state) == PeersFin::Came {
            self.fin = PeersFin::Came;
        }
        if socket.inode == 0 {
            // On its way out; or not accepted yet, and then there was none before.
            socket.inode = self.socket.inode;
            socket.uid = self.socket.uid;
        }
        if let Some(moved) = Moved::of(&socket, self.fin) {
            self.changed |= socket.state != self.socket.state;
            // Never back: a FIN that is known of only now is no byte.
            self.moved = Moved {
                sent: moved.sent.max(self.moved.sent),
                recv: moved.recv.max(self.moved.recv),
                resent: moved.resent.max(self.moved.resent),
            };
        }
        self.socket = socket;
    }

    /// It was not among those that were looked at.
    fn miss(&mut self, closed_first: bool, told: bool) {
        let first = self.absent == 1;
        if first && self.over && !closed_first && self.socket.state == ConnectionState::Closed {
            // The peer closed first, and its FIN was counted when it was read.
            self.fin = PeersFin::Came;
            if let Some(moved) = Moved::of(&self.socket, self.fin) {
                self.moved.recv = moved.recv;
            }
        }
        if first || self.absent >= LOOKS_UNTIL_GONE {
            self.over |= !told || self.absent >= LOOKS_UNTIL_GONE;
            self.changed |= self.over;
        }
    }

    fn tell(&mut self, owner: Owner, now: Timestamp, tell_each: bool, to: &mut Vec<Observation>) {
        let key = TrafficKey {
            owner,
            interface: self.interface,
            protocol: Protocol::TCP,
            ip_version: self.socket.ip_version,
        };
        if self.moved != self.told {
            let change = |now: u64, then: u64| now.cast_signed() - then.cast_signed();
            let resent = i64::from(self.moved.resent) - i64::from(self.told.resent);
            to.push(Observation::Traffic(
                key,
                Delta {
                    payload_sent: Some(change(self.moved.sent, self.told.sent)),
                    payload_recv: Some(change(self.moved.recv, self.told.recv)),
                    retransmitted_bytes: None,
                    retransmitted_packets: Some(resent),
                    ..Delta::default()
                },
            ));
            self.told = self.moved;
        } else if !self.changed {
            return;
        }
        self.changed = false;
        if tell_each {
            to.push(Observation::Connection(self.reading(owner, now)));
        }
    }

    fn reading(&self, owner: Owner, now: Timestamp) -> ConnectionReading {
        let Moved { sent, recv, resent } = self.begun;
        ConnectionReading {
            id: ConnectionId(self.socket.cookie),
            owner,
            protocol: Protocol::TCP,
            ip_version: self.socket.ip_version,
            local: self.socket.local,
            remote: self.socket.remote,
            state: if self.over {
                ConnectionState::Closed
            } else {
                self.socket.state
            },
            direction: self.direction,
            interface: self.interface,
            opened: Some(self.opened),
            closed: self.over.then_some(now),
            counters: Counters {
                payload_sent: Some(self.moved.sent - sent),
                payload_recv: Some(self.moved.recv - recv),
                retransmitted_packets: Some(u64::from(self.moved.resent - resent)),
                ..Counters::UNKNOWN
            },
        }
    }
}

/// What it is bound to, else where the kernel would send to its remote from its address.
fn interface(routes: &mut Routes, socket: &Socket) -> Option<u32> {
    if socket.interface != 0 {
        return Some(socket.interface);
    }
    routes.interface(socket.local.ip(), socket.remote?.ip())
}
