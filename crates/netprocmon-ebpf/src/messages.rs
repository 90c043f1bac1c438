//! Messages of the domain name system: from the kernel's ring to names of addresses.
//!
//! Only there when names were asked for. The kernel side copies what sockets exchange with port 53
//! (bpf/names.h); what that means, and whether to believe it, is `netprocmon_host::dns`'s.

use aya::Ebpf;
use aya::maps::{MapData, RingBuf};
use netprocmon_host::BootClock;
use netprocmon_host::dns::{Heard, Listener};
use netprocmon_model::{IpVersion, NetnsId, Observation, Protocol};

use crate::abi::{MessageRecord, ProcessKey};
use crate::books::typed;
use crate::census::Census;
use crate::conversations::address;
use crate::error::EbpfError;

pub(crate) struct Messages {
    ring: RingBuf<MapData>,
    listener: Listener,
}

impl Messages {
    pub(crate) fn new(ebpf: &mut Ebpf) -> Result<Self, EbpfError> {
        Ok(Self {
            ring: typed(ebpf, "messages", RingBuf::try_from)?,
            listener: Listener::default(),
        })
    }

    /// Reads what waits, and tells the names in it.
    pub(crate) fn drain(&mut self, clock: &BootClock, mut sink: impl FnMut(Observation)) {
        while let Some(item) = self.ring.next() {
            let Some(record) = MessageRecord::from_bytes(&item) else {
                continue;
            };
            let asker = ProcessKey {
                start: record.owner_start,
                tgid: record.owner_tgid,
                unused: 0,
            };
            let asker = (asker.tgid != 0).then(|| Census::id(asker));
            let heard = heard(record);
            self.listener.hear(&heard, |address, name| {
                sink(Observation::Name {
                    netns: heard.netns,
                    address,
                    name: name.clone(),
                    at: clock.timestamp(record.time_ns),
                    asker,
                });
            });
        }
    }
}

pub(crate) fn heard(record: &MessageRecord) -> Heard<'_> {
    let version = if record.ip_version == 6 {
        IpVersion::V6
    } else {
        IpVersion::V4
    };
    let length = usize::from(record.length).min(record.bytes.len());
    Heard {
        netns: NetnsId {
            inode: record.netns,
            turn: record.netns_turn,
        },
        protocol: Protocol(record.protocol),
        sent: record.sent != 0,
        local: address(record.local, record.local_port, version),
        remote: address(record.remote, record.remote_port, version),
        sequence: record.sequence,
        bytes: &record.bytes[..length],
    }
}
