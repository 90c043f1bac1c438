//! One comparison for every row: the snapshot against what the devices counted and what the
//! generators know.

use anyhow::Result;

use crate::net::Offload;
use crate::report::{Check, Tolerance};
use crate::scenario::{Shape, Unowned};
use crate::stage::{Readings, Stage};

mod interface;
mod process;

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
    if stage.scenario().unowned == Unowned::TimeWaits {
        moment = Moment::Closed;
    }
    let mut checks = truths_agree(stage.scenario().offload, &moved);
    if let Some(snapshot) = snapshot {
        for device in &moved.devices {
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
        checks.extend(process::checks(&snapshot, stage.accounts()));
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
        Unowned::KernelAnswers => wires.iter().map(|wire| wire.bytes_recv).sum(),
        Unowned::Nothing | Unowned::TimeWaits => 0,
    };
    let what = "bytes sent by all devices, as the calls have it";
    vec![Check::number(what, ours + kernels, sent, Tolerance::Exact)]
}
