//! Every way of sending and receiving datagrams, and protocols other than UDP through raw sockets.
//! Each process's wire bytes follow from its calls.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use netprocmon::Counters;
use netprocmon::IpVersion::{self, V4, V6};

use super::args;
use crate::generate::stream::no_ring;
use crate::net::{End, Offload};
use crate::report::{Check, Tolerance};
use crate::scenario::{Scenario, Skip};
use crate::stage::Stage;
use crate::verify;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("udp, IPv4-mapped IPv6 at both ends", |stage| {
        play(stage, V4, "--mapped")
    }),
    Scenario::new("udp, sendmmsg and recvmmsg, IPv4", |stage| {
        play(stage, V4, "--send many --receive many")
    }),
    Scenario::new("udp, sendmmsg and recvmmsg, IPv6", |stage| {
        play(stage, V6, "--send many --receive many")
    }),
    Scenario::new("udp, UDP_SEGMENT, cut for the device, IPv4", |stage| {
        play(stage, V4, "--send segment")
    }),
    Scenario::new("udp, UDP_SEGMENT, cut for the device, IPv6", |stage| {
        play(stage, V6, "--send segment")
    }),
    Scenario::new("udp, UDP_SEGMENT, cut by the receiver", |stage| {
        play(stage, V4, "--send segment")?;
        cut_by_receiver(stage)
    })
    .offload(Offload::On)
    .own_comparison(),
    Scenario::new("udp, UDP_SEGMENT and UDP_GRO, IPv4", |stage| {
        play(stage, V4, "--send segment --receive merged")
    })
    .offload(Offload::On),
    Scenario::new("udp, UDP_SEGMENT and UDP_GRO, IPv6", |stage| {
        play(stage, V6, "--send segment --receive merged")
    })
    .offload(Offload::On),
    Scenario::new("udp, cut for the device and merged by NAPI", |stage| {
        play(stage, V4, "--send segment --receive merged")
    })
    .offload(Offload::Merge),
    Scenario::new("udp, MSG_MORE, IPv4", |stage| {
        play(stage, V4, "--send more")
    }),
    Scenario::new("udp, MSG_MORE, IPv6", |stage| {
        play(stage, V6, "--send more")
    }),
    Scenario::new("udp, UDP_CORK", |stage| play(stage, V4, "--send cork")),
    Scenario::new("udp, refused sends", |stage| {
        play(stage, V4, "--send refused")
    }),
    Scenario::new("udp, MSG_PEEK", |stage| play(stage, V4, "--receive peek")),
    Scenario::new("udp, buffers that are too short", |stage| {
        play(stage, V6, "--receive short")
    }),
    Scenario::new("udp, MSG_TRUNC", |stage| {
        play(stage, V4, "--receive length")
    }),
    Scenario::new("udp, io_uring", |stage| {
        if let Some(reason) = no_ring(false) {
            bail!(Skip(reason));
        }
        play(stage, V4, "--send ring --receive ring")
    }),
    Scenario::new("raw sockets of protocol 253, IPv4", |stage| {
        raw(stage, V4, "")
    }),
    Scenario::new("raw sockets of protocol 253, IPv6", |stage| {
        raw(stage, V6, "")
    }),
    Scenario::new("raw sockets that write the IP header, IPv4", |stage| {
        raw(stage, V4, "--own-header")
    }),
    Scenario::new("raw sockets that write the IP header, IPv6", |stage| {
        raw(stage, V6, "--own-header")
    }),
];

/// Each end has a namespace of its own, and so all ports.
const PORT: u16 = 4000;

fn play(stage: &mut Stage, version: IpVersion, ways: &str) -> Result<()> {
    run(stage, version, PORT, ways)
}

fn raw(stage: &mut Stage, version: IpVersion, ways: &str) -> Result<()> {
    run(stage, version, 0, &["--protocol 253 ", ways].concat())
}

fn run(stage: &mut Stage, version: IpVersion, port: u16, ways: &str) -> Result<()> {
    stage.count()?;
    let address = |end: End| SocketAddr::new(end.address(version), port).to_string();
    let (left, right) = (address(End::Left), address(End::Right));
    let ways = ["--count 400 --size 1000 ", ways].concat();
    let ways: Vec<_> = ways.split_whitespace().map(str::to_owned).collect();
    let server = args(["datagram-server", "--listen", &right, "--peer", &left]);
    let server = [server, ways.clone()].concat();
    let mut server = stage.start(End::Right, "dgram-server", &server)?;
    server.port()?;
    let client = args(["datagram-client", "--from", &left, "--to", &right]);
    let client = [client, ways].concat();
    let client = stage.start(End::Left, "dgram-client", &client)?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)
}

/// A receiver that did not ask for `UDP_GRO` gets a buffer in pieces, cut before the hook that
/// counts: each process as on a wire, and the interface's count of what came in is the wire too,
/// where the device counted the buffer once. Nothing in the pieces tells that they were one.
fn cut_by_receiver(stage: &mut Stage) -> Result<()> {
    let (moved, snapshot) = stage.compare()?;
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    let mut checks = verify::processes(&snapshot, stage.accounts());
    for device in &moved.devices[..2] {
        let found = snapshot.interfaces.iter().find(|i| i.id == device.id);
        let counted = found.map_or(Counters::UNKNOWN, |found| found.counted);
        let (bytes, packets) = (device.moved.bytes_recv, device.moved.packets_recv);
        let more = packets * (PIECES - 1);
        for (what, truth, ours) in [
            ("bytes sent", device.moved.bytes_sent, counted.bytes_sent),
            (
                "packets sent",
                device.moved.packets_sent,
                counted.packets_sent,
            ),
            (
                "bytes recv, as pieces",
                bytes + more * 28,
                counted.bytes_recv,
            ),
            (
                "packets recv, as pieces",
                packets + more,
                counted.packets_recv,
            ),
        ] {
            let what = format!("{} {what}", device.name);
            checks.push(Check::number(what, truth, ours, Tolerance::Exact));
        }
    }
    for check in checks {
        stage.check(check);
    }
    Ok(())
}

/// Datagrams that one call sends.
const PIECES: u64 = 8;
