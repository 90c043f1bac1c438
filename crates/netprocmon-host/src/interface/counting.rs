//! On which basis a device counts: link-layer bytes a packet, and whether a segmentation buffer is
//! one packet to it or many. Pure.
//!
//! What the rules rest on, measured on kernel 6.18 with fixed-size datagrams and with TCP of known
//! segment counts between two namespaces, offloads switched with `ethtool -K`:
//!
//! | device | header sent | received | a buffer sent | a buffer received |
//! |---|---|---|---|---|
//! | loopback | 0 | 0 | whole | whole |
//! | veth A → B, B without GRO | 14 | 14 | whole where A has TSO | as A counted it |
//! | veth A → B, B with GRO, A with TSO | 14 | 14 | whole | whole |
//! | veth A → B, B with GRO, A without TSO | 0 | 0 | segmented | segmented, merged later |
//! | bridge | 14 | 0 | whole where it has TSO | as its port delivered it |
//! | macvlan | 14 | 14 | whole where it has TSO | as the lower device delivered it |
//! | vxlan | 0 | 0 | whole where it has TSO | as the lower device delivered it |
//! | tun | 0 | 0 | whole where it has TSO | as it was written |
//! | tap | 14 | 14 | whole where it has TSO | as it was written |
//!
//! UDP buffers follow `tx-udp-segmentation` in the same way as TCP's follow TSO.
//!
//! "Whole" matters only for buffers that a socket saw merged. A device that counts what it hands
//! up (bridge, macvlan, tun, a veth without GRO) is on the sockets' own basis whether or not the
//! buffers were merged before it: that is [`WholeBuffers::ALL`], and needs no knowledge of the
//! sender. Only one that counts first and merges afterwards is not: a network card, and a veth
//! whose receiving end polls (NAPI).
//!
//! The veth rules are those of `veth_xmit` (drivers/net/veth.c): the peer polls when it has GRO
//! and the sender lacks all TSO; then the bytes of both ends are counted in `veth_xdp_rcv`, after
//! the Ethernet header was pulled. Else both are counted in `veth_xmit`, with it.
//!
//! Not measured, from the sources: 802.1Q VLAN, ipvlan, netkit, geneve and gretap, bonds. Known to
//! be wrong: `wireguard` counts its own framing and padding, which no fixed header expresses; a veth
//! with an XDP program polls whatever its features say; cards that count VLAN tags or checksums;
//! drivers of virtual machines other than virtio that count buffers.

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

/// Length of an Ethernet header, `ETH_HLEN`.
const ETHERNET: u8 = 14;
/// `ARPHRD_ETHER` (`<linux/if_arp.h>`).
const ARPHRD_ETHER: u16 = 1;

/// The basis of a device, from what it is, what it takes on, and for a veth what its peer takes
/// on.
///
/// The peer of a veth usually stands in another namespace; [`super::survey`] finds it. Where it is
/// not known (`None`) it is taken to be as the kernel makes it: with TSO and UDP segmentation,
/// without GRO.
#[must_use]
pub fn counting(interface: &Interface, own: &Offloads, peer: Option<&Offloads>) -> Counting {
    if interface.loopback {
        return Counting::new((0, 0), WholeBuffers::ALL, WholeBuffers::ALL);
    }
    let ethernet = match interface.link_type {
        ARPHRD_ETHER => ETHERNET,
        _ => 0, // tun, tunnels, PPP: they begin with the IP header
    };
    let sent = own.whole_buffers();
    match interface.kind.as_deref() {
        Some("veth") => veth(own, peer),
        // Counted after the header was pulled.
        Some("bridge" | "vlan") => Counting::new((ETHERNET, 0), sent, WholeBuffers::ALL),
        // Counted from the inner IP header on (`iptunnel_xmit`, `eth_type_trans`).
        Some("vxlan" | "geneve" | "gretap" | "ip6gretap") => {
            Counting::new((0, 0), sent, WholeBuffers::ALL)
        }
        // The sum of its members' counters; these are taken to be cards.
        Some("bond" | "team") => hardware(ethernet),
        Some(_) => Counting::new((ethernet, ethernet), sent, WholeBuffers::ALL),
        // Counts buffers as it hands them to the host and gets them. How many of those that come
        // were merged by the host and how many by GRO here is not told; a host that merges at all
        // leaves little to merge.
        None if own.driver.as_deref() == Some("virtio_net") => {
            let recv = if own.hardware_gro {
                WholeBuffers::ALL
            } else {
                WholeBuffers::NONE
            };
            Counting::new((ethernet, ethernet), sent, recv)
        }
        None => hardware(ethernet),
    }
}

