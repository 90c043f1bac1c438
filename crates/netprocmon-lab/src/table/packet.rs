//! The packet source on scenarios of the other rooms: `CAP_NET_RAW` is all that it needs, and what
//! it tells has to be as right, but for payload, which it does not know.

use netprocmon::IpVersion::{V4, V6};
use netprocmon::SourceChoice::Packet;

use super::{lifetime, loopback, tcp, udp};
use crate::net::Offload;
use crate::scenario::{Scenario, Seat, Shape, Unowned};

const MUCH: u64 = 20_000_123;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("packets: tcp both ways, IPv4", |stage| {
        tcp::tcp(stage, V4, MUCH, MUCH / 2)
    })
    .source(Packet),
    Scenario::new("packets: tcp, segmentation offload on, IPv6", |stage| {
        tcp::tcp(stage, V6, MUCH, MUCH)
    })
    .offload(Offload::On)
    .source(Packet),
    Scenario::new("packets: tcp up, buffers cut behind a bridge", |stage| {
        tcp::tcp(stage, V4, MUCH, 0)
    })
    .shape(Shape::Bridged)
    .offload(Offload::On)
    .source(Packet),
    Scenario::new("packets: both processes in other namespaces", |stage| {
        tcp::tcp(stage, V4, MUCH, MUCH / 2)
    })
    .seat(Seat::Outside)
    .source(Packet),
    Scenario::new("packets: forked workers on one listener", tcp::workers).source(Packet),
    Scenario::new("packets: sockets older than the monitor, tcp", tcp::older).source(Packet),
    Scenario::new("packets: udp unconnected, IPv6", |stage| {
        udp::udp(stage, V6, false, 400)
    })
    .source(Packet),
    Scenario::new("packets: udp, segmentation offload on", |stage| {
        udp::udp(stage, V4, true, 1400)
    })
    .offload(Offload::On)
    .source(Packet),
    Scenario::new("packets: loopback, tcp", |stage| {
        loopback::tcp(stage, "127.0.0.1")
    })
    .over_loopback()
    .source(Packet),
    Scenario::new("packets: loopback, udp", loopback::udp)
        .over_loopback()
        .source(Packet),
    Scenario::new("packets: 1,000 short-lived processes, tcp", lifetime::tcp)
        .unowned(Unowned::TimeWaits)
        .source(Packet),
];
