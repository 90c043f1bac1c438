//! The interfaces of a namespace, and to which of them a packet belongs.
//!
//! A packet passes the same host several times: on a bridge and its port, on a VLAN and the card
//! below it. It belongs to the interface that the socket's route names, the upper one; so what a
//! port carries is not counted, nor on a lower device what belongs to an address of an upper one.
//! (Packets with a VLAN tag are left out in the kernel.)

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use netprocmon_host::interface::Interface;
use netprocmon_model::{InterfaceId, NetnsId};

/// What is known of a namespace.
#[derive(Debug, Default)]
pub(crate) struct Topology {
    pub(crate) netns: NetnsId,
    interfaces: HashMap<u32, Role>,
    addresses: HashSet<IpAddr>,
}

/// What an interface is to the packets on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Role {
    /// The end of its packets.
    #[default]
    End,
    /// A port of a bridge, bond or team: they are counted there.
    Port,
    /// The end of its packets, but for those of devices on top of it with these addresses.
    Lower(Vec<IpAddr>),
}

impl Topology {
    /// Of a namespace with these interfaces.
    pub(crate) fn new(netns: NetnsId, all: &[Interface]) -> Self {
        Self {
            netns,
            interfaces: all.iter().map(|one| (one.index, role(one, all))).collect(),
            addresses: all.iter().flat_map(|one| one.addresses.clone()).collect(),
        }
    }

    pub(crate) fn interface(&self, index: u32) -> InterfaceId {
        InterfaceId {
            netns: self.netns,
            index,
        }
    }

    /// Whether the packet belongs to this interface, and not to one on top of it.
    pub(crate) fn ends_at(&self, index: u32, local: IpAddr) -> bool {
        match self.interfaces.get(&index) {
            None | Some(Role::End) => true,
            Some(Role::Port) => false,
            Some(Role::Lower(others)) => !others.contains(&local),
        }
    }

    /// Whether the address is one of this namespace's own, or one that groups share.
    pub(crate) fn is_local(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address)
            || address.is_loopback()
            || address.is_multicast()
            || address == IpAddr::from([255; 4])
    }
}

fn role(one: &Interface, all: &[Interface]) -> Role {
    let kind_of = |index| {
        let master = all.iter().find(|other| other.index == index);
        master.and_then(|master| master.kind.as_deref())
    };
    // The ports of a VRF are interfaces like others: only their routes are apart.
    if let Some(master) = one.master_index
        && kind_of(master) != Some("vrf")
    {
        return Role::Port;
    }
    let upper = all.iter().filter(|other| {
        let shares = matches!(
            other.kind.as_deref(),
            Some("macvlan" | "ipvlan" | "macvtap" | "ipvtap" | "macsec")
        );
        shares && other.link_index == Some(one.index) && other.link_netnsid.is_none()
    });
    let theirs = upper.flat_map(|other| other.addresses.iter().copied());
    let theirs: Vec<_> = theirs
        .filter(|address| !one.addresses.contains(address))
        .collect();
    if theirs.is_empty() {
        Role::End
    } else {
        Role::Lower(theirs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(index: u32, kind: Option<&str>, address: &str) -> Interface {
        Interface {
            index,
            name: format!("if{index}").into(),
            link_type: 1,
            kind: kind.map(Into::into),
            loopback: false,
            up: true,
            stats: netprocmon_model::DeviceCounters::default(),
            addresses: address.parse().into_iter().collect(),
            link_index: None,
            link_netnsid: None,
            master_index: None,
        }
    }

    #[test]
    fn the_bridge_and_not_its_port() {
        let bridge = interface(1, Some("bridge"), "192.0.2.1");
        let mut port = interface(2, Some("veth"), "");
        port.master_index = Some(1);
        let vrf = interface(3, Some("vrf"), "");
        let mut routed = interface(4, None, "192.0.2.9");
        routed.master_index = Some(3);
        let topology = Topology::new(NetnsId::new(7), &[bridge, port, vrf, routed]);
        let local = "192.0.2.1".parse().unwrap();
        let ends: Vec<_> = (1..=5).map(|at| topology.ends_at(at, local)).collect();
        assert_eq!(ends, [true, false, true, true, true]); // 5 is not known yet
    }

    #[test]
    fn a_lower_device_is_the_end_of_its_own_addresses_only() {
        let lower = interface(1, None, "192.0.2.1");
        let mut upper = interface(2, Some("macvlan"), "192.0.2.2");
        upper.link_index = Some(1);
        let mut elsewhere = upper.clone();
        (elsewhere.index, elsewhere.link_netnsid) = (3, Some(0));
        elsewhere.addresses = vec!["192.0.2.3".parse().unwrap()];
        let topology = Topology::new(NetnsId::new(7), &[lower, upper, elsewhere]);
        let at = |index, local: &str| topology.ends_at(index, local.parse().unwrap());
        assert!(at(1, "192.0.2.1") && !at(1, "192.0.2.2") && at(2, "192.0.2.2"));
        assert!(topology.is_local("127.8.8.8".parse().unwrap()));
        assert!(!topology.is_local("198.51.100.1".parse().unwrap()));
    }
}
