//! What the rows of a group have in common, and what that is called.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::GroupBy;
use super::portion::Portion;
use crate::{
    Connection, Container, Direction, InterfaceId, Pid, Pod, ProcessId, ProcessUsage, Protocol,
    Reason,
};

/// What the rows of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupKey {
    /// This process.
    Process(ProcessId),
    /// The tree with this root.
    Tree(Pid),
    /// This name.
    Name(Arc<str>),
    /// This user: a name, or a number where the user database has none.
    User(Arc<str>),
    /// This unit.
    Unit(Arc<str>),
    /// The container with this id.
    Container(Arc<str>),
    /// The pod with this uid.
    Pod(Arc<str>),
    /// The remote with this name.
    RemoteName(Arc<str>),
    /// The remote with this address, which has no name.
    RemoteAddress(IpAddr),
    /// This interface; its name, where that is known, is the label.
    Interface(InterfaceId),
    /// This protocol.
    Protocol(Protocol),
    /// This port.
    Port(u16),
    /// There is none: a process without a unit, a socket without one remote.
    Lacking(GroupBy),
    /// Bytes of a process that none of its connections explains.
    NoConnection(GroupBy),
    /// More groups than are kept apart.
    Others(GroupBy),
    /// Processes that were dropped from the list.
    Ended,
    /// Bytes that no process is charged with.
    Unattributed,
    /// The same, for this reason.
    Reason(Reason),
}

impl GroupKey {
    /// Whether this is one of the groups that a user asked for, rather than one that makes the
    /// sums whole.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        !matches!(
            self,
            Self::Lacking(_)
                | Self::NoConnection(_)
                | Self::Others(_)
                | Self::Ended
                | Self::Unattributed
        )
    }

    /// What it is a group by, in a word.
    #[must_use]
    pub const fn by(&self) -> &'static str {
        match self {
            Self::Process(_) => GroupBy::Process.name(),
            Self::Tree(_) => GroupBy::Tree.name(),
            Self::Name(_) => GroupBy::Name.name(),
            Self::User(_) => GroupBy::User.name(),
            Self::Unit(_) => GroupBy::Unit.name(),
            Self::Container(_) => GroupBy::Container.name(),
            Self::Pod(_) => GroupBy::Pod.name(),
            Self::RemoteName(_) | Self::RemoteAddress(_) => GroupBy::Remote.name(),
            Self::Interface(_) => GroupBy::Interface.name(),
            Self::Protocol(_) => GroupBy::Protocol.name(),
            Self::Port(_) => GroupBy::Port.name(),
            Self::Lacking(by) | Self::NoConnection(by) | Self::Others(by) => by.name(),
            Self::Ended => "ended",
            Self::Unattributed => "unattributed",
            Self::Reason(_) => "reason",
        }
    }

    /// Where a portion belongs in a grouping.
    pub(super) fn of(by: GroupBy, portion: &Portion<'_>) -> Self {
        match by {
            GroupBy::Remote | GroupBy::Port => match portion.connection {
                Some(one) => of_connection(by, &one.connection),
                None => Some(Self::NoConnection(by)),
            },
            GroupBy::Interface => portion
                .interface
                .as_ref()
                .map(|(id, _)| Self::Interface(*id)),
            GroupBy::Protocol => portion.protocol.map(Self::Protocol),
            _ => portion
                .process()
                .and_then(|usage| of_process(by, usage, portion)),
        }
        .unwrap_or(Self::Lacking(by))
    }

    /// Whether a portion that belongs here may call it something else than those before.
    pub(super) const fn may_be_renamed_by(&self, portion: &Portion<'_>) -> bool {
        match self {
            Self::Process(_) | Self::Tree(_) | Self::Container(_) | Self::Pod(_) => portion.is_news,
            Self::Interface(_) => true,
            _ => false,
        }
    }

    /// What a portion that belongs here calls it.
    pub(super) fn label<'a>(&'a self, portion: &'a Portion<'_>) -> Cow<'a, str> {
        let place = || portion.process().map(|usage| &*usage.process.place);
        match self {
            Self::Process(_) => {
                let process = portion.process().map(|usage| &usage.process);
                process.map_or_else(Cow::default, |process| process.title())
            }
            Self::Tree(root) => {
                let name = portion.root.as_ref().and_then(|(_, name)| name.as_deref());
                name.map_or_else(|| format!("pid {root}").into(), Cow::from)
            }
            Self::Name(text) | Self::User(text) | Self::Unit(text) | Self::RemoteName(text) => {
                Cow::from(&**text)
            }
            Self::Container(id) => {
                let container = place().and_then(|place| place.container.as_ref());
                container.map_or(&**id, Container::label).into()
            }
            Self::Pod(id) => {
                let pod = place().and_then(|place| place.pod.as_ref());
                pod.map_or(&**id, Pod::label).into()
            }
            Self::RemoteAddress(address) => address.to_string().into(),
            Self::Interface(id) => {
                let name = portion
                    .interface
                    .as_ref()
                    .and_then(|(_, name)| name.as_deref());
                let number = || format!("interface {} of {}", id.index, id.netns).into();
                name.map_or_else(number, Cow::from)
            }
            Self::Protocol(protocol) => protocol.to_string().into(),
            Self::Port(port) => {
                let one = portion.connection.map(|one| &one.connection);
                let service = one.and_then(|one| one.service.as_deref());
                match service {
                    Some(service) => format!("{port} ({service})").into(),
                    None => port.to_string().into(),
                }
            }
            Self::Lacking(by) => format!("no {by}").into(),
            Self::NoConnection(_) => "no connection".into(),
            Self::Others(_) => "others".into(),
            Self::Ended => "ended".into(),
            Self::Unattributed => "unattributed".into(),
            Self::Reason(reason) => reason.name().into(),
        }
    }
}

