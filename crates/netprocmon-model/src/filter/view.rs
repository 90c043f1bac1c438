//! A filter over one snapshot after another: rates of what it takes, and what it took that has left
//! the list since.
//!
//! One snapshot knows only what is on its list. A live view drops processes and connections soon
//! after they have ended, and their bytes would leave the sums with them; here they stay.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::Filter;
use super::recount::{Basis, Before, Sums, filtered};
use crate::{Counters, ProcessId, Snapshot};

/// Filters the snapshots of one monitor in their order.
///
/// The `totals` it gives are those of the rows shown and of the rows that it showed before and
/// that have left the list. What the kernel still sends for a process after it was shown as ended
/// is in neither.
#[derive(Debug, Default)]
pub struct FilterView {
    filter: Filter,
    before: Option<Arc<Snapshot>>,
    /// What the filter made of it.
    shown: Option<Snapshot>,
    /// Connections that matched and have left, by process.
    carried: BTreeMap<ProcessId, Sums>,
    /// Processes that matched and have left.
    departed: Counters,
}

impl FilterView {
    /// A view that has seen nothing yet.
    #[must_use]
    pub fn new(filter: Filter) -> Self {
        Self {
            filter,
            ..Self::default()
        }
    }

    /// The filter.
    #[must_use]
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What the filter takes of the next snapshot, with rates since the one before.
    pub fn next(&mut self, snapshot: &Arc<Snapshot>) -> Snapshot {
        if self.filter.takes_everything() {
            return Snapshot::clone(snapshot);
        }
        if let Some(shown) = self.shown.take() {
            self.carry(&shown, snapshot);
        }
        let before = self.before.replace(Arc::clone(snapshot));
        let before = Before::new(before.as_deref(), snapshot);
        let mut shown = filtered(snapshot, &self.filter, Some(&before), &self.carried);
        shown.totals += self.departed;
        self.shown = Some(shown.clone());
        shown
    }

    /// Notes what was shown and is not in `now` any more.
    fn carry(&mut self, shown: &Snapshot, now: &Snapshot) {
        let listed = now.processes.iter().map(|usage| usage.process.id);
        let listed: BTreeSet<ProcessId> = listed.collect();
        for usage in &shown.processes {
            if !listed.contains(&usage.process.id) {
                self.departed += usage.counters;
                self.carried.remove(&usage.process.id);
            }
        }
        if self.filter.basis != Basis::Connections {
            return;
        }
        let connections = now.processes.iter().flat_map(|usage| &usage.connections);
        let living: HashSet<_> = connections.flatten().map(|one| one.id).collect();
        for usage in &shown.processes {
            let id = usage.process.id;
            for one in usage.connections.iter().flatten() {
                if listed.contains(&id) && !living.contains(&one.id) {
                    self.carried.entry(id).or_default().add(one);
                }
            }
        }
    }
}
