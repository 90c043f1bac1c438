//! What the ledger is told: who there is, what was moved, which connections there are; and what is
//! let go of afterwards.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use netprocmon_host::privilege::setcap;
use netprocmon_host::socket::{self, Held};
use netprocmon_model::{
    ConnectionReading, ConnectionState, Degradation, Observation, Owner, Protocol, Reason,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::Engine;
use crate::error::CAPABILITIES;
use crate::flow::{Charge, Flow, FlowKey};
use crate::table::FlowIndex;
use crate::wire::Tally;

/// The longest that a report waits for packets that the kernel has not handed over yet.
const PATIENCE: Duration = Duration::from_millis(100);
/// A block is handed over after a millisecond, or a few where the kernel's timer is coarse.
const A_BLOCK: Duration = Duration::from_millis(5);

/// Flows that are looked at in each round, and when time presses.
const A_ROUND: usize = 512;
const A_LONG_ROUND: usize = 8192;
/// Owners that are checked in each round whether they still hold their socket.
const CHECKS: usize = 32;
/// Milliseconds between two such checks.
const CHECKED_FOR: u64 = 2000;
/// How long flows are kept after their last packet, in milliseconds: of a connection that is over,
/// of others, of others when there is little room.
const QUIET_WHEN_OVER: u64 = 5_000;
const QUIET: u64 = 60_000;
const QUIET_UNDER_PRESSURE: u64 = 10_000;
/// After that a connection is asked for.
const QUIET_CONNECTION: u64 = 120_000;

impl Engine {
    /// Reads everything that the kernel has seen by now.
    pub(crate) fn catch_up(&mut self) {
        self.attend_events();
        let deadline = Instant::now() + PATIENCE;
        for number in 0..u16::try_from(self.taps.len()).unwrap_or(u16::MAX) {
            self.attend_doorbell(number);
            let Some(tap) = self.tap(number) else {
                continue;
            };
            // Then it cannot be told how far it is; what is late comes with the next report.
            if tap.ring.ask_kernel().is_err() {
                continue;
            }
            loop {
                self.attend_ring(number);
                let is_late = Instant::now() >= deadline;
                match self.tap(number) {
                    Some(tap) if !tap.ring.is_caught_up() && !is_late => {
                        wait_for_block(tap.ring.as_fd());
                    }
                    _ => break,
                }
            }
        }
    }

    /// Tells everything that is new since the last report.
    pub(crate) fn report(&mut self, sink: &mut impl FnMut(Observation)) {
        let now = self.now();
        let has_events = self.events.is_some() && !std::mem::take(&mut self.is_behind);
        self.trees.look();
        self.census.look_around(!has_events, &mut self.trees);
        self.search.hurry(now);
        let list = self.table.take_list();
        self.check_owners(&list, now);
        self.census
            .take_news(|facts| sink(Observation::Process(facts)));
        self.late.drain(..).for_each(&mut *sink);
        for index in &list {
            self.tell(*index, sink);
        }
        self.table.give_list_back(list);
        for (key, tally) in std::mem::take(&mut self.spilt) {
            sink(Observation::Traffic(key, tally.since(&Tally::default())));
        }
        self.sweep(now);
        self.late.drain(..).for_each(&mut *sink);
        self.census
            .take_settled(|process| sink(Observation::Settled(process)));
        self.report_limits(sink);
    }

    /// Looks once more for owners that were not found yet, and whether some have changed.
    fn check_owners(&mut self, list: &[FlowIndex], now: u64) {
        let mut checks = CHECKS;
        for index in list {
            let Some(flow) = self.table.get(*index) else {
                continue;
            };
            let (charge, inode, verified) = (flow.charge, flow.inode, flow.verified);
            let has_looked = flow.looks > 8 && now < flow.next_look;
            match charge {
                Charge::Open(_) | Charge::Presumed(_) if !has_looked => self.look(*index, now),
                Charge::Found(owner) if checks > 0 && now > verified + CHECKED_FOR => {
                    checks -= 1;
                    let Some(pid) = self.census.get(owner).map(|one| one.id().pid) else {
                        continue;
                    };
                    if socket::holds(pid, inode, 512) == Held::No {
                        self.search.forget(inode);
                        self.look(*index, now);
                    }
                    if let Some(flow) = self.table.get(*index) {
                        flow.verified = now;
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn tell(&mut self, index: FlowIndex, sink: &mut impl FnMut(Observation)) {
        let Some(flow) = self.table.get(index) else {
            return;
        };
        flow.is_listed = false;
        let tap = self.taps.get(usize::from(flow.key.tap));
        let Some(tap) = tap.and_then(Option::as_ref) else {
            return;
        };
        let owner = match flow.charge {
            Charge::Open(reason) | Charge::Nobody(reason) => Owner::Unattributed(reason),
            Charge::Presumed(owner) | Charge::Found(owner) => match self.census.get(owner) {
                Some(entry) => Owner::Process(entry.id()),
                None => Owner::Unattributed(Reason::Exited),
            },
        };
        let interface = tap.topology.interface(flow.key.interface);
        flow.tell(interface, owner, &mut |key, delta| {
            sink(Observation::Traffic(key, delta));
        });
        if !self.with_connections {
            return;
        }
        let clock = self.census.clock();
        let date = |moment: u64| {
            clock.timestamp(self.started_since_boot + moment.saturating_mul(1_000_000))
        };
        let is_over = flow.tcp.is_over();
        sink(Observation::Connection(ConnectionReading {
            id: flow.connection,
            owner,
            protocol: flow.key.protocol,
            ip_version: flow.key.ip_version(),
            local: flow.key.local(),
            remote: Some(flow.key.remote()),
            state: match flow.key.protocol {
                Protocol::TCP => flow.tcp.state,
                _ => ConnectionState::Stateless,
            },
            direction: flow.tcp.direction,
            interface,
            opened: Some(date(flow.opened)),
            closed: is_over.then(|| date(flow.last)),
            counters: flow.tally().counters(),
        }));
    }

    /// The last that is told of a flow's connection; it waits for the next report.
    pub(super) fn finish(&mut self, index: FlowIndex) {
        let mut late = std::mem::take(&mut self.late);
        self.tell(index, &mut |observation| late.push(observation));
        self.late = late;
        if let Some(flow) = self.table.get(index)
            && let Charge::Found(owner) | Charge::Presumed(owner) = flow.charge
        {
            self.census.let_go(owner);
        }
    }

    /// Lets go of a flow.
    pub(super) fn let_go(&mut self, index: FlowIndex) {
        self.finish(index);
        self.table.remove(index);
    }

    /// Lets go of flows that are over, some in each round.
    fn sweep(&mut self, now: u64) {
        let pressed = self.table.is_nearly_full();
        let round = if pressed { A_LONG_ROUND } else { A_ROUND };
        for index in self.table.next_round(round) {
            let Some(flow) = self.table.get(index) else {
                continue;
            };
            if flow.is_listed || !is_done(flow, now, pressed) {
                continue;
            }
            let is_connection = flow.key.protocol == Protocol::TCP && !flow.tcp.is_over();
            let key = flow.key;
            if is_connection && !pressed && self.lives(&key) {
                continue;
            }
            if let Some(flow) = self.table.get(index) {
                flow.tcp.state = ConnectionState::Closed;
            }
            self.let_go(index);
        }
    }

    /// Whether the socket of a connection that has been quiet for long is still there.
    fn lives(&mut self, key: &FlowKey) -> bool {
        self.socket(key, false)
            .is_some_and(|socket| socket.state != ConnectionState::Listen && socket.inode != 0)
    }

    fn report_limits(&mut self, sink: &mut impl FnMut(Observation)) {
        let dropped = self.dropped;
        for tap in self.taps.iter_mut().flatten() {
            self.dropped += tap.newly_dropped();
        }
        if self.dropped > dropped {
            sink(Observation::LostEvents(self.dropped - dropped));
        }
        let limits = Limits {
            dropped: self.dropped,
            closed: self.search.closed(),
            has_spilt: self.has_spilt,
        };
        if limits != self.limits {
            self.limits = limits;
            self.degradations = self.standing.to_vec();
            self.degradations.extend(limits.degradations());
        }
    }
}

/// Limits that were hit, as last reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    dropped: u64,
    closed: usize,
    has_spilt: bool,
}

impl Limits {
    fn degradations(self) -> impl Iterator<Item = Degradation> {
        let Self {
            dropped,
            closed,
            has_spilt,
        } = self;
        let dropped = (dropped > 0).then(|| {
            let message =
                format!("{dropped} packets came faster than they were read and are not counted");
            let remedy = "use the eBPF source, which counts in the kernel";
            Degradation::new("packets_dropped", message).with_remedy(remedy)
        });
        let closed = (closed > 0).then(|| {
            let message =
                format!("{closed} processes may not be looked at: what they move is under none");
            Degradation::new("missing_capability", message).with_remedy(setcap(CAPABILITIES))
        });
        let spilt = has_spilt.then(|| {
            let message =
                "more flows at once than there is room for: their bytes are under `capacity`";
            Degradation::new("capacity", message)
                .with_remedy("use the eBPF source, which keeps no table of flows")
        });
        [dropped, closed, spilt].into_iter().flatten()
    }
}

/// Whether a flow has been quiet for as long as its kind is kept.
fn is_done(flow: &Flow, now: u64, pressed: bool) -> bool {
    let quiet = now.saturating_sub(flow.last);
    let kept = match flow.key.protocol {
        Protocol::TCP if flow.tcp.is_over() => QUIET_WHEN_OVER,
        _ if pressed => QUIET_UNDER_PRESSURE,
        Protocol::TCP => QUIET_CONNECTION,
        _ => QUIET,
    };
    quiet > kept
}

fn wait_for_block(ring: std::os::fd::BorrowedFd<'_>) {
    let Ok(patience) = Timespec::try_from(A_BLOCK) else {
        return;
    };
    // Interrupted or not: whoever waits looks again.
    let _ = poll(&mut [PollFd::new(&ring, PollFlags::IN)], Some(&patience));
}
