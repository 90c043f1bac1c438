//! What happens to a packet: it is counted under its flow, and when the flow is new its owner is
//! looked for.
//!
//! One engine works for all namespaces. The thread of the source lets it attend to what has become
//! readable; whoever collects lets it catch up and report. `look` finds owners, `report` talks to
//! the ledger.

mod look;
mod report;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use netprocmon_host::interface::NewInterface;
use netprocmon_host::process::events::{Event, Events};
use netprocmon_host::{BootClock, netns, socket};
use netprocmon_model::{Degradation, Observation, Owner, Protocol, Reason, TrafficKey};

use crate::census::{Census, Entry};
use crate::flow::{Charge, FlowKey, Way};
use crate::fragments::{Fragments, Part};
use crate::parse::{Icmp, Link, Packet, TcpFlags, parse};
use crate::ring::Frame;
use crate::search::Search;
use crate::table::{FlowIndex, Table};
use crate::tap::Tap;
use crate::topology::Topology;
use crate::wire::{Moved, Passed, Tally};
use netprocmon_host::tree::Trees;

pub(crate) struct Engine {
    /// By [`FlowKey::tap`]; one that was closed leaves its place empty.
    pub(crate) taps: Vec<Option<Tap>>,
    pub(crate) trees: Trees,
    pub(crate) events: Option<Events>,
    pub(crate) new_interfaces: Vec<NewInterface>,
    pub(crate) degradations: Vec<Degradation>,
    with_connections: bool,
    table: Table,
    fragments: Fragments,
    census: Census,
    search: Search,
    /// Sockets that are older than the source.
    old: HashSet<u64>,
    /// What was counted without a row.
    spilt: BTreeMap<TrafficKey, Tally>,
    /// What was said of flows between two reports, because they have changed hands or ended.
    late: Vec<Observation>,
    dropped: u64,
    has_spilt: bool,
    limits: report::Limits,
    /// How often an inode number was seen again on another namespace.
    turns: HashMap<u32, u32>,
    malformed: u64,
    /// Whether the owners of descriptors were lost sight of, because events were.
    is_behind: bool,
    started: Instant,
    started_since_boot: u64,
    /// What of [`Engine::degradations`] was there from the start.
    standing: Arc<[Degradation]>,
}

impl Engine {
    /// With the taps that are open. Looks at who holds which socket, so that those that are open
    /// already are known.
    pub(crate) fn new(taps: Vec<Tap>, events: Option<Events>, with_connections: bool) -> Self {
        let has_events = events.is_some();
        let mut search = Search::new(has_events);
        search.walk(0);
        let (sockets, _unreachable) = socket::all_namespaces();
        Self {
            taps: taps.into_iter().map(Some).collect(),
            trees: Trees::new(has_events),
            events,
            new_interfaces: Vec::new(),
            degradations: Vec::new(),
            with_connections,
            table: Table::default(),
            fragments: Fragments::default(),
            census: Census::new(),
            search,
            old: sockets.iter().map(|socket| socket.inode).collect(),
            spilt: BTreeMap::new(),
            late: Vec::new(),
            dropped: 0,
            has_spilt: false,
            limits: report::Limits::default(),
            turns: HashMap::new(),
            malformed: 0,
            is_behind: false,
            started: Instant::now(),
            started_since_boot: BootClock::now(),
            standing: [].into(),
        }
    }

    /// What is missing here as long as it runs.
    pub(crate) fn set_standing(&mut self, degradations: Vec<Degradation>) {
        self.standing = degradations.into();
        self.degradations = self.standing.to_vec();
    }

    /// Milliseconds since the start.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Takes what the kernel tells of processes.
    pub(crate) fn attend_events(&mut self) {
        let Some(events) = &mut self.events else {
            return;
        };
        let (search, census, trees) = (&mut self.search, &mut self.census, &mut self.trees);
        let is_behind = &mut self.is_behind;
        events.drain(|event| match event {
            Event::Fork { parent, child } => {
                search.fork(child);
                trees.fork(parent, child);
            }
            Event::Exec(pid) => census.reread(pid, trees),
            Event::Exit(pid) => {
                search.exit(pid);
                census.end(pid);
            }
            Event::Lost => *is_behind = true,
        });
    }

