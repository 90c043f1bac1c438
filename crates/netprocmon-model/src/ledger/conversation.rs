//! One connection in the ledger: the record that snapshots show of it, kept up to date, and what else
//! has to be known to keep it so. At rest it costs a snapshot one pointer.

use std::sync::Arc;

use super::in_order::InOrder;
use super::interfaces::Interfaces;
use super::pairs::Ends;
use crate::names::{Names, Wanted};
use crate::{
    Connection, ConnectionReading, ConnectionUsage, Direction, Directory, InterfaceId, NetnsId,
    Owner, Peer, ProcessId, Scope,
};

pub(super) type Conversations = InOrder<Conversation>;

/// Small: a tick with many active connections waits for memory, and the record is most of it.
#[derive(Debug)]
pub(super) struct Conversation {
    /// Changed in place where no snapshot holds it any more: texts are not shared out again.
    usage: Arc<ConnectionUsage>,
    interface: InterfaceId,
    owner: Option<ProcessId>,
    /// What was known of names when the remote's was last looked for.
    looked_at: Option<u64>,
    /// The account that has it on its list.
    listed_by: Option<ProcessId>,
}

impl Conversation {
    pub(super) fn new(
        reading: &ConnectionReading,
        directory: &dyn Directory,
        interfaces: &Interfaces,
    ) -> Self {
        Self {
            usage: Arc::new(usage(reading, directory, interfaces)),
            interface: reading.interface,
            owner: owner(reading),
            looked_at: None,
            listed_by: None,
        }
    }

    pub(super) fn read(&mut self, reading: &ConnectionReading, interfaces: &Interfaces) {
        self.owner = owner(reading);
        let usage = Arc::make_mut(&mut self.usage);
        let connection = &mut usage.connection;
        connection.state = reading.state;
        connection.direction = reading.direction;
        connection.opened = reading.opened;
        connection.closed = reading.closed;
        if self.interface != reading.interface {
            self.interface = reading.interface;
            connection.interface = reading.interface;
            connection.interface_name = interfaces.name(reading.interface);
        }
        usage.counters = reading.counters;
    }

    pub(super) fn owner(&self) -> Option<ProcessId> {
        self.owner
    }

    pub(super) fn listed_by(&self) -> Option<ProcessId> {
        self.listed_by
    }

    pub(super) fn list_by(&mut self, account: Option<ProcessId>) {
        self.listed_by = account;
    }

    pub(super) fn interface(&self) -> InterfaceId {
        self.interface
    }

    pub(super) fn netns(&self) -> NetnsId {
        self.interface().netns
    }

    /// Its two ends; `None` where there is but one.
    pub(super) fn ends(&self) -> Option<Ends> {
        let connection = &self.usage.connection;
        let remote = connection.remote?;
        Some(Ends::new(connection.protocol, connection.local, remote))
    }

    /// Gives the remote a name where it has none: whether it has one now. Both are asked only when
    /// either has learned something since.
    pub(super) fn name_remote(&mut self, names: &Names, directory: &dyn Directory) -> bool {
        let revision = names.revision().wrapping_add(directory.revision());
        if self.looked_at == Some(revision) || self.usage.connection.remote_name.is_some() {
            return false;
        }
        self.looked_at = Some(revision);
        let connection = &self.usage.connection;
        let Some(remote) = connection.remote.map(|remote| remote.ip()) else {
            return false;
        };
        // Who opened it is known of those that were seen to be opened.
        let seen = connection.direction.is_some();
        let heard = names.name(Wanted {
            netns: self.netns(),
            remote,
            process: self.owner,
            opened: connection.opened.filter(|_| seen),
        });
        let said = || directory.name(self.netns(), remote);
        let Some(name) = heard.cloned().or_else(said) else {
            return false;
        };
        self.change().remote_name = Some(name);
        true
    }

    /// Says who is at the other end; whether that is news.
    pub(super) fn set_peer(&mut self, peer: Option<Peer>) -> bool {
        let is_news = self.usage.connection.peer != peer;
        if is_news {
            self.change().peer = peer;
        }
        is_news
    }

    /// The record of this connection now. `renamed`: an interface has a new name.
    pub(super) fn usage(&mut self, interfaces: &Interfaces, renamed: bool) -> Arc<ConnectionUsage> {
        if renamed {
            let name = interfaces.name(self.interface());
            if self.usage.connection.interface_name != name {
                self.change().interface_name = name;
            }
        }
        Arc::clone(&self.usage)
    }

    /// Whether the snapshot that is made next shows it as ended.
    pub(super) fn has_ended(&self) -> bool {
        self.usage.connection.closed.is_some()
    }

    fn change(&mut self) -> &mut Connection {
        &mut Arc::make_mut(&mut self.usage).connection
    }
}

fn owner(reading: &ConnectionReading) -> Option<ProcessId> {
    match reading.owner {
        Owner::Process(id) => Some(id),
        Owner::Unattributed(_) => None,
    }
}

/// The record of a connection that is new.
fn usage(
    reading: &ConnectionReading,
    directory: &dyn Directory,
    interfaces: &Interfaces,
) -> ConnectionUsage {
    let remote = reading.remote.map(|remote| remote.ip());
    ConnectionUsage {
        id: reading.id,
        connection: Connection {
            protocol: reading.protocol,
            ip_version: reading.ip_version,
            local: reading.local,
            remote: reading.remote,
            remote_name: None,
            scope: remote.map(Scope::of),
            service: service(reading, directory),
            peer: None,
            origin: remote.and_then(|remote| directory.origin(remote)),
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
