//! Reads the connection rows: which there are, what went over them, which have ended.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

use aya::Ebpf;
use aya::maps::{HashMap, MapData, Queue};
use jiff::Timestamp;
use netprocmon_host::BootClock;
use netprocmon_model::{
    ConnectionId, ConnectionReading, ConnectionState, Counters, Direction, InterfaceId, IpVersion,
    NetnsId, Owner, Protocol,
};

use crate::abi::{ConnectionRow, KernelState, PeerKey};
use crate::books::{map_array, typed};
use crate::error::EbpfError;
use crate::mapped::Mapped;
use crate::rows::FreeRows;

/// A remote of a many-to-many socket that was not heard of for this long has ended.
const PEER_IDLE: Duration = Duration::from_mins(2);
/// An ended connection still gets its last packets for a while.
const QUIET_BEFORE_REUSE: Duration = Duration::from_secs(2);

/// What can change in a row.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Reading {
    counters: [u64; 8],
    owner: (u64, u32),
    closed_ns: u64,
    ifindex: u32,
    tcp_state: u8,
}

struct Conversation {
    row: u32,
    id: ConnectionId,
    last: Option<Reading>,
    /// As a date, which takes a division of 128 bits to make.
    opened: Timestamp,
    quiet_since: Instant,
    leaving: bool,
}

pub(crate) struct Conversations {
    rows: Mapped<ConnectionRow>,
    free: Queue<MapData, u32>,
    peers: HashMap<MapData, PeerKey, u64>,
    free_rows: FreeRows,
    open: Vec<Conversation>,
    next_id: u64,
}

impl Conversations {
    pub(crate) fn new(ebpf: &mut Ebpf, entries: u32) -> Result<Self, EbpfError> {
        Ok(Self {
            // SAFETY: size and layout are those of bpf/maps.h, as the loader set them.
            rows: unsafe { map_array(ebpf, "connections", entries) }?,
            free: typed(ebpf, "free_connections", Queue::try_from)?,
            peers: typed(ebpf, "peers", HashMap::try_from)?,
            free_rows: FreeRows::new(),
            open: Vec::new(),
            next_id: 1,
        })
    }

    /// Calls `changed` with each connection that is new or has changed. `owner` turns the kernel's
    /// (start, tgid) into an owner.
    pub(crate) fn read(
        &mut self,
        state: &KernelState,
        clock: &BootClock,
        mut owner: impl FnMut(u64, u32) -> Owner,
        mut changed: impl FnMut(ConnectionReading),
    ) {
        let next = state.next_connection.load(Acquire).min(self.rows.len());
        // What cannot be mapped now is read when it can: nothing is lost in the kernel.
        let _ = self.rows.map_to(next);
        let (rows, open, next_id) = (&self.rows, &mut self.open, &mut self.next_id);
        let now = Instant::now();
        self.free_rows.take_used(
            next,
            |row| {
                rows.get(row)
                    .is_some_and(|row| row.in_use.load(Acquire) != 0)
            },
            |row| {
                open.push(Conversation {
                    row,
                    id: ConnectionId(*next_id),
                    last: None,
                    opened: clock.timestamp(rows.get(row).map_or(0, |row| row.opened_ns)),
                    quiet_since: now,
                    leaving: false,
                });
                *next_id += 1;
            },
        );
        for conversation in open {
            let Some(row) = rows.get(conversation.row) else {
                continue;
            };
            let mut reading = read(row);
            let parent = rows.get(row.socket).filter(|_| row.socket != 0);
            if reading.closed_ns == 0
                && let Some(parent) = parent
            {
                reading.closed_ns = parent.closed_ns.load(Relaxed);
                if conversation.quiet_since.elapsed() > PEER_IDLE {
                    reading.closed_ns = BootClock::now();
                }
            }
            // The row of a socket that talks to many is empty: its remotes have rows of their own.
            let empty = row.has_remote == 0 && reading.counters == [0; 8];
            if conversation.last != Some(reading) && !conversation.leaving && !empty {
                if reading.closed_ns != 0 {
                    // Not for nothing: the kernel would have to fetch the line back.
                    row.closed_ns.store(reading.closed_ns, Relaxed);
                }
                conversation.last = Some(reading);
                conversation.quiet_since = now;
                let owner = owner(reading.owner.0, reading.owner.1);
                changed(tell(conversation, row, &reading, owner, clock));
            }
        }
    }

