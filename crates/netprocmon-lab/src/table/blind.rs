//! What the kernel cannot show, or shows otherwise than the wire has it: what we say then.
//!
//! - IP fragments are made after the hook that counts, and put together before the other: a process
//!   is charged one packet, as it sent it. The headers of the further fragments are in the device's
//!   count only, and the explained share says so.
//! - A multicast packet is seen once by each socket that gets it, looped ones too: right for each
//!   process, and more in sum than the wire carried.
//! - What a packet socket sends meets no socket of IP's: it is charged to nobody, and the explained
//!   share says how much that is.

use anyhow::{Context, Result};
use netprocmon::IpVersion::{self, V4, V6};
use netprocmon::{InterfaceSummary, Pid, Snapshot};

use super::device::share;
use super::{args, at};
use crate::generate::Wire;
use crate::net::End;
use crate::report::{Check, Tolerance};
use crate::scenario::Scenario;
use crate::stage::{Reading, Stage};
use crate::verify;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("udp of 4,000 bytes in fragments, IPv4", |stage| {
        fragments(stage, V4)
    })
    .own_comparison(),
    Scenario::new("udp of 4,000 bytes in fragments, IPv6", |stage| {
        fragments(stage, V6)
    })
    .own_comparison(),
    Scenario::new("multicast, two receivers at each end", multicast).own_comparison(),
    Scenario::new("a sender of whole frames, AF_PACKET", frames).own_comparison(),
];

/// Header bytes that fragmenting at 1,500 adds to a datagram of 4,000 bytes, and fragments beyond
/// the first: RFC 791; RFC 8200 adds a fragment header to each.
const fn fragmenting(version: IpVersion) -> (u64, u64) {
    match version {
        IpVersion::V4 => (2 * 20, 2),
        IpVersion::V6 => (2 * 40 + 3 * 8, 2),
    }
}

fn fragments(stage: &mut Stage, version: IpVersion) -> Result<()> {
    stage.count()?;
    let listen = End::Right.address(version).to_string();
    let server = args(["udp-server", "--listen", &listen, "--count", "1000"]);
    let mut server = stage.start(End::Right, "udp-server", &server)?;
    let to = at(End::Right, version, server.port()?);
    let count = ["--count", "1000", "--size", "4000"];
    let mut client = args(["udp-client", "--to", &to]);
    client.extend(args(count));
    let client = stage.start(End::Left, "udp-client", &client)?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)?;
    let (moved, snapshot) = stage.compare()?;
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    // Each process as it sent: one datagram, one packet, one header.
    let checks = verify::processes(&snapshot, stage.accounts());
    stage.check_all(checks);
    let (bytes, packets) = fragmenting(version);
    for device in &moved.devices[..2] {
        let found = interface(&snapshot, device)?;
        let ours = found.counted;
        let name = device.name;
        for (what, truth, ours) in [
            (
                "bytes sent, without the fragments' headers",
                device.moved.bytes_sent - 1000 * bytes,
                ours.bytes_sent,
            ),
            (
                "bytes recv, without the fragments' headers",
                device.moved.bytes_recv - 1000 * bytes,
                ours.bytes_recv,
            ),
            (
                "packets sent, as datagrams",
                device.moved.packets_sent - 1000 * packets,
                ours.packets_sent,
            ),
            (
                "packets recv, as datagrams",
                device.moved.packets_recv - 1000 * packets,
                ours.packets_recv,
            ),
        ] {
            let what = format!("{name} {what}");
            stage.check(Check::number(what, truth, ours, Tolerance::Exact));
        }
        let all = device.moved.bytes_sent;
        let part = all - 1000 * bytes;
        let what = format!("{name} explained sent");
        stage.check(share(&what, part, all, found.explained_sent));
    }
    Ok(())
}

const DATAGRAMS: u64 = 500;

