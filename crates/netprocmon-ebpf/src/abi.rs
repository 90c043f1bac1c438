//! The layouts that the kernel side and this side share: `bpf/abi.h`, line by line.
//!
//! Everything the kernel writes while we look is an atomic, so that reading a mapped counter is a
//! plain load and no data race. Sizes are asserted here and in the header; neither can drift alone.

use std::sync::atomic::{AtomicU32, AtomicU64};

use netprocmon_model::NetnsId;

/// `struct slot_key`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SlotKey {
    pub(crate) start: u64,
    pub(crate) tgid: u32,
    pub(crate) ifindex: u32,
    pub(crate) netns: u32,
    pub(crate) netns_turn: u32,
    pub(crate) protocol: u8,
    pub(crate) ip_version: u8,
    pub(crate) reason: u8,
    pub(crate) unused: [u8; 5],
}

/// `struct slot_record`; the key is written before `in_use`.
#[repr(C)]
pub(crate) struct SlotRecord {
    pub(crate) key: SlotKey,
    pub(crate) in_use: AtomicU32,
    unused: u32,
}

/// `struct counters`.
#[repr(C)]
pub(crate) struct SlotCounters {
    pub(crate) tx_bytes: AtomicU64,
    pub(crate) tx_packets: AtomicU64,
    pub(crate) rx_bytes: AtomicU64,
    pub(crate) rx_packets: AtomicU64,
    pub(crate) tx_payload: AtomicU64,
    pub(crate) rx_payload: AtomicU64,
    pub(crate) generation: AtomicU32,
    ifindex: u32,
    ip_version: u8,
    unused: [u8; 7],
    pub(crate) retransmitted_bytes: AtomicU64,
    pub(crate) retransmitted_packets: AtomicU64,
    pub(crate) tx_merged_bytes: AtomicU64,
    pub(crate) tx_merged_packets: AtomicU64,
    pub(crate) rx_merged_bytes: AtomicU64,
    pub(crate) rx_merged_packets: AtomicU64,
    unused1: [u64; 2],
}

/// `struct connection`; everything else is written before `in_use`.
#[repr(C)]
pub(crate) struct ConnectionRow {
    pub(crate) tx_bytes: AtomicU64,
    pub(crate) tx_packets: AtomicU64,
    pub(crate) rx_bytes: AtomicU64,
    pub(crate) rx_packets: AtomicU64,
    pub(crate) tx_payload: AtomicU64,
    pub(crate) rx_payload: AtomicU64,
    pub(crate) closed_ns: AtomicU64,
    pub(crate) generation: AtomicU32,
    pub(crate) in_use: AtomicU32,
    pub(crate) retransmitted_bytes: AtomicU64,
    pub(crate) retransmitted_packets: AtomicU64,
    pub(crate) owner_start: AtomicU64,
    pub(crate) owner_tgid: AtomicU32,
    pub(crate) netns: u32,
    pub(crate) opened_ns: u64,
    pub(crate) ifindex: AtomicU32,
    pub(crate) local_port: u16,
    pub(crate) remote_port: u16,
    pub(crate) protocol: u8,
    pub(crate) ip_version: u8,
    pub(crate) tcp_state: std::sync::atomic::AtomicU8,
    pub(crate) direction: u8,
    pub(crate) has_remote: u8,
    unused: [u8; 3],
    pub(crate) socket: u32,
    pub(crate) netns_turn: u32,
    pub(crate) local: [u8; 16],
    pub(crate) remote: [u8; 16],
    unused2: [u64; 4],
}

/// `struct peer_key`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PeerKey {
    pub(crate) connection: u64,
    pub(crate) remote: [u8; 16],
    pub(crate) port: u16,
    pub(crate) ip_version: u8,
    pub(crate) unused: [u8; 5],
}

/// `struct netns`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NetnsRecord {
    pub(crate) inode: u32,
    pub(crate) turn: u32,
}

impl From<NetnsId> for NetnsRecord {
    fn from(id: NetnsId) -> Self {
        Self {
            inode: id.inode,
            turn: id.turn,
        }
    }
}

/// `struct process_key`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ProcessKey {
    pub(crate) start: u64,
    pub(crate) tgid: u32,
    pub(crate) unused: u32,
}

pub(crate) const COMM_LEN: usize = 16;
pub(crate) const EXE_LEN: usize = 256;
pub(crate) const ARGS_LEN: usize = 512;

/// `struct process`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct ProcessRecord {
    pub(crate) exit_ns: u64,
    pub(crate) cgroup: u64,
    pub(crate) ppid: u32,
    pub(crate) uid: u32,
    pub(crate) netns: u32,
    pub(crate) tree: u32,
    pub(crate) exe_len: u32,
    pub(crate) args_len: u32,
    pub(crate) comm: [u8; COMM_LEN],
    pub(crate) exe: [u8; EXE_LEN],
    pub(crate) args: [u8; ARGS_LEN],
}

/// `struct birth`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct BirthRecord {
    pub(crate) start: u64,
    pub(crate) parent_start: u64,
    pub(crate) parent_tgid: u32,
    unused: u32,
    pub(crate) comm: [u8; COMM_LEN],
}

