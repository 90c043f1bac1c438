//! One look as a snapshot, so that a filter asks it what it asks every other.
//!
//! There are no counters by interface or protocol here, only sockets: a process has a row for each
//! interface and protocol that a socket of it has, and a socket is a connection, listeners too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use netprocmon_model::{
    ConnectionId, Counters, Filter, InterfaceUsage, ProcessId, ProcessUsage, ProtocolUsage, Rates,
    SCHEMA_VERSION, Snapshot, SourceKind,
};

use super::{Holder, Remotes, usage};

/// The sockets that the filter takes, by the process that holds them.
pub(super) fn taken(
    holders: &[Holder],
    remotes: &Remotes,
    filter: &Filter,
) -> BTreeMap<ProcessId, BTreeSet<ConnectionId>> {
    let look = Snapshot {
        schema: SCHEMA_VERSION,
        kind: "ps",
        time: Timestamp::now(),
        elapsed: Duration::ZERO,
        source: SourceKind::Ebpf,
        totals: Counters::UNKNOWN,
        processes: holders
            .iter()
            .map(|holder| Arc::new(row(holder, remotes)))
            .collect(),
        unattributed: Vec::new(),
        interfaces: Vec::new(),
        lost_events: 0,
        degradations: [].into(),
    };
    let taken = look.filter(filter).processes.into_iter();
    taken
        .map(|row| {
            let sockets = row.connections.iter().flatten();
            (row.process.id, sockets.map(|one| one.id).collect())
        })
        .collect()
}

fn row(holder: &Holder, remotes: &Remotes) -> ProcessUsage {
    let sockets: Vec<_> = holder
        .sockets
        .iter()
        .map(|socket| usage(socket, remotes))
        .collect();
    let mut interfaces = BTreeMap::new();
    let mut protocols = BTreeSet::new();
    for socket in &sockets {
        let one = &socket.connection;
        interfaces.insert(one.interface, one.interface_name.clone());
        protocols.insert((one.protocol, one.ip_version));
    }
    let interfaces = interfaces.into_iter();
    let protocols = protocols.into_iter();
    ProcessUsage {
        process: Arc::new(holder.process.clone()),
        counters: holder.counters(),
        rates: Rates::default(),
        interfaces: interfaces
            .map(|(id, name)| InterfaceUsage {
                name,
                id,
                counters: Counters::UNKNOWN,
            })
            .collect(),
        protocols: protocols
            .map(|(protocol, ip_version)| ProtocolUsage {
                protocol,
                ip_version,
                counters: Counters::UNKNOWN,
            })
            .collect(),
        connections: Some(sockets.into_iter().map(Arc::new).collect()),
    }
}
