//! The source: opens a tap in each namespace, starts the thread that reads them, and hands over
//! what was counted.
//!
//! The library promises that it starts no thread that nobody asked for; this source is one that
//! does, and ends it with itself: a ring that nobody reads runs over, and a process that is looked
//! for at the next sample has long ended. The thread sleeps until the kernel wakes it, holds the
//! engine only while it works, and touches nothing that is not the engine's.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use netprocmon_host::interface::NewInterface;
use netprocmon_host::netns::{self, Netns};
use netprocmon_host::privilege::{Capabilities, Capability, reduce};
use netprocmon_host::process::events::Events;
use netprocmon_model::{Degradation, Observation, Pid};
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::Errno;
use rustix::time::Timespec;

use crate::engine::Engine;
use crate::error::PacketError;
use crate::tap::Tap;
use netprocmon_host::tree::TreeNumber;

/// How often namespaces are looked for, where they may be entered.
const LOOK_AROUND: Duration = Duration::from_secs(1);
/// The `nice` value of the thread, where it may have that.
const MOST_URGENT: i32 = -20;
/// Descriptors that are served in one go.
const AT_ONCE: usize = 64;

/// What the source is asked to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Report each connection too.
    pub connections: bool,
}

/// Counts the packets of this network namespace, and of others that may be entered, while this value
/// lives.
///
/// Minimum: Linux 4.6, `CAP_NET_RAW`. What more it sees with more is in the crate's documentation.
#[derive(Debug)]
pub struct PacketSource {
    shared: Arc<Shared>,
    degradations: Vec<Degradation>,
    reader: Option<JoinHandle<()>>,
}

struct Shared {
    engine: Mutex<Engine>,
    /// What the thread sleeps on: everything of the engine that may become readable.
    ready: OwnedFd,
    /// Written to when the thread is to end.
    stop: OwnedFd,
    /// Written to when something should not wait for the next interval.
    news: OwnedFd,
}

/// The capabilities that counting goes on to use: for rings in namespaces that appear, and to find
/// the owners.
pub const NEEDS: &[Capability] = &[
    Capability::DacReadSearch,
    Capability::NetRaw,
    Capability::SysPtrace,
    Capability::SysAdmin,
];

/// What became readable, as a number to be told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Stop,
    Events,
    Ring(u16),
    Doorbell(u16),
    Changes(u16),
}

impl PacketSource {
    /// Opens everything and starts reading. Counting runs when it returns.
    pub fn start(options: Options) -> Result<Self, PacketError> {
        let here = netns::current()
            .map_err(|error| PacketError::new("find this network namespace", error))?;
        let own = Netns {
            id: here,
            path: "/proc/thread-self/ns/net".into(),
        };
        let own = Tap::open(own, true)
            .map_err(|error| PacketError::new("open a capture ring (AF_PACKET)", error))?;
        let others: Vec<_> = netns::all()
            .into_iter()
            .filter(|one| one.id != here)
            .collect();
        let mut taps = vec![own];
        taps.extend(Tap::open_in(&others));
        let unseen = others.len() + 1 - taps.len();
        let events = Events::open();
        let standing = standing(&taps, unseen, events.as_ref().err());
        let mut engine = Engine::new(taps, events.ok(), options.connections);
        engine.set_standing(standing);
        let shared = Shared::new(engine)
            .map_err(|error| PacketError::new("wait for the capture rings", error))?;
        let shared = Arc::new(shared);
        let theirs = Arc::clone(&shared);
        let reader = std::thread::Builder::new()
            .name("netprocmon-ring".to_owned())
            .spawn(move || theirs.read())
            .map_err(|error| PacketError::new("start the thread that reads the rings", error))?;
        let degradations = shared.engine().degradations.clone();
        Ok(Self {
            shared,
            degradations,
            reader: Some(reader),
        })
    }

    /// What this source does not see here.
    #[must_use]
    pub fn degradations(&self) -> &[Degradation] {
        &self.degradations
    }

