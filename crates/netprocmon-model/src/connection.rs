//! One socket's conversation: its two ends, its state, its counters.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::remote::peer_fields;
use crate::{Counters, InterfaceId, IpVersion, Origin, Peer, Protocol, Scope};

/// A source's own number for a connection; unique for the life of the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// The state of the socket, in RFC 9293's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the RFC's states explain themselves
pub enum ConnectionState {
    Established,
    SynSent,
    #[serde(rename = "syn-received")]
    SynReceived,
    #[serde(rename = "fin-wait-1")]
    FinWait1,
    #[serde(rename = "fin-wait-2")]
    FinWait2,
    TimeWait,
    Closed,
    CloseWait,
    LastAck,
    Listen,
    Closing,
    /// A datagram or raw socket: it has no peer's state to be in.
    Stateless,
}

impl ConnectionState {
    /// The kernel's number for a TCP state (`include/net/tcp_states.h`).
    #[must_use]
    pub const fn from_tcp(state: u8) -> Option<Self> {
        Some(match state {
            1 => Self::Established,
            2 => Self::SynSent,
            3 | 12 => Self::SynReceived,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Closed,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            _ => return None,
        })
    }

    /// The word that [`Serialize`] and the terminal show.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::SynSent => "syn-sent",
            Self::SynReceived => "syn-received",
            Self::FinWait1 => "fin-wait-1",
            Self::FinWait2 => "fin-wait-2",
            Self::TimeWait => "time-wait",
            Self::Closed => "closed",
            Self::CloseWait => "close-wait",
            Self::LastAck => "last-ack",
            Self::Listen => "listen",
            Self::Closing => "closing",
            Self::Stateless => "stateless",
        }
    }
}

/// Who opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Accepted here.
    In,
    /// Opened here.
    Out,
}

/// What a connection is; its counters stand beside it in [`ConnectionUsage`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// Transport protocol.
    pub protocol: Protocol,
    /// IP version of its packets.
    #[serde(skip)]
    pub ip_version: IpVersion,
    /// This end.
    pub local: SocketAddr,
    /// The other end; `None` for a listener or a datagram socket that talks to many.
    pub remote: Option<SocketAddr>,
    /// The remote's name, where it is known without asking anybody.
    pub remote_name: Option<Arc<str>>,
    /// How far away the remote is.
    #[serde(rename = "remote_scope")]
    pub scope: Option<Scope>,
    /// The service that the well-known end's port is registered for, such as `https`.
    pub service: Option<Arc<str>>,
    /// The process at the other end, where that is on this host.
    #[serde(flatten, serialize_with = "peer_fields")]
    pub peer: Option<Peer>,
    /// Where the remote is said to be; absent unless a database was given.
    #[serde(flatten)]
    pub origin: Option<Arc<Origin>>,
    /// Socket state.
    pub state: ConnectionState,
    /// Who opened it, where that is known.
    pub direction: Option<Direction>,
    /// The interface of its last packet.
    #[serde(skip)]
    pub interface: InterfaceId,
    /// That interface's name.
    #[serde(rename = "interface")]
    pub interface_name: Option<Arc<str>>,
    /// When it was opened, or first seen for one older than the monitor.
    pub opened: Option<Timestamp>,
    /// When it ended; `None` while it lives.
    pub closed: Option<Timestamp>,
}

/// A connection and what went over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionUsage {
    /// Its number in this monitor.
    #[serde(skip)]
    pub id: ConnectionId,
    /// The two ends, the state, the times.
    #[serde(flatten)]
    pub connection: Connection,
    /// Bytes and packets since the monitor started.
    #[serde(flatten)]
    pub counters: Counters,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_json_shows() {
        for state in (1..=12).filter_map(ConnectionState::from_tcp) {
            let json = serde_json::to_value(state).unwrap();
            assert_eq!(json, state.name());
        }
    }
}
