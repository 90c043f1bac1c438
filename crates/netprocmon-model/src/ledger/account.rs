//! One process in the ledger: its facts, its counters by interface and protocol, and the usage
//! record that was last made of them (kept, so that an idle process costs a snapshot one pointer).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::conversation::Conversations;
use super::interfaces::Interfaces;
use crate::{
    ConnectionId, Counters, Delta, InterfaceId, InterfaceUsage, IpVersion, Process, ProcessUsage,
    Protocol, ProtocolUsage, Rates, Selection, TrafficKey,
};

/// What a usage record is made against.
pub(super) struct View<'a> {
    pub(super) selection: &'a Selection,
    pub(super) interfaces: &'a Interfaces,
    /// `None` where connections were not asked for.
    pub(super) conversations: Option<&'a mut Conversations>,
    /// Since the snapshot before.
    pub(super) interval: Duration,
    /// An interface has a new name: every record that may show it is stale.
    pub(super) renamed: bool,
    /// What the source says of one that has moved nothing.
    pub(super) zero: Counters,
}

/// The finest grain that is counted.
#[derive(Debug)]
struct Cell {
    interface: InterfaceId,
    protocol: Protocol,
    version: IpVersion,
    counters: Counters,
}

/// Where an ended process stands on its way out of the books.
#[derive(Debug, PartialEq, Eq)]
enum Life {
    Running,
    /// Ended, and not yet shown so.
    Ended,
    /// Shown as ended; off the list, still in the totals.
    Shown,
}

#[derive(Debug)]
pub(super) struct Account {
    facts: Arc<Process>,
    cells: Vec<Cell>,
    connections: BTreeSet<ConnectionId>,
    /// As the last snapshot shows it. Gone as soon as something happens: a connection's record is
    /// changed in place where nothing else holds it.
    usage: Option<Arc<ProcessUsage>>,
    /// What it had moved then.
    before: Option<Counters>,
    life: Life,
    settled: bool,
    /// Whether its interfaces stay listed for it.
    holds_interfaces: bool,
}

impl Account {
    pub(super) fn new(facts: Arc<Process>) -> Self {
        let life = if facts.exited.is_some() {
            Life::Ended
        } else {
            Life::Running
        };
        Self {
            facts,
            cells: Vec::new(),
            connections: BTreeSet::new(),
            usage: None,
            before: None,
            life,
            settled: false,
            holds_interfaces: true,
        }
    }

    pub(super) fn facts(&self) -> &Arc<Process> {
        &self.facts
    }

    /// Whether it is called something else now.
    pub(super) fn learn(&mut self, facts: Arc<Process>) -> bool {
        let exited = facts.exited.or(self.facts.exited);
        let renamed = facts.name != self.facts.name;
        self.facts = facts;
        if let Some(at) = exited {
            self.exit(at);
        }
        self.touch();
        renamed
    }

    pub(super) fn exit(&mut self, at: Timestamp) {
        if self.facts.exited.is_none() {
            Arc::make_mut(&mut self.facts).exited = Some(at);
        }
        if self.life == Life::Running {
            self.life = Life::Ended;
        }
        self.touch();
    }

    pub(super) fn settle(&mut self) {
        self.settled = true;
    }

    pub(super) fn touch(&mut self) {
        self.usage = None;
    }

    pub(super) fn is_listed(&self) -> bool {
        self.life != Life::Shown
    }

    /// Whether it holds one interface more.
    pub(super) fn charge(&mut self, key: &TrafficKey, delta: &Delta, zero: Counters) -> bool {
        self.touch();
        let same = |cell: &&mut Cell| {
            (cell.interface, cell.protocol, cell.version)
                == (key.interface, key.protocol, key.ip_version)
        };
        let cell = self.cells.iter_mut().find(same);
        if let Some(cell) = cell {
            delta.apply(&mut cell.counters);
            return false;
        }
        let mut counters = zero;
        delta.apply(&mut counters);
        let is_first =
            self.holds_interfaces && !self.cells.iter().any(|one| one.interface == key.interface);
        self.cells.push(Cell {
            interface: key.interface,
            protocol: key.protocol,
            version: key.ip_version,
            counters,
        });
        is_first
    }

