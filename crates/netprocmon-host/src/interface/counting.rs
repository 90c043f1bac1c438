//! On which basis a device counts: link-layer bytes a packet, and whether a segmentation buffer is
//! one packet to it or many.

use netprocmon_model::{CountingBasis, LinkHeader, WholeBuffers};

use super::{Interface, Offloads};

/// How to read a device's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counting {
    /// Link-layer bytes in its byte counters, a packet.
    pub link_header: LinkHeader,
    /// Which buffers it counts as one packet.
    pub basis: CountingBasis,
}

/// The basis of a device.
#[must_use]
pub fn counting(_interface: &Interface, _own: &Offloads, _peer: Option<&Offloads>) -> Counting {
    Counting {
        link_header: LinkHeader { sent: 0, recv: 0 },
        basis: CountingBasis {
            sent: WholeBuffers::ALL,
            recv: WholeBuffers::ALL,
        },
    }
}