    /// Hands over everything that was seen since the last call.
    pub fn collect(&mut self, mut sink: impl FnMut(Observation)) {
        let mut engine = self.shared.engine();
        engine.catch_up();
        engine.report(&mut sink);
        if self.degradations != engine.degradations {
            self.degradations.clone_from(&engine.degradations);
        }
    }

    /// Namespaces that have appeared since the last call of this.
    pub fn take_new_interfaces(&mut self) -> Vec<NewInterface> {
        self.shared.silence();
        std::mem::take(&mut self.shared.engine().new_interfaces)
    }

    /// A new followed tree, without members. Whatever a member forks belongs to it too. Its members
    /// are shown to belong to `root` from [`PacketSource::name_tree`] on.
    pub fn open_tree(&mut self) -> TreeNumber {
        self.shared.engine().trees.open()
    }

    /// Shows the members of a tree as belonging to `root`.
    pub fn name_tree(&mut self, tree: TreeNumber, root: Pid) {
        let mut engine = self.shared.engine();
        engine.trees.name(tree, root);
        engine.renew_trees();
    }

    /// Adds a living process to a followed tree.
    pub fn join_tree(&mut self, tree: TreeNumber, member: Pid) {
        let mut engine = self.shared.engine();
        engine.trees.join(tree, member);
        engine.renew_trees();
    }

    /// Takes a process out of whatever tree it is in; its children stay.
    pub fn leave_tree(&mut self, member: Pid) {
        let mut engine = self.shared.engine();
        // What it has begun by now belongs to the tree.
        engine.attend_events();
        engine.trees.leave(member);
        engine.renew_trees();
    }

    /// The members of a followed tree that live.
    #[must_use]
    pub fn members_of_tree(&self, tree: TreeNumber) -> Vec<Pid> {
        let mut engine = self.shared.engine();
        engine.attend_events();
        engine.trees.look();
        engine.trees.members(tree)
    }
}

impl AsFd for PacketSource {
    /// Readable when something waits that should not wait for the next interval.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.news.as_fd()
    }
}

impl Drop for PacketSource {
    fn drop(&mut self) {
        // It cannot be full: it is written to once.
        let _ = rustix::io::write(&self.shared.stop, &1_u64.to_ne_bytes());
        if let Some(reader) = self.reader.take() {
            // Whether it has panicked is of no interest any more.
            let _ = reader.join();
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    fn new(engine: Engine) -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let shared = Self {
            ready: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            stop: eventfd(0, flags)?,
            news: eventfd(0, flags)?,
            engine: Mutex::new(engine),
        };
        shared.wait_for(shared.stop.as_fd(), Ready::Stop)?;
        {
            let engine = shared.engine();
            if let Some(events) = &engine.events {
                shared.wait_for(events.as_fd(), Ready::Events)?;
            }
            for (number, tap) in (0..).zip(&engine.taps) {
                if let Some(tap) = tap {
                    shared.wait_for_tap(tap, number)?;
                }
            }
        }
        Ok(shared)
    }

    /// Whoever panicked with it left counts that are as good as any.
    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for(&self, fd: BorrowedFd<'_>, what: Ready) -> io::Result<()> {
        let data = epoll::EventData::new_u64(what.number());
        Ok(epoll::add(&self.ready, fd, data, epoll::EventFlags::IN)?)
    }

    /// A tap that is closed is no longer waited for: its descriptors are its own.
    fn wait_for_tap(&self, tap: &Tap, number: u16) -> io::Result<()> {
        self.wait_for(tap.ring.as_fd(), Ready::Ring(number))?;
        self.wait_for(tap.doorbell.as_fd(), Ready::Doorbell(number))?;
        self.wait_for(tap.changes.as_fd(), Ready::Changes(number))
    }

    /// What the thread does.
    fn read(&self) {
        let enters = Capabilities::effective().has(Capability::SysAdmin);
        let patience = Timespec::try_from(LOOK_AROUND).ok().filter(|_| enters);
        let nothing = epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        };
        let mut ready = [nothing; AT_ONCE];
        // Whoever is looked for may end in a moment: on a busy host others have to wait for us, the
        // little that we do. Not permitted (without CAP_SYS_NICE) is no harm. Of this thread alone.
        let _ = rustix::process::setpriority_process(None, MOST_URGENT);
        // It takes apart what strangers send. Where that fails it has what it had.
        let _ = reduce::keep(NEEDS).and_then(|()| reduce::gain_nothing());
        let mut looked_around = std::time::Instant::now();
        loop {
            let number = match epoll::wait(&self.ready, &mut ready, patience.as_ref()) {
                Ok(number) => number,
                Err(Errno::INTR) => continue,
                Err(_) => return, // cannot be, while the descriptors are ours
            };
            let mut engine = self.engine();
            // What is in a hurry first.
            let mut rings = [None; AT_ONCE];
            for (event, ring) in ready.iter().take(number).zip(&mut rings) {
                match Ready::from_number(event.data.u64()) {
                    Ready::Stop => return,
                    Ready::Events => engine.attend_events(),
                    Ready::Doorbell(tap) => engine.attend_doorbell(tap),
                    Ready::Changes(tap) => engine.attend_changes(tap),
                    Ready::Ring(tap) => *ring = Some(tap),
                }
            }
            for tap in rings.into_iter().flatten() {
                engine.attend_ring(tap);
            }
            if enters && looked_around.elapsed() >= LOOK_AROUND {
                looked_around = std::time::Instant::now();
                self.meet_namespaces(&mut engine);
            }
        }
    }

