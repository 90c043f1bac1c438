//! The processes that were asked for by pid, and what each had moved when it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use netprocmon_host::tree::TreeNumber;
use netprocmon_model::{Counters, InterfaceId, Pid, ProcessId};

/// Whether the processes that a process starts are meant too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Children {
    /// Only the process itself.
    Ignore,
    /// It, its descendants of now and of later, however their parents end.
    Follow,
}

/// What one process moved over one interface since it was added, or since the monitor started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The process.
    pub pid: Pid,
    /// The interface.
    pub interface: InterfaceId,
    /// Its name; `None` where the namespace was gone before it could be asked.
    pub interface_name: Option<Arc<str>>,
    /// Bytes and packets.
    pub counters: Counters,
}

/// A process that was asked for.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) id: ProcessId,
    /// What it had moved before it was asked for.
    pub(crate) before: BTreeMap<InterfaceId, Counters>,
    pub(crate) tree: Option<TreeNumber>,
}

impl Watched {
    /// What it has moved since then.
    pub(crate) fn since(&self, interface: InterfaceId, now: Counters) -> Counters {
        self.before
            .get(&interface)
            .map_or(now, |before| now.since(before))
    }
}
