//! From a socket's inode number to the process that holds it.
//!
//! `/proc/PID/fd` answers for one process; asking all of them takes milliseconds. So those are asked
//! first that are likely: whoever is known to hold it, the youngest processes (which the kernel's
//! events name, else the pids that were given last), and those of the same user that were found
//! lately. Only then everybody, and that no oftener than a tenth of the time allows.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::time::Instant;

use netprocmon_host::process;
use netprocmon_host::socket::{self, Held};
use netprocmon_model::Pid;

/// Descriptors of a process that are looked at in a hurry.
const FEW_DESCRIPTORS: usize = 512;
/// The youngest processes that are asked.
const YOUNG: usize = 128;
/// Those that were found lately and are asked.
const LATELY: usize = 24;
/// Sockets whose holders are kept in mind.
const MOST_HOLDERS: usize = 1 << 18;
/// Between two walks over everything there are at least this many times what one takes.
const REST: u64 = 10;
/// Milliseconds between two walks, at least.
const PAUSE: u64 = 20;

/// Who holds a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// This one.
    Process(Pid),
    /// Nobody whose descriptors may be looked at.
    Nobody,
    /// Everybody has to be asked, and it is too early for that.
    Later,
}

#[derive(Debug, Default)]
pub(crate) struct Search {
    /// Of several the one with the lowest pid: who made it, most likely.
    holders: HashMap<u64, Pid>,
    /// The youngest first; those of the kernel's events.
    young: VecDeque<Pid>,
    has_events: bool,
    /// Those that were found last, first.
    lately: VecDeque<(Pid, u32)>,
    next_walk: u64,
    /// When the last one began, and how long it took.
    walked: (u64, u64),
    /// Processes that the last walk was not allowed to look at.
    closed: usize,
}

impl Search {
    pub(crate) fn new(has_events: bool) -> Self {
        Self {
            has_events,
            ..Self::default()
        }
    }

    /// A process has begun.
    pub(crate) fn fork(&mut self, child: Pid) {
        self.young.push_front(child);
        self.young.truncate(YOUNG);
    }

    /// A process has ended: what it held is nobody's, or somebody else's.
    pub(crate) fn exit(&mut self, pid: Pid) {
        self.young.retain(|young| *young != pid);
        self.lately.retain(|(other, _)| *other != pid);
        self.holders.retain(|_, holder| *holder != pid);
    }

    /// Somebody was found by other means.
    pub(crate) fn remember(&mut self, inode: u64, pid: Pid, uid: u32) {
        if self.holders.len() >= MOST_HOLDERS {
            self.holders.clear(); // they are found again
        }
        self.holders.entry(inode).or_insert(pid);
        self.lately.retain(|(other, _)| *other != pid);
        self.lately.push_front((pid, uid));
        self.lately.truncate(LATELY);
    }

    /// Forgets who held a socket.
    pub(crate) fn forget(&mut self, inode: u64) {
        self.holders.remove(&inode);
    }

    /// Who is known to hold it.
    pub(crate) fn known(&self, inode: u64) -> Option<Pid> {
        self.holders.get(&inode).copied()
    }

    /// How many processes may not be looked at.
    pub(crate) fn closed(&self) -> usize {
        self.closed
    }

    /// Who holds the socket with this inode number, which `uid` has opened. `hint` is asked first.
    pub(crate) fn find(&mut self, inode: u64, uid: u32, hint: Option<Pid>, now: u64) -> Holder {
        if let Some(pid) = self.known(inode) {
            return Holder::Process(pid);
        }
        let holds = |pid: &Pid| socket::holds(*pid, inode, FEW_DESCRIPTORS) == Held::Yes;
        let found = hint.filter(holds).or_else(|| {
            let young = self.young();
            let child = young.into_iter().find(holds)?;
            // Between fork(2) and execve(2) a child holds all that its parent has opened.
            Some(process::parent(child).filter(holds).unwrap_or(child))
        });
        let found = found.or_else(|| {
            let same_user = self.lately.iter().filter(|(_, other)| *other == uid);
            same_user.map(|(pid, _)| *pid).find(holds)
        });
        if let Some(pid) = found {
            self.remember(inode, pid, uid);
            return Holder::Process(pid);
        }
        if now < self.next_walk {
            return Holder::Later;
        }
        self.walk(now);
        match self.known(inode) {
            Some(pid) => {
                self.remember(inode, pid, uid);
                Holder::Process(pid)
            }
            None => Holder::Nobody,
        }
    }

    /// Asks everybody.
    pub(crate) fn walk(&mut self, now: u64) {
        let started = Instant::now();
        self.holders.clear();
        self.closed = 0;
        for pid in process::all() {
            match fs::read_dir(format!("/proc/{pid}/fd")) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => self.closed += 1,
                _ => {}
            }
            for inode in socket::inodes_of(pid) {
                self.holders.entry(inode).or_insert(pid);
            }
        }
        let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.walked = (now, took);
        self.next_walk = now.saturating_add(PAUSE.max(took.saturating_mul(REST)));
    }

    /// Somebody wants to know now: everybody may be asked, unless that was done just before.
    pub(crate) fn hurry(&mut self, now: u64) {
        let (at, took) = self.walked;
        let earliest = at.saturating_add(took);
        self.next_walk = self.next_walk.min(earliest.max(now));
    }

    fn young(&self) -> Vec<Pid> {
        if self.has_events {
            return self.young.iter().copied().collect();
        }
        let latest = process::latest().map_or(0, |pid| pid.0);
        let few = u32::try_from(YOUNG).unwrap_or_default();
        (latest.saturating_sub(few)..=latest)
            .rev()
            .map(Pid)
            .collect()
    }
}
