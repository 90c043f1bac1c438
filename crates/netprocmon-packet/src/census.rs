//! The processes that flows are charged to: their facts, written down as soon as they are found,
//! because they may be gone in a moment, and what has become of them.

use std::collections::HashMap;
use std::sync::Arc;

use netprocmon_host::ancestry::Ancestry;
use netprocmon_host::place::Places;
use netprocmon_host::{BootClock, process};
use netprocmon_model::{Pid, Process, ProcessId};

use netprocmon_host::tree::Trees;

/// Processes to look at again in one go: a thousand are gone through in a minute.
const A_FEW: usize = 16;

/// A process's place in the census, for as long as a flow is charged to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ProcessIndex(u32);

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) facts: Arc<Process>,
    /// Flows that are charged to it.
    flows: u32,
    /// Whether the ledger has to hear of it.
    has_news: bool,
}

pub(crate) struct Census {
    entries: Vec<Option<Entry>>,
    free: Vec<ProcessIndex>,
    /// Those that live.
    living: HashMap<Pid, ProcessIndex>,
    /// Those that have ended.
    ended: Vec<ProcessIndex>,
    clock: BootClock,
    places: Places,
    ancestry: Ancestry,
    /// Those with news.
    to_tell: Vec<ProcessIndex>,
    hand: usize,
}

