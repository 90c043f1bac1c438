//! Rows summed by what they have in common, one grouping inside the other.
//!
//! The groups of a level **always sum** to what is above them, at the top to the snapshot's `totals`
//! and `unattributed` together. What has no place among the named groups therefore has one of its
//! own: bytes of no process ([`GroupKey::Unattributed`], by reason below it), of processes that were
//! dropped from the list ([`GroupKey::Ended`]), of processes without the unit or container that
//! was asked for ([`GroupKey::Lacking`]), and bytes that none of a process's connections explains
//! ([`GroupKey::NoConnection`]).
//!
//! A connection's bytes were charged to whoever owned it at the time. Where it changed hands, its
//! groups inside its present owner have as much of it as that owner was charged with.
//!
//! [`Snapshot::group_by`](crate::Snapshot::group_by) sums one snapshot; [`GroupView`] sums one after
//! another, so that what has ended stays in its group, and has rates for every group.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::{Counters, Rates};

mod key;
mod portion;
mod settle;
mod tree;
mod view;

pub use key::GroupKey;
pub(crate) use tree::group;
pub use view::GroupView;

/// What rows are summed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupBy {
    /// One process.
    Process,
    /// [`Process::root`](crate::Process::root): the followed tree's, else the topmost parent below
    /// what starts everything.
    Tree,
    /// The process's name.
    Name,
    /// Its real user.
    User,
    /// Its systemd unit; the user manager's where it runs under one.
    Unit,
    /// Its container.
    Container,
    /// Its Kubernetes pod.
    Pod,
    /// The other end: its name where that is known, else its address.
    Remote,
    /// The interface, in its namespace.
    Interface,
    /// The transport protocol.
    Protocol,
    /// The port that was connected to: the remote's for connections opened here, the local one for
    /// those accepted here, the lower one where neither is known.
    Port,
}

impl GroupBy {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Process,
        Self::Tree,
        Self::Name,
        Self::User,
        Self::Unit,
        Self::Container,
        Self::Pod,
        Self::Remote,
        Self::Interface,
        Self::Protocol,
        Self::Port,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Tree => "tree",
            Self::Name => "name",
            Self::User => "user",
            Self::Unit => "unit",
            Self::Container => "container",
            Self::Pod => "pod",
            Self::Remote => "remote",
            Self::Interface => "interface",
            Self::Protocol => "protocol",
            Self::Port => "port",
        }
    }

    /// Whether these groupings together can only be told from connections: remotes, ports, and the
    /// protocols behind each interface.
    #[must_use]
    pub fn need_connections(by: &[Self]) -> bool {
        let has = |one| by.contains(&one);
        has(Self::Remote) || has(Self::Port) || (has(Self::Interface) && has(Self::Protocol))
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that nothing can be grouped by.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "cannot group by {0:?}: give process, tree, name, user, unit, container, pod, remote, interface, protocol or port"
)]
pub struct UnknownGroupBy(String);

impl FromStr for GroupBy {
    type Err = UnknownGroupBy;

    fn from_str(text: &str) -> Result<Self, UnknownGroupBy> {
        let mut all = Self::ALL.into_iter();
        all.find(|by| by.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownGroupBy(text.to_owned()))
    }
}

impl Serialize for GroupBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Rows that have something in common, summed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// What they have in common.
    #[serde(flatten)]
    pub key: GroupKey,
    /// How people call it. Text from outside: escape it before it reaches a terminal.
    pub label: String,
    /// Their sums.
    #[serde(flatten)]
    pub counters: Counters,
    /// Over the last interval, where that is known.
    pub rates: Rates,
    /// The same rows by the next grouping, most wire bytes first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Self>,
}
