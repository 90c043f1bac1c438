//! The interfaces in the ledger, and what no process is charged with on them.
//!
//! A host that starts containers all day has thousands of interfaces that are gone by the evening.
//! So one that is gone, was shown so, and used by no process that is listed leaves the books; what
//! was nobody's there stays under no interface, so that no sum ever shrinks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::device::InterfaceCount;
use crate::{
    Counters, Delta, InterfaceId, InterfaceReading, InterfaceSummary, Owner, Reason, Selection,
    TrafficKey, UnattributedUsage,
};

/// One that cannot be looked at stays for as long after something was last counted on it.
const OUT_OF_REACH: Duration = Duration::from_mins(1);
/// Where what is gone is counted.
const NONE: InterfaceId = InterfaceId {
    netns: crate::NetnsId::LEAST,
    index: 0,
};

#[derive(Debug, Default)]
pub(super) struct Interfaces {
    counts: BTreeMap<InterfaceId, InterfaceCount>,
    unattributed: BTreeMap<(Reason, InterfaceId), Counters>,
}

impl Interfaces {
    /// Adds what was moved, and where it is nobody's, to that; `zero` is what the source says of
    /// something that has moved nothing.
    pub(super) fn charge(&mut self, key: &TrafficKey, delta: &Delta, zero: Counters) {
        let count = self.counts.entry(key.interface);
        let count = count.or_insert_with(|| InterfaceCount::new(zero));
        count.add(key.protocol, key.ip_version, delta);
        if let Owner::Unattributed(reason) = key.owner {
            let (here, gone) = ((reason, key.interface), (reason, NONE));
            let has = |at| self.unattributed.contains_key(at);
            // It is a process's after all, and its interface has left the books.
            let is_of_gone = delta.takes_back() && !has(&here) && has(&gone);
            let at = if is_of_gone { gone } else { here };
            delta.apply(self.unattributed.entry(at).or_insert(zero));
        }
    }

    /// An account has a row of this interface from now on.
    pub(super) fn add_row(&mut self, id: InterfaceId) {
        self.counts.get_mut(&id).map(InterfaceCount::add_row);
    }

    /// An account that had one is closed.
    pub(super) fn drop_row(&mut self, id: InterfaceId) {
        self.counts.get_mut(&id).map(InterfaceCount::drop_row);
    }

    /// Those that something was counted on since they were last read.
    pub(super) fn to_read(&self) -> impl Iterator<Item = InterfaceId> + '_ {
        let all = self.counts.iter();
        let moved = all.filter(|(id, count)| id.index != 0 && count.has_moved());
        moved.map(|(id, _)| *id)
    }

    /// Takes readings in; of what was to be read and is not among them nothing can be known now.
    /// Whether one has another name.
    pub(super) fn read(&mut self, readings: &[InterfaceReading], now: Duration) -> bool {
        let mut renamed = false;
        for reading in readings {
            if let Some(count) = self.counts.get_mut(&reading.id) {
                renamed |= count.read(reading);
            }
        }
        self.counts.values_mut().for_each(|count| count.miss(now));
        renamed
    }

    pub(super) fn contain(&self, id: InterfaceId) -> bool {
        self.counts.contains_key(&id)
    }

    pub(super) fn name(&self, id: InterfaceId) -> Option<Arc<str>> {
        self.counts.get(&id).and_then(InterfaceCount::name)
    }

    pub(super) fn unattributed(&self, selection: &Selection) -> Vec<UnattributedUsage> {
        let taken = self
            .unattributed
            .iter()
            .filter(|((_, id), counters)| !counters.is_zero() && selection.takes_interface(*id));
        taken
            .map(|(&(reason, interface), &counters)| UnattributedUsage {
                reason,
                interface_name: self.name(interface),
                interface,
                counters,
            })
            .collect()
    }

    pub(super) fn summaries(&self, selection: &Selection) -> Vec<InterfaceSummary> {
        let taken = self.counts.iter().filter(|(id, count)| {
            id.index != 0 && selection.takes_interface(**id) && !count.is_idle()
        });
        taken
            .map(|(&id, count)| {
                InterfaceSummary::new(
                    count.name(),
                    id,
                    count.on_device_basis(),
                    count.device(),
                    count.link_header(),
                )
            })
            .collect()
    }

    /// Lets go of those that were shown as gone.
    pub(super) fn retire(&mut self, now: Duration, zero: Counters) {
        let left = self.counts.iter().filter(|(id, count)| {
            let since = now.saturating_sub(OUT_OF_REACH);
            id.index != 0 && count.is_left(since)
        });
        let left: BTreeSet<_> = left.map(|(id, _)| *id).collect();
        if left.is_empty() {
            return;
        }
        let spaces: BTreeSet<_> = left.iter().map(|id| id.netns).collect();
        self.counts.retain(|id, count| {
            let is_rest = id.index == 0 && spaces.contains(&id.netns) && count.has_no_rows();
            !left.contains(id) && !is_rest
        });
        for ((reason, id), counters) in std::mem::take(&mut self.unattributed) {
            let id = if self.contain(id) { id } else { NONE };
            *self.unattributed.entry((reason, id)).or_insert(zero) += counters;
        }
    }
}
