//! The source: starts everything, and turns what the kernel counted into observations.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering::{Relaxed, Release};

use aya::maps::{HashMap, MapData, RingBuf};
use netprocmon_host::confinement::{Namespace, Namespaces};
use netprocmon_host::interface::NewInterface;
use netprocmon_host::netns;
use netprocmon_host::tree::TreeNumber;
use netprocmon_model::{
    Degradation, InterfaceId, IpVersion, NetnsId, Observation, Owner, Pid, Protocol, Reason,
    TrafficKey,
};

use crate::abi::{
    EVENT_CGROUP, EVENT_EXIT, EVENT_NETNS, EVENT_PROCESS, Event, KernelState, NetnsRecord,
    ProcessKey, SlotKey,
};
use crate::books::{
    Books, REASON_BEFORE_START, REASON_CAPACITY, REASON_NO_SOCKET, map_array, typed,
};
use crate::capacity::Capacity;
use crate::census::Census;
use crate::conversations::Conversations;
use crate::error::EbpfError;
use crate::hooks::Unknown;
use crate::limits::{self, Limits};
use crate::loader;
use crate::mapped::Mapped;
use crate::messages::Messages;
use crate::skipped::Skipped;

/// What the source is asked to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Count each connection too.
    pub connections: bool,
    /// Learn what remotes are called from the answers of the domain name system.
    pub names: bool,
    /// Sizes of the kernel tables.
    pub capacity: Capacity,
    /// Names of hooks to leave out, as on a kernel that refuses them: for tests.
    #[doc(hidden)]
    pub refuse: &'static [&'static str],
    /// Run programs of tracepoints again, as on a kernel that skips them: for tests.
    #[doc(hidden)]
    pub run_again: bool,
}

/// In-kernel counters of every socket of the host, running while this value lives.
///
/// Minimum: Linux 5.11 (multipath TCP: 5.19), `CAP_BPF` + `CAP_PERFMON` + `CAP_NET_ADMIN` or root. Blind to what
/// has no socket; what that is stands in the user guide.
pub struct EbpfSource {
    state: Mapped<KernelState>,
    books: Books,
    census: Census,
    conversations: Option<Conversations>,
    messages: Option<Messages>,
    trees: HashMap<MapData, u32, u32>,
    namespaces: HashMap<MapData, u64, NetnsRecord>,
    netns_turns: HashMap<MapData, u32, u32>,
    events: RingBuf<MapData>,
    new_interfaces: Vec<NewInterface>,
    events_lost: u64,
    skipped: Skipped,
    limits: Limits,
    degradations: Vec<Degradation>,
    unknown: Vec<Unknown>,
    next_tree: u32,
    /// Processes whose facts have changed on this side.
    to_learn: Vec<ProcessKey>,
    /// Programs and links; dropped last, when nothing reads the tables any more.
    attached: aya::Ebpf,
}

impl EbpfSource {
    /// Loads, attaches, and claims the sockets that are open. Counting runs when it returns.
    pub fn start(options: Options) -> Result<Self, EbpfError> {
        let sizes = options
            .capacity
            .on_this_host(options.connections, options.names);
        let loader::Attached {
            mut ebpf,
            cgroup_root,
            mut degradations,
            unknown,
        } = loader::attach(sizes, &options)?;
        // SAFETY: one element of the layout in bpf/abi.h, all that changes atomic.
        let mut state: Mapped<KernelState> = unsafe { map_array(&ebpf, "global", 1) }?;
        state
            .map_to(1)
            .map_err(|error| EbpfError::from_source("map the kernel's state", error))?;
        let conversations = options
            .connections
            .then(|| Conversations::new(&mut ebpf, sizes.connections))
            .transpose()?;
        let messages = options
            .names
            .then(|| Messages::new(&mut ebpf))
            .transpose()?;
        let mut source = Self {
            books: Books::new(&mut ebpf, sizes)?,
            census: Census::new(&mut ebpf, cgroup_root)?,
            conversations,
            messages,
            trees: typed(&mut ebpf, "trees", HashMap::try_from)?,
            namespaces: typed(&mut ebpf, "namespaces", HashMap::try_from)?,
            netns_turns: typed(&mut ebpf, "netns_turns", HashMap::try_from)?,
            events: typed(&mut ebpf, "events", RingBuf::try_from)?,
            new_interfaces: Vec::new(),
            events_lost: 0,
            skipped: loader::skippable(&ebpf),
            limits: Limits::default(),
            degradations: Vec::new(),
            unknown,
            next_tree: 1,
            to_learn: Vec::new(),
            state,
            attached: ebpf,
        };
        source.open_books();
        source.name_namespaces();
        if loader::prime(&mut source.attached)? {
            source.kernel(|state| state.primed.store(1, Release));
        }
        source.degradations.append(&mut degradations);
        return_memory();
        Ok(source)
    }

