//! A flow: what one end on this host exchanges with one other end over one interface, what it has
//! moved, and to whom that is charged.
//!
//! What was told to the ledger under a reason before the owner was known is taken back and told
//! again under the owner: bytes are never held back, so the sum over an interface is right at every
//! moment.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use netprocmon_model::{
    ConnectionId, Delta, InterfaceId, IpVersion, Owner, Protocol, Reason, TrafficKey,
};

use crate::census::ProcessIndex;
use crate::parse::Packet;
use crate::state::TcpState;
use crate::wire::{Moved, Tally};

/// Which way a packet goes, as this host sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    Sent,
    Recv,
}

/// By what flows are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FlowKey {
    /// Addresses as IPv6, those of IPv4 mapped: numbers are hashed fastest.
    local: u128,
    remote: u128,
    local_port: u16,
    remote_port: u16,
    pub(crate) interface: u32,
    /// The tap that saw it, which stands for its network namespace.
    pub(crate) tap: u16,
    pub(crate) protocol: Protocol,
    is_v4: bool,
}

impl FlowKey {
    /// Of a packet on its way over an interface.
    pub(crate) fn of(packet: &Packet, way: Way, tap: u16, interface: u32) -> Self {
        let (local, remote) = match way {
            Way::Sent => (packet.source, packet.destination),
            Way::Recv => (packet.destination, packet.source),
        };
        Self {
            local: number(local.ip()),
            remote: number(remote.ip()),
            local_port: local.port(),
            remote_port: remote.port(),
            interface,
            tap,
            protocol: packet.protocol,
            is_v4: packet.ip_version == IpVersion::V4,
        }
    }

    /// The same for all parts of a packet.
    pub(crate) fn without_ports(self) -> Self {
        Self {
            local_port: 0,
            remote_port: 0,
            ..self
        }
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.end(self.local, self.local_port)
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        self.end(self.remote, self.remote_port)
    }

    pub(crate) fn ip_version(&self) -> IpVersion {
        if self.is_v4 {
            IpVersion::V4
        } else {
            IpVersion::V6
        }
    }

    fn end(&self, address: u128, port: u16) -> SocketAddr {
        let address = Ipv6Addr::from_bits(address);
        match address.to_ipv4_mapped().filter(|_| self.is_v4) {
            Some(v4) => SocketAddr::new(v4.into(), port),
            None => SocketAddr::new(address.into(), port),
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// To whom a flow is charged, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// Nobody has been found yet; under this reason until then.
    Open(Reason),
    /// Most likely this one, until the socket of the connection itself is there: it waits to be
    /// accepted.
    Presumed(ProcessIndex),
    /// This one holds the socket.
    Found(ProcessIndex),
    /// Nobody, and that will not change.
    Nobody(Reason),
}

/// A flow and its counts.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) key: FlowKey,
    pub(crate) charge: Charge,
    /// Everything that was moved.
    tally: Tally,
    /// What of it the ledger knows, and under whom.
    told: Tally,
    told_to: Option<Owner>,
    /// Whether that was sure then; else it goes over to the one that is found.
    told_surely: bool,
    /// Whether it is on the list of flows that the ledger has to hear of.
    pub(crate) is_listed: bool,
    pub(crate) tcp: TcpState,
    /// Whether its packets are for all, or a group, on the link.
    pub(crate) is_to_group: bool,
    pub(crate) connection: ConnectionId,
    /// The socket, where one was found.
    pub(crate) inode: u64,
    /// Moments, in milliseconds since the source started: of its first and its last packet, of the
    /// next look for its owner, and of the last time that the owner was seen to hold the socket.
    pub(crate) opened: u64,
    pub(crate) last: u64,
    pub(crate) next_look: u64,
    pub(crate) verified: u64,
    pub(crate) looks: u8,
}

impl Flow {
    pub(crate) fn new(key: FlowKey, connection: ConnectionId, now: u64) -> Self {
        Self {
            key,
            charge: Charge::Open(Reason::NoSocket),
            tally: Tally::default(),
            told: Tally::default(),
            told_to: None,
            told_surely: false,
            is_listed: false,
            tcp: TcpState::default(),
            is_to_group: false,
            connection,
            inode: 0,
            opened: now,
            last: now,
            next_look: now,
            verified: now,
            looks: 0,
        }
    }

    pub(crate) fn count(&mut self, way: Way, moved: Moved) {
        match way {
            Way::Sent => self.tally.sent.add(moved),
            Way::Recv => self.tally.recv.add(moved),
        }
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Another connection between the same two ends begins. What was told stays as it is.
    pub(crate) fn begin_anew(&mut self, connection: ConnectionId, now: u64) {
        *self = Self {
            is_listed: self.is_listed,
            ..Self::new(self.key, connection, now)
        };
    }

    /// Tells what the ledger does not know yet, under `owner`, whom all that was told before without
    /// being sure goes over to.
    pub(crate) fn tell(
        &mut self,
        interface: InterfaceId,
        owner: Owner,
        sink: &mut impl FnMut(TrafficKey, Delta),
    ) {
        let key = |owner| TrafficKey {
            owner,
            interface,
            protocol: self.key.protocol,
            ip_version: self.key.ip_version(),
        };
        let nothing = Tally::default();
        let mut known = self.told;
        if let Some(before) = self.told_to
            && before != owner
            && !self.told_surely
            && !known.is_zero()
        {
            sink(key(before), nothing.since(&known));
            known = nothing;
        }
        if known != self.tally {
            sink(key(owner), self.tally.since(&known));
        }
        self.told = self.tally;
        self.told_to = Some(owner);
        self.told_surely = matches!(self.charge, Charge::Found(_) | Charge::Nobody(_));
    }
}
