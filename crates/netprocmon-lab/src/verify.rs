//! One comparison for every row: the snapshot against what the devices counted and what the
//! generators know.

use anyhow::Result;
use netprocmon::{Counters, InterfaceId, Pid, Snapshot};

use crate::generate::Account;
use crate::net::{End, Offload};
use crate::report::{Check, Tolerance};
use crate::scenario::{Shape, Unowned};
use crate::stage::{Reading, Readings, Stage};
use crate::truth::Moved;

/// When the comparison is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Everything was moved, all sockets are open: nothing may be missing at all.
    Open,
    /// All sockets are closed and the processes gone: as the contract promises.
    Closed,
}

impl Moment {
    fn bytes(self) -> Tolerance {
        match self {
            Self::Open => Tolerance::Exact,
            Self::Closed => Tolerance::Bytes,
        }
    }

    fn packets(self) -> Tolerance {
        match self {
            Self::Open => Tolerance::Exact,
            Self::Closed => Tolerance::Packets,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// Compares everything and adds the checks to the stage.
pub fn verify(stage: &mut Stage, mut moment: Moment) -> Result<()> {
    let (moved, snapshot) = stage.compare()?;
    let at = moment.word();
    // Short-lived processes have closed their sockets at either moment.
    if stage.scenario().unowned != Unowned::Nothing {
        moment = Moment::Closed;
    }
    let mut checks = truths_agree(stage.scenario().offload, &moved);
    if let Some(snapshot) = snapshot {
        for device in &moved.devices {
            checks.extend(interface(stage, &snapshot, device, moment));
        }
        if let (Shape::Bridged, Some(wire)) = (stage.scenario().shape, moved.wire) {
            checks.extend(on_wire(&snapshot, moved.devices[0].id, wire, moment));
        }
        checks.extend(processes(&snapshot, stage.accounts()));
        let lost = Some(snapshot.lost_events);
        checks.push(Check::number("lost events", 0, lost, Tolerance::Exact));
    } else {
        checks.extend(generators(stage, &moved));
    }
    for check in checks {
        let what = format!("{at}: {}", check.what);
        stage.check(Check { what, ..check });
    }
    Ok(())
}

/// The devices and the packet filters behind them must tell the same, or neither is a truth.
fn truths_agree(offload: Offload, moved: &Readings) -> Vec<Check> {
    let ends = moved.devices.iter().zip(&moved.arrived);
    ends.flat_map(|(device, arrived)| {
        let what = |unit| format!("nft: {unit} that came in by {}", device.name);
        let pairs = [
            ("bytes", arrived.bytes, device.moved.bytes_recv),
            ("packets", arrived.packets, device.moved.packets_recv),
        ];
        pairs.map(|(unit, arrived, counted)| match offload {
            // The device counts before packets are merged, the filter after.
            Offload::Merge => Check::at_least(what(unit), arrived, Some(counted)),
            Offload::On | Offload::Off => {
                Check::number(what(unit), arrived, Some(counted), Tolerance::Exact)
            }
        })
    })
    .collect()
}

/// The four numbers of one interface, what share of them belongs to nobody, and their sum.
fn interface(stage: &Stage, snapshot: &Snapshot, device: &Reading, at: Moment) -> Vec<Check> {
    let found = snapshot.interfaces.iter().find(|i| i.id == device.id);
    if device.moved == Moved::default() {
        let none = Counters::ZERO;
        let counted = found.map_or(none, |found| found.counted);
        let what = format!("{} bytes, nothing moved", device.name);
        return vec![Check::number(
            what,
            0,
            counted.bytes_total(),
            Tolerance::Exact,
        )];
    }
    let counted = found.map_or(Counters::UNKNOWN, |found| found.counted);
    let name = |what: &str| format!("{} {what}", device.name);
    let mut checks = four(device.name, device.moved, &counted, at);
    for (what, share, bytes) in [
        (
            "explained sent",
            found.and_then(|i| i.explained_sent),
            device.moved.bytes_sent,
        ),
        (
            "explained recv",
            found.and_then(|i| i.explained_recv),
            device.moved.bytes_recv,
        ),
    ] {
        if bytes > 0 {
            checks.push(explained(name(what), share, bytes));
        }
    }

    let unowned = unattributed(snapshot, device.id);
    checks.extend(nobodys(stage.scenario().unowned, device, &unowned, at));
    let sum = attributed(snapshot, device.id, unowned);
    for (what, counted, sum) in [
        ("sum of owners, sent", counted.bytes_sent, sum.bytes_sent),
        ("sum of owners, recv", counted.bytes_recv, sum.bytes_recv),
    ] {
        let Some(counted) = counted else { continue }; // has failed above
        checks.push(if device.is_wire {
            Check::number(name(what), counted, sum, Tolerance::Exact)
        } else {
            // Owners show the wire; the device counts a buffer as one packet.
            Check::at_least(name(what), counted, sum)
        });
    }
    checks
}

/// The four numbers of the contract's exactness promise.
fn four(name: &str, truth: Moved, ours: &Counters, at: Moment) -> Vec<Check> {
    let (bytes, packets) = (at.bytes(), at.packets());
    let numbers = [
        ("bytes sent", truth.bytes_sent, ours.bytes_sent, bytes),
        ("bytes recv", truth.bytes_recv, ours.bytes_recv, bytes),
        (
            "packets sent",
            truth.packets_sent,
            ours.packets_sent,
            packets,
        ),
        (
            "packets recv",
            truth.packets_recv,
            ours.packets_recv,
            packets,
        ),
    ];
    numbers
        .map(|(what, truth, ours, tolerance)| {
            Check::number(format!("{name} {what}"), truth, ours, tolerance)
        })
        .into()
}

/// Within a thousandth of 1, or within 2 kB of everything.
#[allow(clippy::cast_precision_loss)] // compared to three digits
fn explained(what: String, share: Option<f64>, bytes: u64) -> Check {
    let off_by = share.map(|share| (share - 1.0).abs());
    let allowed = (2000.0 / bytes as f64).max(0.001);
    Check {
        what,
        truth: "1.0000".to_owned(),
        ours: share.map_or("-".to_owned(), |share| format!("{share:.4}")),
        difference: share.map_or("-".to_owned(), |share| format!("{:+.4}", share - 1.0)),
        passed: off_by.is_some_and(|off_by| off_by <= allowed + 1e-9),
    }
}

/// What stands under a reason instead of a process.
fn nobodys(expected: Unowned, device: &Reading, ours: &Counters, at: Moment) -> Option<Check> {
    let what = format!("{} unattributed bytes", device.name);
    let bytes = device.moved.bytes_sent + device.moved.bytes_recv;
    let truth = match expected {
        Unowned::TimeWaits => return None, // `four` says that they are counted, here or there
        Unowned::RightEnd if device.end == End::Right => bytes,
        Unowned::RightEnd | Unowned::Nothing => 0,
    };
    let tolerance = match at {
        // A thousandth of everything, where nothing is expected.
        Moment::Closed if truth == 0 && ours.bytes_total() <= Some(bytes / 1000) => return None,
        at => at.bytes(),
    };
    Some(Check::number(what, truth, ours.bytes_total(), tolerance))
}

/// What went over the wire behind a bridge, against the near end's owners, segment for segment.
fn on_wire(snapshot: &Snapshot, near: InterfaceId, wire: Moved, at: Moment) -> Vec<Check> {
    let sum = attributed(snapshot, near, unattributed(snapshot, near));
    four("on the wire:", wire, &sum, at)
}

fn unattributed(snapshot: &Snapshot, id: InterfaceId) -> Counters {
    let on_it = snapshot.unattributed.iter().filter(|u| u.interface == id);
    on_it.map(|usage| usage.counters).sum()
}

fn attributed(snapshot: &Snapshot, id: InterfaceId, rest: Counters) -> Counters {
    let processes = snapshot.processes.iter().flat_map(|p| &p.interfaces);
    let mut sum: Counters = processes
        .filter(|usage| usage.id == id)
        .map(|usage| usage.counters)
        .sum();
    sum += rest;
    sum
}

/// More processes than this are summed up in one line each for names and bytes.
const SHOWN: usize = 8;

/// Owner, name, payload and, where they follow from the calls, wire bytes of each process.
fn processes(snapshot: &Snapshot, accounts: &[Account]) -> Vec<Check> {
    let each: Vec<_> = accounts.iter().map(|a| process(snapshot, a)).collect();
    if accounts.len() <= SHOWN {
        return each.into_iter().flatten().collect();
    }
    let right = |checks: &&Vec<Check>| checks.iter().all(|check| check.passed);
    let mut checks = vec![Check::number(
        "processes named and exact",
        accounts.len() as u64,
        Some(each.iter().filter(right).count() as u64),
        Tolerance::Exact,
    )];
    // The first few that are wrong, in full.
    let wrong = each.into_iter().flatten().filter(|check| !check.passed);
    checks.extend(wrong.take(SHOWN));
    checks
}

fn process(snapshot: &Snapshot, account: &Account) -> Vec<Check> {
    let usage = snapshot.process(Pid(account.pid));
    let ours = usage.map_or(Counters::UNKNOWN, |usage| usage.counters);
    let idle = account.sent == 0 && account.recv == 0;
    if usage.is_none() && idle {
        return Vec::new(); // it moved nothing itself and is not listed: right
    }
    let of = |what: &str| format!("{} ({}) {what}", account.name.escape_debug(), account.pid);
    let name = usage.map(|usage| usage.process.name.to_string());
    let mut checks = vec![Check::same(of("name"), Some(&account.name), name.as_ref())];
    let exactly = |what: &str, truth, ours| Check::number(of(what), truth, ours, Tolerance::Exact);
    checks.push(exactly("payload sent", account.sent, ours.payload_sent));
    checks.push(exactly("payload recv", account.recv, ours.payload_recv));
    if let Some(wire) = account.wire {
        checks.push(exactly("bytes sent", wire.bytes_sent, ours.bytes_sent));
        checks.push(exactly("bytes recv", wire.bytes_recv, ours.bytes_recv));
        checks.push(exactly(
            "packets sent",
            wire.packets_sent,
            ours.packets_sent,
        ));
        checks.push(exactly(
            "packets recv",
            wire.packets_recv,
            ours.packets_recv,
        ));
    }
    checks
}

/// Without a monitor: what generators that know their wire bytes say, against the devices.
fn generators(stage: &Stage, moved: &Readings) -> Vec<Check> {
    let accounts = stage.accounts();
    let devices = moved.devices.iter();
    let sent = Some(devices.map(|device| device.moved.bytes_sent).sum());
    let wires: Option<Vec<_>> = accounts.iter().map(|account| account.wire).collect();
    let Some(wires) = wires else {
        let payload = accounts.iter().map(|account| account.sent).sum();
        let what = "bytes sent by all devices, at least the payload";
        return vec![Check::at_least(what, payload, sent)];
    };
    let ours = wires.iter().map(|wire| wire.bytes_sent).sum::<u64>();
    let kernels = match stage.scenario().unowned {
        Unowned::RightEnd => wires.iter().map(|wire| wire.bytes_recv).sum(),
        Unowned::Nothing | Unowned::TimeWaits => 0,
    };
    let what = "bytes sent by all devices, as the calls have it";
    vec![Check::number(what, ours + kernels, sent, Tolerance::Exact)]
}