    /// What this source does not see here.
    #[must_use]
    pub fn degradations(&self) -> &[Degradation] {
        &self.degradations
    }

    /// Hands over everything that was seen since the last call.
    pub fn collect(&mut self, mut sink: impl FnMut(Observation)) {
        self.drain_events(&mut sink);
        self.look_for_skipped(&mut sink);
        for facts in self.census.look_at_programs() {
            sink(Observation::Process(facts));
        }
        self.read_books(&mut sink);
        self.read_conversations(&mut sink);
        self.let_go(&mut sink);
        self.report_limits(&mut sink);
    }

    /// Interfaces that the kernel has told of since the last call of this.
    pub fn take_new_interfaces(&mut self) -> Vec<NewInterface> {
        std::mem::take(&mut self.new_interfaces)
    }

    /// Takes the events that wait, without reading counters; for when the descriptor is readable.
    pub fn drain_events(&mut self, sink: &mut impl FnMut(Observation)) {
        self.census.begin();
        for key in std::mem::take(&mut self.to_learn) {
            learn(&mut self.census, key, sink);
        }
        while let Some(event) = self.events.next().and_then(|item| Event::from_bytes(&item)) {
            let key = ProcessKey {
                start: event.start,
                tgid: event.tgid,
                unused: 0,
            };
            match event.kind {
                EVENT_PROCESS | EVENT_EXIT => learn(&mut self.census, key, sink),
                EVENT_CGROUP => self.census.see_cgroup(event.subject),
                EVENT_NETNS => self.new_interfaces.push(new_interface(&event)),
                _ => {} // only to wake us
            }
        }
        if let Some(messages) = &mut self.messages {
            messages.drain(&self.census.clock(), &mut *sink);
        }
        let lost = self
            .kernel(|state| state.events_lost.load(Relaxed))
            .unwrap_or_default();
        if lost > self.events_lost {
            sink(Observation::LostEvents(lost - self.events_lost));
            self.events_lost = lost;
            for key in self.census.newly_ended() {
                learn(&mut self.census, key, sink);
            }
        }
    }

    /// A new followed tree, without members. Whatever a member forks belongs to it too. Its members
    /// are shown to belong to `root` from [`EbpfSource::name_tree`] on.
    pub fn open_tree(&mut self) -> TreeNumber {
        let number = TreeNumber(self.next_tree);
        self.next_tree += 1;
        number
    }

    /// Shows the members of a tree as belonging to `root`.
    pub fn name_tree(&mut self, tree: TreeNumber, root: Pid) {
        self.census.name_tree(tree.0, root);
    }

    /// Adds a living process to a followed tree.
    pub fn join_tree(&mut self, tree: TreeNumber, member: Pid) -> Result<(), EbpfError> {
        let failed = |error| EbpfError::from_source(format!("follow process {member}"), error);
        self.trees.insert(member.0, tree.0, 0).map_err(failed)?;
        if let Some(known) = self.census.join_tree(tree.0, member) {
            self.to_learn.push(known);
        }
        Ok(())
    }

    /// Takes a process out of whatever tree it is in; its children stay.
    pub fn leave_tree(&mut self, member: Pid) {
        self.census.leave_tree(member);
        // Not in it is as good.
        let _ = self.trees.remove(&member.0);
    }

    /// The members of a followed tree that live.
    #[must_use]
    pub fn members_of_tree(&self, tree: TreeNumber) -> Vec<Pid> {
        let members = self.trees.iter().filter_map(Result::ok);
        members
            .filter(|(_, number)| *number == tree.0)
            .map(|(pid, _)| Pid(pid))
            .collect()
    }

    fn kernel<T>(&self, look: impl FnOnce(&KernelState) -> T) -> Option<T> {
        self.state.get(0).map(look)
    }

