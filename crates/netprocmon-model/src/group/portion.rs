//! A snapshot cut into portions, each of which belongs into one group of every level.
//!
//! With the snapshot before, a portion is what moved since; without, all that was moved. What is the
//! same record in both has moved nothing, and is passed by. Bytes go over to the process that turns
//! out to own them, and a connection is read at another moment than its process, so a portion may be
//! below zero for a while: counters here wrap, and [`super::settle`] sets right what would show.

use std::collections::HashMap;
use std::sync::Arc;

use super::GroupBy;
use crate::beside::{Beside, beside};
use crate::{
    ConnectionId, ConnectionUsage, Counters, InterfaceId, Pid, Process, ProcessId, ProcessUsage,
    Protocol, Rates, Reason, Snapshot,
};

/// Whose bytes these are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner<'a> {
    Process(&'a ProcessUsage),
    /// Processes that were dropped from the list.
    Ended,
    Unattributed(Reason),
}

/// A part of what a snapshot counts.
#[derive(Clone, Debug)]
pub(super) struct Portion<'a> {
    pub(super) owner: Owner<'a>,
    /// Something else is known of its owner than before: a process is renamed by what it executes.
    pub(super) is_news: bool,
    pub(super) connection: Option<&'a ConnectionUsage>,
    pub(super) interface: Option<(InterfaceId, Option<Arc<str>>)>,
    pub(super) protocol: Option<Protocol>,
    /// The root of the process's tree, and its name.
    pub(super) root: Option<(Pid, Option<Arc<str>>)>,
    pub(super) moved: Counters,
    /// The snapshot's own, where the portion is a whole process.
    pub(super) rates: Rates,
}

impl<'a> Portion<'a> {
    /// Whose it is, where it is a process's.
    pub(super) fn process(&self) -> Option<&'a ProcessUsage> {
        match self.owner {
            Owner::Process(usage) => Some(usage),
            Owner::Ended | Owner::Unattributed(_) => None,
        }
    }
}

/// What is left of a process's row for an interface or a protocol.
struct Rest {
    interface: Option<(InterfaceId, Option<Arc<str>>)>,
    protocol: Option<Protocol>,
    moved: Counters,
}

/// What moved between two readings, as a wrapped number.
pub(super) fn since(now: &Counters, before: &Counters) -> Counters {
    now.combine(before, u64::wrapping_sub)
}

/// Calls `each` with all portions of `now`, less what was there `before`.
pub(super) fn portions<'a>(
    now: &'a Snapshot,
    before: Option<&Snapshot>,
    by: &[GroupBy],
    each: impl FnMut(&Portion<'a>),
) {
    let processes = before.iter().flat_map(|before| &before.processes);
    let mut earlier: HashMap<ProcessId, &Arc<ProcessUsage>> =
        processes.map(|usage| (usage.process.id, usage)).collect();
    let mut changed = Vec::new();
    for usage in &now.processes {
        let then = earlier.remove(&usage.process.id);
        if then.is_none_or(|then| !Arc::ptr_eq(then, usage)) {
            changed.push((usage, then.map(|then| &**then)));
        }
    }
    let mut cut = Cut {
        by,
        with_connections: GroupBy::need_connections(by),
        strays: HashMap::new(),
        roots: by.contains(&GroupBy::Tree).then(|| Roots::new(now)),
        each,
    };
    if cut.with_connections {
        cut.find_strays(&changed, earlier.into_values());
    }
    let mut attributed = Counters::ZERO;
    for (usage, before) in changed {
        let then = before.map_or(Counters::ZERO, |before| before.counters);
        attributed += since(&usage.counters, &then);
        cut.process(usage, before);
    }
    let then = before.map_or(Counters::ZERO, |before| before.totals);
    let ended = since(&since(&now.totals, &then), &attributed);
    cut.aside(Owner::Ended, None, ended);
    for usage in &now.unattributed {
        let then = before.map(|before| now.unattributed_then(usage, before));
        let then = then.unwrap_or(Counters::ZERO);
        let interface = Some((usage.interface, usage.interface_name.clone()));
        let moved = since(&usage.counters, &then);
        cut.aside(Owner::Unattributed(usage.reason), interface, moved);
    }
}

struct Cut<'b, 'a, Each> {
    by: &'b [GroupBy],
    with_connections: bool,
    /// As they were before: connections that another process has now, or none.
    strays: HashMap<ConnectionId, Counters>,
    roots: Option<Roots<'a>>,
    each: Each,
}

