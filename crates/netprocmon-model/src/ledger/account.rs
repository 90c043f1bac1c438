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
    /// As the last snapshot shows it. Made anew in place where no snapshot holds it any more.
    usage: Option<Arc<ProcessUsage>>,
    stale: bool,
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
            stale: true,
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
        if std::mem::replace(&mut self.stale, true) {
            return;
        }
        // Connections' records are changed in place, too, where nobody else holds them.
        let usage = self.usage.as_mut().and_then(Arc::get_mut);
        if let Some(connections) = usage.and_then(|usage| usage.connections.as_mut()) {
            connections.clear();
        }
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
        self.cells.reserve_exact(1); // thousands of processes have one or two
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
            at_rest && !self.stale && !view.renamed
        });
        if let Some(kept) = kept {
            return Arc::clone(kept);
        }
        self.stale = false;
        let mut usage = match self.usage.take() {
            Some(unheld) if Arc::strong_count(&unheld) == 1 => unheld,
            held => {
                let before = held.map_or(view.zero, |held| held.counters);
                Arc::new(self.nothing_since(before))
            }
        };
        self.make_usage(Arc::make_mut(&mut usage), view);
        self.usage = Some(Arc::clone(&usage));
        usage
    }

    fn nothing_since(&self, before: Counters) -> ProcessUsage {
        ProcessUsage {
            process: Arc::clone(&self.facts),
            counters: before,
            rates: Rates::default(),
            interfaces: Vec::new(),
            protocols: Vec::new(),
            connections: None,
        }
    }

    /// Makes what was shown before into what is shown now.
    fn make_usage(&self, usage: &mut ProcessUsage, view: &mut View<'_>) {
        let mut counters = view.zero;
        counters += self.selected_total(view.selection);
        let moved = counters.since(&usage.counters);
        usage.process = Arc::clone(&self.facts);
        usage.counters = counters;
        usage.rates = Rates::over(&moved, view.interval.as_secs_f64());
        let interfaces = self.by_interface().into_iter();
        // Payload that was moved before a packet has gone over to the packet's interface.
        let taken = interfaces.filter(|(id, counters)| {
            view.selection.takes_interface(*id) && (id.index != 0 || !counters.is_zero())
        });
        let shown = taken.map(|(id, counters)| InterfaceUsage {
            name: view.interfaces.name(id),
            id,
            counters,
        });
        refill(&mut usage.interfaces, shown);
        refill(&mut usage.protocols, self.by_protocol(view.selection));
        let Some(all) = view.conversations.as_deref_mut() else {
            return;
        };
        let shown = usage.connections.get_or_insert_default();
        shown.clear();
        shown.reserve(self.connections.len());
        // Of the thousands that it once had nobody is to keep the places.
        shown.shrink_to(2 * self.connections.len());
        for id in &self.connections {
            if let Some(one) = all.get_mut(*id)
                && view.selection.takes_interface(one.interface())
            {
                shown.push(one.usage(view.interfaces, view.renamed));
            }
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

    fn by_protocol(&self, selection: &Selection) -> impl Iterator<Item = ProtocolUsage> + use<> {
        let mut sums: BTreeMap<(Protocol, IpVersion), Counters> = BTreeMap::new();
        for cell in self.selected(selection) {
            *sums.entry((cell.protocol, cell.version)).or_default() += cell.counters;
        }
        let usage = |((protocol, ip_version), counters)| ProtocolUsage {
            protocol,
            ip_version,
            counters,
        };
        sums.into_iter().map(usage)
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

/// In place, and without places to spare: `extend` makes four for the first one.
fn refill<T>(list: &mut Vec<T>, with: impl Iterator<Item = T>) {
    list.clear();
    list.reserve_exact(with.size_hint().1.unwrap_or_default());
    list.extend(with);
}
