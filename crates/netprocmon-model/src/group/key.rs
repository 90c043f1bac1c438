//! What the rows of a group have in common, and what that is called.

use std::net::IpAddr;
use std::sync::Arc;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::GroupBy;
use super::portion::{Owner, Portion};
use crate::{Connection, Direction, InterfaceId, Pid, ProcessId, Protocol, Reason};

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

    /// Where a portion belongs in a grouping, and what that is called.
    pub(super) fn of(by: GroupBy, portion: &Portion<'_>) -> (Self, String) {
        match by {
            GroupBy::Remote | GroupBy::Port => match portion.connection {
                Some(one) => of_connection(by, &one.connection),
                None => Some((Self::NoConnection(by), "no connection".to_owned())),
            },
            GroupBy::Interface => portion.interface.as_ref().map(|(id, name)| {
                let label = name.as_deref().map(ToOwned::to_owned);
                let index = || format!("interface {} of {}", id.index, id.netns);
                (Self::Interface(*id), label.unwrap_or_else(index))
            }),
            GroupBy::Protocol => portion
                .protocol
                .map(|protocol| (Self::Protocol(protocol), protocol.to_string())),
            _ => of_process(by, portion),
        }
        .unwrap_or_else(|| (Self::Lacking(by), format!("no {by}")))
    }
}

fn of_process(by: GroupBy, portion: &Portion<'_>) -> Option<(GroupKey, String)> {
    let Owner::Process(usage) = portion.owner else {
        return None;
    };
    let process = &usage.process;
    let place = &process.place;
    let same = |key: fn(Arc<str>) -> GroupKey, text: &Arc<str>| {
        Some((key(Arc::clone(text)), text.to_string()))
    };
    match by {
        GroupBy::Process => Some((GroupKey::Process(process.id), process.title().into_owned())),
        GroupBy::Tree => {
            let (root, name) = portion.root.clone()?;
            let label = name.map_or_else(|| format!("pid {root}"), |name| name.to_string());
            Some((GroupKey::Tree(root), label))
        }
        GroupBy::Name => same(GroupKey::Name, &process.name),
        GroupBy::User => {
            let number = || Some(process.uid?.to_string().into());
            let user = process.user.clone().or_else(number)?;
            same(GroupKey::User, &user)
        }
        GroupBy::Unit => same(
            GroupKey::Unit,
            place.user_unit.as_ref().or(place.unit.as_ref())?,
        ),
        GroupBy::Container => {
            let container = place.container.as_ref()?;
            let key = GroupKey::Container(Arc::clone(&container.id));
            Some((key, container.label().to_owned()))
        }
        GroupBy::Pod => {
            let pod = place.pod.as_ref()?;
            Some((GroupKey::Pod(Arc::clone(&pod.uid)), pod.label().to_owned()))
        }
        _ => None,
    }
}

fn of_connection(by: GroupBy, one: &Connection) -> Option<(GroupKey, String)> {
    if by == GroupBy::Remote {
        let address = one.remote?.ip().to_canonical();
        return Some(match &one.remote_name {
            Some(name) => (GroupKey::RemoteName(Arc::clone(name)), name.to_string()),
            None => (GroupKey::RemoteAddress(address), address.to_string()),
        });
    }
    one.protocol.has_ports().then_some(())?;
    let local = one.local.port();
    let remote = one.remote.map(|remote| remote.port());
    let port = match (one.direction, remote) {
        (Some(Direction::In), _) | (_, None) => local,
        (Some(Direction::Out), Some(remote)) => remote,
        (None, Some(remote)) => remote.min(local),
    };
    let label = match (&one.service, remote) {
        (Some(service), _) => format!("{port} ({service})"),
        (None, _) => port.to_string(),
    };
    Some((GroupKey::Port(port), label))
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
