//! The rtnetlink messages of links and addresses, taken apart. Pure.

use std::net::IpAddr;

use netprocmon_model::DeviceCounters;

use super::Interface;
use crate::netlink::{attributes, bytes_at, i32_at, text, u16_at, u32_at, u64_at};

pub(super) const RTM_GETLINK: u16 = 18;
pub(super) const RTM_GETADDR: u16 = 22;

/// `struct ifinfomsg`: family u8, pad, type u16, index i32, flags u32, change u32.
const LINK: usize = 16;
/// `struct ifaddrmsg`: family u8, prefix u8, flags u8, scope u8, index u32.
const ADDRESS: usize = 8;

// <linux/if_link.h>, <linux/if_addr.h>
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_STATS64: u16 = 23;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_INFO_KIND: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;

/// Every link.
pub(super) const fn link_request() -> [u8; LINK] {
    [0; LINK]
}

/// Every address of every family.
pub(super) const fn address_request() -> [u8; ADDRESS] {
    [0; ADDRESS]
}

/// A link; `None` for a message without name or index.
pub(crate) fn interface(body: &[u8]) -> Option<Interface> {
    let flags = u32_at(body, 8)?;
    let mut interface = Interface {
        index: u32_at(body, 4).filter(|index| *index != 0)?,
        name: "".into(),
        link_type: u16_at(body, 2)?,
        kind: None,
        loopback: flags & IFF_LOOPBACK != 0,
        up: flags & IFF_UP != 0,
        stats: DeviceCounters::default(),
        addresses: Vec::new(),
        link_index: None,
        link_netnsid: None,
        master_index: None,
    };
    for (attribute, value) in attributes(body.get(LINK..)?) {
        match attribute {
            IFLA_IFNAME => interface.name = text(value).into(),
            IFLA_LINK => interface.link_index = u32_at(value, 0).filter(|index| *index != 0),
            IFLA_MASTER => interface.master_index = u32_at(value, 0).filter(|index| *index != 0),
            IFLA_LINK_NETNSID => interface.link_netnsid = i32_at(value, 0).filter(|id| *id >= 0),
            IFLA_STATS64 => interface.stats = counters(value).unwrap_or_default(),
            IFLA_LINKINFO => {
                let kind = attributes(value).find(|(kind, _)| *kind == IFLA_INFO_KIND);
                interface.kind = kind.map(|(_, name)| text(name).into());
            }
            _ => {}
        }
    }
    (!interface.name.is_empty()).then_some(interface)
}

/// The first four of `struct rtnl_link_stats64`. The attribute is only aligned to four bytes.
fn counters(value: &[u8]) -> Option<DeviceCounters> {
    Some(DeviceCounters {
        packets_recv: u64_at(value, 0)?,
        packets_sent: u64_at(value, 8)?,
        bytes_recv: u64_at(value, 16)?,
        bytes_sent: u64_at(value, 24)?,
    })
}

/// An address and the interface that has it. On a point-to-point link `IFA_ADDRESS` is the other
/// end's, and `IFA_LOCAL` ours.
pub(crate) fn address(body: &[u8]) -> Option<(u32, IpAddr)> {
    let family = i32::from(*body.first()?);
    let index = u32_at(body, 4)?;
    let mut address = None;
    for (attribute, value) in attributes(body.get(ADDRESS..)?) {
        let ip = match family {
            libc::AF_INET => bytes_at::<4>(value, 0).map(IpAddr::from),
            libc::AF_INET6 => bytes_at::<16>(value, 0).map(IpAddr::from),
            _ => None,
        };
        match attribute {
            IFA_LOCAL => address = ip.or(address),
            IFA_ADDRESS => address = address.or(ip),
            _ => {}
        }
    }
    Some((index, address?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn veth() -> Vec<u8> {
        let mut body = vec![0, 0];
        body.extend(1_u16.to_ne_bytes());
        body.extend(7_u32.to_ne_bytes());
        body.extend((IFF_UP | 0x1000).to_ne_bytes());
        body.extend([0; 4]);
        body.extend(attribute(IFLA_IFNAME, b"va\0"));
        body.extend(attribute(IFLA_LINK, &2_u32.to_ne_bytes()));
        body.extend(attribute(IFLA_LINK_NETNSID, &0_i32.to_ne_bytes()));
        body.extend(attribute(IFLA_MASTER, &9_u32.to_ne_bytes()));
        let stats: Vec<u8> = [5_u64, 6, 500, 600, 0, 0]
            .iter()
            .flat_map(|n| n.to_ne_bytes())
            .collect();
        body.extend(attribute(IFLA_STATS64, &stats));
        body.extend(attribute(
            IFLA_LINKINFO,
            &attribute(IFLA_INFO_KIND, b"veth\0"),
        ));
        body
    }

    #[test]
    fn a_veth() {
        let found = interface(&veth()).unwrap();
        assert_eq!(
            (found.index, found.name.as_ref(), found.link_type),
            (7, "va", 1)
        );
        assert_eq!(found.kind.as_deref(), Some("veth"));
        assert_eq!((found.loopback, found.up), (false, true));
        assert_eq!((found.link_index, found.link_netnsid), (Some(2), Some(0)));
        assert_eq!(found.master_index, Some(9));
        let stats = DeviceCounters {
            bytes_sent: 600,
            bytes_recv: 500,
            packets_sent: 6,
            packets_recv: 5,
        };
        assert_eq!(found.stats, stats);
    }

    #[test]
    fn without_a_name_there_is_no_link() {
        assert_eq!(interface(&veth()[..16]), None);
        assert_eq!(interface(&veth()[..8]), None);
    }

    #[test]
    fn our_own_end_of_a_point_to_point_link() {
        let mut body = vec![2, 32, 0, 0];
        body.extend(3_u32.to_ne_bytes());
        body.extend(attribute(IFA_ADDRESS, &[192, 0, 2, 9]));
        body.extend(attribute(IFA_LOCAL, &[192, 0, 2, 1]));
        assert_eq!(address(&body), Some((3, [192, 0, 2, 1].into())));
        body[0] = 10; // an IPv6 address of four bytes is none
        assert_eq!(address(&body), None);
    }

    proptest! {
        #[test]
        fn noise_does_no_harm(noise in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..100, byte: u8) {
            let _ = (interface(&noise), address(&noise));
            let mut body = veth();
            let at = at % body.len();
            body[at] = byte;
            let _ = interface(&body);
        }
    }
}
