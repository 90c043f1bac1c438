//! Limits that were hit, and what the kernel skipped: counted there, and told as degradations.

use std::sync::atomic::Ordering::Relaxed;

use netprocmon_model::Degradation;

use crate::abi::KernelState;

const CAPACITY: &str = "capacity";
const SKIPPED: &str = "skipped";
/// Of all degradations that are told here.
pub(crate) const CODES: [&str; 2] = [CAPACITY, SKIPPED];

/// Since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    storage_failures: u64,
    slots_full: u64,
    connections_full: u64,
    processes_full: u64,
    tree_full: u64,
    messages_lost: u64,
    skipped: u64,
}

impl Limits {
    /// As they are now; `skipped` is for [`Skipped`](crate::skipped::Skipped) to say.
    pub(crate) fn read(state: &KernelState, skipped: u64) -> Self {
        Self {
            storage_failures: state.storage_failures.load(Relaxed),
            slots_full: state.slots_full.load(Relaxed),
            connections_full: state.connections_full.load(Relaxed),
            processes_full: state.processes_full.load(Relaxed),
            tree_full: state.tree_full.load(Relaxed),
            messages_lost: state.messages_lost.load(Relaxed),
            skipped,
        }
    }

    /// One for each that was hit.
    pub(crate) fn degradations(self) -> impl Iterator<Item = Degradation> {
        let rows = [
            (
                CAPACITY,
                self.storage_failures,
                "packets of sockets without room for our state: they are under `capacity`",
                "raise net.core.optmem_max",
            ),
            (
                CAPACITY,
                self.slots_full,
                "times no counter row was free: the bytes are under `capacity`",
                "raise --max-counters",
            ),
            (
                CAPACITY,
                self.connections_full,
                "connections had no row: their bytes are counted, they are not listed",
                "raise --max-connections",
            ),
            (
                CAPACITY,
                self.processes_full,
                "processes could not be written down: those that had ended have no name",
                "raise --max-processes",
            ),
            (
                CAPACITY,
                self.tree_full,
                "processes of a followed tree could not be marked",
                "raise --max-processes",
            ),
            (
                CAPACITY,
                self.messages_lost,
                "answers of the domain name system came too fast: their names are not shown",
                "read more often",
            ),
            (
                SKIPPED,
                self.skipped,
                "calls, or ends of processes, at most, were skipped by the kernel: their payload is \
                 missing, or a name",
                "a kernel before 7.0, where nobody is preempted in a tracepoint",
            ),
        ];
        let hit = rows.into_iter().filter(|(_, count, ..)| *count > 0);
        hit.map(|(code, count, what, remedy)| {
            Degradation::new(code, format!("{count} {what}")).with_remedy(remedy)
        })
    }
}
