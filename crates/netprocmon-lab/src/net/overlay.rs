//! Devices on top of a link's own: bridges, macvlans, tunnels. Each gets addresses of its own, so
//! that a generator chooses the device by the address that it talks to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Result, bail};
use netprocmon::IpVersion;

use super::link::{Offload, set_offload};
use super::{End, Header, Link};
use crate::scenario::Skip;

/// A kind of device that is put above the link's own, at both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// A bridge whose port the link's device becomes.
    Bridge,
    /// A second Ethernet address on the link's device.
    Macvlan,
    /// Ethernet in UDP over the link (RFC 7348).
    Vxlan,
    /// An 802.1Q tag on the link's device.
    Vlan,
    /// IP packets handed to a program, which must carry them over itself.
    Tun,
}

const ETHERNET: u64 = 14;

impl Overlay {
    /// Its device's name, the same at both ends.
    #[must_use]
    pub const fn device(self) -> &'static str {
        match self {
            Self::Bridge => "br0",
            Self::Macvlan => "mv0",
            Self::Vxlan => "vx0",
            Self::Vlan => "vl0",
            Self::Tun => "tun0",
        }
    }

    /// What its device counts beside the IP packets (drivers/net, net/bridge, net/8021q).
    #[must_use]
    pub const fn header(self) -> Header {
        match self {
            // Counted with the header on the way out, and after it was pulled on the way in.
            Self::Bridge | Self::Vlan => Header {
                sent: ETHERNET,
                recv: 0,
            },
            Self::Macvlan => Header::both(ETHERNET),
            Self::Vxlan | Self::Tun => Header::both(0),
        }
    }

    /// Whether it counts each packet of a segmentation buffer once it was told to cut them. A
    /// macvlan hands buffers on to the device below whatever it is told (`ALWAYS_ON_OFFLOADS`).
    #[must_use]
    pub const fn cuts(self) -> bool {
        !matches!(self, Self::Macvlan)
    }

    /// The address of one end on this device: RFC 5737 and RFC 3849 ranges.
    #[must_use]
    pub const fn address(self, end: End, version: IpVersion) -> IpAddr {
        let host = match end {
            End::Left => 1,
            End::Right => 2,
        };
        match version {
            IpVersion::V4 => IpAddr::V4(Ipv4Addr::new(198, 51, 100, host)),
            IpVersion::V6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, host as u16)),
        }
    }

    /// Makes it at both ends.
    ///
    /// Fails with [`Skip`] where this kernel has no such device.
    pub fn put_on(self, link: &Link) -> Result<()> {
        for end in [End::Left, End::Right] {
            self.make(link, end)?;
            self.configure(link, end)?;
        }
        Ok(())
    }

    fn make(self, link: &Link, end: End) -> Result<()> {
        let (namespace, below) = (link.namespace(end), link.device(end).name);
        let name = self.device();
        let other = match end {
            End::Left => End::Right,
            End::Right => End::Left,
        };
        let [here, there] = [end, other].map(|end| end.address(IpVersion::V4).to_string());
        let words: Vec<&str> = match self {
            Self::Bridge => {
                let quiet = "mcast_snooping 0 stp_state 0 forward_delay 0";
                let add = ["link", "add", name, "type", "bridge"];
                add.into_iter().chain(quiet.split(' ')).collect()
            }
            Self::Macvlan => {
                "link add link LOWER name NAME type macvlan mode bridge"
                    .split(' ')
                    .collect()
            }
            Self::Vxlan => {
                "link add NAME type vxlan id 42 local HERE remote THERE dev LOWER dstport 4789 nolearning"
                    .split(' ')
                    .collect()
            }
            Self::Vlan => "link add link LOWER name NAME type vlan id 5"
                .split(' ')
                .collect(),
            Self::Tun => "tuntap add name NAME mode tun".split(' ').collect(),
        };
        let words: Vec<&str> = words
            .into_iter()
            .map(|word| match word {
                "LOWER" => below,
                "NAME" => name,
                "HERE" => &here,
                "THERE" => &there,
                word => word,
            })
            .collect();
        match namespace.ip(&words) {
            Err(error) if error.to_string().contains("Unknown device type") => {
                bail!(Skip(format!("this kernel has no {self:?} devices")))
            }
            made => made.map(drop),
        }
    }

    fn configure(self, link: &Link, end: End) -> Result<()> {
        let (namespace, name) = (link.namespace(end), self.device());
        if self != Self::Tun {
            namespace.ip(&["link", "set", name, "address", Self::mac(end)])?;
        }
        if self == Self::Bridge {
            namespace.ip(&["link", "set", link.device(end).name, "master", name])?;
        }
        if link.offload() != Offload::On {
            set_offload(namespace, name, Offload::Off)?;
        }
        namespace.ip(&["link", "set", name, "up"])?;
        let peer = match end {
            End::Left => End::Right,
            End::Right => End::Left,
        };
        for (version, length) in [(IpVersion::V4, 24), (IpVersion::V6, 64)] {
            let address = format!("{}/{length}", self.address(end, version));
            let mut add = vec!["addr", "add", &address, "dev", name];
            if version == IpVersion::V6 {
                add.push("nodad");
            }
            namespace.ip(&add)?;
            if self != Self::Tun {
                let peer_address = self.address(peer, version).to_string();
                let to = ["neigh", "replace", &peer_address, "lladdr", Self::mac(peer)];
                let on = ["dev", name, "nud", "permanent"];
                namespace.ip(&[&to[..], &on[..]].concat())?;
            }
        }
        Ok(())
    }

    const fn mac(end: End) -> &'static str {
        match end {
            End::Left => "02:00:00:00:01:01",
            End::Right => "02:00:00:00:01:02",
        }
    }
}
