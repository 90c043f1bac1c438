//! Rows: what a view has a line for, made from a look; and what each column is worth in an order.
//!
//! Not here: texts. Only rows that can be seen get those, in the views.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use netprocmon::{
    Connection, ConnectionId, ConnectionUsage, Counters, Direction, Group, GroupKey, InterfaceId,
    InterfaceSummary, Process, ProcessId, ProcessUsage, Protocol, Rates, Reason, Snapshot,
    UnattributedUsage,
};

use super::series::Look;
use super::tracks::{self, Tracks};
use crate::settings::{ColumnId, Flow, Idle, View};

/// Intervals after which a row counts as idle.
const QUIET: u32 = 10;

/// Which row, for as long as there is such a thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RowId {
    Process(ProcessId),
    Connection(ConnectionId),
    Group(GroupKey),
    /// A process in a group.
    Member(GroupKey, GroupKey),
    Interface(InterfaceId),
    Reason(InterfaceId, Reason),
}

/// What a row is about.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    Process(Arc<ProcessUsage>),
    Connection(Arc<Process>, Arc<ConnectionUsage>),
    Group(Arc<Group>),
    Member(Box<Group>),
    Interface(Box<InterfaceSummary>),
    Unattributed(Box<UnattributedUsage>),
}

/// A line of a table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: RowId,
    pub(crate) subject: Subject,
    /// Of the flow that is shown.
    pub(crate) rates: Rates,
    /// Levels below the top.
    pub(crate) depth: usize,
    /// Whether it is the last below its parent.
    pub(crate) last: bool,
}

/// What is made into rows.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) look: &'a Look,
    pub(crate) tracks: &'a Tracks,
    pub(crate) view: View,
    pub(crate) flow: Flow,
    pub(crate) idle: Idle,
}

/// Which way an order goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ordered {
    /// Most first; texts from A.
    Usual,
    Reversed,
}

/// All rows, not yet in order, and how many were left out as idle.
pub(crate) fn rows(asked: Asked<'_>) -> (Vec<Row>, usize) {
    let look = asked.look;
    let mut all = match (asked.view, &look.groups) {
        (View::Processes, Some(groups)) => asked.groups(groups, &look.earlier[1]),
        (View::Processes | View::Detail, _) => asked.processes(),
        (View::Connections, _) => asked.connections(),
        (View::Remotes, _) => asked.groups(&look.remotes, &look.earlier[0]),
        (View::Interfaces, _) => asked.interfaces(),
    };
    let before = all.len();
    all.retain(|row| asked.is_worth_a_line(row));
    let hidden = before - all.len();
    (all, hidden)
}

