//! An interface of a snapshot against its device.

use netprocmon::{Counters, InterfaceId, Snapshot, SourceKind};

use super::Moment;
use crate::net::End;
use crate::report::{Check, Tolerance};
use crate::scenario::Unowned;
use crate::stage::{Reading, Role};
use crate::truth::Moved;

/// The four numbers of one interface, what share of them belongs to nobody, and their sum.
pub(super) fn checks(
    expected: Unowned,
    snapshot: &Snapshot,
    device: &Reading,
    at: Moment,
) -> Vec<Check> {
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
    if device.role != Role::Sockets {
        let counted = found.map_or(Counters::ZERO, |found| found.counted);
        let below = device.moved.bytes_sent + device.moved.bytes_recv;
        let what = format!("{} bytes charged; it carries {below} below", device.name);
        return vec![Check::number(
            what,
            0,
            counted.bytes_total(),
            Tolerance::Exact,
        )];
    }
    let counted = found.map_or(Counters::UNKNOWN, |found| found.counted);
    let name = |what: &str| format!("{} {what}", device.name);
    // Echo requests that the kernel answers meet no socket, and no hook of ours: the share that is
    // explained has to say so.
    let unseen = expected == Unowned::KernelAnswers && device.end == End::Right;
    let mut seen = device.moved;
    if unseen {
        (seen.bytes_recv, seen.packets_recv) = (0, 0);
    }
    let (visible, mut checks) = match expected {
        Unowned::TimeWaits(most) if snapshot.source == SourceKind::Ebpf => {
            // Who closes first has them: the left end.
            let most = if device.end == End::Left { most } else { 0 };
            all_but_bare(device.name, seen, &counted, most)
        }
        _ => (seen, four(device.name, seen, &counted, at)),
    };
    let sent = found.and_then(|found| found.explained_sent);
    let recv = found.and_then(|found| found.explained_recv);
    for (what, share, visible, seen) in [
        ("explained sent", sent, visible.bytes_sent, seen.bytes_sent),
        ("explained recv", recv, visible.bytes_recv, seen.bytes_recv),
    ] {
        checks.extend(explained(name(what), share, visible, seen));
    }
    if unseen {
        let what = name("explained recv, which no socket saw");
        checks.push(Check::same(what, Some(0.0), recv));
    }
    let unowned = unattributed(snapshot, device.id);
    checks.extend(nobodys(expected, device, &unowned, at));
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

/// The same where bare packets of time-waits have no socket: nothing else may be missing, to the byte.
/// Gives what is left to be seen, too.
fn all_but_bare(name: &str, truth: Moved, ours: &Counters, most: u64) -> (Moved, Vec<Check>) {
    /// With timestamps: IPv4, and IPv6.
    const BARE: [u64; 2] = [20 + 32, 40 + 32];
    let mut visible = truth;
    let mut checks = Vec::new();
    for (way, bytes, packets, our_bytes, our_packets) in [
        (
            "sent",
            &mut visible.bytes_sent,
            truth.packets_sent,
            ours.bytes_sent,
            ours.packets_sent,
        ),
        (
            "recv",
            &mut visible.bytes_recv,
            truth.packets_recv,
            ours.bytes_recv,
            ours.packets_recv,
        ),
    ] {
        let missing = packets.wrapping_sub(our_packets.unwrap_or_default());
        let left = BARE.map(|bare| bytes.wrapping_sub(missing.wrapping_mul(bare)));
        *bytes = left[usize::from(our_bytes == Some(left[1]))];
        let what = format!("{name} bytes {way}, but of bare packets of time-waits");
        checks.push(Check::number(what, *bytes, our_bytes, Tolerance::Exact));
        let what = format!("{name} bare packets {way} of time-waits");
        checks.push(Check::at_most(what, most, Some(missing)));
    }
    (visible, checks)
}

/// Within a thousandth of what is `visible` of all `bytes`, or within 2 kB of everything; nothing to say
/// where nothing was moved.
#[allow(clippy::cast_precision_loss)] // compared to three digits
fn explained(what: String, share: Option<f64>, visible: u64, bytes: u64) -> Option<Check> {
    (bytes > 0).then_some(())?;
    let truth = visible as f64 / bytes as f64;
    let off_by = share.map(|share| (share - truth).abs());
    let allowed = (2000.0 / bytes as f64).max(0.001);
    Some(Check {
        what,
        truth: format!("{truth:.4}"),
        ours: share.map_or("-".to_owned(), |share| format!("{share:.4}")),
        difference: share.map_or("-".to_owned(), |share| format!("{:+.4}", share - truth)),
        passed: off_by.is_some_and(|off_by| off_by <= allowed + 1e-9),
        judged: true,
        apart: None,
    })
}

/// What stands under a reason instead of a process.
fn nobodys(expected: Unowned, device: &Reading, ours: &Counters, at: Moment) -> Option<Check> {
    let what = format!("{} unattributed bytes", device.name);
    let all = device.moved.bytes_sent + device.moved.bytes_recv;
    let truth = match expected {
        Unowned::TimeWaits(_) => return None, // they are counted, here or there
        Unowned::KernelAnswers if device.end == End::Right => device.moved.bytes_sent,
        // Closing leaves a little that has no socket any more: a thousandth of everything.
        _ if at == Moment::Closed && ours.bytes_total() <= Some(all / 1000) => return None,
        Unowned::KernelAnswers | Unowned::Nothing => 0,
    };
    Some(Check::number(what, truth, ours.bytes_total(), at.bytes()))
}

/// What went over the wire behind a bridge, against the near end's owners, segment for segment.
pub(super) fn on_wire(
    snapshot: &Snapshot,
    near: InterfaceId,
    wire: Moved,
    at: Moment,
) -> Vec<Check> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::process::tests::{LEFT0, snapshot};

    fn device(bytes_sent: u64, packets_sent: u64) -> Reading {
        Reading {
            name: "left0",
            end: End::Left,
            role: Role::Sockets,
            is_wire: true,
            id: LEFT0,
            moved: Moved {
                bytes_sent,
                packets_sent,
                ..Moved::default()
            },
        }
    }

    fn wrong(device: &Reading, at: Moment) -> Vec<String> {
        let checks = checks(Unowned::Nothing, &snapshot(), device, at);
        let wrong = checks.into_iter().filter(|check| !check.passed);
        wrong.map(|check| check.what).collect()
    }

    #[test]
    fn a_right_interface_passes() {
        assert_eq!(wrong(&device(5000, 5), Moment::Open), [""; 0]);
    }

    #[test]
    fn one_byte_is_missed_while_all_is_open() {
        assert_eq!(wrong(&device(5001, 5), Moment::Open), ["left0 bytes sent"]);
        assert_eq!(wrong(&device(5001, 5), Moment::Closed), [""; 0]);
    }

    #[test]
    fn more_than_two_kilobytes_are_missed_always() {
        let wrong = wrong(&device(7001, 5), Moment::Closed);
        assert!(wrong.contains(&"left0 bytes sent".to_owned()), "{wrong:?}");
    }

    #[test]
    fn only_whole_bare_packets_of_time_waits_may_be_missing() {
        let wrong_at = |end, bytes, packets, most| {
            let device = Reading {
                end,
                ..device(bytes, packets)
            };
            let expected = Unowned::TimeWaits(most);
            let checks = checks(expected, &snapshot(), &device, Moment::Closed);
            checks.iter().filter(|check| !check.passed).count()
        };
        let wrong = |bytes, packets, most| wrong_at(End::Left, bytes, packets, most);
        assert_eq!(wrong(5000, 5, 0), 0);
        assert_eq!(wrong(5000 + 2 * 52, 7, 2), 0);
        assert_eq!(wrong(5000 + 2 * 72, 7, 2), 0);
        assert_eq!(wrong(5000 + 2 * 52, 7, 1), 1);
        assert_eq!(wrong(5000 + 2 * 52 + 1, 7, 2), 1);
        assert_eq!(wrong(5000 + 52, 5, 2), 1);
        assert_eq!(wrong(5000 - 52, 4, 2), 1);
        assert_eq!(wrong_at(End::Right, 5000 + 52, 6, 2), 1);
    }

    #[test]
    fn an_interface_that_is_not_there_is_wrong() {
        let elsewhere = InterfaceId { index: 9, ..LEFT0 };
        let device = Reading {
            id: elsewhere,
            ..device(5000, 5)
        };
        assert!(!wrong(&device, Moment::Closed).is_empty());
    }
}
