//! One network namespace: its ring and doorbell, the question who has a socket there, and what is
//! known of its interfaces.
//!
//! What is open here keeps the namespace alive. So a tap is closed as soon as nobody else lives
//! there.

use std::io;

use netprocmon_host::interface::{self, Changes, NewInterface};
use netprocmon_host::netns::{self, Netns};
use netprocmon_host::socket::Lookup;
use netprocmon_model::{NetnsId, Pid};

use crate::doorbell::Doorbell;
use crate::ring::Ring;
use crate::topology::Topology;

/// 8 MiB: a third of a second at 100,000 packets a second.
const BLOCKS: u32 = 256;
/// 2 MiB for each of the others.
const BLOCKS_ELSEWHERE: u32 = 64;

/// What is open in a namespace.
#[derive(Debug)]
pub(crate) struct Tap {
    pub(crate) netns: Netns,
    pub(crate) ring: Ring,
    pub(crate) doorbell: Doorbell,
    pub(crate) lookup: Lookup,
    pub(crate) changes: Changes,
    pub(crate) topology: Topology,
    /// Dropped packets that were told.
    told_drops: u64,
}

impl Tap {
    /// In the calling thread's namespace.
    pub(crate) fn open(netns: Netns, is_own: bool) -> io::Result<Self> {
        let changes = Changes::open()?;
        Ok(Self {
            lookup: Lookup::open()?,
            doorbell: Doorbell::open()?,
            ring: Ring::open(if is_own { BLOCKS } else { BLOCKS_ELSEWHERE })?,
            topology: Topology::new(netns.id, &interface::list()?),
            netns,
            changes,
            told_drops: 0,
        })
    }

    /// Taps in other namespaces; those that may not be entered are left out.
    pub(crate) fn open_in(namespaces: &[Netns]) -> Vec<Self> {
        let opened = netns::enter(namespaces, |netns| Self::open(netns.clone(), false));
        opened.into_iter().flatten().flatten().collect()
    }

    pub(crate) fn id(&self) -> NetnsId {
        self.netns.id
    }

    /// What there is to say of a namespace that is new; nothing for one in which no process lives.
    pub(crate) fn first_seen(&self) -> Option<NewInterface> {
        let path = self.netns.path.to_str()?.strip_prefix("/proc/")?;
        Some(NewInterface {
            id: self.topology.interface(0),
            member: Pid(path.split('/').next()?.parse().ok()?),
        })
    }

    /// Packets that found no room in the ring since the last call.
    pub(crate) fn newly_dropped(&mut self) -> u64 {
        let all = self.ring.dropped();
        all - std::mem::replace(&mut self.told_drops, all)
    }

    /// Looks at the interfaces again, when they have changed.
    pub(crate) fn refresh(&mut self) {
        if !self.changes.take() {
            return;
        }
        let answers = netns::enter(std::slice::from_ref(&self.netns), |_| interface::list());
        if let Some(Ok(Ok(all))) = answers.into_iter().next() {
            self.topology = Topology::new(self.netns.id, &all);
        }
    }
}