impl Asked<'_> {
    fn processes(&self) -> Vec<Row> {
        let all = self.look.shown.processes.iter();
        all.map(|usage| {
            let id = usage.process.id;
            let rates = match self.flow {
                Flow::Wire => usage.rates,
                Flow::Payload => {
                    let track = self.tracks.process(id);
                    let pace = track.map(|track| track.at(self.look.tick));
                    tracks::rates(pace.unwrap_or_default(), &usage.counters, self.flow)
                }
            };
            row(
                RowId::Process(id),
                Subject::Process(Arc::clone(usage)),
                rates,
            )
        })
        .collect()
    }

    fn connections(&self) -> Vec<Row> {
        let doubles = doubles(&self.look.shown);
        let mut rows = Vec::new();
        for usage in &self.look.shown.processes {
            for one in usage.connections.iter().flatten() {
                if doubles.contains(&one.id) {
                    continue;
                }
                let track = self.tracks.connection(one.id);
                let pace = track.map(|track| track.at(self.look.tick));
                let rates = tracks::rates(pace.unwrap_or_default(), &one.counters, self.flow);
                let subject = Subject::Connection(Arc::clone(&usage.process), Arc::clone(one));
                rows.push(row(RowId::Connection(one.id), subject, rates));
            }
        }
        rows
    }

    fn groups(&self, groups: &[Arc<Group>], earlier: &[Arc<Group>]) -> Vec<Row> {
        // The groups' own rates are those of the wire.
        let earlier: HashMap<&GroupKey, &Counters> = match self.flow {
            Flow::Wire => HashMap::new(),
            Flow::Payload => earlier
                .iter()
                .map(|one| (&one.key, &one.counters))
                .collect(),
        };
        let all = groups.iter().map(|group| {
            let rates = match self.flow {
                Flow::Wire => group.rates,
                Flow::Payload => {
                    let then = earlier
                        .get(&group.key)
                        .map_or(Counters::ZERO, |then| **then);
                    self.per_second(&group.counters.since(&then))
                }
            };
            row(
                RowId::Group(group.key.clone()),
                Subject::Group(Arc::clone(group)),
                rates,
            )
        });
        all.collect()
    }

    /// The rates, in the flow that is shown, of what moved in the interval.
    fn per_second(&self, moved: &Counters) -> Rates {
        let (bytes_sent, bytes_recv) = flow_of(moved, self.flow);
        let moved = Counters {
            bytes_sent,
            bytes_recv,
            ..Counters::ZERO
        };
        Rates::over(&moved, self.look.seconds())
    }

    fn interfaces(&self) -> Vec<Row> {
        let snapshot = &self.look.shown;
        let mut rows = Vec::new();
        for one in &snapshot.interfaces {
            let track = self.tracks.interface(one.id);
            let pace = track.map(|track| track.at(self.look.tick));
            let rates = tracks::rates(pace.unwrap_or_default(), &one.counted, self.flow);
            let subject = Subject::Interface(Box::new(one.clone()));
            rows.push(row(RowId::Interface(one.id), subject, rates));
        }
        rows
    }

    /// What no process is charged with on an interface, a row a reason.
    fn unattributed(&self, interface: InterfaceId) -> Vec<Row> {
        let before = self.look.shown_before.as_ref();
        let all = self.look.shown.unattributed.iter();
        let all = all.filter(|one| one.interface == interface);
        all.map(|one| {
            let then = before.map(|before| self.look.shown.unattributed_then(one, before));
            let then = then.unwrap_or(Counters::ZERO);
            let rates = self.per_second(&one.counters.since(&then));
            let id = RowId::Reason(interface, one.reason);
            row(id, Subject::Unattributed(Box::new(one.clone())), rates)
        })
        .collect()
    }

    fn is_worth_a_line(&self, row: &Row) -> bool {
        let moves = [row.rates.sent, row.rates.recv]
            .iter()
            .any(|rate| rate.is_some_and(|rate| rate > 0.0));
        let quiet_for = match &row.id {
            RowId::Process(id) => self.tracks.process(*id),
            RowId::Connection(id) => self.tracks.connection(*id),
            RowId::Interface(id) => self.tracks.interface(*id),
            RowId::Group(_) | RowId::Member(..) | RowId::Reason(..) => None,
        };
        match self.idle {
            _ if moves => true,
            Idle::All => true,
            Idle::Moved => !row.counters().is_zero() || row.has_ended(),
            Idle::Active => {
                row.has_ended()
                    || quiet_for.is_some_and(|track| track.quiet_for(self.look.tick) < QUIET)
            }
        }
    }
}

/// The rows below each of `rows`, put behind it: reasons below an interface, processes in a group.
pub(crate) fn unfold(asked: Asked<'_>, rows: Vec<Row>, with_members: bool) -> Vec<Row> {
    let mut all = Vec::with_capacity(rows.len());
    for parent in rows {
        let below = match (&parent.id, &parent.subject) {
            (RowId::Interface(id), _) => asked.unattributed(*id),
            (RowId::Group(key), Subject::Group(group)) if with_members => members(key, group),
            _ => Vec::new(),
        };
        let count = below.len();
        all.push(parent);
        all.extend(below.into_iter().enumerate().map(|(number, row)| Row {
            depth: 1,
            last: number + 1 == count,
            ..row
        }));
    }
    all
}

fn members(parent: &GroupKey, group: &Group) -> Vec<Row> {
    let all = group.groups.iter();
    all.map(|member| {
        let id = RowId::Member(parent.clone(), member.key.clone());
        let mut alone = member.clone();
        alone.groups.clear();
        row(id, Subject::Member(Box::new(alone)), member.rates)
    })
    .collect()
}

