//! Tables that are too small on purpose: a full one costs names, never bytes, and says so.

use std::time::Duration;

use anyhow::{Context, Result};
use netprocmon::IpVersion::V4;
use netprocmon::{Capacity, Counters, Monitor, Pid, Reason, Snapshot};

use super::{args, at};
use crate::net::End;
use crate::report::{Check, Tolerance};
use crate::scenario::Scenario;
use crate::stage::{Readings, Stage};
use crate::verify;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("too few counters", |stage| {
        few(
            stage,
            Capacity {
                counters: Some(8),
                ..Capacity::default()
            },
        )
    })
    .own_comparison(),
    Scenario::new("too few processes", |stage| {
        few(
            stage,
            Capacity {
                processes: Some(8),
                ..Capacity::default()
            },
        )
    })
    .own_comparison(),
    Scenario::new("too few connections", connections).own_comparison(),
    Scenario::new(
        "counters used again, generation after generation",
        generations,
    ),
];

const SWARM: usize = 60;

/// Many short-lived processes and a lasting one, with room for a few of them.
fn few(stage: &mut Stage, capacity: Capacity) -> Result<()> {
    stage.count_with(Monitor::builder().capacity(capacity))?;
    swarm(stage, SWARM)?;
    let (moved, snapshot) = stage.compare()?;
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    shared_out(stage, &moved, &snapshot);
    Ok(())
}

/// What is named is right, what is not named is under `capacity`, and together it is everything.
fn shared_out(stage: &mut Stage, moved: &Readings, snapshot: &Snapshot) {
    for device in &moved.devices[..2] {
        let without = |check: &Check| !check.what.contains("unattributed");
        let checks = verify::device(snapshot, device, verify::Moment::Open);
        stage.check_all(checks.into_iter().filter(without));
    }
    let ids = [moved.devices[0].id, moved.devices[1].id];
    let unnamed = snapshot
        .unattributed
        .iter()
        .filter(|one| ids.contains(&one.interface));
    let capacity = unnamed.clone().filter(|one| one.reason == Reason::Capacity);
    let capacity: Counters = capacity.map(|one| one.counters).sum();
    let other = unnamed.filter(|one| one.reason != Reason::Capacity);
    let other: Counters = other.map(|one| one.counters).sum();
    stage.check(Check::number(
        "bytes under another reason than capacity",
        0,
        other.bytes_total(),
        Tolerance::Exact,
    ));
    let listed = |pid| snapshot.process(Pid(pid)).map(|usage| usage.counters);
    let accounts = stage.accounts().to_vec();
    let (mut named, mut wrong) = (Counters::ZERO, Vec::new());
    let mut unnamed = 0_u64;
    for account in &accounts {
        match listed(account.pid) {
            // One that was there before the table was full is whole.
            Some(ours) if ours.bytes_total() > Some(0) => {
                let exact = ours.payload_sent == Some(account.sent)
                    && ours.payload_recv == Some(account.recv);
                if !exact {
                    wrong.push(account.name.clone());
                }
                named += ours;
            }
            _ => unnamed += 1,
        }
    }
    stage.check(Check::same(
        "named processes that are not exact",
        Vec::<String>::new(),
        wrong,
    ));
    stage.check(Check::at_least(
        "processes without a name",
        1,
        Some(unnamed),
    ));
    let truth: u64 = accounts.iter().map(|account| account.sent).sum();
    let ours = named
        .payload_sent
        .zip(capacity.payload_sent)
        .map(|(a, b)| a + b);
    stage.check(Check::number(
        "payload sent, named and under capacity",
        truth,
        ours,
        Tolerance::Exact,
    ));
    said(stage, snapshot);
}

fn said(stage: &mut Stage, snapshot: &Snapshot) {
    let said = snapshot.degradations.iter().find(|d| d.code == "capacity");
    let remedy = said.and_then(|degradation| degradation.remedy.as_deref());
    let what = "the full table is said, with a remedy";
    stage.check(Check::same(
        what,
        true,
        remedy.is_some_and(|text| text.contains("--max-")),
    ));
}

fn swarm(stage: &mut Stage, count: usize) -> Result<()> {
    let (listen, number) = (End::Right.address(V4).to_string(), count.to_string());
    let server = args(["udp-server", "--listen", &listen, "--count", &number]);
    let mut server = stage.start(End::Right, "swarm-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let swarm = args([
        "swarm",
        "--to",
        &to,
        "--count",
        &number,
        "--protocol",
        "udp",
        "--size",
        "50",
    ]);
    let swarm = stage.start(End::Left, "swarm", &swarm)?;
    stage.finish(swarm, count + 1)?;
    stage.finish(server, 1)
}

/// Connections without a row are not listed; their bytes are their process's all the same.
fn connections(stage: &mut Stage) -> Result<()> {
    let capacity = Capacity {
        connections: Some(4),
        ..Capacity::default()
    };
    stage.count_with(Monitor::builder().capacity(capacity).connections(true))?;
    let listen = End::Right.address(V4).to_string();
    let server = args(["tcp-server", "--listen", &listen, "--connections", "7"]);
    let mut server = stage.start(End::Right, "tcp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    for n in 0..7 {
        let client = args([
            "tcp-client",
            "--to",
            &to,
            "--up",
            "100000",
            "--down",
            "50000",
        ]);
        let client = stage.start(End::Left, format!("client-{n}"), &client)?;
        stage.finish(client, 1)?;
    }
    stage.finish(server, 1)?;
    let (moved, snapshot) = stage.compare()?;
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    for device in &moved.devices[..2] {
        let checks = verify::device(&snapshot, device, verify::Moment::Open);
        stage.check_all(checks);
    }
    let checks = verify::processes(&snapshot, stage.accounts()).into_iter();
    let without = |check: &Check| !check.what.contains("sum of its connections");
    stage.check_all(checks.filter(without));
    let rows = snapshot
        .processes
        .iter()
        .filter_map(|usage| usage.connections.as_ref());
    let number = rows.map(Vec::len).sum::<usize>();
    stage.check(Check::same(
        "4 connections at most are listed",
        true,
        number <= 4,
    ));
    said(stage, &snapshot);
    Ok(())
}

/// Each generation fits, all together do not: what ended processes used must be used again, and no
/// byte of anybody's may get lost or go to the next who gets his counters.
fn generations(stage: &mut Stage) -> Result<()> {
    const EACH: usize = 400;
    let capacity = Capacity {
        counters: Some(500),
        ..Capacity::default()
    };
    stage.count_with(Monitor::builder().capacity(capacity))?;
    for _ in 0..3 {
        swarm(stage, EACH)?;
        if !stage.with_monitor() {
            continue;
        }
        let ended = std::time::Instant::now();
        // The monitor takes slots back that were quiet for 5 seconds, in two looks.
        let taken_back = crate::wait::until(Duration::from_secs(20), || {
            stage.snapshot()?;
            let quiet = ended.elapsed();
            Ok((quiet > Duration::from_secs(7)).then_some(()))
        })?;
        taken_back.context("time stood still")?;
    }
    Ok(())
}
