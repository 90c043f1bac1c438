//! One connection in the ledger: its last reading, who is at the other end, and the usage record
//! that was last made of them (kept, so that a connection at rest costs a snapshot one pointer).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::interfaces::Interfaces;
use super::pairs::Ends;
use crate::names::{Names, Wanted};
use crate::{
    Connection, ConnectionId, ConnectionReading, ConnectionUsage, Direction, Directory,
    InterfaceId, NetnsId, Origin, Owner, Peer, ProcessId, Scope,
};

/// All of them, in the order in which they appeared: a tick goes through most of them in that order,
/// and a hash, for fewer instructions, waits for memory at each.
pub(super) type Conversations = BTreeMap<ConnectionId, Conversation>;

#[derive(Debug)]
pub(super) struct Conversation {
    reading: ConnectionReading,
    service: Option<Arc<str>>,
    origin: Option<Arc<Origin>>,
    remote_name: Option<Arc<str>>,
    /// What was known of names when the remote's was last looked for.
    looked_at: Option<u64>,
    peer: Option<Peer>,
    /// The account that has it on its list.
    listed_by: Option<ProcessId>,
    usage: Option<Arc<ConnectionUsage>>,
    stale: bool,
}

impl Conversation {
    pub(super) fn new(reading: ConnectionReading, directory: &dyn Directory) -> Self {
        let remote = reading.remote.map(|remote| remote.ip());
        Self {
            service: service(&reading, directory),
            origin: remote.and_then(|remote| directory.origin(remote)),
            remote_name: None,
            looked_at: None,
            peer: None,
            listed_by: None,
            usage: None,
            stale: true,
            reading,
        }
    }

    pub(super) fn read(&mut self, reading: ConnectionReading) {
        self.reading = reading;
        self.stale = true;
    }

    pub(super) fn owner(&self) -> Option<ProcessId> {
        match self.reading.owner {
            Owner::Process(id) => Some(id),
            Owner::Unattributed(_) => None,
        }
    }

    pub(super) fn listed_by(&self) -> Option<ProcessId> {
        self.listed_by
    }

    pub(super) fn list_by(&mut self, account: Option<ProcessId>) {
        self.listed_by = account;
    }

    pub(super) fn interface(&self) -> InterfaceId {
        self.reading.interface
    }

    pub(super) fn netns(&self) -> NetnsId {
        self.reading.interface.netns
    }

    /// Its two ends; `None` where there is but one.
    pub(super) fn ends(&self) -> Option<Ends> {
        let (reading, remote) = (&self.reading, self.reading.remote?);
        Some(Ends::new(reading.protocol, reading.local, remote))
    }

    /// Gives the remote a name where it has none: whether it has one now. Both are asked only when
    /// either has learned something since.
    pub(super) fn name_remote(&mut self, names: &Names, directory: &dyn Directory) -> bool {
        let revision = names.revision().wrapping_add(directory.revision());
        if self.remote_name.is_some() || self.looked_at == Some(revision) {
            return false;
        }
        self.looked_at = Some(revision);
        let Some(remote) = self.reading.remote.map(|remote| remote.ip()) else {
            return false;
        };
        // Who opened it is known of those that were seen to be opened.
        let seen = self.reading.direction.is_some();
        let heard = names.name(Wanted {
            netns: self.netns(),
            remote,
            process: self.owner(),
            opened: self.reading.opened.filter(|_| seen),
        });
        let said = || directory.name(self.netns(), remote);
        self.remote_name = heard.cloned().or_else(said);
        if self.remote_name.is_some() {
            self.usage = None;
        }
        self.remote_name.is_some()
    }

    /// Says who is at the other end; whether that is news.
    pub(super) fn set_peer(&mut self, peer: Option<Peer>) -> bool {
        if self.peer == peer {
            return false;
        }
        self.peer = peer;
        // Seldom: made anew.
        self.usage = None;
        true
    }

    /// The record of this connection now. `renamed`: an interface has a new name.
    pub(super) fn usage(&mut self, interfaces: &Interfaces, renamed: bool) -> Arc<ConnectionUsage> {
        let moved = |usage: &ConnectionUsage| usage.connection.interface != self.reading.interface;
        let mut kept = self.usage.take().filter(|usage| !renamed && !moved(usage));
        if let Some(usage) = kept.as_mut().filter(|_| self.stale) {
            // In place, where no snapshot holds it any more: texts are not shared out again.
            Arc::make_mut(usage).update(&self.reading);
        }
        self.stale = false;
        let usage = kept.unwrap_or_else(|| Arc::new(self.make_usage(interfaces)));
        self.usage = Some(Arc::clone(&usage));
        usage
    }

    fn make_usage(&self, interfaces: &Interfaces) -> ConnectionUsage {
        let reading = &self.reading;
        ConnectionUsage {
            id: reading.id,
            connection: Connection {
                protocol: reading.protocol,
                ip_version: reading.ip_version,
                local: reading.local,
                remote: reading.remote,
                remote_name: self.remote_name.clone(),
                scope: reading.remote.map(|remote| Scope::of(remote.ip())),
                service: self.service.clone(),
                peer: self.peer.clone(),
                origin: self.origin.clone(),
                state: reading.state,
                direction: reading.direction,
                interface: reading.interface,
                interface_name: interfaces.name(reading.interface),
                opened: reading.opened,
                closed: reading.closed,
            },
            counters: reading.counters,
        }
    }

    /// Whether the snapshot that is made next shows it as ended.
    pub(super) fn has_ended(&self) -> bool {
        self.reading.closed.is_some()
    }
}

impl ConnectionUsage {
    /// What can be another with each reading.
    fn update(&mut self, reading: &ConnectionReading) {
        self.connection.state = reading.state;
        self.connection.direction = reading.direction;
        self.connection.opened = reading.opened;
        self.connection.closed = reading.closed;
        self.counters = reading.counters;
    }
}

/// The service of the well-known end: of the one that was connected to, where that is known.
fn service(reading: &ConnectionReading, directory: &dyn Directory) -> Option<Arc<str>> {
    let of = |port| directory.service(reading.protocol, port);
    let local = || of(reading.local.port());
    let remote = || of(reading.remote?.port());
    match (reading.direction, reading.remote) {
        (Some(Direction::Out), Some(_)) => remote(),
        (Some(Direction::In), _) => local(),
        _ => remote().or_else(local),
    }
}