fn row(id: RowId, subject: Subject, rates: Rates) -> Row {
    Row {
        id,
        subject,
        rates,
        depth: 0,
        last: false,
    }
}

/// Of connections with both ends here, the server's: the client's has their line. Of those that
/// were there before anybody looked, the server's is the one with the lower port.
fn doubles(snapshot: &Snapshot) -> HashSet<ConnectionId> {
    type Ends = (Protocol, SocketAddr, SocketAddr);
    let ends = |one: &Connection| -> Option<Ends> {
        one.peer.as_ref()?;
        Some((one.protocol, one.local, one.remote?))
    };
    let is_client = |one: &Connection| match (one.direction, one.remote) {
        (Some(Direction::Out), _) => true,
        (Some(Direction::In), _) | (None, None) => false,
        (None, Some(remote)) => one.local.port() >= remote.port(),
    };
    let rows = snapshot.processes.iter();
    let all = rows.flat_map(|usage| usage.connections.iter().flatten());
    let (clients, servers): (Vec<_>, Vec<_>) = all
        .filter(|one| one.connection.peer.is_some())
        .partition(|one| is_client(&one.connection));
    let clients: HashSet<Ends> = clients
        .into_iter()
        .filter_map(|one| ends(&one.connection))
        .collect();
    let has_client = |one: &&Arc<ConnectionUsage>| {
        let ends = ends(&one.connection);
        ends.is_some_and(|(protocol, local, remote)| clients.contains(&(protocol, remote, local)))
    };
    servers
        .into_iter()
        .filter(has_client)
        .map(|one| one.id)
        .collect()
}

/// A flow's two counters.
pub(crate) const fn flow_of(counters: &Counters, flow: Flow) -> (Option<u64>, Option<u64>) {
    match flow {
        Flow::Wire => (counters.bytes_sent, counters.bytes_recv),
        Flow::Payload => (counters.payload_sent, counters.payload_recv),
    }
}

/// What a row is worth in an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Worth {
    /// What is not known is below everything.
    Number(f64),
    Text(String),
}