    /// The kernel side hands out no row 0.
    fn open_books(&self) {
        self.kernel(|state| {
            state.next_slot.fetch_max(1, Release);
            state.next_connection.fetch_max(1, Release);
        });
    }

    /// Sockets that only tell their namespace's cookie need its inode number.
    fn name_namespaces(&mut self) {
        let all = netns::all();
        for (netns, cookie) in all.iter().zip(netns::enter(&all, |_| netns::cookie())) {
            if let Ok(Some(cookie)) = cookie {
                // Full or gone: then it has no name, and that is all.
                let _ = self
                    .namespaces
                    .insert(cookie, NetnsRecord::from(netns.id), 0);
                let _ = self.netns_turns.insert(netns.id.inode, 0, 0);
            }
        }
    }

    fn read_books(&mut self, sink: &mut impl FnMut(Observation)) {
        let Some(state) = self.state.get(0) else {
            return;
        };
        let (census, unknown) = (&mut self.census, &self.unknown);
        let full = state.processes_full.load(Relaxed) != 0;
        self.books.read(state, |key, delta| {
            let owner = match key.owner() {
                Some(process) => owner(census, process, full, sink),
                None => Owner::Unattributed(reason(key.reason)),
            };
            let mut delta = *delta;
            for number in unknown {
                number.hide_in_delta(&mut delta);
            }
            sink(Observation::Traffic(traffic_key(owner, key), delta));
        });
    }

    fn read_conversations(&mut self, sink: &mut impl FnMut(Observation)) {
        let (Some(state), Some(conversations)) = (self.state.get(0), &mut self.conversations)
        else {
            return;
        };
        let census = &self.census;
        // Connections of one process come mostly one after the other.
        let mut last = None;
        let owner = |start, tgid| {
            let key = ProcessKey {
                start,
                tgid,
                unused: 0,
            };
            if let Some((of, owner)) = last
                && of == key
            {
                return owner;
            }
            let owner = if census.knows(key) {
                Owner::Process(Census::id(key))
            } else {
                Owner::Unattributed(Reason::Exited)
            };
            last = Some((key, owner));
            owner
        };
        let unknown = &self.unknown;
        conversations.read(state, &census.clock(), owner, |mut reading| {
            for number in unknown {
                number.hide_in(&mut reading.counters);
            }
            sink(Observation::Connection(reading));
        });
        conversations.reuse();
    }

    /// Lets go of processes that have ended and of whose sockets nothing is heard any more.
    fn let_go(&mut self, sink: &mut impl FnMut(Observation)) {
        let census = &self.census;
        self.books.reuse(|key| census.has_ended(key));
        let done: Vec<_> = census
            .ended()
            .filter(|key| !self.books.has_slot(*key))
            .collect();
        for key in done {
            sink(Observation::Settled(Census::id(key)));
            self.census.forget(key);
        }
    }

    /// A process whose end was skipped has ended all the same.
    fn look_for_skipped(&mut self, sink: &mut impl FnMut(Observation)) {
        if !self.skipped.look() || Namespaces::of_this_process().pid != Namespace::Initial {
            return;
        }
        for key in self.census.gone() {
            if let Some(facts) = self.census.end(key) {
                sink(Observation::Process(facts));
            }
        }
    }

    fn report_limits(&mut self, sink: &mut impl FnMut(Observation)) {
        let skipped = self.skipped.count();
        let Some(limits) = self.kernel(|state| Limits::read(state, skipped)) else {
            return;
        };
        if limits == self.limits {
            return;
        }
        self.limits = limits;
        self.degradations
            .retain(|degradation| !limits::CODES.contains(&&*degradation.code));
        self.degradations.extend(limits.degradations());
        sink(Observation::LostEvents(0)); // a sign of life: the degradations have changed
    }
}

