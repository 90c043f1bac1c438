//! From what was captured to what went over the wire: packets and bytes, after segmentation.
//!
//! A segmentation buffer (GSO on the way out, GRO on the way in) passes as one packet of up to
//! 64 KiB and counts as the packets that it becomes: each with a copy of the headers. How long they
//! are cut the kernel says in the virtio-net header that it puts in front of each packet
//! (`PACKET_VNET_HDR`, packet(7)); how many there are it does not, but that follows.
//!
//! Not exact for buffers of tunnels, whose inner headers are repeated too.

use netprocmon_model::{Counters, Delta, Merged};

use crate::parse::Packet;

/// One packet or buffer as it passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    /// From the IP header on, in bytes: all of it, not only what was captured.
    pub(crate) length: u32,
    /// Payload of each segment; 0 for a packet of its own.
    pub(crate) segment: u16,
}

/// What one direction has moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    /// Of these, what segmentation has added to the buffers.
    pub(crate) merged_bytes: u64,
    pub(crate) merged_packets: u64,
}

/// What both directions have moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) sent: Moved,
    pub(crate) recv: Moved,
}

impl Moved {
    /// What a packet is on the wire.
    pub(crate) fn of(packet: &Packet, passed: Passed) -> Self {
        let segment = u32::from(passed.segment);
        if segment == 0 {
            // Short frames are padded, which is no part of the packet.
            let bytes = match packet.length {
                0 => passed.length,
                length => length.min(passed.length),
            };
            return Self {
                bytes: bytes.into(),
                packets: 1,
                ..Self::default()
            };
        }
        let payload = passed.length.saturating_sub(packet.headers);
        let packets = u64::from(payload.div_ceil(segment).max(1));
        let more = packets - 1;
        let merged_bytes = more * u64::from(packet.headers);
        Self {
            bytes: u64::from(passed.length) + merged_bytes,
            packets,
            merged_bytes,
            merged_packets: more,
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.packets += other.packets;
        self.merged_bytes += other.merged_bytes;
        self.merged_packets += other.merged_packets;
    }
}

impl Tally {
    pub(crate) fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// What is more than in `before`. Payload and retransmissions cannot be told from packets: a
    /// call may move less than was received, and a segment that is seen twice may be a copy.
    pub(crate) fn since(&self, before: &Self) -> Delta {
        let by = |now: u64, then: u64| now.wrapping_sub(then).cast_signed();
        let (sent, recv) = (&self.sent, &self.recv);
        Delta {
            bytes_sent: by(sent.bytes, before.sent.bytes),
            bytes_recv: by(recv.bytes, before.recv.bytes),
            packets_sent: by(sent.packets, before.sent.packets),
            packets_recv: by(recv.packets, before.recv.packets),
            payload_sent: None,
            payload_recv: None,
            retransmitted_bytes: None,
            retransmitted_packets: None,
            merged: Merged {
                bytes_sent: by(sent.merged_bytes, before.sent.merged_bytes),
                packets_sent: by(sent.merged_packets, before.sent.merged_packets),
                bytes_recv: by(recv.merged_bytes, before.recv.merged_bytes),
                packets_recv: by(recv.merged_packets, before.recv.merged_packets),
            },
        }
    }

    /// The contract's counters.
    pub(crate) fn counters(&self) -> Counters {
        Counters {
            bytes_sent: Some(self.sent.bytes),
            bytes_recv: Some(self.recv.bytes),
            packets_sent: Some(self.sent.packets),
            packets_recv: Some(self.recv.packets),
            ..Counters::UNKNOWN
        }
    }
}
