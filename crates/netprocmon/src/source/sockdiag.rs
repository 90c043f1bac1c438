//! The sockdiag source: what TCP says of one's own sockets (`tcp_info`), looked at again and again.
//!
//! For users without any privilege. It knows the payload of TCP, to the byte, and how many segments
//! were sent again; wire bytes, packets and every other protocol it cannot know. Minimum: Linux 4.19
//! (before, `tcp_info` does not tell what was sent).
//!
//! # How a byte is found
//!
//! 1. `look` asks for all TCP sockets of the namespace. How often goes by what a look costs, so that
//!    looking stays below a twentieth of one processor.
//! 2. `conversation` turns two readings of one socket into what moved between them: what calls have
//!    queued, and what calls have taken. A socket that was there at the start begins at what it had
//!    then, every other one at its birth.
//! 3. `census` finds the process: by the socket's inode number in `/proc/PID/fd`, those of followed
//!    trees first. Who holds a socket is asked again while it moves: sockets are passed on.
//! 4. Where the kernel has it, it tells what each socket had counted when it went, so that nothing is
//!    lost between two looks but the owner of what lived for less than that.
//!
//! # Blind spots
//!
//! Sockets of other users (but for root), of other network namespaces, and those that no process
//! holds yet or any more. Without news of ends: what a connection moves after the last look at it,
//! and connections that open and close between two looks. Of a connection whose end was not seen it
//! may not be told whether the peer's FIN, which TCP counts as a byte, was among what came: then
//! `payload_recv` may be 1 too large after a reset.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use netprocmon_host::interface::NewInterface;
use netprocmon_host::privilege::Capabilities;
use netprocmon_host::privilege::Capability::{self, DacReadSearch, SysAdmin, SysPtrace};
use netprocmon_host::route::Routes;
use netprocmon_host::socket::{Ended, Tcp};
use netprocmon_host::tree::{TreeNumber, Trees};
use netprocmon_model::{Degradation, Pid, SourceKind};

use self::census::Census;
use self::conversation::Conversations;
use self::pace::Pace;
use super::{Sink, Source};
use crate::{Error, MonitorBuilder};

mod census;
mod conversation;
mod pace;

/// A look takes this part of one processor at most.
const SHARE: u32 = 20;
/// The same while a tree is followed, which is somebody's own and not for long.
const SHARE_OF_A_RUN: u32 = 5;
/// While a tree is followed, whose members may live only for a moment.
const OFTEN: Duration = Duration::from_millis(2);
/// Otherwise: what is watched lives for a while.
const SELDOM: Duration = Duration::from_millis(20);
const SELDOMEST: Duration = Duration::from_secs(1);

pub(super) struct SockdiagSource {
    tcp: Tcp,
    ended: Option<Ended>,
    conversations: Conversations,
    census: Census,
    trees: Trees,
    pace: Pace,
    degradations: Vec<Degradation>,
}

pub(super) fn start(asked: &MonitorBuilder) -> Result<Box<dyn Source>, Error> {
    let mut tcp = Tcp::open().map_err(|error| Error::io("ask for sockets (sock_diag)", error))?;
    let ended = Ended::open().ok();
    let routes = Routes::open().map_err(|error| Error::io("ask for routes", error))?;
    let there = tcp
        .look()
        .map_err(|error| Error::io("list the TCP sockets", error))?;
    let mut conversations = Conversations::new(routes, asked.connections);
    conversations.begin(there, Timestamp::now());
    Ok(Box::new(SockdiagSource {
        pace: Pace::new(SELDOM).map_err(|error| Error::io("make a timer", error))?,
        degradations: degradations(ended.is_some()),
        census: Census::new(),
        trees: Trees::new(false),
        conversations,
        ended,
        tcp,
    }))
}

/// What this source never knows, and what it knows less well without news of ends.
fn degradations(told_of_ends: bool) -> Vec<Degradation> {
    let mut all = vec![Degradation::new(
        "tcp_payload_only",
        "only payload of TCP of this network namespace is known: no wire bytes, no packets, no UDP or \
         other protocol",
    )];
    all.push(if told_of_ends {
        let missed = "connections that open and close within some milliseconds are known, but not \
                      whose they were: they are under `exited`";
        Degradation::new("short_connections", missed)
    } else {
        let missed = "the kernel does not tell when connections end: what they move after the last \
                      look at them is missing, and so are those that open and close between two looks";
        Degradation::new("ends_unseen", missed)
    });
    if !Capabilities::effective().see_all_processes() {
        let missed = "the sockets of other users' processes are not seen";
        all.push(
            Degradation::new("other_users", missed)
                .with_remedy("run it as root (sudo) or with cap_sys_ptrace,cap_dac_read_search"),
        );
    }
    all
}

impl SockdiagSource {
    fn look(&mut self, sink: Sink<'_>) {
        let began = Instant::now();
        let now = Timestamp::now();
        // First the ends: what is gone by then and was never told of is told next time.
        if let Some(ended) = &self.ended {
            let conversations = &mut self.conversations;
            if !ended.take(|socket| conversations.end(socket)) {
                sink(netprocmon_model::Observation::LostEvents(1));
            }
        }
        // A look that fails (no memory) is made up by the next.
        if let Ok(sockets) = self.tcp.look() {
            self.conversations.see(sockets, now, self.ended.is_some());
        }
        self.census
            .find_owners(&mut self.conversations, &mut self.trees);
        let (census, trees) = (&mut self.census, &mut self.trees);
        let mut introduce = |pid| census.introduce(pid, trees, sink);
        let told = self.conversations.take_changes(now, &mut introduce);
        told.into_iter().for_each(&mut *sink);
        self.census.let_go(&self.conversations, sink);
        let (share, least) = if self.trees.is_empty() {
            (SHARE, SELDOM)
        } else {
            (SHARE_OF_A_RUN, OFTEN)
        };
        let pause = (began.elapsed() * share).clamp(least, SELDOMEST);
        self.pace.next_in(pause);
    }
}

impl Source for SockdiagSource {
    fn kind(&self) -> SourceKind {
        SourceKind::Sockdiag
    }

    /// To look at processes and, for names of interfaces, into namespaces.
    fn needs(&self) -> &'static [Capability] {
        &[DacReadSearch, SysPtrace, SysAdmin]
    }

    fn degradations(&self) -> &[Degradation] {
        &self.degradations
    }

    fn collect(&mut self, sink: Sink<'_>) {
        self.look(sink);
    }

    fn attend(&mut self, sink: Sink<'_>) {
        if self.pace.is_due() {
            self.look(sink);
        }
    }

    fn take_new_interfaces(&mut self) -> Vec<NewInterface> {
        Vec::new() // one namespace, met at the start
    }

    fn open_tree(&mut self) -> TreeNumber {
        self.trees.open()
    }

    fn name_tree(&mut self, tree: TreeNumber, root: Pid) {
        self.trees.name(tree, root);
        self.census.reread();
        // Now it is worth looking often, from the first packet on.
        self.pace.next_in(OFTEN);
    }

    fn join_tree(&mut self, tree: TreeNumber, member: Pid) -> Result<(), Error> {
        self.trees.join(tree, member);
        Ok(())
    }

    fn leave_tree(&mut self, member: Pid) {
        self.trees.leave(member);
    }

    fn members_of_tree(&self, tree: TreeNumber) -> Vec<Pid> {
        let mut trees = self.trees.clone();
        trees.look();
        trees.members(tree)
    }
}

impl AsFd for SockdiagSource {
    /// Readable when it is time for the next look.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pace.as_fd()
    }
}

#[cfg(test)]
mod tests;
