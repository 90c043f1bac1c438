//! One comparison for every row: the snapshot against what the devices counted and what the
//! generators know.

use anyhow::Result;
use netprocmon::{Snapshot, SourceKind};

use crate::generate::Account;
use crate::net::{End, Offload};
use crate::report::{Check, Tolerance};
use crate::scenario::{Shape, Unowned};
use crate::stage::{Reading, Readings, Role, Stage};

mod interface;
mod packet;
mod process;
mod sums;

pub use sums::{sums, sums_of_calls};

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
    if matches!(stage.scenario().unowned, Unowned::TimeWaits(_)) {
        moment = Moment::Closed;
    }
    let mut checks = truths_agree(stage.scenario().offload, &moved);
    if let Some(snapshot) = snapshot {
        // What one's own sockets tell says nothing of interfaces.
        let devices = moved.devices.iter();
        for device in devices.filter(|_| snapshot.source != SourceKind::Sockdiag) {
            checks.extend(interface::checks(
                stage.scenario().unowned,
                &snapshot,
                device,
                moment,
            ));
        }
        if let (Shape::Bridged, Some(wire)) = (stage.scenario().shape, moved.wire) {
            checks.extend(interface::on_wire(
                &snapshot,
                moved.devices[0].id,
                wire,
                moment,
            ));
        }
        match snapshot.source {
            SourceKind::Ebpf => checks.extend(process::checks(&snapshot, stage.accounts())),
            SourceKind::Packet => checks.extend(packet::checks(stage, &snapshot, &moved)),
            SourceKind::Sockdiag => {
                checks.extend(process::payload(&snapshot, &stage.movers(End::Left)));
            }
        }
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

/// What each generator's process moved, against the snapshot; for rows that compare themselves.
#[must_use]
pub fn processes(snapshot: &Snapshot, accounts: &[Account]) -> Vec<Check> {
    process::checks(snapshot, accounts)
}

/// One device, all of whose packets sockets have sent or received.
#[must_use]
pub fn device(snapshot: &Snapshot, device: &Reading, moment: Moment) -> Vec<Check> {
    interface::checks(Unowned::Nothing, snapshot, device, moment)
}

/// The devices and the packet filters behind them must tell the same, or neither is a truth.
fn truths_agree(offload: Offload, moved: &Readings) -> Vec<Check> {
    let ends = [End::Left, End::Right].into_iter().zip(&moved.arrived);
    ends.flat_map(|(end, arrived)| {
        let seen = moved
            .devices
            .iter()
            .filter(|device| device.end == end && device.role != Role::Port && device.name != "lo");
        let names: Vec<_> = seen.clone().map(|device| device.name).collect();
        let what = |unit| format!("nft: {unit} that came in by {}", names.join(", "));
        let bytes = seen.clone().map(|device| device.moved.bytes_recv).sum();
        let packets = seen.map(|device| device.moved.packets_recv).sum();
        let pairs = [
            ("bytes", arrived.bytes, bytes),
            ("packets", arrived.packets, packets),
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

/// Without a monitor: what generators that know their wire bytes say, against the devices.
fn generators(stage: &Stage, moved: &Readings) -> Vec<Check> {
    let accounts = stage.accounts();
    let devices = moved.devices.iter().filter(|d| d.role == Role::Sockets);
    let sent = Some(devices.map(|device| device.moved.bytes_sent).sum());
    let wires: Option<Vec<_>> = accounts.iter().map(|account| account.wire).collect();
    let Some(wires) = wires else {
        let payload = accounts.iter().map(|account| account.sent).sum();
        let what = "bytes sent by all devices, at least the payload";
        return vec![Check::at_least(what, payload, sent)];
    };
    let ours = wires.iter().map(|wire| wire.bytes_sent).sum::<u64>();
    let kernels = match stage.scenario().unowned {
        Unowned::KernelAnswers => wires.iter().map(|wire| wire.bytes_recv).sum(),
        Unowned::Nothing | Unowned::TimeWaits(_) => 0,
    };
    let what = "bytes sent by all devices, as the calls have it";
    vec![Check::number(what, ours + kernels, sent, Tolerance::Exact)]
}
