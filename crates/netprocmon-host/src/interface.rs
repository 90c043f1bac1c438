//! The interfaces of the calling thread's network namespace: names, addresses, the kernel's own
//! counters, and on which basis each device counts ([`counting`]).
//!
//! One rtnetlink dump for the links and one for the addresses (rtnetlink(7)). To look into another
//! namespace, call these through [`crate::netns::enter`].

mod changes;
mod counting;
pub(crate) mod link;
mod offload;
mod survey;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use netprocmon_model::{DeviceCounters, InterfaceId, InterfaceReading, NetnsId, Pid};

use crate::netlink::Netlink;

pub use changes::Changes;
pub use counting::{Counting, counting};
pub use offload::{Offloads, offloads};
pub use survey::{Surveyed, survey};

/// An interface that a source had not met, and a process that lives in its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewInterface {
    /// Which; index 0 is the namespace itself, of which no packet was seen yet.
    pub id: InterfaceId,
    /// Whose `/proc/PID/ns/net` leads to the namespace, while it lives.
    pub member: Pid,
}

/// An interface as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// `ifindex` in its namespace.
    pub index: u32,
    /// Name in its namespace, at most 15 bytes.
    pub name: Arc<str>,
    /// `ARPHRD_*` (`<linux/if_arp.h>`): 1 Ethernet, 772 loopback, 65534 none.
    pub link_type: u16,
    /// What made a virtual device (`IFLA_INFO_KIND`): `veth`, `bridge`, `tun`… `None` for hardware
    /// and for loopback.
    pub kind: Option<Arc<str>>,
    /// `IFF_LOOPBACK`.
    pub loopback: bool,
    /// `IFF_UP`.
    pub up: bool,
    /// The device's own counters since it was made.
    pub stats: DeviceCounters,
    /// Its own addresses, in the kernel's order.
    pub addresses: Vec<IpAddr>,
    /// Index of the device it is linked to: a veth's peer, a VLAN's lower device.
    pub link_index: Option<u32>,
    /// The number by which this namespace knows the one in which `link_index` counts
    /// (`ip netns list-id`); `None` when that is this namespace.
    pub link_netnsid: Option<i32>,
    /// Index of the bridge, bond, team or VRF that it is a port of.
    pub master_index: Option<u32>,
}

impl Interface {
    /// A reading for the ledger: the counters since `start`, on this device's basis.
    #[must_use]
    pub fn reading(
        &self,
        netns: NetnsId,
        start: DeviceCounters,
        counting: Counting,
    ) -> InterfaceReading {
        InterfaceReading {
            id: InterfaceId {
                netns,
                index: self.index,
            },
            name: Arc::clone(&self.name),
            device: Some(self.stats.since(start)),
            link_header: counting.link_header,
            basis: counting.basis,
        }
    }
}

/// All interfaces of the calling thread's namespace. Needs no privilege.
pub fn list() -> io::Result<Vec<Interface>> {
    let mut netlink = Netlink::route()?;
    let mut interfaces = links(&mut netlink)?;
    let addresses = netlink.dump(link::RTM_GETADDR, &link::address_request(), link::address)?;
    for (index, address) in addresses {
        if let Some(interface) = interfaces.iter_mut().find(|one| one.index == index) {
            interface.addresses.push(address);
        }
    }
    Ok(interfaces)
}

/// [`list`] without the addresses: half the work, for a sampler.
pub fn list_links() -> io::Result<Vec<Interface>> {
    links(&mut Netlink::route()?)
}

/// The interface of this name in the calling thread's namespace, if there is one.
pub fn by_name(name: &str) -> io::Result<Option<Interface>> {
    let mut interfaces = list()?.into_iter();
    Ok(interfaces.find(|interface| interface.name.as_ref() == name))
}

fn links(netlink: &mut Netlink) -> io::Result<Vec<Interface>> {
    netlink.dump(link::RTM_GETLINK, &link::link_request(), link::interface)
}

#[cfg(test)]
mod tests;