/// `struct event`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) kind: u32,
    pub(crate) tgid: u32,
    pub(crate) start: u64,
    pub(crate) subject: u64,
    pub(crate) netns: u32,
    pub(crate) netns_turn: u32,
}

pub(crate) const EVENT_PROCESS: u32 = 1;
pub(crate) const EVENT_EXIT: u32 = 2;
pub(crate) const EVENT_NETNS: u32 = 3;
pub(crate) const EVENT_CGROUP: u32 = 4;
/// `EVENT_MESSAGES` only wakes: there is nothing more to it.
pub(crate) const MESSAGE_BYTES: usize = 1232;

/// `struct message`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct MessageRecord {
    pub(crate) time_ns: u64,
    pub(crate) owner_start: u64,
    pub(crate) owner_tgid: u32,
    pub(crate) netns: u32,
    pub(crate) netns_turn: u32,
    pub(crate) sequence: u32,
    pub(crate) local_port: u16,
    pub(crate) remote_port: u16,
    pub(crate) length: u16,
    pub(crate) protocol: u8,
    pub(crate) ip_version: u8,
    pub(crate) sent: u8,
    unused: [u8; 7],
    pub(crate) local: [u8; 16],
    pub(crate) remote: [u8; 16],
    pub(crate) bytes: [u8; MESSAGE_BYTES],
}

/// `struct state`.
#[repr(C)]
pub(crate) struct KernelState {
    pub(crate) next_slot: AtomicU32,
    pub(crate) next_connection: AtomicU32,
    pub(crate) primed: AtomicU32,
    unused: u32,
    pub(crate) storage_failures: AtomicU64,
    pub(crate) slots_full: AtomicU64,
    pub(crate) connections_full: AtomicU64,
    pub(crate) processes_full: AtomicU64,
    pub(crate) tree_full: AtomicU64,
    pub(crate) events_lost: AtomicU64,
    pub(crate) messages_lost: AtomicU64,
}

const _: () = assert!(size_of::<SlotKey>() == 32);
const _: () = assert!(size_of::<SlotRecord>() == 40);
const _: () = assert!(size_of::<SlotCounters>() == 128);
const _: () = assert!(size_of::<ConnectionRow>() == 192);
const _: () = assert!(size_of::<PeerKey>() == 32);
const _: () = assert!(size_of::<ProcessKey>() == 16);
const _: () = assert!(size_of::<ProcessRecord>() == 40 + COMM_LEN + EXE_LEN + ARGS_LEN);
const _: () = assert!(size_of::<BirthRecord>() == 24 + COMM_LEN);
const _: () = assert!(size_of::<Event>() == 32);
const _: () = assert!(size_of::<MessageRecord>() == 80 + MESSAGE_BYTES);
const _: () = assert!(size_of::<KernelState>() == 72);

// SAFETY: these are `repr(C)` without padding, made of integers: any bytes are a value of them.
unsafe impl aya::Pod for SlotKey {}
// SAFETY: as above.
unsafe impl aya::Pod for PeerKey {}
// SAFETY: as above.
unsafe impl aya::Pod for ProcessKey {}
// SAFETY: as above.
unsafe impl aya::Pod for ProcessRecord {}

// SAFETY: as above.
unsafe impl aya::Pod for BirthRecord {}
// SAFETY: as above.
unsafe impl aya::Pod for NetnsRecord {}
// SAFETY: as above.
unsafe impl aya::Pod for MessageRecord {}

impl MessageRecord {
    /// One record of the ring buffer; `None` when it has another size.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<&Self> {
        let fits = bytes.len() == size_of::<Self>();
        let aligned = bytes.as_ptr().align_offset(align_of::<Self>()) == 0;
        // SAFETY: size and alignment are right, and any bytes are a value of it. The ring keeps
        // the record until the item that it was borrowed from is dropped.
        (fits && aligned).then(|| unsafe { &*bytes.as_ptr().cast() })
    }
}

impl ConnectionRow {
    /// The eight counters, in the order of the model's.
    pub(crate) fn counters(&self) -> [&AtomicU64; 8] {
        [
            &self.tx_bytes,
            &self.rx_bytes,
            &self.tx_packets,
            &self.rx_packets,
            &self.tx_payload,
            &self.rx_payload,
            &self.retransmitted_bytes,
            &self.retransmitted_packets,
        ]
    }
}

impl Event {
    /// One record of the ring buffer; `None` when it has another size.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        (bytes.len() == size_of::<Self>()).then_some(())?;
        Some(Self {
            kind: word(0)?,
            tgid: word(4)?,
            start: long(8)?,
            subject: long(16)?,
            netns: word(24)?,
            netns_turn: word(28)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_another_size_is_none() {
        assert!(Event::from_bytes(&[0; 31]).is_none());
        assert!(Event::from_bytes(&[0; 33]).is_none());
        let mut bytes = [0; 32];
        bytes[0] = 3;
        bytes[4] = 7;
        let event = Event::from_bytes(&bytes).unwrap();
        assert_eq!((event.kind, event.tgid), (EVENT_NETNS, 7));
    }
}