impl<'a, Each: FnMut(&Portion<'a>)> Cut<'_, 'a, Each> {
    fn find_strays<'c>(
        &mut self,
        changed: &[(&Arc<ProcessUsage>, Option<&'c ProcessUsage>)],
        gone: impl Iterator<Item = &'c Arc<ProcessUsage>>,
    ) {
        let strays = &mut self.strays;
        let mut look = |before: &ProcessUsage, now| {
            beside(connections(before), now, id, |one| {
                if let Beside::Gone(stray) = one {
                    strays.insert(stray.id, stray.counters);
                }
            });
        };
        for (usage, before) in changed {
            if let Some(before) = before {
                look(before, connections(usage));
            }
        }
        gone.for_each(|before| look(before, &[]));
    }

    fn process(&mut self, usage: &'a ProcessUsage, before: Option<&ProcessUsage>) {
        let root = self.roots.as_ref().map(|roots| roots.of(&usage.process));
        let mut rests = self.rests(usage, before);
        let whole = rests.len() == 1 && !self.with_connections;
        let is_news = before.is_none_or(|before| !Arc::ptr_eq(&before.process, &usage.process));
        let portion = |rest: &Rest, connection, moved| Portion {
            owner: Owner::Process(usage),
            is_news,
            connection,
            interface: rest.interface.clone(),
            protocol: rest.protocol,
            root: root.clone(),
            moved,
            rates: Rates::default(),
        };
        let now: &'a [_] = if self.with_connections {
            connections(usage)
        } else {
            &[]
        };
        beside(before.map_or(&[], connections), now, id, |one| {
            let (then, one) = match one {
                Beside::Gone(_) => return,
                Beside::Same(_) if !is_news => return,
                Beside::Same(one) => (one.counters, one),
                Beside::Changed(then, one) => (then.counters, one),
                Beside::New(one) => {
                    let then = self.strays.get(&one.id).copied();
                    (then.unwrap_or(Counters::ZERO), one)
                }
            };
            let moved = since(&one.counters, &then);
            let fits = |rest: &&mut Rest| {
                let interface = rest.interface.as_ref().map(|(id, _)| *id);
                interface.is_none_or(|id| id == one.connection.interface)
                    && rest
                        .protocol
                        .is_none_or(|known| known == one.connection.protocol)
            };
            let Some(rest) = rests.iter_mut().find(fits) else {
                return;
            };
            rest.moved = since(&rest.moved, &moved);
            let mut portion = portion(rest, Some(one), moved);
            portion.protocol = Some(one.connection.protocol);
            (self.each)(&portion);
        });
        for rest in &rests {
            if whole || !rest.moved.is_zero() {
                let mut portion = portion(rest, None, rest.moved);
                portion.rates = if whole { usage.rates } else { portion.rates };
                (self.each)(&portion);
            }
        }
    }

    /// A process's row by interface, else by protocol, else whole, as the groups ask; what those
    /// rows do not explain comes last.
    fn rests(&self, usage: &ProcessUsage, before: Option<&ProcessUsage>) -> Vec<Rest> {
        let then = before.map_or(Counters::ZERO, |before| before.counters);
        let mut left = since(&usage.counters, &then);
        let mut rests = Vec::new();
        if self.by.contains(&GroupBy::Interface) {
            // With one protocol there is no doubt whose bytes crossed an interface.
            let only = match &*usage.protocols {
                [only] => Some(only.protocol),
                _ => None,
            };
            for row in &usage.interfaces {
                let mut rows = before.iter().flat_map(|before| &before.interfaces);
                let then = rows
                    .find(|then| then.id == row.id)
                    .map(|then| then.counters);
                let moved = since(&row.counters, &then.unwrap_or_default());
                left = since(&left, &moved);
                rests.push(Rest {
                    interface: Some((row.id, row.name.clone())),
                    protocol: only
                        .filter(|_| !self.with_connections || usage.connections.is_none()),
                    moved,
                });
            }
        } else if self.by.contains(&GroupBy::Protocol) {
            for row in &usage.protocols {
                let key = |row: &crate::ProtocolUsage| (row.protocol, row.ip_version);
                let mut rows = before.iter().flat_map(|before| &before.protocols);
                let then = rows.find(|then| key(then) == key(row));
                let then = then.map(|then| then.counters).unwrap_or_default();
                let moved = since(&row.counters, &then);
                left = since(&left, &moved);
                rests.push(Rest {
                    interface: None,
                    protocol: Some(row.protocol),
                    moved,
                });
            }
        }
        rests.push(Rest {
            interface: None,
            protocol: None,
            moved: left,
        });
        rests
    }

    fn aside(
        &mut self,
        owner: Owner<'a>,
        interface: Option<(InterfaceId, Option<Arc<str>>)>,
        moved: Counters,
    ) {
        if !moved.is_zero() {
            (self.each)(&Portion {
                owner,
                is_news: false,
                connection: None,
                interface,
                protocol: None,
                root: None,
                moved,
                rates: Rates::default(),
            });
        }
    }
}

fn id(one: &ConnectionUsage) -> ConnectionId {
    one.id
}

fn connections(usage: &ProcessUsage) -> &[Arc<ConnectionUsage>] {
    usage.connections.as_deref().unwrap_or_default()
}

/// What the processes of a snapshot are called, and those above them.
struct Roots<'a>(HashMap<Pid, &'a Arc<str>>);

impl<'a> Roots<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        let processes = || snapshot.processes.iter().map(|usage| &usage.process);
        let above = processes().flat_map(|process| &*process.parents);
        let above = above.filter_map(|one| Some((one.pid, one.name.as_ref()?)));
        // A process knows best what it is called.
        Self(
            above
                .chain(processes().map(|one| (one.pid, &one.name)))
                .collect(),
        )
    }

    /// The root of a process's tree, and its name.
    fn of(&self, process: &Process) -> (Pid, Option<Arc<str>>) {
        let root = process.root();
        (root, self.0.get(&root).map(|name| Arc::clone(name)))
    }
}
