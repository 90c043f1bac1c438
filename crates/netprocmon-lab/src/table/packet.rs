//! The packet source on scenarios of the other rooms: `CAP_NET_RAW` is all that it needs, and what
//! it tells has to be as right, but for payload, which it does not know.

use anyhow::Result;
use netprocmon::IpVersion::{V4, V6};
use netprocmon::SourceChoice::Packet;
use netprocmon::{InterfaceUsage, Pid, Reason};

use super::{icmp, lifetime, loopback, tcp, udp};
use crate::net::Offload;
use crate::report::{Check, Tolerance};
use crate::scenario::{Scenario, Seat, Shape, Unowned};
use crate::stage::Stage;

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
    Scenario::new("packets: icmp, ping socket, the kernel answers", echoes)
        .own_comparison()
        .source(Packet),
    Scenario::new("packets: 1,000 short-lived processes, tcp", lifetime::tcp)
        .unowned(Unowned::TimeWaits(1000))
        .source(Packet),
];

/// The asker has its questions and their answers; what the other end's kernel answers, and the
/// questions that it does not give to anybody, are the kernel's.
fn echoes(stage: &mut Stage) -> Result<()> {
    icmp::ping(stage)?;
    let (moved, Some(snapshot)) = stage.compare()? else {
        return Ok(());
    };
    let exactly = |what, truth, ours| Check::number(what, truth, ours, Tolerance::Exact);
    for device in moved.devices.iter().filter(|one| one.name != "lo") {
        let name = device.name;
        let both = device.moved.bytes_sent + device.moved.bytes_recv;
        let asked = stage.movers(device.end);
        let wire = asked.iter().filter_map(|mover| mover.account.wire);
        let truth: u64 = wire.map(|wire| wire.bytes_sent + wire.bytes_recv).sum();
        let on_device = |usage: &InterfaceUsage| usage.id == device.id;
        let owned = asked.iter().filter_map(|mover| {
            let usage = snapshot.process(Pid(mover.account.pid))?;
            usage
                .interfaces
                .iter()
                .find(|one| on_device(one))?
                .counters
                .bytes_total()
        });
        let owned: u64 = owned.sum();
        stage.check(exactly(
            format!("{name} bytes of the asker"),
            truth,
            Some(owned),
        ));
        let kernel = snapshot
            .unattributed
            .iter()
            .filter(|one| one.interface == device.id && one.reason == Reason::Kernel);
        let kernel: u64 = kernel.filter_map(|one| one.counters.bytes_total()).sum();
        stage.check(exactly(
            format!("{name} bytes of the kernel"),
            both - truth,
            Some(kernel),
        ));
    }
    Ok(())
}
