//! Trees: what a process and all below it have moved, with those that have ended.

use anyhow::{Context, Result};
use netprocmon::IpVersion::V4;
use netprocmon::{Children, Counters, GroupBy, GroupKey, Monitor, MonitorBuilder, Pid};

use super::{args, at};
use crate::generate::Wire;
use crate::net::End;
use crate::report::{Check, Tolerance};
use crate::scenario::Scenario;
use crate::stage::Stage;
use crate::verify;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("a tree whose children have ended", |stage| {
        tree(stage, |builder, _| builder)
    })
    .own_comparison(),
    Scenario::new("a tree that is followed", |stage| {
        tree(stage, |builder, root| builder.pid(root, Children::Follow))
    })
    .own_comparison(),
];

const CHILDREN: usize = 50;

/// A process whose children each send a datagram and end, before it sends one of its own.
fn tree(stage: &mut Stage, ask: fn(MonitorBuilder, Pid) -> MonitorBuilder) -> Result<()> {
    let (children, all) = (CHILDREN.to_string(), (CHILDREN + 1).to_string());
    let listen = End::Right.address(V4).to_string();
    let server = args(["udp-server", "--listen", &listen, "--count", &all]);
    let mut server = stage.start(End::Right, "udp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let parent = args([
        "swarm",
        "--wait",
        "--itself",
        "--protocol",
        "udp",
        "--to",
        &to,
    ]);
    let parent = [parent, args(["--count", &children])].concat();
    let mut parent = stage.start(End::Left, "parent", &parent)?;
    let root = Pid(parent.pid());
    stage.count_with(ask(Monitor::builder(), root))?;
    parent.go()?;
    let accounts = parent.accounts(CHILDREN + 1)?;
    for account in &accounts {
        stage.moved_by(account, root.0);
    }
    stage.finish(parent, 0)?;
    stage.finish(server, 1)?;
    let wires = accounts.iter().map(|account| account.wire);
    let wires: Option<Vec<_>> = wires.collect();
    let wires = wires.context("datagrams are known on the wire")?;
    let sum = |part: fn(&Wire) -> u64| wires.iter().map(part).sum::<u64>();
    let (moved, snapshot) = stage.compare()?;
    let device = Some(moved.devices[0].moved.bytes_sent);
    stage.check(Check::number(
        "left0 bytes sent, as the calls have it",
        sum(|w| w.bytes_sent),
        device,
        Tolerance::Exact,
    ));
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    let checks = verify::processes(&snapshot, &accounts);
    stage.check_all(checks);
    stage.sum_up(verify::sums_of_calls(&snapshot, &accounts));
    let groups = snapshot.group_by(&[GroupBy::Tree]);
    let group = groups
        .iter()
        .find(|group| group.key == GroupKey::Tree(root));
    let ours = group.map(|group| group.counters);
    for (what, truth, ours) in [
        (
            "bytes sent",
            sum(|w| w.bytes_sent),
            ours.and_then(|c| c.bytes_sent),
        ),
        (
            "bytes recv",
            sum(|w| w.bytes_recv),
            ours.and_then(|c| c.bytes_recv),
        ),
        (
            "packets sent",
            sum(|w| w.packets_sent),
            ours.and_then(|c| c.packets_sent),
        ),
        (
            "packets recv",
            sum(|w| w.packets_recv),
            ours.and_then(|c| c.packets_recv),
        ),
    ] {
        let what = format!("the whole tree: {what}");
        stage.check(Check::number(what, truth, ours, Tolerance::Exact));
    }
    let whole: Counters = groups.iter().map(|group| group.counters).sum();
    let unattributed = snapshot.unattributed.iter().map(|one| one.counters);
    let total: Counters = unattributed.chain([snapshot.totals]).sum();
    let what = "all groups together, as the total";
    let total = total.bytes_total().unwrap_or_default();
    stage.check(Check::number(
        what,
        total,
        whole.bytes_total(),
        Tolerance::Exact,
    ));
    Ok(())
}