impl AsFd for EbpfSource {
    /// Readable when something waits that should not wait for the next interval.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

fn new_interface(event: &Event) -> NewInterface {
    NewInterface {
        id: InterfaceId {
            netns: NetnsId {
                inode: event.netns,
                turn: event.netns_turn,
            },
            index: u32::try_from(event.subject).unwrap_or_default(),
        },
        member: Pid(event.tgid),
    }
}

fn learn(census: &mut Census, key: ProcessKey, sink: &mut impl FnMut(Observation)) {
    if let Some(facts) = census.learn(key) {
        sink(Observation::Process(facts));
    }
}

/// The owner of a slot, introduced first where nobody knows it yet.
fn owner(
    census: &mut Census,
    key: ProcessKey,
    table_was_full: bool,
    sink: &mut impl FnMut(Observation),
) -> Owner {
    if !census.knows(key) {
        learn(census, key, sink);
    }
    match (census.knows(key), table_was_full) {
        (true, _) => Owner::Process(Census::id(key)),
        (false, true) => Owner::Unattributed(Reason::Capacity),
        (false, false) => Owner::Unattributed(Reason::Exited),
    }
}

fn reason(code: u8) -> Reason {
    match code {
        REASON_BEFORE_START => Reason::BeforeStart,
        REASON_NO_SOCKET => Reason::NoSocket,
        REASON_CAPACITY => Reason::Capacity,
        _ => Reason::Kernel,
    }
}

fn traffic_key(owner: Owner, key: &SlotKey) -> TrafficKey {
    TrafficKey {
        owner,
        interface: InterfaceId {
            netns: NetnsId {
                inode: key.netns,
                turn: key.netns_turn,
            },
            index: key.ifindex,
        },
        protocol: Protocol(key.protocol),
        ip_version: if key.ip_version == 6 {
            IpVersion::V6
        } else {
            IpVersion::V4
        },
    }
}

/// Gives back to the system what loading has taken: the kernel's type information takes ten and more
/// megabytes to read, and is not needed again.
fn return_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) gives unused pages of the heap back; it may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};

    use super::*;

    /// What this process sends and receives: 100 datagrams of 10 bytes, and 100 times 7 in a stream.
    const MOVED: i64 = 1700;

    /// Moves that, and gives the payload sent and received by this process.
    fn payload_moved(options: Options) -> (i64, i64) {
        let mut source = EbpfSource::start(options).unwrap();
        source.unknown.clear(); // refused, but told by the second
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect(socket.local_addr().unwrap()).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        for _ in 0..100 {
            socket.send(&[7; 10]).unwrap();
            socket.recv(&mut [0; 10]).unwrap();
            near.write_all(&[7; 7]).unwrap();
            far.read_exact(&mut [0; 7]).unwrap();
        }
        let ours =
            |owner| matches!(owner, Owner::Process(process) if process.pid.0 == std::process::id());
        let mut sum = (0, 0);
        source.collect(&mut |observation| match observation {
            Observation::Traffic(key, delta) if ours(key.owner) => {
                sum.0 += delta.payload_sent.unwrap();
                sum.1 += delta.payload_recv.unwrap();
            }
            _ => {}
        });
        sum
    }

    #[test]
    #[ignore = "needs root: cargo xtask test runs it"]
    fn each_of_three_programs_tells_what_those_before_it_do_not() {
        const FIRST: [&str; 3] = [
            "sock_send_length",
            "sock_recv_length",
            "tcp_rcv_space_adjust",
        ];
        const SECOND: [&str; 3] = [
            "sock_send_length_again",
            "sock_recv_length_again",
            "tcp_rcv_space_adjust_again",
        ];
        const THIRD: [&str; 3] = [
            "sock_send_length_once_more",
            "sock_recv_length_once_more",
            "tcp_rcv_space_adjust_once_more",
        ];
        const ALL: (i64, i64) = (MOVED, MOVED);
        let moved = |run_again, refuse: &'static [[&'static str; 3]]| {
            payload_moved(Options {
                refuse: refuse.as_flattened(),
                run_again,
                ..Options::default()
            })
        };
        assert_eq!(moved(false, &[FIRST]), (0, 0));
        assert_eq!(moved(true, &[FIRST, SECOND, THIRD]), (0, 0));
        assert_eq!(moved(true, &[]), ALL);
        assert_eq!(moved(true, &[FIRST]), ALL);
        assert_eq!(moved(true, &[SECOND]), ALL);
        assert_eq!(moved(true, &[THIRD]), ALL);
        assert_eq!(moved(true, &[FIRST, SECOND]), ALL);
        assert_eq!(moved(true, &[FIRST, THIRD]), ALL);
        assert_eq!(moved(true, &[SECOND, THIRD]), ALL);
    }
}
