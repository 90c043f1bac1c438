//! Interfaces: what a device says it moved, on which basis it counts, and what share of that the
//! sockets explain.
//!
//! A network card counts the packets on the wire. A device that takes segmentation buffers whole
//! (veth, loopback, tun, bridge) counts each buffer once. Comparing its counters with wire bytes
//! would be comparing unlike things, so [`CountingBasis`] says which protocols it takes whole, and
//! the ledger brings its own count onto that basis before it divides.

use std::sync::Arc;

use serde::Serialize;

use crate::{Counters, InterfaceId, IpVersion, Protocol};

/// One look at an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceReading {
    /// Which interface.
    pub id: InterfaceId,
    /// Its name in its namespace, at most 15 bytes.
    pub name: Arc<str>,
    /// The device's own counters since the monitor started; `None` where they cannot be read.
    pub device: Option<DeviceCounters>,
    /// Link-layer bytes in front of each packet in those counters.
    pub link_header: LinkHeader,
    /// How it counts segmentation buffers.
    pub basis: CountingBasis,
}

/// The interface's own counters (`ip -s link`, `rtnl_link_stats64`), link-layer headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // the kernel's four counters, in the contract's names
pub struct DeviceCounters {
    pub bytes_sent: u64,
    pub bytes_recv: u64,
    pub packets_sent: u64,
    pub packets_recv: u64,
}

impl DeviceCounters {
    /// What was counted since `earlier`. A counter that went back belongs to a device that was
    /// made anew, so it counts from 0.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        let since = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
        Self {
            bytes_sent: since(self.bytes_sent, earlier.bytes_sent),
            bytes_recv: since(self.bytes_recv, earlier.bytes_recv),
            packets_sent: since(self.packets_sent, earlier.packets_sent),
            packets_recv: since(self.packets_recv, earlier.packets_recv),
        }
    }

    /// Whether one of them is less than it was: then it is another device's.
    #[must_use]
    pub fn has_gone_back(self, earlier: Self) -> bool {
        self.bytes_sent < earlier.bytes_sent
            || self.bytes_recv < earlier.bytes_recv
            || self.packets_sent < earlier.packets_sent
            || self.packets_recv < earlier.packets_recv
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            bytes_sent: self.bytes_sent.wrapping_add(other.bytes_sent),
            bytes_recv: self.bytes_recv.wrapping_add(other.bytes_recv),
            packets_sent: self.packets_sent.wrapping_add(other.packets_sent),
            packets_recv: self.packets_recv.wrapping_add(other.packets_recv),
        }
    }
}

/// Link-layer bytes that a device counts with each packet: 14 for Ethernet, 0 for loopback and tun.
/// The directions differ on a veth whose receiving end uses NAPI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // bytes a packet, a direction each
pub struct LinkHeader {
    pub sent: u8,
    pub recv: u8,
}

/// How a device counts segmentation buffers, a direction each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // a direction each
pub struct CountingBasis {
    pub sent: WholeBuffers,
    pub recv: WholeBuffers,
}

/// The kinds of segmentation buffer that a device takes, and counts, as one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // `true`: one buffer counts as one packet
pub struct WholeBuffers {
    pub tcp4: bool,
    pub tcp6: bool,
    pub udp: bool,
}

impl WholeBuffers {
    /// Every buffer is counted as one: loopback.
    pub const ALL: Self = Self {
        tcp4: true,
        tcp6: true,
        udp: true,
    };
    /// Every packet is counted as it is on the wire: a network card.
    pub const NONE: Self = Self {
        tcp4: false,
        tcp6: false,
        udp: false,
    };

    /// Whether a buffer of this protocol and version is counted as one packet.
    #[must_use]
    pub const fn contains(self, protocol: Protocol, version: IpVersion) -> bool {
        match (protocol, version) {
            (Protocol::TCP, IpVersion::V4) => self.tcp4,
            (Protocol::TCP, IpVersion::V6) => self.tcp6,
            (Protocol::UDP, _) => self.udp,
            _ => false,
        }
    }
}

/// An interface in a snapshot: what the sockets moved over it beside what it says itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InterfaceSummary {
    /// Its name; `None` where the namespace was gone before it could be asked.
    pub name: Option<Arc<str>>,
    /// Index and namespace, flat.
    #[serde(flatten, serialize_with = "index_and_netns")]
    pub id: InterfaceId,
    /// Attributed and unattributed traffic together, on the device's own basis.
    pub counted: Counters,
    /// The device's own counters since the monitor started.
    pub device: Option<DeviceCounters>,
    /// `counted` over `device` less its link-layer headers, sent; `None` where the device moved
    /// nothing or cannot be read.
    pub explained_sent: Option<f64>,
    /// The same, received.
    pub explained_recv: Option<f64>,
    /// What those shares took off each packet of the device.
    #[serde(skip)]
    pub link_header: LinkHeader,
}

impl InterfaceSummary {
    /// With the shares that follow from the rest.
    #[must_use]
    pub fn new(
        name: Option<Arc<str>>,
        id: InterfaceId,
        counted: Counters,
        device: Option<DeviceCounters>,
        link_header: LinkHeader,
    ) -> Self {
        let sent = device.and_then(|device| {
            let (bytes, packets) = (device.bytes_sent, device.packets_sent);
            explained(counted.bytes_sent, bytes, packets, link_header.sent)
        });
        let recv = device.and_then(|device| {
            let (bytes, packets) = (device.bytes_recv, device.packets_recv);
            explained(counted.bytes_recv, bytes, packets, link_header.recv)
        });
        Self {
            name,
            id,
            counted,
            device,
            explained_sent: sent,
            explained_recv: recv,
            link_header,
        }
    }
}

/// Serializes an [`InterfaceId`] as the two flat fields of the contract.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
pub(crate) fn index_and_netns<S: serde::Serializer>(
    id: &InterfaceId,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Flat {
        index: u32,
        netns: crate::NetnsId,
    }
    Flat {
        index: id.index,
        netns: id.netns,
    }
    .serialize(serializer)
}

/// The share of a device's IP bytes that `counted` bytes make up.
#[allow(clippy::cast_precision_loss)] // a share, shown to four digits
fn explained(counted: Option<u64>, bytes: u64, packets: u64, header: u8) -> Option<f64> {
    let at_ip_layer = bytes.saturating_sub(packets.saturating_mul(header.into()));
    (at_ip_layer > 0).then_some(())?;
    Some(counted? as f64 / at_ip_layer as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explained_takes_the_link_header_off_each_packet() {
        assert_eq!(explained(Some(100), 128, 2, 14), Some(1.0));
        assert_eq!(explained(Some(0), 0, 0, 14), None);
        assert_eq!(explained(None, 128, 2, 14), None);
    }

    #[test]
    fn a_device_made_anew_counts_from_zero() {
        let before = DeviceCounters {
            bytes_sent: 100,
            ..Default::default()
        };
        let after = DeviceCounters {
            bytes_sent: 7,
            ..Default::default()
        };
        assert_eq!(after.since(before).bytes_sent, 7);
    }
}
