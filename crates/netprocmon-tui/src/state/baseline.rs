//! Counting from a moment on: what was there at a reset is taken off everything shown later.

use std::sync::Arc;

use netprocmon::Snapshot;

/// What had been counted at a reset.
#[derive(Debug)]
pub(crate) struct Baseline(Arc<Snapshot>);

impl Baseline {
    pub(crate) const fn new(at: Arc<Snapshot>) -> Self {
        Self(at)
    }

    /// The snapshot, counted from then on; its rates stay those of the last interval.
    pub(crate) fn apply(&self, now: &Snapshot) -> Arc<Snapshot> {
        let mut since = now.since(&self.0);
        // Both have the same rows.
        for (one, as_it_is) in since.processes.iter_mut().zip(&now.processes) {
            Arc::make_mut(one).rates = as_it_is.rates;
        }
        since.unattributed.retain(|one| !one.counters.is_zero());
        Arc::new(since)
    }
}