/// Packets as they are on the wire.
fn hardware(header: u8) -> Counting {
    Counting::new((header, header), WholeBuffers::NONE, WholeBuffers::NONE)
}

fn veth(own: &Offloads, peer: Option<&Offloads>) -> Counting {
    let default = Offloads {
        tso4: true,
        tso6: true,
        any_tso: true,
        udp: true,
        ..Offloads::default()
    };
    let peer = peer.unwrap_or(&default);
    let polls = |sender: &Offloads, receiver: &Offloads| receiver.gro && !sender.any_tso;
    let header = |polls| if polls { 0 } else { ETHERNET };
    let polled = polls(peer, own);
    let recv = if polled {
        peer.whole_buffers() // merged after it was counted
    } else {
        WholeBuffers::ALL // the sockets see what was counted
    };
    Counting::new(
        (header(polls(own, peer)), header(polled)),
        own.whole_buffers(),
        recv,
    )
}

impl Counting {
    const fn new(header: (u8, u8), sent: WholeBuffers, recv: WholeBuffers) -> Self {
        let (header_sent, header_recv) = header;
        Self {
            link_header: LinkHeader {
                sent: header_sent,
                recv: header_recv,
            },
            basis: CountingBasis { sent, recv },
        }
    }
}

impl Offloads {
    /// The buffers that reach the device unsegmented.
    const fn whole_buffers(&self) -> WholeBuffers {
        WholeBuffers {
            tcp4: self.tso4,
            tcp6: self.tso6,
            udp: self.udp,
        }
    }
}

#[cfg(test)]
mod tests {
    use netprocmon_model::DeviceCounters;

    use super::*;

    fn device(kind: Option<&str>, link_type: u16) -> Interface {
        Interface {
            index: 2,
            name: "x".into(),
            link_type,
            kind: kind.map(Into::into),
            loopback: link_type == 772,
            up: true,
            stats: DeviceCounters::default(),
            addresses: Vec::new(),
            link_index: None,
            link_netnsid: None,
            master_index: None,
        }
    }

    fn tso() -> Offloads {
        Offloads {
            tso4: true,
            tso6: true,
            any_tso: true,
            udp: true,
            ..Offloads::default()
        }
    }

    fn headers(counting: Counting) -> (u8, u8) {
        (counting.link_header.sent, counting.link_header.recv)
    }

    #[test]
    fn headers_by_kind() {
        let cases = [
            (None, 772, (0, 0)),
            (None, 1, (14, 14)),
            (Some("bridge"), 1, (14, 0)),
            (Some("macvlan"), 1, (14, 14)),
            (Some("vxlan"), 1, (0, 0)),
            (Some("tun"), 65534, (0, 0)),
            (Some("tun"), 1, (14, 14)),
            (Some("veth"), 1, (14, 14)),
        ];
        for (kind, link_type, expected) in cases {
            let found = counting(&device(kind, link_type), &tso(), None);
            assert_eq!(headers(found), expected, "{kind:?}");
        }
    }

    #[test]
    fn a_card_counts_the_wire_and_virtio_counts_buffers() {
        let card = counting(&device(None, 1), &tso(), None);
        assert_eq!(card.basis, CountingBasis::default());
        let virtio = Offloads {
            driver: Some("virtio_net".into()),
            hardware_gro: true,
            udp: false,
            ..tso()
        };
        let virtio = counting(&device(None, 1), &virtio, None).basis;
        assert!(virtio.sent.tcp4 && !virtio.sent.udp);
        assert_eq!(virtio.recv, WholeBuffers::ALL);
    }

    #[test]
    fn a_veth_polls_only_for_a_sender_without_tso() {
        let none = Offloads::default();
        let gro = Offloads {
            gro: true,
            ..Offloads::default()
        };
        let veth = device(Some("veth"), 1);
        // own, peer, headers, received
        let cases = [
            (tso(), tso(), (14, 14), WholeBuffers::ALL),
            (none.clone(), none.clone(), (14, 14), WholeBuffers::ALL),
            (gro.clone(), none.clone(), (14, 0), WholeBuffers::NONE),
            (none.clone(), gro.clone(), (0, 14), WholeBuffers::ALL),
            (gro.clone(), tso(), (14, 14), WholeBuffers::ALL),
            (gro.clone(), gro.clone(), (0, 0), WholeBuffers::NONE),
        ];
        for (own, peer, expected, recv) in cases {
            let found = counting(&veth, &own, Some(&peer));
            assert_eq!(headers(found), expected, "{own:?} {peer:?}");
            assert_eq!(found.basis.recv, recv);
            assert_eq!(found.basis.sent, own.whole_buffers());
        }
        assert_eq!(
            counting(&veth, &gro, None),
            counting(&veth, &gro, Some(&tso()))
        );
    }
}
