//! What a row moved in all, for its one line in the report. Nothing is judged by it.

use netprocmon::{Counters, Pid, Snapshot};

use crate::generate::Account;
use crate::report::Sums;
use crate::stage::{Readings, Role};

/// Of the devices that sockets use and their interfaces; of the processes, their payload.
#[must_use]
pub fn sums(moved: &Readings, snapshot: &Snapshot, accounts: &[Account]) -> Sums {
    let devices = moved.devices.iter();
    let devices: Vec<_> = devices.filter(|d| d.role == Role::Sockets).collect();
    let bytes = devices
        .iter()
        .map(|device| device.moved.bytes_sent + device.moved.bytes_recv);
    let interfaces = snapshot.interfaces.iter();
    let interfaces = interfaces.filter(|one| devices.iter().any(|device| device.id == one.id));
    let counted: Counters = interfaces.map(|one| one.counted).sum();
    let (payload, our_payload) = payloads(snapshot, accounts);
    Sums {
        wire: bytes.sum(),
        our_wire: counted.bytes_total(),
        payload,
        our_payload,
    }
}

/// Where no device of the row's outlives it: of the processes alone, whose wire bytes follow from
/// their calls.
#[must_use]
pub fn sums_of_calls(snapshot: &Snapshot, accounts: &[Account]) -> Sums {
    let wires = accounts.iter().filter_map(|account| account.wire);
    let (payload, our_payload) = payloads(snapshot, accounts);
    Sums {
        wire: wires.map(|wire| wire.bytes_sent + wire.bytes_recv).sum(),
        our_wire: processes(snapshot, accounts).bytes_total(),
        payload,
        our_payload,
    }
}

fn payloads(snapshot: &Snapshot, accounts: &[Account]) -> (u64, Option<u64>) {
    let payload = accounts.iter().map(|account| account.sent + account.recv);
    let ours = processes(snapshot, accounts);
    let both = ours.payload_sent.zip(ours.payload_recv);
    (payload.sum(), both.map(|(sent, recv)| sent + recv))
}

fn processes(snapshot: &Snapshot, accounts: &[Account]) -> Counters {
    let listed = accounts
        .iter()
        .filter_map(|account| snapshot.process(Pid(account.pid)));
    listed.map(|usage| usage.counters).sum()
}
