//! The sockdiag source on scenarios of the other rooms: it needs no privilege, sees the namespace
//! that it is in, and tells the payload of TCP, which has to be right to the byte. Wire bytes it
//! does not know, so devices are not compared; `crate::verify` takes care of both.

use anyhow::Result;
use netprocmon::Counters;
use netprocmon::IpVersion::{V4, V6};
use netprocmon::SourceChoice::Sockdiag;

use super::{lifetime, loopback, stream, tcp};
use crate::net::{End, Offload};
use crate::report::{Check, Tolerance};
use crate::scenario::{Scenario, Unowned};
use crate::stage::Stage;

const MUCH: u64 = 20_000_123;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("sockets: tcp both ways, IPv4", |stage| {
        tcp::tcp(stage, V4, MUCH, MUCH / 2)
    })
    .source(Sockdiag),
    Scenario::new("sockets: tcp, segmentation offload on, IPv6", |stage| {
        tcp::tcp(stage, V6, MUCH, MUCH)
    })
    .offload(Offload::On)
    .source(Sockdiag),
    Scenario::new("sockets: visitors of forked workers", tcp::workers).source(Sockdiag),
    Scenario::new("sockets: older than the monitor, tcp", tcp::older).source(Sockdiag),
    Scenario::new("sockets: loopback, tcp", |stage| {
        loopback::tcp(stage, "127.0.0.1")
    })
    .over_loopback()
    .source(Sockdiag),
    Scenario::new("sockets: sendfile and splice over loopback", |stage| {
        stream::over_loopback(stage, "--send file --receive splice")
    })
    .over_loopback()
    .source(Sockdiag),
    Scenario::new(
        "sockets: partial and refused calls over loopback",
        |stage| stream::over_loopback(stage, "--send partial --receive impatient"),
    )
    .over_loopback()
    .source(Sockdiag),
    Scenario::new("sockets: MSG_PEEK over loopback", |stage| {
        stream::over_loopback(stage, "--receive peek")
    })
    .over_loopback()
    .source(Sockdiag),
    Scenario::new("sockets: 1,000 short-lived processes, tcp", short_lives)
        .unowned(Unowned::TimeWaits(1000))
        .own_comparison()
        .source(Sockdiag),
];

/// Whose a connection was that came and went between two looks is not known, and said. What it moved
/// is: the kernel tells at its end.
fn short_lives(stage: &mut Stage) -> Result<()> {
    lifetime::tcp(stage)?;
    let (_, Some(snapshot)) = stage.compare()? else {
        return Ok(());
    };
    let (mut sent, mut recv) = (0, 0);
    for mover in stage.movers(End::Left) {
        sent += mover.account.sent;
        recv += mover.account.recv;
    }
    let nobodys = snapshot.unattributed.iter().map(|one| one.counters);
    let ours: Counters = nobodys.chain([snapshot.totals]).sum();
    let exactly = |what, truth, ours| Check::number(what, truth, ours, Tolerance::Exact);
    stage.check(exactly("payload sent, whosever", sent, ours.payload_sent));
    stage.check(exactly("payload recv, whosever", recv, ours.payload_recv));
    let says = snapshot
        .degradations
        .iter()
        .any(|one| one.code == "short_connections");
    stage.check(exactly(
        "it says whose it does not know",
        1,
        Some(u64::from(says)),
    ));
    Ok(())
}