    /// Looks up what is in a hurry.
    pub(crate) fn attend_doorbell(&mut self, tap: u16) {
        self.attend_events();
        let now = self.now();
        while let Some((packet, interface)) = self.tap(tap).and_then(|tap| tap.doorbell.next()) {
            let key = FlowKey::of(&packet, Way::Sent, tap, interface);
            if !self.belongs(&key) {
                continue;
            }
            let Some(index) = self.table.meet(&key, now) else {
                return;
            };
            self.see_flags(index, Way::Sent, packet.flags, now);
            self.look(index, now);
        }
    }

    /// Counts what the ring has; whether there was anything.
    pub(crate) fn attend_ring(&mut self, number: u16) -> bool {
        // Taken out, so that its packets can be counted while it is read.
        let Some(mut tap) = self
            .taps
            .get_mut(usize::from(number))
            .and_then(Option::take)
        else {
            return false;
        };
        let now = self.now();
        let mut to_look = Vec::new();
        let topology = &tap.topology;
        let any = tap.ring.read(|frame| {
            if let Some(index) = self.count(topology, number, frame, now) {
                to_look.push(index);
            }
        });
        if let Some(place) = self.taps.get_mut(usize::from(number)) {
            *place = Some(tap);
        }
        for index in to_look {
            self.look(index, now);
        }
        any
    }

    /// Looks at the interfaces of a namespace again.
    pub(crate) fn attend_changes(&mut self, tap: u16) {
        if let Some(tap) = self.tap(tap) {
            tap.refresh();
        }
    }

    /// Counts a packet; gives its flow where the owner is to be looked for.
    fn count(
        &mut self,
        topology: &Topology,
        number: u16,
        frame: &Frame<'_>,
        now: u64,
    ) -> Option<FlowIndex> {
        let way = if frame.is_sent { Way::Sent } else { Way::Recv };
        let Ok(packet) = parse(frame.bytes, Link::Network(frame.protocol)) else {
            self.malformed += 1;
            return None;
        };
        let key = FlowKey::of(&packet, way, number, frame.interface);
        if !topology.ends_at(frame.interface, key.local().ip()) {
            return None;
        }
        let is_kernels = packet.icmp.is_some_and(|icmp| is_said_by_kernel(icmp, way));
        // An echo's question and answer have one identifier, and on loopback both addresses too: the
        // kernel's part is not to be taken for the part of who asked.
        let key = if is_kernels { key.without_ports() } else { key };
        let key = self.whole(&packet, key, way);
        let moved = Moved::of(
            &packet,
            Passed {
                length: frame.length,
                segment: frame.segment,
            },
        );
        let Some(index) = self.table.meet(&key, now) else {
            self.spill(topology, &key, way, moved);
            return None;
        };
        self.see_flags(index, way, packet.flags, now);
        self.table.list(index);
        let flow = self.table.get(index)?;
        flow.count(way, moved);
        flow.last = now;
        flow.is_to_group |= frame.is_to_group;
        if is_kernels && matches!(flow.charge, Charge::Open(_)) {
            flow.charge = Charge::Nobody(Reason::Kernel);
        }
        let is_due = now >= flow.next_look;
        let wanted = match flow.charge {
            Charge::Open(_) | Charge::Presumed(_) => true,
            Charge::Found(owner) => self.census.get(owner).is_none_or(Entry::has_ended),
            Charge::Nobody(_) => false,
        };
        if !is_due || !wanted {
            return None;
        }
        flow.next_look = now + 1; // looked for once, however many of its packets are read now
        Some(index)
    }

    /// The key of the whole packet, for one of its later parts.
    fn whole(&mut self, packet: &Packet, key: FlowKey, way: Way) -> FlowKey {
        let Some(fragment) = packet.fragment else {
            return key;
        };
        let part = Part {
            key: key.without_ports(),
            way,
            identification: fragment.identification,
        };
        if fragment.is_first {
            self.fragments.remember(part, key);
            return key;
        }
        self.fragments.flow(&part).unwrap_or(key)
    }

    fn see_flags(&mut self, index: FlowIndex, way: Way, flags: TcpFlags, now: u64) {
        let Some(flow) = self.table.get(index) else {
            return;
        };
        if flow.key.protocol != Protocol::TCP {
            return;
        }
        if flow.tcp.begins_anew(flags) {
            self.finish(index);
            let connection = self.table.next_connection();
            if let Some(flow) = self.table.get(index) {
                flow.begin_anew(connection, now);
            }
        }
        if let Some(flow) = self.table.get(index) {
            flow.tcp.see(way, flags);
        }
    }

