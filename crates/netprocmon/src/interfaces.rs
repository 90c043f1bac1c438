//! The interfaces of every namespace that matters: what they are called, what they counted when
//! the monitor started, and what they count now.
//!
//! Namespaces come and go. One that was there at the start is measured from what its interfaces had
//! counted then; one that appears later counts from 0. A namespace is entered only while something
//! moves in it, and never kept open. So nobody says that it is gone: a few seconds apart it is looked
//! for, and what is gone and in nobody's books any more is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use netprocmon_host::interface::{self, Counting, Surveyed};
use netprocmon_host::netns::{self, Netns};
use netprocmon_model::{DeviceCounters, InterfaceId, InterfaceReading, NetnsId, Pid};

/// Between two looks for what is gone.
const PATROL: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Interfaces {
    known: BTreeMap<InterfaceId, Known>,
    /// Those of them that were not there when last looked for.
    gone: BTreeSet<InterfaceId>,
    /// The way into each namespace, as long as it leads there.
    ways: BTreeMap<NetnsId, Netns>,
    /// Namespaces that could not be found again: not looked for at each sample.
    lost: BTreeSet<NetnsId>,
    /// The turn of the namespace that has an inode number now; 0 where it is not here.
    turns: BTreeMap<u32, u32>,
    /// Some were looked at without their peers.
    hasty: bool,
    /// Raised with each change of `known`.
    version: u64,
    /// When it was last looked for what is gone.
    patrolled: Option<Instant>,
    /// The namespace that was looked at then, although nothing moves in it.
    visited: NetnsId,
}

#[derive(Debug)]
struct Known {
    name: Arc<str>,
    addresses: Vec<IpAddr>,
    start: DeviceCounters,
    /// As last read.
    last: DeviceCounters,
    /// What devices that are gone had counted under this index.
    before: DeviceCounters,
    counting: Counting,
}

impl Known {
    /// A counter that went back is another device's, made again with the index of one that is gone:
    /// what that had counted when it was last looked at stays counted.
    fn see(&mut self, now: DeviceCounters) {
        if now.has_gone_back(self.last) {
            self.before = self.before.plus(self.last.since(self.start));
            self.start = DeviceCounters::default();
        }
        self.last = now;
    }
}

impl Interfaces {
    /// Every interface of every namespace that can be entered, with what it has counted so far.
    pub(crate) fn at_start() -> Self {
        let mut interfaces = Self::default();
        let all = netns::all();
        let (found, _unreachable) = interface::survey(&all);
        interfaces.ways = all.into_iter().map(|netns| (netns.id, netns)).collect();
        for one in found {
            let start = one.interface.stats;
            interfaces.learn(&one, start);
        }
        interfaces
    }

    /// A namespace, or an interface in one, that is new, and a process that lives there: what it
    /// has counted is ours.
    ///
    /// The inode number may be that of a namespace that is gone: the kernel gives numbers again.
    pub(crate) fn meet(&mut self, id: InterfaceId, member: Pid) {
        let netns = id.netns;
        let is_known = self.known.contains_key(&id) || (id.index == 0 && self.has(netns));
        if is_known && self.ways.get(&netns).is_some_and(netns::leads_to) {
            return; // met at the start
        }
        self.ways
            .retain(|other, _| other.inode != netns.inode || other.turn == netns.turn);
        self.turns.insert(netns.inode, netns.turn);
        self.lost.remove(&netns);
        let way = Netns {
            id: netns,
            path: format!("/proc/{member}/ns/net").into(),
        };
        // Only this one, for it may be gone in a moment. A veth's peer elsewhere says how it counts:
        // that can wait until something is read.
        self.hasty = true;
        if self.survey(way) {
            return;
        }
        // The member is gone already; somebody else may live there.
        let other = self.all_ways().find(|way| way.id == netns);
        if let Some(way) = other {
            self.survey(way);
        }
    }

    /// Looks at every namespace again, for addresses that have changed.
    pub(crate) fn refresh(&mut self) {
        let all: Vec<_> = self.all_ways().map(|netns| (netns.id, netns)).collect();
        self.ways.extend(all);
        self.survey_all();
    }