impl Census {
    pub(crate) fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            living: HashMap::new(),
            ended: Vec::new(),
            clock: BootClock::new(),
            places: Places::default(),
            ancestry: Ancestry::default(),
            to_tell: Vec::new(),
            hand: 0,
        }
    }

    pub(crate) fn clock(&self) -> &BootClock {
        &self.clock
    }

    pub(crate) fn get(&self, index: ProcessIndex) -> Option<&Entry> {
        self.entries.get(index.0 as usize)?.as_ref()
    }

    /// The process that has this pid now (or the process of this thread); `None` where it is gone
    /// before it could be looked at.
    pub(crate) fn meet(&mut self, pid: Pid, trees: &mut Trees) -> Option<ProcessIndex> {
        if let Some(index) = self.known(pid) {
            return Some(index);
        }
        let leader = process::leader(pid)?;
        if leader != pid
            && let Some(index) = self.known(leader)
        {
            return Some(index);
        }
        let mut facts = process::read_with(leader, &self.clock)?;
        self.complete(&mut facts, trees);
        let entry = Entry {
            facts: Arc::new(facts),
            flows: 0,
            has_news: false,
        };
        let index = if let Some(index) = self.free.pop() {
            index
        } else {
            self.entries.push(None);
            ProcessIndex(u32::try_from(self.entries.len() - 1).ok()?)
        };
        *self.entries.get_mut(index.0 as usize)? = Some(entry);
        self.living.insert(leader, index);
        self.tell(index);
        Some(index)
    }

    /// A process that is known under this pid and still has it.
    fn known(&mut self, pid: Pid) -> Option<ProcessIndex> {
        let index = *self.living.get(&pid)?;
        let id = self.get(index)?.facts.id;
        if process::id(pid) == Some(id) {
            return Some(index);
        }
        self.end(pid);
        None
    }

    /// One flow more is charged to it.
    pub(crate) fn hold(&mut self, index: ProcessIndex) {
        if let Some(entry) = self.entry(index) {
            entry.flows += 1;
        }
    }

    /// One flow less.
    pub(crate) fn let_go(&mut self, index: ProcessIndex) {
        if let Some(entry) = self.entry(index) {
            entry.flows = entry.flows.saturating_sub(1);
        }
    }

    /// It has ended, as somebody tells or `/proc` shows.
    pub(crate) fn end(&mut self, pid: Pid) {
        let Some(index) = self.living.remove(&pid) else {
            return;
        };
        let now = self.clock.timestamp(BootClock::now());
        if let Some(entry) = self.entry(index) {
            Arc::make_mut(&mut entry.facts).exited = Some(now);
        }
        self.ended.push(index);
        self.tell(index);
    }

    /// It runs another program now.
    pub(crate) fn reread(&mut self, pid: Pid, trees: &mut Trees) {
        let Some(index) = self.living.get(&pid).copied() else {
            return;
        };
        let Some(mut facts) = process::read_with(pid, &self.clock) else {
            return; // its end will be told
        };
        self.complete(&mut facts, trees);
        let Some(entry) = self.entry(index) else {
            return;
        };
        if entry.facts.id != facts.id {
            self.end(pid);
            return;
        }
        // Those that it had when it was first seen, as the model wants it.
        facts.ppid = entry.facts.ppid;
        facts.parents = Arc::clone(&entry.facts.parents);
        if *entry.facts != facts {
            entry.facts = Arc::new(facts);
            self.tell(index);
        }
    }

    /// Looks at a few of those that live, each time at the next ones: without events nobody says
    /// that they have ended, and nobody ever says that their program file was replaced.
    pub(crate) fn look_around(&mut self, all: bool, trees: &mut Trees) {
        let number = self.entries.len();
        if all {
            let gone = self.living.iter().filter(|(pid, index)| {
                let known = self.get(**index).map(|entry| entry.facts.id);
                process::id(**pid) != known
            });
            let gone: Vec<_> = gone.map(|(pid, _)| *pid).collect();
            for pid in gone {
                self.end(pid);
            }
        }
        for _ in 0..number.min(A_FEW) {
            self.hand = (self.hand + 1) % number;
            let entry = self.entries.get(self.hand).and_then(Option::as_ref);
            let pid = entry.filter(|one| one.facts.exited.is_none());
            if let Some(pid) = pid.map(|entry| entry.facts.id.pid) {
                self.reread(pid, trees);
            }
        }
    }

    /// The members of trees have changed.
    pub(crate) fn renew_trees(&mut self, trees: &mut Trees) {
        for place in 0..self.entries.len() {
            let Some(Some(entry)) = self.entries.get_mut(place) else {
                continue;
            };
            let tree = trees.root_of(entry.facts.id.pid, entry.facts.ppid);
            if entry.facts.exited.is_none() && entry.facts.tree != tree {
                Arc::make_mut(&mut entry.facts).tree = tree;
                if let Ok(place) = u32::try_from(place) {
                    self.tell(ProcessIndex(place));
                }
            }
        }
    }

    /// The facts that are new, each process once.
    pub(crate) fn take_news(&mut self, mut sink: impl FnMut(Arc<Process>)) {
        self.ancestry.forget();
        for index in std::mem::take(&mut self.to_tell) {
            let place = self.entries.get_mut(index.0 as usize);
            let Some(entry) = place.and_then(Option::as_mut) else {
                continue;
            };
            entry.has_news = false;
            // Those above it live longer: that can wait until now, while the process itself was in
            // a hurry.
            if entry.facts.parents.is_empty() {
                let parents = self.ancestry.of(&entry.facts, |_| None);
                Arc::make_mut(&mut entry.facts).parents = parents;
            }
            sink(Arc::clone(&entry.facts));
        }
    }

    /// Lets go of those that have ended and have no flow any more, and names them.
    pub(crate) fn take_settled(&mut self, mut sink: impl FnMut(ProcessId)) {
        let ended = std::mem::take(&mut self.ended);
        for index in ended {
            let Some(entry) = self.get(index) else {
                continue;
            };
            if entry.flows > 0 || entry.has_news {
                self.ended.push(index);
                continue;
            }
            sink(entry.id());
            if let Some(place) = self.entries.get_mut(index.0 as usize) {
                *place = None;
            }
            self.free.push(index);
        }
    }

    fn tell(&mut self, index: ProcessIndex) {
        if let Some(entry) = self.entry(index)
            && !entry.has_news
        {
            entry.has_news = true;
            self.to_tell.push(index);
        }
    }

    fn entry(&mut self, index: ProcessIndex) -> Option<&mut Entry> {
        self.entries.get_mut(index.0 as usize)?.as_mut()
    }

    fn complete(&mut self, facts: &mut Process, trees: &mut Trees) {
        if let Some(cgroup) = &facts.cgroup {
            facts.place = self.places.at(cgroup);
        }
        facts.tree = trees.root_of(facts.id.pid, facts.ppid);
    }
}

impl Entry {
    pub(crate) fn id(&self) -> ProcessId {
        self.facts.id
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.facts.exited.is_some()
    }
}
