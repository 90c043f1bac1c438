//! Two namespaces and the link between them.
//!
//! A direct link is one veth pair. A bridged one goes through a third namespace whose far device
//! may not take segmentation buffers: there the kernel cuts them into packets, so that device's
//! counters are the wire, also while the near one counts buffers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use netprocmon::IpVersion;

use super::Namespace;
use crate::truth::{self, filter};

/// Which side of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Where clients run.
    Left,
    /// Where servers run; its namespace holds the packet filter's counters.
    Right,
}

/// Whether devices take segmentation buffers whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offload {
    /// As a veth is made: buffers of up to 64 KiB cross it as one packet.
    On,
    /// Each packet crosses it on its own.
    Off,
    /// Buffers are cut for the link, and merged again where they arrive (GRO by NAPI).
    Merge,
}

/// A device whose counters are read.
#[derive(Clone, Copy, Debug)]
pub struct Device<'a> {
    /// The namespace it is in.
    pub namespace: &'a Namespace,
    /// Its name there.
    pub name: &'static str,
    /// Link-layer bytes that it counts with each packet.
    pub header: Header,
}

/// Link-layer bytes that a device counts with each packet, a direction each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Header {
    pub sent: u64,
    pub recv: u64,
}

impl Header {
    /// The same in both directions.
    #[must_use]
    pub const fn both(bytes: u64) -> Self {
        Self {
            sent: bytes,
            recv: bytes,
        }
    }
}

/// Two namespaces that can reach each other, and nothing else.
#[derive(Debug)]
pub struct Link {
    left: Namespace,
    right: Namespace,
    middle: Option<Namespace>,
    offload: Offload,
}

const LEFT: &str = "left0";
const RIGHT: &str = "right0";
/// The middle's devices, towards the left and towards the right.
const NEAR: &str = "near0";
const FAR: &str = "far0";
/// The networks of the right end's many addresses.
const MANY_V4: &str = "198.51.100.0/24";
const MANY_V6: &str = "2001:db8:1::/64";
const ETHERNET: u64 = 14;
const MACS: [&str; 2] = ["02:00:00:00:00:01", "02:00:00:00:00:02"];

impl End {
    /// The address of this end: RFC 5737 and RFC 3849 ranges, which no real network uses.
    #[must_use]
    pub const fn address(self, version: IpVersion) -> IpAddr {
        let host: u16 = match self {
            Self::Left => 1,
            Self::Right => 2,
        };
        match version {
            #[allow(clippy::cast_possible_truncation)] // 1 or 2
            IpVersion::V4 => IpAddr::V4(Ipv4Addr::new(192, 0, 2, host as u8)),
            IpVersion::V6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host)),
        }
    }
}

impl Link {
    /// The link-layer address of the device at one end.
    #[must_use]
    pub fn mac(end: End) -> &'static str {
        MACS[usize::from(end == End::Right)]
    }

    /// One veth pair between two new namespaces.
    pub fn direct(offload: Offload) -> Result<Self> {
        let (left, right) = (Namespace::new()?, Namespace::new()?);
        pair((&left, LEFT), (&right, RIGHT))?;
        Self::finish(left, right, None, offload)
    }

    /// Two veth pairs and a bridge; the far device cuts every buffer into packets.
    pub fn bridged(offload: Offload) -> Result<Self> {
        let (left, right, middle) = (Namespace::new()?, Namespace::new()?, Namespace::new()?);
        middle.sysctl("net/ipv6/conf/default/disable_ipv6", "1")?;
        pair((&left, LEFT), (&middle, NEAR))?;
        pair((&middle, FAR), (&right, RIGHT))?;
        let quiet = [
            "mcast_snooping",
            "0",
            "stp_state",
            "0",
            "forward_delay",
            "0",
        ];
        let add = ["link", "add", "br0", "type", "bridge"];
        middle.ip(&[&add[..], &quiet[..]].concat())?;
        for port in [NEAR, FAR] {
            middle.ip(&["link", "set", port, "master", "br0"])?;
        }
        for device in [NEAR, FAR, "br0"] {
            middle.ip(&["link", "set", device, "up"])?;
        }
        set_offload(&middle, FAR, Offload::Off)?;
        Self::finish(left, right, Some(middle), offload)
    }

    fn finish(
        left: Namespace,
        right: Namespace,
        middle: Option<Namespace>,
        offload: Offload,
    ) -> Result<Self> {
        for (end, namespace) in [(End::Left, &left), (End::Right, &right)] {
            filter::install(namespace)?;
            dress(end, namespace, offload)?;
        }
        Ok(Self {
            left,
            right,
            middle,
            offload,
        })
    }

    /// Gives the device at one end another name; it must be the old one again before the device is
    /// looked at by name.
    pub fn rename(&self, end: End, from: &str, to: &str) -> Result<()> {
        let namespace = self.namespace(end);
        // Before 6.2 only a device that is down can be renamed, and loses its IPv6 addresses.
        namespace.ip(&["link", "set", from, "name", to])?;
        Ok(())
    }

    /// Removes the devices of a direct link and makes others with the same indices, which count from
    /// 0 again.
    pub fn remake(&self) -> Result<()> {
        let index = |end| Ok::<_, anyhow::Error>(truth::read(&self.device(end))?.0.to_string());
        let indices = [index(End::Left)?, index(End::Right)?];
        self.left.ip(&["link", "del", LEFT])?;
        pair_with((&self.left, LEFT), (&self.right, RIGHT), &indices)?;
        dress(End::Left, &self.left, self.offload)?;
        dress(End::Right, &self.right, self.offload)
    }

    /// The namespace at one end.
    #[must_use]
    pub fn namespace(&self, end: End) -> &Namespace {
        match end {
            End::Left => &self.left,
            End::Right => &self.right,
        }
    }

    /// Lets the right end answer at every address of two networks (RFC 5737, RFC 3849), to which
    /// the left end finds its way.
    pub fn add_networks(&self) -> Result<()> {
        for (version, network) in [(IpVersion::V4, MANY_V4), (IpVersion::V6, MANY_V6)] {
            let local = ["route", "add", "local", network, "dev", "lo"];
            self.right.ip(&local)?;
            let via = End::Right.address(version).to_string();
            self.left.ip(&["route", "add", network, "via", &via])?;
        }
        Ok(())
    }

    /// What stands between the ends of a bridged link.
    #[must_use]
    pub fn middle(&self) -> Option<&Namespace> {
        self.middle.as_ref()
    }

    /// The link's device at one end.
    #[must_use]
    pub fn device(&self, end: End) -> Device<'_> {
        // veth counts what NAPI receives, at either end, without its Ethernet header
        // (veth_xdp_rcv), and everything else with it (veth_xmit).
        let header = match self.offload {
            Offload::Merge => 0,
            Offload::On | Offload::Off => ETHERNET,
        };
        Device {
            namespace: self.namespace(end),
            name: if end == End::Left { LEFT } else { RIGHT },
            header: Header::both(header),
        }
    }

    /// Loopback of one end.
    #[must_use]
    pub fn loopback(&self, end: End) -> Device<'_> {
        Device {
            namespace: self.namespace(end),
            name: "lo",
            header: Header::both(0), // loopback_xmit takes the header off before it counts
        }
    }

    /// The device of a bridged link that sees every packet as it is on the wire; what it sends is
    /// what the left end sent.
    #[must_use]
    pub fn wire(&self) -> Option<Device<'_>> {
        self.middle.as_ref().map(|namespace| Device {
            namespace,
            name: FAR,
            header: Header::both(ETHERNET),
        })
    }

    /// How the devices treat segmentation buffers.
    #[must_use]
    pub fn offload(&self) -> Offload {
        self.offload
    }
}