fn multicast(stage: &mut Stage) -> Result<()> {
    for end in [End::Left, End::Right] {
        // Its reports of membership are the kernel's own, and come when they like.
        let rule = [
            "add",
            "rule",
            "inet",
            "lab",
            "quiet",
            "ip protocol igmp drop",
        ];
        stage.namespace(end).run("nft", &rule)?;
    }
    stage.count()?;
    let group = crate::generate::group();
    let count = DATAGRAMS.to_string();
    let mut sinks = Vec::new();
    for (end, name) in [
        (End::Left, "left-sink-1"),
        (End::Left, "left-sink-2"),
        (End::Right, "right-sink-1"),
        (End::Right, "right-sink-2"),
    ] {
        let at = end.address(V4).to_string();
        let sink = args([
            "udp-sink",
            "--port",
            "5353",
            "--group",
            &group.to_string(),
            "--at",
            &at,
            "--count",
            &count,
        ]);
        let mut sink = stage.start(end, name, &sink)?;
        sink.port()?;
        sinks.push(sink);
    }
    let to = std::net::SocketAddr::new(group, 5353).to_string();
    let from = End::Left.address(V4).to_string();
    let spray = args([
        "udp-spray",
        "--to",
        &to,
        "--at",
        &from,
        "--count",
        &count,
        "--size",
        "700",
    ]);
    let spray = stage.start(End::Left, "spray", &spray)?;
    stage.finish(spray, 1)?;
    for sink in sinks {
        stage.finish(sink, 1)?;
    }
    let (moved, snapshot) = stage.compare()?;
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    let checks = verify::processes(&snapshot, stage.accounts());
    stage.check_all(checks);
    let [left, right] = [&moved.devices[0], &moved.devices[1]];
    let ours = |device| interface(&snapshot, device).map(|found| found.counted);
    let (left_ours, right_ours) = (ours(left)?, ours(right)?);
    let once = DATAGRAMS * (700 + 28);
    for (what, truth, ours) in [
        (
            "left0 bytes sent, once each",
            left.moved.bytes_sent,
            left_ours.bytes_sent,
        ),
        (
            "right0 bytes recv, once for each of two receivers",
            2 * right.moved.bytes_recv,
            right_ours.bytes_recv,
        ),
        (
            "left0 bytes recv, looped to two receivers; the device got none",
            2 * once,
            left_ours.bytes_recv,
        ),
        (
            "left0 bytes recv by the device",
            0,
            Some(left.moved.bytes_recv),
        ),
    ] {
        stage.check(Check::number(what, truth, ours, Tolerance::Exact));
    }
    Ok(())
}

fn frames(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    let count = DATAGRAMS.to_string();
    let sink = args(["udp-sink", "--count", &count]);
    let mut sink = stage.start(End::Right, "sink", &sink)?;
    let to = at(End::Right, V4, sink.port()?);
    let from = at(End::Left, V4, 4444);
    let frames = args([
        "frames",
        "--device",
        "left0",
        "--mac",
        "02:00:00:00:00:02",
        "--from",
        &from,
        "--to",
        &to,
        "--count",
        &count,
        "--size",
        "600",
    ]);
    let mut frames = stage.start(End::Left, "frames", &frames)?;
    let pid = frames.pid();
    let below = DATAGRAMS * (600 + 28);
    let mut account = frames.accounts(1)?.remove(0);
    account.wire = Some(Wire {
        bytes_sent: below,
        ..Wire::default()
    });
    stage.moved_by(&account, pid);
    stage.finish(frames, 0)?;
    stage.finish(sink, 1)?;
    // Beside it a socket of IP's, so that the interface is listed.
    let listen = End::Right.address(V4).to_string();
    let server = args(["udp-server", "--listen", &listen, "--count", "200"]);
    let mut server = stage.start(End::Right, "udp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let client = args(["udp-client", "--to", &to, "--count", "200", "--size", "400"]);
    let client = stage.start(End::Left, "udp-client", &client)?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)?;
    let (moved, snapshot) = stage.compare()?;
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    let checks = verify::processes(&snapshot, stage.accounts());
    stage.check_all(checks);
    let sender = snapshot.process(Pid(pid)).map(|usage| usage.counters);
    stage.check(Check::same(
        "the sender of frames is charged",
        None::<u64>,
        sender.and_then(|c| c.bytes_total()),
    ));
    let [left, right] = [&moved.devices[0], &moved.devices[1]];
    // Where the frames arrive, sockets get them: all is explained.
    let checks = verify::device(&snapshot, right, verify::Moment::Open);
    stage.check_all(checks);
    let found = interface(&snapshot, left)?;
    let by_sockets = left.moved.bytes_sent - below;
    stage.check(Check::number(
        format!("left0 bytes sent, less {below} in frames"),
        by_sockets,
        found.counted.bytes_sent,
        Tolerance::Exact,
    ));
    stage.check(share(
        "left0 explained sent",
        by_sockets,
        left.moved.bytes_sent,
        found.explained_sent,
    ));
    Ok(())
}

fn interface<'a>(snapshot: &'a Snapshot, device: &Reading) -> Result<&'a InterfaceSummary> {
    let mut all = snapshot.interfaces.iter();
    all.find(|one| one.id == device.id)
        .with_context(|| format!("{} is not in the snapshot", device.name))
}
