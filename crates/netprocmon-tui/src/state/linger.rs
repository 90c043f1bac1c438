//! Processes that have ended stay for a while, with their totals.
//!
//! The monitor shows a process as ended once and then only in the totals. Whoever looked away for
//! a second would never have seen a short one, so here it stays on the list. The sums are not
//! touched: they have its bytes either way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use netprocmon::{ProcessId, ProcessUsage, Rates, Snapshot};

/// A host that starts thousands of processes a second is not to fill the list with dead ones.
const MOST: usize = 500;

/// Those that have ended lately.
#[derive(Debug)]
pub(crate) struct Linger {
    keep: Duration,
    ended: BTreeMap<ProcessId, (Arc<ProcessUsage>, Duration)>,
}

impl Linger {
    pub(crate) const fn new(keep: Duration) -> Self {
        Self {
            keep,
            ended: BTreeMap::new(),
        }
    }

    /// The snapshot, with them in it.
    pub(crate) fn apply(&mut self, now: Arc<Snapshot>) -> Arc<Snapshot> {
        let keep = self.keep;
        self.ended.retain(|_, (_, at)| *at + keep > now.elapsed);
        let gone: Vec<_> = self
            .ended
            .iter()
            .filter(|(id, _)| !is_listed(&now, **id))
            .collect();
        let with_them = (!gone.is_empty()).then(|| {
            let mut all = Snapshot::clone(&now);
            let gone = gone.into_iter().map(|(_, (usage, _))| Arc::clone(usage));
            all.processes.extend(gone);
            all.processes.sort_by_key(|usage| usage.process.id);
            Arc::new(all)
        });
        for usage in &now.processes {
            if usage.process.exited.is_some() && self.ended.len() < MOST {
                let still = ProcessUsage {
                    rates: Rates {
                        sent: usage.rates.sent.map(|_| 0.0),
                        recv: usage.rates.recv.map(|_| 0.0),
                    },
                    ..ProcessUsage::clone(usage)
                };
                let id = usage.process.id;
                self.ended.insert(id, (Arc::new(still), now.elapsed));
            }
        }
        with_them.unwrap_or(now)
    }

    /// Forgets them all.
    pub(crate) fn clear(&mut self) {
        self.ended.clear();
    }
}

fn is_listed(now: &Snapshot, id: ProcessId) -> bool {
    let found = now
        .processes
        .binary_search_by_key(&id, |usage| usage.process.id);
    found.is_ok()
}
