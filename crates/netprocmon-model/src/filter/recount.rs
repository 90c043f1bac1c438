//! A snapshot with only what a filter takes, its rows recounted where the filter asks for parts of
//! them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Filter;
use super::evaluate::Judge;
use super::facts::Row;
use crate::beside::beside;
use crate::{
    ConnectionUsage, Counters, InterfaceId, InterfaceUsage, IpVersion, ProcessId, ProcessUsage,
    Protocol, ProtocolUsage, Rates, Snapshot,
};

/// What a filter is asked of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Basis {
    #[default]
    Processes,
    Interfaces,
    Protocols,
    Connections,
}

/// Sums over the parts of a process's row that match.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    total: Counters,
    interfaces: BTreeMap<InterfaceId, (Option<Arc<str>>, Counters)>,
    protocols: BTreeMap<(Protocol, IpVersion), Counters>,
}

impl Sums {
    pub(super) fn add(&mut self, usage: &ConnectionUsage) {
        let one = &usage.connection;
        self.total += usage.counters;
        let interface = self.interfaces.entry(one.interface).or_default();
        interface.0 = one.interface_name.clone().or(interface.0.take());
        interface.1 += usage.counters;
        *self
            .protocols
            .entry((one.protocol, one.ip_version))
            .or_default() += usage.counters;
    }

    fn rows(self) -> (Vec<InterfaceUsage>, Vec<ProtocolUsage>) {
        let interfaces = self.interfaces.into_iter();
        let interfaces =
            interfaces.map(|(id, (name, counters))| InterfaceUsage { name, id, counters });
        let protocols = self.protocols.into_iter();
        let protocols = protocols.map(|((protocol, ip_version), counters)| ProtocolUsage {
            protocol,
            ip_version,
            counters,
        });
        (interfaces.collect(), protocols.collect())
    }
}

/// The snapshot before, for the rates of recounted rows; the first had nothing before it, and its
/// rates are over all the time that it counts.
#[derive(Debug)]
pub(super) struct Before<'a> {
    seconds: f64,
    processes: HashMap<ProcessId, &'a ProcessUsage>,
}

impl<'a> Before<'a> {
    pub(super) fn new(before: Option<&'a Snapshot>, now: &Snapshot) -> Self {
        let processes = before.into_iter().flat_map(|before| &before.processes);
        let elapsed = before.map(|before| before.elapsed).unwrap_or_default();
        Self {
            seconds: now.elapsed.saturating_sub(elapsed).as_secs_f64(),
            processes: processes.map(|one| (one.process.id, &**one)).collect(),
        }
    }
}

/// What the filter takes of `snapshot`. `carried` are the connections of each process that matched
/// and have left the list.
pub(super) fn filtered(
    snapshot: &Snapshot,
    filter: &Filter,
    before: Option<&Before<'_>>,
    carried: &BTreeMap<ProcessId, Sums>,
) -> Snapshot {
    let mut taken = snapshot.clone();
    if filter.takes_everything() {
        return taken;
    }
    let by_connection = filter.basis == Basis::Connections;
    let judge = Judge::new(filter, by_connection);
    let asked = Asked {
        judge,
        snapshot,
        before,
        carried,
    };
    let rows = snapshot.processes.iter();
    taken.processes = match filter.basis {
        Basis::Processes => {
            let whole = |usage: &&Arc<ProcessUsage>| asked.judge.takes(&asked.row(usage));
            rows.filter(whole).cloned().collect()
        }
        Basis::Interfaces => rows.filter_map(|usage| asked.by_interface(usage)).collect(),
        Basis::Protocols => rows.filter_map(|usage| asked.by_protocol(usage)).collect(),
        Basis::Connections => rows
            .filter_map(|usage| asked.by_connection(usage))
            .collect(),
    };
    taken.unattributed.retain(|usage| {
        asked.judge.takes(&Row {
            process: None,
            connection: None,
            interface: Some((usage.interface, usage.interface_name.as_deref())),
            protocol: None,
            reason: Some(usage.reason),
            counters: &usage.counters,
            now: snapshot.time,
        })
    });
    taken.totals = snapshot.source.nothing_moved();
    for usage in &taken.processes {
        taken.totals += usage.counters;
    }
    taken
}

struct Asked<'a> {
    judge: Judge<'a>,
    snapshot: &'a Snapshot,
    before: Option<&'a Before<'a>>,
    carried: &'a BTreeMap<ProcessId, Sums>,
}

