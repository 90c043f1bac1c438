//! One interface in the ledger: what the sockets moved over it, and what it says itself.

use std::sync::Arc;
use std::time::Duration;

use crate::{
    Counters, CountingBasis, Delta, DeviceCounters, InterfaceReading, IpVersion, LinkHeader,
    Merged, Protocol,
};

/// The kinds of segmentation buffer that a device may or may not take whole.
const KINDS: [(Protocol, IpVersion); 3] = [
    (Protocol::TCP, IpVersion::V4),
    (Protocol::TCP, IpVersion::V6),
    (Protocol::UDP, IpVersion::V4), // and V6: devices do not tell them apart
];

/// What came of it when it was last to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Presence {
    #[default]
    There,
    Gone,
    /// Not there for us, at this moment.
    OutOfReach(Duration),
}

#[derive(Debug, Default)]
pub(super) struct InterfaceCount {
    wire: Counters,
    /// What segmentation added on the wire, by [`KINDS`].
    merged: [Merged; KINDS.len()],
    name: Option<Arc<str>>,
    /// Counted on since its last reading.
    moved: bool,
    presence: Presence,
    /// Accounts that have a row of it.
    rows: usize,
    device: Option<DeviceCounters>,
    link_header: LinkHeader,
    basis: CountingBasis,
}

impl InterfaceCount {
    /// `zero` is what the source says of one that has moved nothing.
    pub(super) fn new(zero: Counters) -> Self {
        Self {
            wire: zero,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, protocol: Protocol, version: IpVersion, delta: &Delta) {
        delta.apply(&mut self.wire);
        self.moved = true;
        let kind = match (protocol, version) {
            (Protocol::TCP, IpVersion::V4) => 0,
            (Protocol::TCP, IpVersion::V6) => 1,
            (Protocol::UDP, _) => 2,
            _ => return, // nothing else is segmented
        };
        self.merged[kind].add(delta.merged);
    }

    /// Whether it has another name now.
    pub(super) fn read(&mut self, reading: &InterfaceReading) -> bool {
        let renamed = self.name.as_ref() != Some(&reading.name);
        if renamed {
            self.name = Some(Arc::clone(&reading.name));
        }
        self.moved = false;
        self.presence = match reading.device {
            Some(_) => Presence::There,
            None => Presence::Gone,
        };
        // What an interface that is gone had counted last is still the best that is known.
        self.device = reading.device.or(self.device);
        self.link_header = reading.link_header;
        self.basis = reading.basis;
        renamed
    }

    /// One account more has a row of it.
    pub(super) fn add_row(&mut self) {
        self.rows += 1;
    }

    /// One less.
    pub(super) fn drop_row(&mut self) {
        self.rows = self.rows.saturating_sub(1);
    }

    pub(super) fn has_no_rows(&self) -> bool {
        self.rows == 0
    }

    /// Whether nothing will be counted on it any more, as far as one can see, and no account has a
    /// row of it.
    pub(super) fn is_left(&self, out_of_reach_since: Duration) -> bool {
        let is_there = match self.presence {
            Presence::There => true,
            Presence::Gone => false,
            Presence::OutOfReach(at) => at > out_of_reach_since,
        };
        !is_there && self.has_no_rows()
    }

    /// No reading has come of what was to be read.
    pub(super) fn miss(&mut self, now: Duration) {
        if std::mem::take(&mut self.moved) {
            self.presence = Presence::OutOfReach(now);
        }
    }

    pub(super) fn has_moved(&self) -> bool {
        self.moved
    }

    pub(super) fn name(&self) -> Option<Arc<str>> {
        self.name.clone()
    }

    pub(super) fn device(&self) -> Option<DeviceCounters> {
        self.device
    }

    pub(super) fn link_header(&self) -> LinkHeader {
        self.link_header
    }

    pub(super) fn is_idle(&self) -> bool {
        self.wire.is_zero()
    }

    /// The wire count less what the device never saw as packets of their own.
    pub(super) fn on_device_basis(&self) -> Counters {
        let mut less = Merged::default();
        for ((protocol, version), merged) in KINDS.into_iter().zip(self.merged) {
            if self.basis.sent.contains(protocol, version) {
                less.bytes_sent += merged.bytes_sent;
                less.packets_sent += merged.packets_sent;
            }
            if self.basis.recv.contains(protocol, version) {
                less.bytes_recv += merged.bytes_recv;
                less.packets_recv += merged.packets_recv;
            }
        }
        let reduced = |wire: Option<u64>, by: i64| Some(wire?.wrapping_sub(by.cast_unsigned()));
        Counters {
            bytes_sent: reduced(self.wire.bytes_sent, less.bytes_sent),
            bytes_recv: reduced(self.wire.bytes_recv, less.bytes_recv),
            packets_sent: reduced(self.wire.packets_sent, less.packets_sent),
            packets_recv: reduced(self.wire.packets_recv, less.packets_recv),
            ..self.wire
        }
    }
}
