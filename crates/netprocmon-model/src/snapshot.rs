//! One immutable look at everything that was counted.
//!
//! Serializing a [`Snapshot`] gives exactly the contract's `snapshot` object; every front end,
//! whatever it draws, reads this and nothing behind it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::interface::index_and_netns;
use crate::{
    ConnectionUsage, Counters, Degradation, Filter, Group, GroupBy, InterfaceId, InterfaceSummary,
    IpVersion, Pid, Process, Protocol, Rates, Reason,
};

/// Changes only when a field changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// Where the numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// In-kernel counters of every socket.
    Ebpf,
    /// Packets that a capture ring shows; owners that were looked up.
    Packet,
    /// What TCP says of one's own sockets.
    Sockdiag,
}

impl SourceKind {
    /// The word that JSON and the command line use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ebpf => "ebpf",
            Self::Packet => "packet",
            Self::Sockdiag => "sockdiag",
        }
    }

    /// The counters of one that has moved nothing: 0 where this source can know a number, unknown
    /// where it never can. What a single hook or connection does not tell is no business of this.
    #[must_use]
    pub const fn nothing_moved(self) -> Counters {
        const ZERO: Counters = Counters::ZERO;
        const UNKNOWN: Counters = Counters::UNKNOWN;
        match self {
            Self::Ebpf => ZERO,
            Self::Packet => Counters {
                payload_sent: None,
                payload_recv: None,
                retransmitted_bytes: None,
                retransmitted_packets: None,
                ..ZERO
            },
            Self::Sockdiag => Counters {
                payload_sent: Some(0),
                payload_recv: Some(0),
                retransmitted_packets: Some(0),
                ..UNKNOWN
            },
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Everything that was counted up to one moment. Cheap to clone behind its `Arc`, never changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// [`SCHEMA_VERSION`].
    pub schema: u32,
    /// `"snapshot"`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When it was taken.
    pub time: Timestamp,
    /// Since the monitor started.
    #[serde(rename = "elapsed_seconds", serialize_with = "seconds")]
    pub elapsed: Duration,
    /// The source of the numbers.
    pub source: SourceKind,
    /// All selected processes together, with those that were dropped from the list.
    pub totals: Counters,
    /// The selected processes, ordered by pid and start.
    pub processes: Vec<Arc<ProcessUsage>>,
    /// What no process can be charged with.
    pub unattributed: Vec<UnattributedUsage>,
    /// The interfaces that something was counted on.
    pub interfaces: Vec<InterfaceSummary>,
    /// Records lost between the kernel and us; counters are never among them.
    pub lost_events: u64,
    /// What this run cannot see.
    pub degradations: Arc<[Degradation]>,
}

/// One process and what it moved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProcessUsage {
    /// Who.
    #[serde(flatten)]
    pub process: Arc<Process>,
    /// Since the monitor started.
    #[serde(flatten)]
    pub counters: Counters,
    /// Over the last interval.
    pub rates: Rates,
    /// The same counters by interface.
    pub interfaces: Vec<InterfaceUsage>,
    /// The same counters by protocol and IP version.
    pub protocols: Vec<ProtocolUsage>,
    /// The connections, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<Vec<Arc<ConnectionUsage>>>,
}

/// What one process moved over one interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InterfaceUsage {
    /// The interface's name; `None` where the namespace was gone before it could be asked.
    pub name: Option<Arc<str>>,
    /// Index and namespace, flat.
    #[serde(flatten, serialize_with = "index_and_netns")]
    pub id: InterfaceId,
    /// Since the monitor started.
    #[serde(flatten)]
    pub counters: Counters,
}

/// What one process moved over one protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProtocolUsage {
    /// Transport protocol.
    pub protocol: Protocol,
    /// IP version of the packets.
    pub ip_version: IpVersion,
    /// Since the monitor started.
    #[serde(flatten)]
    pub counters: Counters,
}