impl Asked<'_> {
    fn row<'r>(&self, usage: &'r ProcessUsage) -> Row<'r> {
        Row {
            process: Some(usage),
            connection: None,
            interface: None,
            protocol: None,
            reason: None,
            counters: &usage.counters,
            now: self.snapshot.time,
        }
    }

    fn by_interface(&self, usage: &Arc<ProcessUsage>) -> Option<Arc<ProcessUsage>> {
        let mut kept = usage.interfaces.clone();
        kept.retain(|one| {
            self.judge.takes(&Row {
                interface: Some((one.id, one.name.as_deref())),
                counters: &one.counters,
                ..self.row(usage)
            })
        });
        if kept.len() == usage.interfaces.len() {
            return (!kept.is_empty()).then(|| Arc::clone(usage));
        }
        let ids: Vec<_> = kept.iter().map(|one| one.id).collect();
        let counters: Counters = kept.iter().map(|one| &one.counters).sum();
        let moved = || {
            let before = self.before(usage);
            let then = |one: &InterfaceUsage| {
                let mut rows = before.iter().flat_map(|before| &before.interfaces);
                let row = rows.find(|row| row.id == one.id);
                row.map_or(Counters::ZERO, |row| row.counters)
            };
            kept.iter().map(|one| one.counters.since(&then(one))).sum()
        };
        let rates = self.rates(moved);
        let recounted = (!kept.is_empty()).then(|| ProcessUsage {
            process: Arc::clone(&usage.process),
            counters,
            rates,
            interfaces: kept,
            protocols: only(&usage.protocols, |one| one.counters = counters),
            connections: usage.connections.clone(),
        });
        let takes = |one: &ConnectionUsage| ids.contains(&one.connection.interface);
        Some(with_connections(recounted?, takes))
    }

    fn by_protocol(&self, usage: &Arc<ProcessUsage>) -> Option<Arc<ProcessUsage>> {
        let mut kept = usage.protocols.clone();
        kept.retain(|one| {
            self.judge.takes(&Row {
                protocol: Some(one.protocol),
                counters: &one.counters,
                ..self.row(usage)
            })
        });
        if kept.len() == usage.protocols.len() {
            return (!kept.is_empty()).then(|| Arc::clone(usage));
        }
        let key = |one: &ProtocolUsage| (one.protocol, one.ip_version);
        let keys: Vec<_> = kept.iter().map(key).collect();
        let counters: Counters = kept.iter().map(|one| &one.counters).sum();
        let moved = || {
            let before = self.before(usage);
            let then = |one: &ProtocolUsage| {
                let mut rows = before.iter().flat_map(|before| &before.protocols);
                let row = rows.find(|row| key(row) == key(one));
                row.map_or(Counters::ZERO, |row| row.counters)
            };
            kept.iter().map(|one| one.counters.since(&then(one))).sum()
        };
        let rates = self.rates(moved);
        let recounted = (!kept.is_empty()).then(|| ProcessUsage {
            process: Arc::clone(&usage.process),
            counters,
            rates,
            interfaces: only(&usage.interfaces, |one| one.counters = counters),
            protocols: kept,
            connections: usage.connections.clone(),
        });
        let takes = |one: &ConnectionUsage| {
            keys.contains(&(one.connection.protocol, one.connection.ip_version))
        };
        Some(with_connections(recounted?, takes))
    }

    fn by_connection(&self, usage: &Arc<ProcessUsage>) -> Option<Arc<ProcessUsage>> {
        let matching: Vec<Arc<ConnectionUsage>> = usage
            .connections
            .iter()
            .flatten()
            .filter(|one| {
                let interface = &one.connection.interface_name;
                self.judge.takes(&Row {
                    connection: Some(one),
                    interface: Some((one.connection.interface, interface.as_deref())),
                    protocol: Some(one.connection.protocol),
                    counters: &one.counters,
                    ..self.row(usage)
                })
            })
            .cloned()
            .collect();
        let carried = self.carried.get(&usage.process.id);
        if matching.is_empty() && carried.is_none() {
            return None;
        }
        let moved = || {
            let before = self.before(usage);
            let before = before.and_then(|before| before.connections.as_deref());
            let mut moved = Counters::ZERO;
            let id = |one: &ConnectionUsage| one.id;
            beside(before.unwrap_or_default(), &matching, id, |one| {
                if let Some((then, now)) = one.news() {
                    let then = then.map_or(Counters::ZERO, |then| then.counters);
                    moved += now.counters.since(&then);
                }
            });
            moved
        };
        let rates = self.rates(moved);
        let mut sums = carried.cloned().unwrap_or_default();
        for one in &matching {
            sums.add(one);
        }
        let counters = sums.total;
        let (interfaces, protocols) = sums.rows();
        Some(Arc::new(ProcessUsage {
            process: Arc::clone(&usage.process),
            counters,
            rates,
            interfaces,
            protocols,
            connections: Some(matching),
        }))
    }

    /// The process's row in the snapshot before.
    fn before(&self, usage: &ProcessUsage) -> Option<&ProcessUsage> {
        let before = self.before?;
        before.processes.get(&usage.process.id).copied()
    }

    /// The rates of what moved since the snapshot before; not known without one.
    fn rates(&self, moved: impl FnOnce() -> Counters) -> Rates {
        let before = self.before;
        before.map_or_else(Rates::default, |before| {
            Rates::over(&moved(), before.seconds)
        })
    }
}

/// Rows of another kind than those that were filtered: with only one of them, it is the sum; with
/// more, nobody knows which has how much, so there is none.
fn only<T: Clone>(rows: &[T], set: impl Fn(&mut T)) -> Vec<T> {
    let mut rows = rows.to_vec();
    if rows.len() > 1 {
        rows.clear();
    }
    rows.iter_mut().for_each(set);
    rows
}

fn with_connections(
    mut usage: ProcessUsage,
    takes: impl Fn(&ConnectionUsage) -> bool,
) -> Arc<ProcessUsage> {
    if let Some(connections) = &mut usage.connections {
        connections.retain(|one| takes(one));
    }
    Arc::new(usage)
}