    /// Whether the packet belongs to the interface that it was seen on.
    fn belongs(&mut self, key: &FlowKey) -> bool {
        self.tap(key.tap)
            .is_some_and(|tap| tap.topology.ends_at(key.interface, key.local().ip()))
    }

    fn spill(&mut self, topology: &Topology, key: &FlowKey, way: Way, moved: Moved) {
        let key = TrafficKey {
            owner: Owner::Unattributed(Reason::Capacity),
            interface: topology.interface(key.interface),
            protocol: key.protocol,
            ip_version: key.ip_version(),
        };
        self.has_spilt = true;
        let tally = self.spilt.entry(key).or_default();
        match way {
            Way::Sent => tally.sent.add(moved),
            Way::Recv => tally.recv.add(moved),
        }
    }

    pub(crate) fn tap(&mut self, number: u16) -> Option<&mut Tap> {
        self.taps.get_mut(usize::from(number))?.as_mut()
    }

    /// Closes the taps of namespaces where nobody lives any more, and opens those of new ones. Gives
    /// the numbers of the latter.
    pub(crate) fn attend_namespaces(&mut self) -> Vec<u16> {
        let own = netns::current().ok();
        let all = netns::all();
        for number in 0..self.taps.len() {
            let Some(Some(tap)) = self.taps.get_mut(number) else {
                continue;
            };
            let inode = tap.id().inode;
            match all.iter().find(|netns| netns.id.inode == inode) {
                Some(way) => tap.netns.path.clone_from(&way.path),
                None if own.is_some_and(|own| own.inode == inode) => {}
                None => self.close(number),
            }
        }
        let known: HashSet<u32> = self
            .taps
            .iter()
            .flatten()
            .map(|tap| tap.id().inode)
            .collect();
        let new: Vec<_> = all
            .into_iter()
            .filter(|netns| !known.contains(&netns.id.inode))
            .map(|mut netns| {
                let turn = self.turns.get(&netns.id.inode);
                netns.id.turn = turn.map_or(0, |turn| turn.wrapping_add(1));
                netns
            })
            .collect();
        if new.is_empty() {
            return Vec::new();
        }
        let opened = Tap::open_in(&new).into_iter();
        opened.filter_map(|tap| self.add(tap)).collect()
    }

    fn add(&mut self, tap: Tap) -> Option<u16> {
        let id = tap.id();
        self.turns.insert(id.inode, id.turn);
        self.new_interfaces.extend(tap.first_seen());
        let number = self.taps.iter().position(Option::is_none);
        let number = number.unwrap_or(self.taps.len());
        if number == self.taps.len() {
            self.taps.push(None);
        }
        *self.taps.get_mut(number)? = Some(tap);
        u16::try_from(number).ok()
    }

    /// Counts what is left, and lets go of the namespace.
    fn close(&mut self, number: usize) {
        let Ok(tap) = u16::try_from(number) else {
            return;
        };
        self.attend_ring(tap);
        let flows = self.table.all().filter(|(_, flow)| flow.key.tap == tap);
        let flows: Vec<_> = flows.map(|(index, _)| index).collect();
        for index in flows {
            self.let_go(index);
        }
        if let Some(place) = self.taps.get_mut(number) {
            *place = None;
        }
    }

    /// Members have joined or left a tree.
    pub(crate) fn renew_trees(&mut self) {
        self.census.renew_trees(&mut self.trees);
    }
}

/// An engine without taps, which is given packets by hand: for the count of instructions.
#[doc(hidden)]
pub struct Bench(Engine, Topology, u64);

impl Default for Bench {
    fn default() -> Self {
        let mut engine = Engine::new(Vec::new(), None, false);
        engine.old.clear();
        Self(engine, Topology::default(), 0)
    }
}

impl Bench {
    /// A packet that leaves, of this many bytes in all.
    pub fn packet(&mut self, bytes: &[u8], length: u32) {
        let frame = Frame {
            interface: 2,
            is_sent: true,
            is_to_group: false,
            protocol: 0x0800,
            length,
            segment: 1448,
            bytes,
        };
        self.2 += u64::from(self.0.count(&self.1, 0, &frame, 1).is_some());
    }
}

/// Whether the kernel says it by itself or has to answer it; what is left is a program's own question
/// and the answer to that.
fn is_said_by_kernel(icmp: Icmp, way: Way) -> bool {
    !matches!(
        (icmp, way),
        (Icmp::EchoRequest, Way::Sent) | (Icmp::EchoReply, Way::Recv)
    )
}
