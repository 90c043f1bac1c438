//! What a source tells the ledger: who exists, what was moved, what ended.
//!
//! All sources emit the same observations, so everything behind them can be tested from a table
//! of observations without a kernel.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    ConnectionId, ConnectionState, Direction, InterfaceId, IpVersion, NetnsId, Process, ProcessId,
    Protocol,
};

/// One thing that a source saw since it was last asked.
#[allow(clippy::large_enum_variant)] // a box would be an allocation for each connection in each tick
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A process, new or with changed facts; replaces what was known of it.
    Process(Arc<Process>),
    /// A process ended. Bytes may still follow: the kernel sends what it queued.
    Exited {
        /// Which one.
        process: ProcessId,
        /// When.
        at: Timestamp,
    },
    /// No more bytes can follow for this process; its numbers are final.
    Settled(ProcessId),
    /// Bytes moved since the last observation with the same key.
    Traffic(TrafficKey, Delta),
    /// The present reading of a connection (cumulative, not a delta).
    Connection(ConnectionReading),
    /// An answer of the domain name system that this host received: the address goes by this name.
    Name {
        /// The namespace that it was received in.
        netns: NetnsId,
        /// The address of its A or AAAA record.
        address: IpAddr,
        /// The name that was asked for, not what an alias (CNAME) leads to. From outside.
        name: Arc<str>,
        /// When it was received.
        at: Timestamp,
        /// The process that asked, where that is known.
        asker: Option<ProcessId>,
    },
    /// Records that were lost between the kernel and us. Counters are never among them.
    LostEvents(u64),
}

/// To whom traffic is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The process that moved the bytes.
    Process(ProcessId),
    /// No process, for a reason.
    Unattributed(Reason),
}

/// Why bytes are charged to no process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The kernel's own sockets: ICMP replies, NFS, tunnels.
    Kernel,
    /// The socket is older than the monitor and no process holds it.
    BeforeStart,
    /// No socket: time-wait, resets, port-unreachable, forwarded.
    NoSocket,
    /// The owner was gone before it could be read.
    Exited,
    /// A table was full.
    Capacity,
}

impl Reason {
    /// The word that JSON and the terminal show.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::BeforeStart => "before_start",
            Self::NoSocket => "no_socket",
            Self::Exited => "exited",
            Self::Capacity => "capacity",
        }
    }
}

/// Under what traffic is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrafficKey {
    /// Who pays.
    pub owner: Owner,
    /// The interface that the packets crossed.
    pub interface: InterfaceId,
    /// Transport protocol.
    pub protocol: Protocol,
    /// IP version of the packets.
    pub ip_version: IpVersion,
}

/// A change of the eight counters. Signed: bytes move between owners when the real one is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the same eight fields as `Counters`, with the same meaning
pub struct Delta {
    pub bytes_sent: i64,
    pub bytes_recv: i64,
    pub packets_sent: i64,
    pub packets_recv: i64,
    /// `None` where the source cannot know payload.
    pub payload_sent: Option<i64>,
    /// `None` where the source cannot know payload.
    pub payload_recv: Option<i64>,
    /// `None` where the source cannot know retransmissions.
    pub retransmitted_bytes: Option<i64>,
    /// `None` where the source cannot know retransmissions.
    pub retransmitted_packets: Option<i64>,
    /// What segmentation adds to the wire beyond what the stack handed over.
    pub merged: Merged,
}

/// The difference between the wire and the segmentation buffers that the stack handed to, or took
/// from, the device: headers and packets that exist on the wire only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Header bytes that segmentation adds on the way out.
    pub bytes_sent: i64,
    /// Packets that segmentation adds on the way out.
    pub packets_sent: i64,
    /// Header bytes that merging took away on the way in.
    pub bytes_recv: i64,
    /// Packets that merging took away on the way in.
    pub packets_recv: i64,
}

/// A connection as it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionReading {
    /// The source's number for it.
    pub id: ConnectionId,
    /// Who owns it now.
    pub owner: Owner,
    /// Transport protocol.
    pub protocol: Protocol,
    /// IP version of its packets.
    pub ip_version: IpVersion,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: Option<SocketAddr>,
    /// Socket state.
    pub state: ConnectionState,
    /// Who opened it.
    pub direction: Option<Direction>,
    /// The interface of its last packet.
    pub interface: InterfaceId,
    /// When it was opened or first seen.
    pub opened: Option<Timestamp>,
    /// When it ended.
    pub closed: Option<Timestamp>,
    /// Cumulative counters.
    pub counters: crate::Counters,
}

impl Delta {
    /// Whether anything goes over to somebody else.
    pub(crate) fn takes_back(&self) -> bool {
        let Self {
            bytes_sent,
            bytes_recv,
            payload_sent,
            payload_recv,
            ..
        } = *self;
        let payload = payload_sent.min(payload_recv).unwrap_or_default();
        bytes_sent.min(bytes_recv).min(payload) < 0
    }

    /// Adds this change to `counters`.
    pub fn apply(&self, counters: &mut crate::Counters) {
        let add = |counter: &mut Option<u64>, change: Option<i64>| {
            *counter = counter
                .zip(change)
                .map(|(now, by)| now.wrapping_add_signed(by));
        };
        add(&mut counters.bytes_sent, Some(self.bytes_sent));
        add(&mut counters.bytes_recv, Some(self.bytes_recv));
        add(&mut counters.packets_sent, Some(self.packets_sent));
        add(&mut counters.packets_recv, Some(self.packets_recv));
        add(&mut counters.payload_sent, self.payload_sent);
        add(&mut counters.payload_recv, self.payload_recv);
        add(&mut counters.retransmitted_bytes, self.retransmitted_bytes);
        add(
            &mut counters.retransmitted_packets,
            self.retransmitted_packets,
        );
    }
}

impl Merged {
    /// Adds `other` to this.
    pub fn add(&mut self, other: Self) {
        self.bytes_sent += other.bytes_sent;
        self.packets_sent += other.packets_sent;
        self.bytes_recv += other.bytes_recv;
        self.packets_recv += other.packets_recv;
    }
}