/// What no process can be charged with, by reason and interface. What was moved on interfaces that
/// are gone, and no longer listed, is together under the [`InterfaceId`] of none (index and
/// namespace 0).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnattributedUsage {
    /// Why.
    pub reason: Reason,
    /// The interface's name; `None` where it is not known.
    #[serde(rename = "interface")]
    pub interface_name: Option<Arc<str>>,
    /// Which interface.
    #[serde(flatten, serialize_with = "index_and_netns")]
    pub interface: InterfaceId,
    /// Since the monitor started.
    #[serde(flatten)]
    pub counters: Counters,
}

impl Snapshot {
    /// What a row of [`Snapshot::unattributed`] had counted in an `earlier` snapshot, by itself or,
    /// where it is that of interfaces that are gone, under them.
    #[must_use]
    pub fn unattributed_then(&self, row: &UnattributedUsage, earlier: &Self) -> Counters {
        let is_listed = |interface| {
            let mut rows = self.unattributed.iter();
            rows.any(|one| (one.reason, one.interface) == (row.reason, interface))
        };
        let of_gone = row.interface == InterfaceId::default();
        let rows = earlier.unattributed.iter().filter(|then| {
            then.reason == row.reason
                && (then.interface == row.interface || of_gone && !is_listed(then.interface))
        });
        rows.map(|then| &then.counters).sum()
    }

    /// The process with this pid: the living one, else the one that started last.
    #[must_use]
    pub fn process(&self, pid: Pid) -> Option<&Arc<ProcessUsage>> {
        let with_pid = self
            .processes
            .iter()
            .filter(|usage| usage.process.pid == pid);
        with_pid.max_by_key(|usage| (usage.process.exited.is_none(), usage.process.id))
    }

    /// The `n` processes with the most wire bytes, most first; ties by pid.
    #[must_use]
    pub fn top(&self, n: usize) -> Vec<&Arc<ProcessUsage>> {
        self.top_by(n, |usage| usage.counters.bytes_total())
    }

    /// The `n` processes with the most of something, most first; ties by pid, and what is unknown
    /// last.
    ///
    /// ```
    /// # use netprocmon_model::{ProcessUsage, Snapshot};
    /// # fn f(snapshot: &Snapshot) {
    /// let uploaders = snapshot.top_by(5, |usage| usage.counters.bytes_sent);
    /// # }
    /// ```
    #[must_use]
    pub fn top_by<K: PartialOrd>(
        &self,
        n: usize,
        amount: impl Fn(&ProcessUsage) -> Option<K>,
    ) -> Vec<&Arc<ProcessUsage>> {
        let mut all: Vec<_> = self
            .processes
            .iter()
            .map(|usage| (amount(usage), usage))
            .collect();
        // Amounts of no order (not a number) are ties.
        all.sort_by(|(a, _), (b, _)| b.partial_cmp(a).unwrap_or(std::cmp::Ordering::Equal));
        all.truncate(n);
        all.into_iter().map(|(_, usage)| usage).collect()
    }

    /// Only what `filter` takes; see [`Filter`] for what it is asked of.
    ///
    /// `totals` are those of the rows that are left. Processes that have ended and were dropped
    /// from the list stand in the `totals` of this snapshot alone: nothing about them is left that
    /// a filter could ask. Recounted rows have no rates, since one snapshot does not tell; a
    /// [`FilterView`](crate::FilterView) over several does both. `interfaces` stay as they are.
    #[must_use]
    pub fn filter(&self, filter: &Filter) -> Self {
        filter.apply(self)
    }

    /// Everything that was counted, summed by what it has in common, one grouping inside the
    /// other. The groups of each level sum to what is above them, at the top to `totals` and
    /// `unattributed` together; [`GroupBy`] says what needs connections.
    #[must_use]
    pub fn group_by(&self, by: &[GroupBy]) -> Vec<Group> {
        crate::group::group(self, by)
    }
}

/// Durations are seconds as numbers.
pub(crate) fn seconds<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
