//! Which process holds a socket, and the facts about those processes.
//!
//! `/proc/PID/fd` is the only way, and reading it is what costs. So it is read only when there is a
//! socket whose holder is not known: of the members of followed trees first, then of those that held
//! one before, then of all processes of ours, and that not again until some time has passed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use netprocmon_host::privilege::Capabilities;
use netprocmon_host::tree::Trees;
use netprocmon_host::{process, socket};
use netprocmon_model::{Observation, Pid, Process, ProcessId};

use super::conversation::{Conversations, Holder};
use crate::source::Sink;

/// A walk over all processes takes this part of one processor at most.
const SHARE: u32 = 10;
/// How often a socket that moves is asked whether its holder still holds it.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Facts are read again that often, for programs that another replaces.
const REREAD: Duration = Duration::from_secs(1);
/// Of one process, when it is asked for one socket.
const MOST_DESCRIPTORS: usize = 65_536;

pub(super) struct Census {
    known: BTreeMap<Pid, Known>,
    uid: u32,
    sees_all: bool,
    /// No walk over all processes before this.
    next_walk: Instant,
    next_question: Instant,
}

struct Known {
    facts: Arc<Process>,
    read: Instant,
}

impl Census {
    pub(super) fn new() -> Self {
        Self {
            known: BTreeMap::new(),
            uid: rustix::process::geteuid().as_raw(),
            sees_all: Capabilities::effective().see_all_processes(),
            next_walk: Instant::now(),
            next_question: Instant::now(),
        }
    }

    /// Finds the holders of sockets that have none, and of those that were passed on.
    pub(super) fn find_owners(&mut self, conversations: &mut Conversations, trees: &mut Trees) {
        self.check_holders(conversations);
        let mut wanted = HashSet::new();
        for one in conversations
            .iter_mut()
            .filter(|one| one.holder == Holder::Unknown)
        {
            let inode = one.socket.inode;
            if one.is_over() || inode == 0 {
                continue; // not accepted yet, or too late
            }
            if self.sees_all || one.socket.uid == self.uid {
                wanted.insert(inode);
            } else {
                one.holder = Holder::Foreign;
            }
        }
        if wanted.is_empty() {
            return;
        }
        let mut found = HashMap::new();
        trees.look();
        let likely: Vec<_> = trees.pids().chain(self.known.keys().copied()).collect();
        search(likely.into_iter(), &mut wanted, &mut found);
        if !wanted.is_empty() && Instant::now() >= self.next_walk {
            let began = Instant::now();
            search(process::all(), &mut wanted, &mut found);
            self.next_walk = Instant::now() + began.elapsed() * SHARE;
        }
        for one in conversations
            .iter_mut()
            .filter(|one| one.holder == Holder::Unknown)
        {
            if let Some(pid) = found.get(&one.socket.inode) {
                one.holder = Holder::Process(*pid);
            }
        }
    }

    /// Sockets that move are passed on, and processes end: asks those that are known.
    fn check_holders(&mut self, conversations: &mut Conversations) {
        if Instant::now() < self.next_question {
            return;
        }
        self.next_question = Instant::now() + ASK_AGAIN;
        for one in conversations.iter_mut() {
            let Holder::Process(pid) = one.holder else {
                continue;
            };
            if one.is_over() || !one.has_moved() {
                continue;
            }
            let held = socket::holds(pid, one.socket.inode, MOST_DESCRIPTORS);
            // One that is about to end holds nothing: what moved is still its own.
            if held == socket::Held::No && process::exists(pid) {
                one.holder = Holder::Unknown;
            }
        }
    }

    /// Tells of a process that something is charged to, and again when it has changed.
    pub(super) fn introduce(
        &mut self,
        pid: Pid,
        trees: &mut Trees,
        sink: Sink<'_>,
    ) -> Option<ProcessId> {
        let known = self.known.get(&pid);
        if let Some(known) = known.filter(|known| known.read.elapsed() < REREAD) {
            return Some(known.facts.id);
        }
        let Some(mut facts) = process::read(pid) else {
            return known.map(|known| known.facts.id); // it has ended since
        };
        facts.tree = trees.root_of(pid, facts.ppid);
        let id = facts.id;
        let before = known.map(|known| &known.facts);
        if before.is_none_or(|before| **before != facts) {
            if let Some(before) = before.filter(|before| before.id != id) {
                sink(ended(before.id)); // the pid is another's now
                sink(Observation::Settled(before.id));
            }
            let facts = Arc::new(facts);
            sink(Observation::Process(Arc::clone(&facts)));
            let read = Instant::now();
            self.known.insert(pid, Known { facts, read });
        } else if let Some(known) = self.known.get_mut(&pid) {
            known.read = Instant::now();
        }
        Some(id)
    }

    /// Has all facts read again: trees have changed.
    pub(super) fn reread(&mut self) {
        let long_ago = Instant::now().checked_sub(REREAD);
        for known in self.known.values_mut() {
            known.read = long_ago.unwrap_or(known.read);
        }
    }

    /// Tells of processes that have ended, and forgets those that nothing can follow for.
    pub(super) fn let_go(&mut self, conversations: &Conversations, sink: Sink<'_>) {
        let holders: HashSet<Pid> = conversations.holders().collect();
        self.known.retain(|pid, known| {
            if process::id(*pid) == Some(known.facts.id) {
                return true;
            }
            if known.facts.exited.is_none() {
                let at = Timestamp::now();
                Arc::make_mut(&mut known.facts).exited = Some(at);
                let process = known.facts.id;
                sink(Observation::Exited { process, at });
            }
            if holders.contains(pid) {
                return true; // the kernel may still be sending
            }
            sink(Observation::Settled(known.facts.id));
            false
        });
    }
}

fn ended(process: ProcessId) -> Observation {
    let at = Timestamp::now();
    Observation::Exited { process, at }
}

/// Takes those of `wanted` that one of these holds; of several holders the last, which is the
/// youngest where pids do not wrap: a child that was handed the socket rather than its parent.
fn search(
    processes: impl Iterator<Item = Pid>,
    wanted: &mut HashSet<u64>,
    found: &mut HashMap<u64, Pid>,
) {
    for pid in processes {
        for inode in socket::inodes_of(pid) {
            if wanted.contains(&inode) {
                found.insert(inode, pid);
            }
        }
    }
    wanted.retain(|inode| !found.contains_key(inode));
}