fn of_process(by: GroupBy, usage: &ProcessUsage, portion: &Portion<'_>) -> Option<GroupKey> {
    let process = &usage.process;
    let place = &process.place;
    Some(match by {
        GroupBy::Process => GroupKey::Process(process.id),
        GroupBy::Tree => GroupKey::Tree(portion.root.as_ref()?.0),
        GroupBy::Name => GroupKey::Name(Arc::clone(&process.name)),
        GroupBy::User => {
            let number = || Some(process.uid?.to_string().into());
            GroupKey::User(process.user.clone().or_else(number)?)
        }
        GroupBy::Unit => {
            let unit = place.user_unit.as_ref().or(place.unit.as_ref());
            GroupKey::Unit(Arc::clone(unit?))
        }
        GroupBy::Container => GroupKey::Container(Arc::clone(&place.container.as_ref()?.id)),
        GroupBy::Pod => GroupKey::Pod(Arc::clone(&place.pod.as_ref()?.uid)),
        _ => return None,
    })
}

fn of_connection(by: GroupBy, one: &Connection) -> Option<GroupKey> {
    if by == GroupBy::Remote {
        let address = one.remote?.ip().to_canonical();
        let name = one.remote_name.clone();
        return Some(name.map_or(GroupKey::RemoteAddress(address), GroupKey::RemoteName));
    }
    one.protocol.has_ports().then_some(())?;
    let local = one.local.port();
    let remote = one.remote.map(|remote| remote.port());
    Some(GroupKey::Port(match (one.direction, remote) {
        (Some(Direction::In), _) | (_, None) => local,
        (Some(Direction::Out), Some(remote)) => remote,
        (None, Some(remote)) => remote.min(local),
    }))
}

impl Serialize for GroupKey {
    /// `by` and `key`, which is `null` for the groups that make the sums whole; an interface has
    /// its index and namespace, too.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("by", self.by())?;
        match self {
            Self::Process(id) => map.serialize_entry("key", &id.pid)?,
            Self::Tree(root) => map.serialize_entry("key", root)?,
            Self::Name(text)
            | Self::User(text)
            | Self::Unit(text)
            | Self::Container(text)
            | Self::Pod(text)
            | Self::RemoteName(text) => map.serialize_entry("key", text)?,
            Self::RemoteAddress(address) => map.serialize_entry("key", address)?,
            Self::Protocol(protocol) => map.serialize_entry("key", protocol)?,
            Self::Port(port) => map.serialize_entry("key", port)?,
            Self::Reason(reason) => map.serialize_entry("key", reason)?,
            Self::Interface(id) => {
                map.serialize_entry("key", &id.index)?;
                map.serialize_entry("netns", &id.netns)?;
            }
            Self::Lacking(_)
            | Self::NoConnection(_)
            | Self::Others(_)
            | Self::Ended
            | Self::Unattributed => map.serialize_entry("key", &None::<()>)?,
        }
        map.end()
    }
}
