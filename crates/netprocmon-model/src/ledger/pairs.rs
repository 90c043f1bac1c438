//! Which connections are the two ends of one: both on this host, each with the other's addresses.
//!
//! Kept up to date as connections come and go; nothing here grows with those that stay. Within a
//! namespace two mirrored connections belong together. Across namespaces they do where nothing
//! else could be meant: containers may use the same addresses in networks of their own. Loopback
//! addresses never leave their namespace.
//!
//! Not here: what the ends are called (the ledger tells them).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::{ConnectionId, NetnsId, Protocol};

/// Connections with the same ends that are looked at. There is rarely a second; many of them in one
/// namespace are one after the other, of which the last count.
const CANDIDATES: usize = 16;

/// An address, IPv4 as mapped, and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    address: [u8; 16],
    port: u16,
}

/// Protocol and both ends, as one of the two sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ends {
    protocol: Protocol,
    local: End,
    remote: End,
}

/// Whom a connection is paired with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Partner {
    None,
    Is(ConnectionId),
    /// It had one that has left or found another.
    Was,
}

#[derive(Debug)]
struct Member {
    ends: Ends,
    netns: NetnsId,
    ended: bool,
    partner: Partner,
}

/// A connection whose partner is another than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) of: ConnectionId,
    /// `None`: what was taken for its partner is not.
    pub(super) partner: Option<ConnectionId>,
}

/// The connections that are followed, by their ends.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    members: BTreeMap<ConnectionId, Member>,
    by_ends: BTreeSet<(Ends, NetnsId, ConnectionId)>,
}

impl Ends {
    pub(super) fn new(protocol: Protocol, local: SocketAddr, remote: SocketAddr) -> Self {
        let (local, remote) = (End::of(local), End::of(remote));
        Self {
            protocol,
            local,
            remote,
        }
    }

    fn mirrored(self) -> Self {
        Self {
            local: self.remote,
            remote: self.local,
            ..self
        }
    }

    fn stays_in_its_namespace(&self) -> bool {
        let is_loopback = |end: End| {
            let address = IpAddr::from(end.address).to_canonical();
            address.is_loopback()
        };
        is_loopback(self.local) || is_loopback(self.remote)
    }
}

impl End {
    fn of(address: SocketAddr) -> Self {
        let v6 = match address.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        Self {
            address: v6.octets(),
            port: address.port(),
        }
    }
}

impl Pairs {
    /// Takes a connection in. Answers with those whose partner has changed by that.
    pub(super) fn join(&mut self, id: ConnectionId, netns: NetnsId, ends: Ends) -> Vec<Change> {
        let member = Member {
            ends,
            netns,
            ended: false,
            partner: Partner::None,
        };
        self.leave(id);
        self.members.insert(id, member);
        self.by_ends.insert((ends, netns, id));
        let mut changes = Vec::new();
        let here = self.with_ends(ends.mirrored(), Some(netns), id);
        if here.is_empty() {
            self.pair_across(id, netns, ends, &mut changes);
        } else if let Some(other) = self.free_among(&here, netns) {
            self.pair(id, other, &mut changes);
        }
        changes
    }

    /// A connection has ended; it stays until it [leaves](Self::leave).
    pub(super) fn end(&mut self, id: ConnectionId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.ended = true;
        }
    }

    /// Forgets a connection.
    pub(super) fn leave(&mut self, id: ConnectionId) {
        let Some(member) = self.members.remove(&id) else {
            return;
        };
        self.by_ends.remove(&(member.ends, member.netns, id));
        if let Partner::Is(partner) = member.partner {
            self.set(partner, Partner::Was);
        }
    }

    /// How many are here.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.members.len().max(self.by_ends.len())
    }

    pub(super) fn partner(&self, id: ConnectionId) -> Option<ConnectionId> {
        match self.members.get(&id)?.partner {
            Partner::Is(partner) => Some(partner),
            Partner::None | Partner::Was => None,
        }
    }

    /// The connections with these ends but `me`, in one namespace or in all: the latest of each
    /// namespace last. Those that have ended with a partner are out of it.
    fn with_ends(&self, ends: Ends, netns: Option<NetnsId>, me: ConnectionId) -> Vec<ConnectionId> {
        let (from, to) = netns.map_or((NetnsId::LEAST, NetnsId::GREATEST), |one| (one, one));
        let from = (ends, from, ConnectionId(0));
        let to = (ends, to, ConnectionId(u64::MAX));
        let ids = self.by_ends.range(from..=to).rev().map(|(.., id)| *id);
        let counts = |id: &ConnectionId| {
            let member = self.members.get(id);
            *id != me && member.is_some_and(|m| !m.ended || m.partner == Partner::None)
        };
        let mut found: Vec<_> = ids.take(CANDIDATES).filter(counts).collect();
        found.reverse();
        found
    }

    /// Of these, one of which `netns` may take the place of its partner: one that lives rather than
    /// one that has ended, and the latest.
    fn free_among(&self, ids: &[ConnectionId], netns: NetnsId) -> Option<ConnectionId> {
        let lives = |id: &ConnectionId| self.members.get(id).is_some_and(|m| !m.ended);
        let free = ids.iter().copied().filter(|id| {
            let partner = self.partner(*id).and_then(|id| self.members.get(&id));
            partner.is_none_or(|partner| partner.ended || partner.netns != netns)
        });
        free.max_by_key(|id| (lives(id), *id))
    }

    fn pair_across(
        &mut self,
        id: ConnectionId,
        netns: NetnsId,
        ends: Ends,
        changes: &mut Vec<Change>,
    ) {
        if ends.stays_in_its_namespace() {
            return;
        }
        let [other] = self.with_ends(ends.mirrored(), None, id)[..] else {
            return;
        };
        let elsewhere = |id: &ConnectionId| self.members.get(id).is_some_and(|m| m.netns != netns);
        let mut rivals = self.with_ends(ends, None, id);
        rivals.retain(elsewhere);
        let Some(partner) = self.partner(other) else {
            if rivals.is_empty() {
                self.pair(id, other, changes);
            }
            return;
        };
        let is_in_one_namespace = self.netns(partner) == self.netns(other);
        if self.members.get(&partner).is_some_and(|m| m.ended) {
            self.pair(id, other, changes);
        } else if rivals.contains(&partner) && !is_in_one_namespace {
            // Either may be meant.
            for of in [partner, other] {
                self.set(of, Partner::None);
                changes.push(Change { of, partner: None });
            }
        }
    }

    fn pair(&mut self, one: ConnectionId, other: ConnectionId, changes: &mut Vec<Change>) {
        if let Some(before) = self.partner(other) {
            let lives = self.members.get(&before).is_some_and(|m| !m.ended);
            self.set(before, Partner::Was);
            if lives {
                changes.push(Change {
                    of: before,
                    partner: None,
                });
            }
        }
        for (of, partner) in [(one, other), (other, one)] {
            self.set(of, Partner::Is(partner));
            changes.push(Change {
                of,
                partner: Some(partner),
            });
        }
    }

    fn set(&mut self, id: ConnectionId, partner: Partner) {
        if let Some(member) = self.members.get_mut(&id) {
            member.partner = partner;
        }
    }

    fn netns(&self, id: ConnectionId) -> Option<NetnsId> {
        self.members.get(&id).map(|member| member.netns)
    }
}

#[cfg(test)]
mod tests;