    /// Changes when names or addresses do.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn name(&self, id: InterfaceId) -> Option<Arc<str>> {
        self.known.get(&id).map(|known| Arc::clone(&known.name))
    }

    /// The interfaces with this name, one in each namespace at most.
    pub(crate) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = InterfaceId> + 'a {
        self.known
            .iter()
            .filter(move |(_, known)| *known.name == *name)
            .map(|(id, _)| *id)
    }

    /// The interfaces with this address.
    pub(crate) fn with_address(&self, address: IpAddr) -> impl Iterator<Item = InterfaceId> + '_ {
        let has = move |known: &Known| known.addresses.contains(&address);
        self.known
            .iter()
            .filter(move |(_, known)| has(known))
            .map(|(id, _)| *id)
    }

    /// Fresh readings of these interfaces, and of others that turn out to be gone.
    pub(crate) fn read(&mut self, wanted: &BTreeSet<InterfaceId>) -> Vec<InterfaceReading> {
        let mut spaces: BTreeSet<NetnsId> = wanted.iter().map(|id| id.netns).collect();
        if self.patrolled.is_none_or(|at| at.elapsed() >= PATROL) {
            self.patrol(&mut spaces);
        }
        let mut newly_gone = Vec::new();
        let hasty = std::mem::take(&mut self.hasty);
        if hasty
            || wanted
                .iter()
                .any(|id| !self.known.contains_key(id) && !self.lost.contains(&id.netns))
        {
            self.find_ways(&spaces);
            self.survey_all();
        }
        let mut readings = Vec::with_capacity(wanted.len());
        let closed = self.read_links(&spaces, wanted, &mut readings, &mut newly_gone);
        // A way by a process that has ended: there may be another.
        self.read_links(&closed, wanted, &mut readings, &mut newly_gone);
        for id in spaces.intersection(&self.lost) {
            newly_gone.extend(known_in(&self.known, *id).filter(|id| self.gone.insert(*id)));
        }
        let read: BTreeSet<_> = readings.iter().map(|reading| reading.id).collect();
        let missing: BTreeSet<_> = wanted.difference(&read).chain(&newly_gone).collect();
        readings.extend(missing.into_iter().filter_map(|id| self.remembered(*id)));
        readings
    }

    /// Forgets those that are gone, and of no interest any more.
    pub(crate) fn forget(&mut self, is_of_interest: impl Fn(InterfaceId) -> bool) {
        let known = &mut self.known;
        self.gone.retain(|id| {
            let stays = is_of_interest(*id);
            if !stays {
                known.remove(id);
            }
            stays
        });
    }

    /// Adds to the namespaces that will be looked at those that may be gone, and one more.
    fn patrol(&mut self, spaces: &mut BTreeSet<NetnsId>) {
        self.patrolled = Some(Instant::now());
        self.lost.retain(|id| spaces.contains(id));
        self.ways.retain(|_, way| netns::leads_to(way));
        let living = self.known.keys().filter(|id| !self.gone.contains(id));
        spaces.extend(
            living
                .map(|id| id.netns)
                .filter(|id| !self.ways.contains_key(id)),
        );
        let mut others = self.ways.keys().filter(|id| **id > self.visited);
        let next = others.find(|id| self.has(**id)).copied();
        self.visited = next.unwrap_or_default();
        spaces.extend(self.ways.get(&self.visited).map(|way| way.id));
    }

    /// Reads what is wanted of these namespaces, and notes what is not there any more; answers with
    /// those whose way has closed.
    fn read_links(
        &mut self,
        spaces: &BTreeSet<NetnsId>,
        wanted: &BTreeSet<InterfaceId>,
        readings: &mut Vec<InterfaceReading>,
        newly_gone: &mut Vec<InterfaceId>,
    ) -> BTreeSet<NetnsId> {
        let mut closed = BTreeSet::new();
        let ways = self.find_ways(spaces);
        let answers = netns::enter(&ways, |_| interface::list_links());
        for (netns, answer) in ways.iter().zip(answers) {
            let Ok(Ok(links)) = answer else {
                self.ways.remove(&netns.id);
                closed.insert(netns.id);
                continue;
            };
            let indices: BTreeSet<_> = links.iter().map(|link| link.index).collect();
            for id in known_in(&self.known, netns.id) {
                if indices.contains(&id.index) {
                    self.gone.remove(&id);
                } else if self.gone.insert(id) {
                    newly_gone.push(id);
                }
            }
            for link in links {
                let id = InterfaceId {
                    netns: netns.id,
                    index: link.index,
                };
                if let Some(known) = self.known.get_mut(&id).filter(|_| wanted.contains(&id)) {
                    if known.name != link.name {
                        known.name = Arc::clone(&link.name);
                        self.version += 1;
                    }
                    known.see(link.stats);
                    let mut reading = link.reading(netns.id, known.start, known.counting);
                    reading.device = reading.device.map(|device| device.plus(known.before));
                    readings.push(reading);
                }
            }
        }
        closed
    }

    /// What is still known of an interface that is gone: its name, not its counters.
    fn remembered(&self, id: InterfaceId) -> Option<InterfaceReading> {
        self.known.get(&id).map(|known| InterfaceReading {
            id,
            name: Arc::clone(&known.name),
            device: None,
            link_header: known.counting.link_header,
            basis: known.counting.basis,
        })
    }

    /// The ways into these namespaces; one that has closed is looked for once more.
    fn find_ways(&mut self, spaces: &BTreeSet<NetnsId>) -> Vec<Netns> {
        let missing = |this: &Self, id| !this.ways.contains_key(id) && !this.lost.contains(id);
        if spaces.iter().any(|id| missing(self, id)) {
            let all: Vec<_> = self.all_ways().collect();
            for netns in all {
                self.ways.entry(netns.id).or_insert(netns);
            }
            let lost: Vec<_> = spaces
                .iter()
                .filter(|id| missing(self, id))
                .copied()
                .collect();
            self.lost.extend(lost);
        }
        spaces
            .iter()
            .filter_map(|id| self.ways.get(id))
            .cloned()
            .collect()
    }

    /// A way into each namespace that there is now, which is the last with its inode number.
    fn all_ways(&self) -> impl Iterator<Item = Netns> + '_ {
        netns::all().into_iter().map(|mut netns| {
            netns.id.turn = self.turns.get(&netns.id.inode).copied().unwrap_or(0);
            netns
        })
    }

    fn has(&self, netns: NetnsId) -> bool {
        known_in(&self.known, netns).next().is_some()
    }

    /// Looks at one namespace; whether there was a way into it.
    fn survey(&mut self, way: Netns) -> bool {
        let (found, _gone) = interface::survey(std::slice::from_ref(&way));
        let there = !found.is_empty();
        self.learn_all(&found);
        if there {
            self.ways.insert(way.id, way);
        }
        there
    }

    fn survey_all(&mut self) {
        let ways: Vec<_> = self.ways.values().cloned().collect();
        let (found, _gone) = interface::survey(&ways);
        self.learn_all(&found);
    }

    /// Interfaces that were not there before count from 0.
    fn learn_all(&mut self, found: &[Surveyed]) {
        for one in found {
            self.learn(one, DeviceCounters::default());
        }
    }

    /// What is seen of an interface now; `start` is for one that was not known.
    fn learn(&mut self, one: &Surveyed, start: DeviceCounters) {
        self.gone.remove(&id(one));
        let known = self.known.entry(id(one)).or_insert_with(|| Known {
            name: Arc::clone(&one.interface.name),
            counting: one.counting,
            addresses: Vec::new(),
            start,
            last: start,
            before: DeviceCounters::default(),
        });
        known.see(one.interface.stats);
        known.name = Arc::clone(&one.interface.name);
        known.counting = one.counting;
        known.addresses.clone_from(&one.interface.addresses);
        self.version += 1;
    }
}

fn known_in(
    known: &BTreeMap<InterfaceId, Known>,
    netns: NetnsId,
) -> impl Iterator<Item = InterfaceId> + '_ {
    let id = |index| InterfaceId { netns, index };
    known.range(id(0)..=id(u32::MAX)).map(|(id, _)| *id)
}

fn id(one: &Surveyed) -> InterfaceId {
    InterfaceId {
        netns: one.netns,
        index: one.interface.index,
    }
}
