//! Loss: what is sent again counts on the wire, is told apart, and is no payload.

use std::fmt::Display;
use std::sync::Arc;

use anyhow::{Result, bail};
use netprocmon::IpVersion::{self, V4, V6};
use netprocmon::{Counters, Pid, Snapshot};

use super::{args, at};
use crate::net::{End, Offload};
use crate::report::Check;
use crate::scenario::{Scenario, Shape};
use crate::stage::Stage;
use crate::truth::snmp;
use crate::truth::trace::SentAgain;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("tcp, 1 % of packets lost, IPv4", |stage| {
        lossy(stage, V4, 100)
    })
    .shape(Shape::Lossy),
    Scenario::new("tcp, 1 % of packets lost, IPv6", |stage| {
        lossy(stage, V6, 100)
    })
    .shape(Shape::Lossy),
    Scenario::new("tcp, 5 % of packets lost", |stage| lossy(stage, V4, 20)).shape(Shape::Lossy),
    Scenario::new("tcp, 8 % of segmentation buffers lost", |stage| {
        lossy(stage, V4, 12)
    })
    .shape(Shape::Lossy)
    .offload(Offload::On),
    Scenario::new("tcp, handshakes lost", handshakes).shape(Shape::Lossy),
];

/// One stream each way at once, so that both ends send again.
fn lossy(stage: &mut Stage, version: IpVersion, each: u32) -> Result<()> {
    stage.count()?;
    let trace = SentAgain::trace()?;
    stage.link().lose_one_in(each)?;
    let listen = End::Right.address(version).to_string();
    let server = args(["tcp-server", "--listen", &listen]);
    let mut server = stage.start(End::Right, "tcp-server", &server)?;
    let port = server.port()?;
    let to = at(End::Right, version, port);
    let client = args([
        "tcp-client",
        "--to",
        &to,
        "--up",
        "4000123",
        "--down",
        "3000321",
    ]);
    let client = stage.start(End::Left, "tcp-client", &client)?;
    let pids = [client.pid(), server.pid()];
    stage.finish(client, 1)?;
    stage.finish(server, 1)?;
    let Some((snapshot, truths)) = compare_with_stack(stage, trace.as_ref(), port)? else {
        return Ok(());
    };
    retransmissions(stage, &snapshot, pids, truths);
    Ok(())
}

/// Many connections of a few packets, a sixth of which are lost: what is sent again is often a SYN
/// or a SYN-ACK.
fn handshakes(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    let trace = SentAgain::trace()?;
    stage.link().lose_one_in(6)?;
    let listen = End::Right.address(V4).to_string();
    let server = args(["tcp-server", "--listen", &listen, "--connections", "12"]);
    let mut server = stage.start(End::Right, "tcp-server", &server)?;
    let port = server.port()?;
    let to = at(End::Right, V4, port);
    let mut clients = Vec::new();
    for n in 0..12 {
        let client = args(["tcp-client", "--to", &to, "--up", "1000"]);
        clients.push(stage.start(End::Left, format!("client-{n}"), &client)?);
    }
    let server_pid = server.pid();
    for client in clients {
        stage.finish(client, 1)?;
    }
    stage.finish(server, 1)?;
    let Some((snapshot, truths)) = compare_with_stack(stage, trace.as_ref(), port)? else {
        return Ok(());
    };
    let ends = [(End::Left, "clients"), (End::Right, "server")];
    for ((end, what), truth) in ends.into_iter().zip(truths) {
        let pids = stage.accounts().iter().map(|account| account.pid);
        let pids = pids.filter(|pid| (*pid == server_pid) == (end == End::Right));
        let ours: Counters = pids.map(|pid| counters(&snapshot, pid)).sum();
        stage.check(truth.compare(what, 1, ours));
    }
    Ok(())
}

/// To the packet, against the stack's own number; and as many bytes as such packets can have.
fn retransmissions(stage: &mut Stage, snapshot: &Snapshot, pids: [u32; 2], truths: [Truth; 2]) {
    let at_once = match stage.scenario().offload {
        Offload::Off => 1,
        Offload::On | Offload::Merge => MOST_AT_ONCE,
    };
    let mut again = 0;
    for ((end, pid), truth) in ENDS.into_iter().zip(pids).zip(truths) {
        let ours = counters(snapshot, pid);
        stage.check(truth.compare(format!("{end:?}"), at_once, ours));
        let truth = truth.packets;
        again += truth;
        // Data packets of a stream are full but for the ends of what was written: between 1,000 and
        // 1,500 on average, where there are enough of them for one.
        let bytes = ours.retransmitted_bytes.unwrap_or_default();
        let least = if truth < 20 { 52 } else { 1000 };
        let plausible = (truth * least..=truth * 1500).contains(&bytes);
        let what = format!("{end:?}: {least} to 1,500 bytes in each ({bytes})");
        stage.check(Check::same(what, true, plausible));
        let within = ours.bytes_sent
            >= ours
                .retransmitted_bytes
                .zip(ours.payload_sent)
                .map(|(again, once)| again + once);
        let what = format!("{end:?}: payload and what was sent again are within bytes sent");
        stage.check(Check::same(what, true, within));
    }
    let what = "retransmitted at both ends, so many that it means something";
    stage.check(Check::at_least(what, 10, Some(again)));
}

const ENDS: [End; 2] = [End::Left, End::Right];

/// What one end's stack has sent again.
#[derive(Clone, Copy)]
struct Truth {
    packets: u64,
    /// How often it did so where no program may have been run.
    unseen: u64,
}

/// Packets in the largest segmentation buffer (64 KiB).
const MOST_AT_ONCE: u64 = 46;

impl Truth {
    /// Exactly as many, but for what was unseen, of so many packets at a time at most.
    fn compare(self, who: impl Display, at_once: u64, ours: Counters) -> Check {
        let least = self.packets.saturating_sub(self.unseen * at_once);
        let what = format!("{who}: retransmitted packets");
        Check::between(what, least, self.packets, ours.retransmitted_packets)
    }
}

/// A snapshot, and what both stacks have sent again by then. A lost acknowledgement makes a stack
/// send again long after the link has come to rest: then everything is read anew.
fn compare_with_stack(
    stage: &mut Stage,
    trace: Option<&SentAgain>,
    port: u16,
) -> Result<Option<(Arc<Snapshot>, [Truth; 2])>> {
    for _ in 0..TRIES {
        let before = sent_again(stage)?;
        let (_, snapshot) = stage.compare()?;
        let Some(snapshot) = snapshot else {
            return Ok(None);
        };
        if sent_again(stage)? != before {
            continue;
        }
        let unseen = trace.map(|trace| trace.by_first_process(port));
        let unseen = unseen.transpose()?.unwrap_or_default();
        let truths = [0, 1].map(|end| Truth {
            packets: before[end],
            unseen: unseen[end],
        });
        return Ok(Some((snapshot, truths)));
    }
    bail!("the stacks kept on sending again, {TRIES} times in a row");
}

const TRIES: u32 = 20;

fn sent_again(stage: &Stage) -> Result<[u64; 2]> {
    let read = |end| snmp::read(stage.namespace(end), "Tcp", "RetransSegs");
    Ok([read(End::Left)?, read(End::Right)?])
}

fn counters(snapshot: &Snapshot, pid: u32) -> Counters {
    let usage = snapshot.process(Pid(pid));
    usage.map_or(Counters::UNKNOWN, |usage| usage.counters)
}
