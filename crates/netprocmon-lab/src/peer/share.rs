//! How much of what a tool says is right: bytes on the process that moved them.

use std::collections::{BTreeMap, BTreeSet};

use super::said::Told;
use crate::generate::Account;
use crate::net::End;

/// A process that moved bytes of a row, by what its generator says.
#[derive(Clone, Debug)]
pub struct Mover {
    /// Where it runs.
    pub end: End,
    /// What it moved.
    pub account: Account,
    /// The name that it was started under; its own may be another by now, and both are right.
    pub started_as: Option<String>,
}

/// Of the bytes at the interface.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Those that are on the process that moved them, on each at most what it moved.
    pub right: f64,
    /// What was put on processes beyond that: on others, or more than they moved.
    pub beyond: f64,
}

/// What `told` says, against what went over the interface.
///
/// Where the wire bytes of a process do not follow from its calls (TCP), its part of the interface's
/// is taken to be that of its payload.
#[must_use]
#[allow(clippy::cast_precision_loss)] // shown to the percent
pub fn share(interface: u64, movers: &[&Mover], told: &Told) -> Share {
    let mut right = 0;
    for (pids, names, moved) in parts(interface, movers, told) {
        let on_it = match told {
            Told::Pids(_) => told.on(&pids, ""),
            Told::Names(_) => names.iter().map(|name| told.on(&pids, name)).sum(),
        };
        right += on_it.min(moved);
    }
    // A packet that several sockets get is moved more than once.
    let right = right.min(interface);
    let beyond = told.whole().saturating_sub(right);
    let part = |bytes: u64| bytes as f64 / interface as f64;
    Share {
        right: part(right),
        beyond: part(beyond),
    }
}

type Part = (BTreeSet<u32>, BTreeSet<String>, u64);

/// Those that the tool cannot tell apart together: by pid, or by name.
fn parts(interface: u64, movers: &[&Mover], told: &Told) -> Vec<Part> {
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    for (mover, moved) in movers.iter().zip(moved(interface, movers)) {
        let account = &mover.account;
        let key = match told {
            Told::Pids(_) => account.pid.to_string(),
            Told::Names(_) => account.name.clone(),
        };
        let part = parts.entry(key).or_default();
        part.0.insert(account.pid);
        part.1.insert(account.name.clone());
        part.2 += moved;
    }
    let own: BTreeSet<_> = movers.iter().map(|mover| &mover.account.name).collect();
    for mover in movers {
        // A name that is another's own is his.
        let alias = mover.started_as.as_ref().filter(|name| !own.contains(name));
        if let (Some(alias), Some(part)) = (alias, parts.get_mut(&mover.account.name)) {
            part.1.insert(alias.clone());
        }
    }
    parts.into_values().collect()
}

/// Wire bytes of each.
fn moved(interface: u64, movers: &[&Mover]) -> Vec<u64> {
    let wire = |mover: &Mover| {
        let wire = mover.account.wire.as_ref();
        wire.map(|wire| wire.bytes_sent + wire.bytes_recv)
    };
    let payload = |mover: &Mover| mover.account.sent + mover.account.recv;
    let known: u64 = movers.iter().filter_map(|mover| wire(mover)).sum();
    let rest = interface.saturating_sub(known);
    let unknown = movers.iter().filter(|mover| wire(mover).is_none());
    let payloads: u64 = unknown.map(|mover| payload(mover)).sum();
    let part = |mover: &Mover| {
        let part = u128::from(rest) * u128::from(payload(mover)) / u128::from(payloads.max(1));
        u64::try_from(part).unwrap_or(u64::MAX)
    };
    let each = movers.iter();
    each.map(|mover| wire(mover).unwrap_or_else(|| part(mover)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Wire;

    fn mover(pid: u32, name: &str, payload: u64, wire: Option<u64>) -> Mover {
        Mover {
            end: End::Left,
            account: Account {
                pid,
                name: name.to_owned(),
                sent: payload,
                recv: 0,
                wire: wire.map(|bytes_sent| Wire {
                    bytes_sent,
                    ..Wire::default()
                }),
            },
            started_as: None,
        }
    }

    fn of(movers: &[Mover], told: &Told) -> (f64, f64) {
        let movers: Vec<_> = movers.iter().collect();
        let share = share(1000, &movers, told);
        (share.right, share.beyond)
    }

    #[test]
    fn bytes_on_the_wrong_process_are_not_right() {
        let two = [
            mover(1, "a", 300, None),
            mover(2, "b", 300, None),
            mover(3, "c", 0, None),
        ];
        let told = |pids: &[(u32, u64)]| Told::Pids(pids.iter().copied().collect());
        assert_eq!(of(&two, &told(&[(1, 500), (2, 500)])), (1.0, 0.0));
        assert_eq!(of(&two, &told(&[(1, 1000)])), (0.5, 0.5));
        assert_eq!(of(&two, &told(&[(3, 1000)])), (0.0, 1.0));
        assert_eq!(of(&two, &told(&[(9, 100)])), (0.0, 0.1));
        assert_eq!(of(&two, &told(&[])), (0.0, 0.0));
    }

    #[test]
    fn what_a_process_moved_by_its_calls_is_its_part() {
        let two = [mover(1, "a", 1, Some(900)), mover(2, "b", 1, None)];
        let told = Told::Pids([(1, 1000), (2, 100)].into());
        assert_eq!(of(&two, &told), (1.0, 0.1));
    }

    #[test]
    fn processes_of_one_name_are_one_where_names_are_told() {
        let mut two = [mover(1, "a", 500, None), mover(2, "a", 500, None)];
        two[1].started_as = Some("before".to_owned());
        let told = Told::Names([("a".to_owned(), 700), ("before".to_owned(), 200)].into());
        assert_eq!(of(&two, &told), (0.9, 0.0));
    }
}
