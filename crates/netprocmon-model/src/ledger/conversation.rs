//! One connection in the ledger: its last reading, on its way into usage records.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::device::InterfaceCount;
use crate::{Connection, ConnectionReading, ConnectionUsage, InterfaceId, Owner, ProcessId, Scope};

#[derive(Debug)]
pub(super) struct Conversation {
    reading: ConnectionReading,
}

impl Conversation {
    pub(super) fn new(reading: ConnectionReading) -> Self {
        Self { reading }
    }

    pub(super) fn read(&mut self, reading: ConnectionReading) {
        self.reading = reading;
    }

    pub(super) fn owner(&self) -> Option<ProcessId> {
        match self.reading.owner {
            Owner::Process(id) => Some(id),
            Owner::Unattributed(_) => None,
        }
    }

    pub(super) fn interface(&self) -> InterfaceId {
        self.reading.interface
    }

    pub(super) fn usage(
        &self,
        interfaces: &BTreeMap<InterfaceId, InterfaceCount>,
    ) -> Arc<ConnectionUsage> {
        let reading = &self.reading;
        Arc::new(ConnectionUsage {
            id: reading.id,
            connection: Connection {
                protocol: reading.protocol,
                ip_version: reading.ip_version,
                local: reading.local,
                remote: reading.remote,
                remote_name: None,
                scope: reading.remote.map(|remote| Scope::of(remote.ip())),
                service: None,
                peer: None,
                origin: None,
                state: reading.state,
                direction: reading.direction,
                interface: reading.interface,
                interface_name: interfaces
                    .get(&reading.interface)
                    .and_then(InterfaceCount::name),
                opened: reading.opened,
                closed: reading.closed,
            },
            counters: reading.counters,
        })
    }

    /// Whether the snapshot that was just made has shown it as ended.
    pub(super) fn has_ended(&self) -> bool {
        self.reading.closed.is_some()
    }
}
