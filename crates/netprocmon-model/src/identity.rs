//! Identities: which process, which network namespace, which interface.
//!
//! Each is a newtype, so that a pid cannot be passed for an interface index. None of them can be
//! looked up here; that is the host crate's work.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A thread-group id (what user space calls a process id), as seen from the pid namespace that
/// the monitor runs in. See `getpid(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pid(pub u32);

/// One process, for ever: a pid and the moment that the process started.
///
/// Pids are reused; the pair is not. Two `ProcessId`s with the same pid are two processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId {
    /// The thread-group id.
    pub pid: Pid,
    /// Start of the thread-group leader, in nanoseconds since boot including suspend
    /// (`task_struct.start_boottime`; field 22 of `/proc/PID/stat` is the same in clock ticks).
    pub start_boottime: u64,
}

/// A network namespace, by the inode number of its `nsfs` file (what `readlink /proc/PID/ns/net`
/// and `lsns -t net` show), which is all that is shown of it. 0 is "not known".
///
/// The kernel gives the number of a namespace that is gone to the next one; so two with the same
/// number are told apart by the turn that they have it in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetnsId {
    /// Inode number.
    pub inode: u32,
    /// How often the number was given again before, while it was watched.
    pub turn: u32,
}

impl NetnsId {
    /// Before and behind all others.
    pub(crate) const LEAST: Self = Self::new(0);
    pub(crate) const GREATEST: Self = Self {
        inode: u32::MAX,
        turn: u32::MAX,
    };

    /// The first namespace with this inode number.
    #[must_use]
    pub const fn new(inode: u32) -> Self {
        Self { inode, turn: 0 }
    }
}

/// One interface: an index means nothing without the namespace it counts in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId {
    /// The network namespace that the interface stands in.
    pub netns: NetnsId,
    /// `ifindex` in that namespace; 0 where a socket moved bytes before any packet of it was seen.
    pub index: u32,
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for NetnsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inode.fmt(f)
    }
}

impl Serialize for NetnsId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.inode.serialize(serializer)
    }
}

impl From<u32> for Pid {
    fn from(pid: u32) -> Self {
        Self(pid)
    }
}