impl Worth {
    /// Numbers from the most, texts from A: which of the two comes first in the usual order.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => b.total_cmp(a),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

impl Row {
    pub(crate) fn counters(&self) -> &Counters {
        match &self.subject {
            Subject::Process(usage) => &usage.counters,
            Subject::Connection(_, usage) => &usage.counters,
            Subject::Group(group) => &group.counters,
            Subject::Member(group) => &group.counters,
            Subject::Interface(one) => &one.counted,
            Subject::Unattributed(one) => &one.counters,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        match &self.subject {
            Subject::Process(usage) => usage.process.exited.is_some(),
            Subject::Connection(_, usage) => usage.connection.closed.is_some(),
            Subject::Group(group) => group.key == GroupKey::Ended,
            _ => false,
        }
    }

    /// Whether it only makes the sums whole, and stands last.
    pub(crate) fn is_rest(&self) -> bool {
        match &self.subject {
            Subject::Group(group) => !group.key.is_named(),
            Subject::Member(group) => !group.key.is_named(),
            _ => false,
        }
    }

    pub(crate) fn worth(&self, column: ColumnId, flow: Flow) -> Worth {
        let counters = self.counters();
        let (sent, recv) = flow_of(counters, flow);
        let other = match flow {
            Flow::Wire => flow_of(counters, Flow::Payload),
            Flow::Payload => flow_of(counters, Flow::Wire),
        };
        #[allow(clippy::cast_precision_loss)] // an order
        let bytes = |bytes: Option<u64>| Worth::Number(bytes.map_or(-1.0, |bytes| bytes as f64));
        let rate = |rate: Option<f64>| Worth::Number(rate.unwrap_or(-1.0));
        let sum = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0.0) + b.unwrap_or(0.0)),
        };
        match column {
            ColumnId::SentRate => rate(self.rates.sent),
            ColumnId::RecvRate => rate(self.rates.recv),
            ColumnId::Rate | ColumnId::Graph => rate(sum(self.rates.sent, self.rates.recv)),
            ColumnId::Sent => bytes(sent),
            ColumnId::Recv => bytes(recv),
            ColumnId::Total | ColumnId::Share | ColumnId::Device => {
                bytes(sent.zip(recv).map(|(sent, recv)| sent.saturating_add(recv)))
            }
            ColumnId::OtherSent => bytes(other.0),
            ColumnId::OtherRecv => bytes(other.1),
            ColumnId::Retransmitted => bytes(counters.retransmitted_packets),
            _ => self.other_worth(column),
        }
    }

    fn other_worth(&self, column: ColumnId) -> Worth {
        let text = |text: &str| Worth::Text(text.to_lowercase());
        let unknown = Worth::Text(String::new());
        match (&self.subject, column) {
            (Subject::Process(usage), _) => of_process(&usage.process, column, || {
                usage.connections.as_ref().map(Vec::len)
            }),
            (Subject::Connection(_, usage), ColumnId::Protocol) => {
                text(&usage.connection.protocol.to_string())
            }
            (Subject::Connection(_, usage), ColumnId::Local) => {
                text(&usage.connection.local.to_string())
            }
            (Subject::Connection(_, usage), ColumnId::Remote) => {
                let one = &usage.connection;
                let address = || one.remote.map(|remote| remote.to_string());
                let name = one.remote_name.as_deref().map(ToOwned::to_owned);
                text(&name.or_else(address).unwrap_or_default())
            }
            (Subject::Connection(_, usage), ColumnId::State) => text(usage.connection.state.name()),
            (Subject::Connection(_, usage), ColumnId::Age) => {
                #[allow(clippy::cast_precision_loss)] // an order
                let opened = usage.connection.opened.map(|at| -(at.as_second() as f64));
                Worth::Number(opened.unwrap_or(f64::NEG_INFINITY))
            }
            (Subject::Connection(_, usage), ColumnId::Interface) => usage
                .connection
                .interface_name
                .as_deref()
                .map_or(unknown, text),
            (Subject::Connection(owner, _), _) => of_process(owner, column, || None),
            (Subject::Group(group), _) => text(&group.label),
            (Subject::Member(group), _) => text(&group.label),
            (Subject::Interface(one), ColumnId::Explained) => {
                let shares = [one.explained_sent, one.explained_recv];
                let least = shares.into_iter().flatten().reduce(f64::min);
                Worth::Number(least.unwrap_or(-1.0))
            }
            (Subject::Interface(one), _) => one.name.as_deref().map_or(unknown, text),
            (Subject::Unattributed(one), _) => text(one.reason.name()),
        }
    }
}

fn of_process(
    process: &Process,
    column: ColumnId,
    connections: impl Fn() -> Option<usize>,
) -> Worth {
    #[allow(clippy::cast_precision_loss)] // an order
    match column {
        ColumnId::Pid => Worth::Number(-f64::from(process.pid.0)),
        ColumnId::User => {
            let number = || process.uid.map(|uid| uid.to_string().into());
            let user = process.user.clone().or_else(number);
            Worth::Text(user.as_deref().unwrap_or_default().to_owned())
        }
        ColumnId::Place => Worth::Text(place(process).unwrap_or_default().to_owned()),
        ColumnId::Connections => Worth::Number(connections().map_or(-1.0, |count| count as f64)),
        _ => Worth::Text(process.title().to_lowercase()),
    }
}

/// Where a process runs: its container, else its unit.
pub(crate) fn place(process: &Process) -> Option<&str> {
    let place = &process.place;
    let container = place.container.as_ref().map(netprocmon::Container::label);
    let unit = || place.user_unit.as_deref().or(place.unit.as_deref());
    container.or_else(unit)
}

/// Where a row's remote is said to be.
pub(crate) fn origin(row: &Row) -> Option<&Arc<netprocmon::Origin>> {
    match &row.subject {
        Subject::Connection(_, usage) => usage.connection.origin.as_ref(),
        _ => None,
    }
}