/// Address, name of the neighbour, offloads: what a link's device needs before anything moves.
fn dress(end: End, namespace: &Namespace, offload: Offload) -> Result<()> {
    let (device, own, peer, mac) = match end {
        End::Left => (LEFT, MACS[0], End::Right, MACS[1]),
        End::Right => (RIGHT, MACS[1], End::Left, MACS[0]),
    };
    namespace.ip(&["link", "set", device, "address", own])?;
    set_offload(namespace, device, offload)?;
    namespace.ip(&["link", "set", device, "up"])?;
    for (version, length) in [(IpVersion::V4, 24), (IpVersion::V6, 64)] {
        let address = format!("{}/{length}", end.address(version));
        let mut add = vec!["addr", "add", &address, "dev", device];
        if version == IpVersion::V6 {
            add.push("nodad");
        }
        namespace.ip(&add)?;
    }
    // Known neighbours for ever: no ARP, no neighbour discovery.
    for version in [IpVersion::V4, IpVersion::V6] {
        let peer = peer.address(version).to_string();
        let dev = ["dev", device, "nud", "permanent"];
        let add = ["neigh", "replace", &peer, "lladdr", mac];
        namespace.ip(&[&add[..], &dev[..]].concat())?;
    }
    Ok(())
}

fn pair(one: (&Namespace, &str), other: (&Namespace, &str)) -> Result<()> {
    pair_with(one, other, &[index(), index()])
}

fn pair_with(
    one: (&Namespace, &str),
    other: (&Namespace, &str),
    [near, far]: &[String; 2],
) -> Result<()> {
    let peer = [
        "peer",
        "name",
        other.1,
        "index",
        far,
        "netns",
        other.0.name(),
    ];
    let add = ["link", "add", one.1, "index", near, "type", "veth"];
    one.0.ip(&[&add[..], &peer].concat())?;
    Ok(())
}

/// An interface index that no other device has, of this lab or of another that runs beside it: the
/// ends of a veth pair find each other by index, and two pairs alike would be mistaken.
fn index() -> String {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let serial = GIVEN.fetch_add(1, Ordering::Relaxed) % 1000;
    (1000 + (std::process::id() % 1_000_000) * 1000 + serial).to_string()
}

/// Sets a device's segmentation and receive offloads, loopback's too.
pub(crate) fn set_offload(namespace: &Namespace, device: &str, offload: Offload) -> Result<()> {
    let (segment, merge) = match offload {
        Offload::On => return Ok(()), // as it is made
        Offload::Off => ("off", "off"),
        Offload::Merge => ("off", "on"),
    };
    // Without the last, datagrams that are to be cut (UDP_SEGMENT) still cross it whole.
    let cut = ["gso", segment, "tx-udp-segmentation", segment];
    let args = ["-K", device, "tso", segment, "gro", merge];
    namespace.run("ethtool", &[&args[..], &cut].concat())?;
    if offload == Offload::Merge {
        // A device that merges takes packets from a ring of 256, and refuses those that find it full:
        // sent, as the sockets see it, and never by the device. With a queue before it they wait
        // (Linux 6.16).
        namespace.run("tc", &["qdisc", "replace", "dev", device, "root", "pfifo"])?;
    }
    Ok(())
}
