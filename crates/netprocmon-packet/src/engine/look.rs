//! Finds the owner of a flow: asks the kernel for the socket, then looks for its holder.
//!
//! A socket that is not there yet (a connection that waits to be accepted) is asked for again with
//! the next packet, ever more seldom: after 1, 2, 4 … milliseconds, at most a second. An owner that
//! was found is only replaced by another that holds the socket now.

use std::net::SocketAddr;

use netprocmon_host::netns::{self, Netns};
use netprocmon_host::socket::{self, Question, Socket};
use netprocmon_model::{ConnectionState, Direction, Pid, Protocol, Reason};

use super::Engine;
use crate::census::ProcessIndex;
use crate::flow::{Charge, FlowKey};
use crate::search::Holder;
use crate::table::FlowIndex;

/// The longest pause between two looks, in milliseconds.
const LONGEST_PAUSE: u64 = 1000;

/// What was found out.
enum Finding {
    Is(Charge),
    /// As before, but nobody better is known.
    Reason(Reason),
    /// Too early to say.
    Later,
}

impl Engine {
    /// Looks for the owner of a flow, and says when to look again.
    pub(super) fn look(&mut self, index: FlowIndex, now: u64) {
        let Some(flow) = self.table.get(index) else {
            return;
        };
        if matches!(flow.charge, Charge::Nobody(_)) {
            return;
        }
        let pause = 1 << flow.looks.min(10);
        flow.next_look = now + pause.min(LONGEST_PAUSE);
        flow.looks = flow.looks.saturating_add(1);
        let (key, is_to_group) = (flow.key, flow.is_to_group);
        let has_sent = flow.tally().sent.packets > 0;
        let began_here = flow.tcp.direction == Some(Direction::Out);
        let socket = self.socket(&key, is_to_group);
        if let Some(socket) = &socket
            && let Some(flow) = self.table.get(index)
            && socket.state != ConnectionState::Listen
        {
            flow.inode = socket.inode;
        }
        let finding = match socket {
            Some(socket) if socket.inode == 0 && began_here => Finding::Reason(Reason::Exited),
            Some(socket) => self.holder(&key, &socket, began_here, now),
            None if key.protocol == Protocol::TCP && !began_here => self.presumed(&key, now),
            None => Finding::Reason(match key.protocol {
                Protocol::TCP => Reason::Exited,
                Protocol::UDP | Protocol::UDPLITE if has_sent => Reason::Exited,
                Protocol::UDP | Protocol::UDPLITE | Protocol::SCTP => Reason::NoSocket,
                _ => Reason::Kernel,
            }),
        };
        match finding {
            Finding::Is(charge) => self.charge(index, charge, now),
            Finding::Reason(reason) => {
                if let Some(flow) = self.table.get(index)
                    && let Charge::Open(before) = &mut flow.charge
                {
                    *before = reason;
                    self.table.list(index);
                }
            }
            Finding::Later => {}
        }
    }

    /// The socket that the flow is one end of.
    pub(super) fn socket(&mut self, key: &FlowKey, is_to_group: bool) -> Option<Socket> {
        let tap = self.tap(key.tap)?;
        if !key.protocol.has_ports() {
            return portless(&tap.netns, key);
        }
        let question = Question {
            protocol: key.protocol,
            local: key.local(),
            remote: key.remote(),
            interface: key.interface,
        };
        // A refusal is as good as no answer: a protocol that the kernel has no such question for.
        let found = tap.lookup.find(&question).ok().flatten()?;
        // A socket that is bound to any address would be said to get what is only passed on.
        let is_ours = is_to_group || tap.topology.is_local(key.local().ip());
        (is_ours || found.remote == Some(key.remote())).then_some(found)
    }

    /// Whom the socket belongs to.
    fn holder(&mut self, key: &FlowKey, socket: &Socket, began_here: bool, now: u64) -> Finding {
        if socket.inode == 0 {
            return self.presumed(key, now); // not accepted yet, or closed and still sending
        }
        let is_known = self.search.known(socket.inode).is_some();
        let is_accepted = key.protocol == Protocol::TCP && !began_here && !is_known;
        let hint = is_accepted.then(|| self.listener(key));
        let hint = hint.flatten().and_then(|one| self.search.known(one.inode));
        let pid = match self.search.find(socket.inode, socket.uid, hint, now) {
            Holder::Process(pid) => pid,
            Holder::Nobody => return Finding::Reason(self.reason(socket)),
            Holder::Later => return Finding::Later,
        };
        if socket.state == ConnectionState::Listen {
            return self.presumed_of(socket, now);
        }
        if let Some(index) = self.meet(pid) {
            return Finding::Is(Charge::Found(index));
        }
        self.search.forget(socket.inode);
        Finding::Reason(Reason::Exited)
    }