    /// Gives back the rows of connections that ended a while ago.
    pub(crate) fn reuse(&mut self) {
        let (rows, free, free_rows) = (&self.rows, &mut self.free, &mut self.free_rows);
        let peers = &mut self.peers;
        self.open.retain_mut(|conversation| {
            let Some(row) = rows.get(conversation.row) else {
                return false;
            };
            if conversation.leaving {
                clear(row);
                // It cannot be full: it has a place for every row.
                if free.push(conversation.row, 0).is_ok() {
                    free_rows.give_back(conversation.row);
                }
                return false;
            }
            let ended = conversation.last.is_some_and(|last| last.closed_ns != 0);
            if ended && conversation.quiet_since.elapsed() > QUIET_BEFORE_REUSE {
                if row.socket != 0 {
                    let parent = rows
                        .get(row.socket)
                        .map_or(0, |p| p.generation.load(Relaxed));
                    // Already gone is as good.
                    let _ = peers.remove(&peer_key(row, parent));
                }
                row.generation.fetch_add(1, Release);
                conversation.leaving = true;
            }
            true
        });
    }
}

fn read(row: &ConnectionRow) -> Reading {
    Reading {
        counters: row.counters().map(|counter| counter.load(Relaxed)),
        owner: (row.owner_start.load(Relaxed), row.owner_tgid.load(Relaxed)),
        closed_ns: row.closed_ns.load(Relaxed),
        ifindex: row.ifindex.load(Relaxed),
        tcp_state: row.tcp_state.load(Relaxed),
    }
}

fn clear(row: &ConnectionRow) {
    for counter in row.counters() {
        counter.store(0, Relaxed);
    }
    row.closed_ns.store(0, Relaxed);
    row.in_use.store(0, Release);
}

fn peer_key(row: &ConnectionRow, generation: u32) -> PeerKey {
    PeerKey {
        connection: u64::from(generation) << 32 | u64::from(row.socket),
        remote: row.remote,
        port: row.remote_port,
        ip_version: row.ip_version,
        unused: [0; 5],
    }
}

fn tell(
    conversation: &Conversation,
    row: &ConnectionRow,
    reading: &Reading,
    owner: Owner,
    clock: &BootClock,
) -> ConnectionReading {
    let ip_version = if row.ip_version == 4 {
        IpVersion::V4
    } else {
        IpVersion::V6
    };
    let protocol = Protocol(row.protocol);
    let state = match protocol {
        Protocol::TCP => ConnectionState::from_tcp(reading.tcp_state),
        _ => None,
    };
    let [
        bytes_sent,
        bytes_recv,
        packets_sent,
        packets_recv,
        sent,
        recv,
        bytes,
        packets,
    ] = reading.counters.map(Some);
    ConnectionReading {
        id: conversation.id,
        owner,
        protocol,
        ip_version,
        local: address(row.local, row.local_port, ip_version),
        remote: (row.has_remote != 0).then(|| address(row.remote, row.remote_port, ip_version)),
        state: state.unwrap_or(ConnectionState::Stateless),
        direction: match row.direction {
            1 => Some(Direction::In),
            2 => Some(Direction::Out),
            _ => None,
        },
        interface: InterfaceId {
            netns: NetnsId {
                inode: row.netns,
                turn: row.netns_turn,
            },
            index: reading.ifindex,
        },
        opened: Some(conversation.opened),
        closed: (reading.closed_ns != 0).then(|| clock.timestamp(reading.closed_ns)),
        counters: Counters {
            bytes_sent,
            bytes_recv,
            packets_sent,
            packets_recv,
            payload_sent: sent,
            payload_recv: recv,
            retransmitted_bytes: bytes,
            retransmitted_packets: packets,
        },
    }
}

pub(crate) fn address(bytes: [u8; 16], port: u16, version: IpVersion) -> SocketAddr {
    let [a, b, c, d, ..] = bytes;
    let ip = match version {
        IpVersion::V4 => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        IpVersion::V6 => IpAddr::V6(Ipv6Addr::from(bytes)),
    };
    SocketAddr::new(ip, port)
}