    fn meet_namespaces(&self, engine: &mut Engine) {
        for number in engine.attend_namespaces() {
            if let Some(tap) = engine.tap(number) {
                // One that cannot be waited for is read when somebody collects.
                let _ = self.wait_for_tap(tap, number);
            }
        }
        if !engine.new_interfaces.is_empty() {
            // Full is as good: it is readable.
            let _ = rustix::io::write(&self.news, &1_u64.to_ne_bytes());
        }
    }

    fn silence(&self) {
        // Empty is as good.
        let _ = rustix::io::read(&self.news, &mut [0_u8; 8]);
    }
}

impl Ready {
    fn number(self) -> u64 {
        match self {
            Self::Stop => 0,
            Self::Events => 1,
            Self::Ring(tap) => u64::from(tap) << 8 | 2,
            Self::Doorbell(tap) => u64::from(tap) << 8 | 3,
            Self::Changes(tap) => u64::from(tap) << 8 | 4,
        }
    }

    fn from_number(number: u64) -> Self {
        let tap = u16::try_from(number >> 8).unwrap_or_default();
        match number & 0xff {
            0 => Self::Stop,
            1 => Self::Events,
            2 => Self::Ring(tap),
            3 => Self::Doorbell(tap),
            _ => Self::Changes(tap),
        }
    }
}

/// What is not seen for as long as the source runs.
fn standing(taps: &[Tap], unseen: usize, no_events: Option<&io::Error>) -> Vec<Degradation> {
    let mut found = vec![
        Degradation::new(
            "packets_only",
            "packets do not tell payload and retransmissions: they are unknown",
        )
        .with_remedy("use the eBPF source"),
    ];
    if unseen > 0 {
        let message = format!("{unseen} other network namespaces may not be entered: not counted");
        found.push(
            Degradation::new("missing_capability", message)
                .with_remedy("run it as root (sudo): entering takes cap_sys_admin"),
        );
    }
    if let Some(error) = no_events {
        let message = format!(
            "the kernel does not tell which processes begin and end ({error}): one of a few \
             milliseconds may be missed"
        );
        found.push(
            Degradation::new("missing_capability", message)
                .with_remedy("add cap_net_admin, in the host's own pid namespace"),
        );
    }
    if taps.iter().any(|tap| !tap.ring.tells_segments) {
        let message =
            "the kernel does not tell how buffers are cut into packets: each counts as one";
        found.push(Degradation::new("wire_bytes", message).with_remedy("Linux 4.6 or later"));
    }
    found
}