    /// A connection without a socket of its own yet, or any more: whoever listens is who accepts,
    /// or its parent.
    fn presumed(&mut self, key: &FlowKey, now: u64) -> Finding {
        match self.listener(key) {
            Some(listener) => self.presumed_of(&listener, now),
            None => Finding::Reason(Reason::NoSocket),
        }
    }

    fn presumed_of(&mut self, listener: &Socket, now: u64) -> Finding {
        match self.search.find(listener.inode, listener.uid, None, now) {
            Holder::Process(pid) => {
                if let Some(index) = self.meet(pid) {
                    return Finding::Is(Charge::Presumed(index));
                }
                self.search.forget(listener.inode);
                Finding::Later
            }
            Holder::Nobody => Finding::Reason(self.reason(listener)),
            Holder::Later => Finding::Later,
        }
    }

    /// The socket that listens at this end, which a stranger's packet would be given to.
    fn listener(&mut self, key: &FlowKey) -> Option<Socket> {
        let stranger = SocketAddr::new(key.remote().ip(), 0);
        let tap = self.tap(key.tap)?;
        let question = Question {
            protocol: Protocol::TCP,
            local: key.local(),
            remote: stranger,
            interface: key.interface,
        };
        let found = tap.lookup.find(&question).ok().flatten()?;
        (found.state == ConnectionState::Listen && found.inode != 0).then_some(found)
    }

    /// Why a socket that is there has no holder.
    fn reason(&self, socket: &Socket) -> Reason {
        if self.search.closed() > 0 {
            // Held by a process that may not be looked at.
            if self.old.contains(&socket.inode) {
                Reason::BeforeStart
            } else {
                Reason::Exited
            }
        } else {
            Reason::Kernel
        }
    }

    fn meet(&mut self, pid: Pid) -> Option<ProcessIndex> {
        self.census.meet(pid, &mut self.trees)
    }

    /// Charges a flow to somebody.
    fn charge(&mut self, index: FlowIndex, charge: Charge, now: u64) {
        let Some(flow) = self.table.get(index) else {
            return;
        };
        let before = flow.charge;
        if matches!(before, Charge::Found(_)) && !matches!(charge, Charge::Found(_)) {
            return;
        }
        flow.verified = now;
        if before == charge {
            return;
        }
        if matches!(before, Charge::Found(_)) {
            // What was moved before the socket changed hands stays with the one before.
            let mut late = std::mem::take(&mut self.late);
            self.tell(index, &mut |observation| late.push(observation));
            self.late = late;
        }
        if let Some(flow) = self.table.get(index) {
            flow.charge = charge;
        }
        if let Charge::Presumed(owner) | Charge::Found(owner) = charge {
            self.census.hold(owner);
        }
        if let Charge::Presumed(owner) | Charge::Found(owner) = before {
            self.census.let_go(owner);
        }
        self.table.list(index);
    }
}

/// The "ping" socket whose echoes have this identifier, else the one raw socket of the protocol:
/// where there are several, each gets a copy, and none is the one that it was for.
fn portless(netns: &Netns, key: &FlowKey) -> Option<Socket> {
    let answers = netns::enter(std::slice::from_ref(netns), |_| socket::portless());
    let mut all = answers.into_iter().next()?.ok()?;
    let (local, remote) = (key.local(), key.remote());
    all.retain(|socket| {
        let is_here = socket.local.ip().is_unspecified() || socket.local.ip() == local.ip();
        let is_theirs = socket.remote.is_none_or(|other| other.ip() == remote.ip());
        socket.protocol == key.protocol && is_here && is_theirs
    });
    let echoes = |socket: &&Socket| !socket.raw && socket.identifier == local.port();
    if let Some(ping) = all.iter().find(echoes) {
        return Some(ping.clone());
    }
    let mut raw = all.into_iter().filter(|socket| socket.raw);
    raw.next().filter(|_| raw.next().is_none())
}