    pub(super) fn add_connection(&mut self, id: ConnectionId) {
        self.connections.insert(id);
        self.touch();
    }

    pub(super) fn drop_connection(&mut self, id: ConnectionId) {
        self.connections.remove(&id);
        self.touch();
    }

    pub(super) fn connections(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.connections.iter().copied()
    }

    /// The record of this process now; the one made before where nothing has changed.
    pub(super) fn usage(&mut self, view: &mut View<'_>) -> Arc<ProcessUsage> {
        let kept = self.usage.as_ref().filter(|usage| {
            // Rates of what is not known at all never change.
            let at_rest = |rate, counter: Option<u64>| rate == Some(0.0) || counter.is_none();
            let at_rest = at_rest(usage.rates.sent, usage.counters.bytes_sent)
                && at_rest(usage.rates.recv, usage.counters.bytes_recv);
            at_rest && !view.renamed
        });
        if let Some(kept) = kept {
            return Arc::clone(kept);
        }
        let usage = Arc::new(self.make_usage(view));
        self.before = Some(usage.counters);
        self.usage = Some(Arc::clone(&usage));
        usage
    }

    fn make_usage(&self, view: &mut View<'_>) -> ProcessUsage {
        let mut counters = view.zero;
        counters += self.selected_total(view.selection);
        let before = self.before.unwrap_or(view.zero);
        let interfaces = self.by_interface().into_iter();
        // Payload that was moved before a packet has gone over to the packet's interface.
        let taken = interfaces.filter(|(id, counters)| {
            view.selection.takes_interface(*id) && (id.index != 0 || !counters.is_zero())
        });
        ProcessUsage {
            process: Arc::clone(&self.facts),
            counters,
            rates: Rates::over(&counters.since(&before), view.interval.as_secs_f64()),
            interfaces: taken
                .map(|(id, counters)| InterfaceUsage {
                    name: view.interfaces.name(id),
                    id,
                    counters,
                })
                .collect(),
            protocols: self.by_protocol(view.selection),
            connections: view.conversations.as_deref_mut().map(|all| {
                let mut usages = Vec::with_capacity(self.connections.len());
                for id in &self.connections {
                    if let Some(one) = all.get_mut(*id)
                        && view.selection.takes_interface(one.interface())
                    {
                        usages.push(one.usage(view.interfaces, view.renamed));
                    }
                }
                usages
            }),
        }
    }

    pub(super) fn selected_total(&self, selection: &Selection) -> Counters {
        self.selected(selection).map(|cell| &cell.counters).sum()
    }

    pub(super) fn by_interface(&self) -> Vec<(InterfaceId, Counters)> {
        let mut sums: BTreeMap<InterfaceId, Counters> = BTreeMap::new();
        for cell in &self.cells {
            *sums.entry(cell.interface).or_default() += cell.counters;
        }
        sums.into_iter().collect()
    }

    fn by_protocol(&self, selection: &Selection) -> Vec<ProtocolUsage> {
        let mut sums: BTreeMap<(Protocol, IpVersion), Counters> = BTreeMap::new();
        for cell in self.selected(selection) {
            *sums.entry((cell.protocol, cell.version)).or_default() += cell.counters;
        }
        let usage = |((protocol, ip_version), counters)| ProtocolUsage {
            protocol,
            ip_version,
            counters,
        };
        sums.into_iter().map(usage).collect()
    }

    fn selected(&self, selection: &Selection) -> impl Iterator<Item = &Cell> {
        self.cells
            .iter()
            .filter(|cell| selection.takes_interface(cell.interface))
    }

    /// The interfaces that it holds no longer.
    pub(super) fn let_go(&mut self) -> impl Iterator<Item = InterfaceId> + use<> {
        let held = std::mem::take(&mut self.holds_interfaces).then(|| self.by_interface());
        held.into_iter().flatten().map(|(id, _)| id)
    }

    /// One step towards the way out, after a snapshot; true when the account can be closed.
    pub(super) fn retire(&mut self) -> bool {
        if self.life == Life::Ended {
            self.life = Life::Shown;
        }
        self.life == Life::Shown && self.settled
    }
}
