//! What the packet source has to say of processes: names and wire bytes, on the right ones, and of
//! payload that it does not know it.
//!
//! Interfaces are compared as for every source. Where processes live a few milliseconds the source
//! has to be in time, and that is judged as the share of the bytes that is on the right process.

use netprocmon::{Counters, Pid, Snapshot};

use crate::net::End;
use crate::peer::said::Told;
use crate::peer::share::share;
use crate::report::{Check, Tolerance};
use crate::scenario::Unowned;
use crate::stage::{Readings, Role, Stage};

/// Of the bytes at the interfaces, those that have to be on the process that moved them.
const SHORT_LIVES: f64 = 0.95;
const LONG_LIVES: f64 = 0.9999;
/// More processes than this are short lives.
const FEW: usize = 8;

pub(super) fn checks(stage: &Stage, snapshot: &Snapshot, moved: &Readings) -> Vec<Check> {
    let accounts = stage.accounts();
    let mut checks = Vec::new();
    for account in accounts.iter().filter(|_| accounts.len() <= FEW) {
        let Some(usage) = snapshot.process(Pid(account.pid)) else {
            continue; // the share says it
        };
        let ours = usage.counters;
        let of = |what: &str| format!("{} ({}) {what}", account.name.escape_debug(), account.pid);
        let name = usage.process.name.to_string();
        checks.push(Check::same(of("name"), Some(&account.name), Some(&name)));
        let unknown = Counters {
            bytes_sent: ours.bytes_sent,
            bytes_recv: ours.bytes_recv,
            packets_sent: ours.packets_sent,
            packets_recv: ours.packets_recv,
            ..Counters::UNKNOWN
        };
        let is_unknown = Some(ours == unknown);
        checks.push(Check::same(
            of("payload is said to be unknown"),
            Some(true),
            is_unknown,
        ));
        let Some(wire) = account.wire else {
            continue;
        };
        for (what, truth, ours) in [
            ("bytes sent", wire.bytes_sent, ours.bytes_sent),
            ("bytes recv", wire.bytes_recv, ours.bytes_recv),
            ("packets sent", wire.packets_sent, ours.packets_sent),
            ("packets recv", wire.packets_recv, ours.packets_recv),
        ] {
            checks.push(Check::number(of(what), truth, ours, Tolerance::Exact));
        }
    }
    checks.extend([End::Left, End::Right].map(|end| on_the_right(stage, snapshot, moved, end)));
    checks
}

/// The share of the bytes at one end that is on the process that moved them.
fn on_the_right(stage: &Stage, snapshot: &Snapshot, moved: &Readings, end: End) -> Check {
    let devices = moved.devices.iter();
    let devices = devices.filter(|device| device.end == end && device.role == Role::Sockets);
    let names: Vec<_> = devices.clone().map(|device| device.id).collect();
    let bytes: u64 = devices
        .map(|device| device.moved.bytes_sent + device.moved.bytes_recv)
        .sum();
    let on = |usage: &netprocmon::ProcessUsage| {
        let there = usage
            .interfaces
            .iter()
            .filter(|one| names.contains(&one.id));
        there
            .filter_map(|one| one.counters.bytes_total())
            .sum::<u64>()
    };
    let told = snapshot.processes.iter();
    let told = Told::Pids(told.map(|usage| (usage.process.pid.0, on(usage))).collect());
    let right = match bytes {
        0 => 1.0,
        _ => share(bytes, &stage.movers(end), &told).right,
    };
    let is_short =
        matches!(stage.scenario().unowned, Unowned::TimeWaits(_)) || stage.accounts().len() > FEW;
    let least = if is_short { SHORT_LIVES } else { LONG_LIVES };
    let place = match end {
        End::Left => "left",
        End::Right => "right",
    };
    Check {
        what: format!("share of the bytes on the right process, {place}"),
        truth: format!("at least {least:.4}"),
        ours: format!("{right:.4}"),
        difference: format!("{:+.4}", right - 1.0),
        passed: right >= least,
        judged: true,
        apart: None,
    }
}
