//! A command that runs and is measured: waiting for it and its descendants without missing a
//! signal, a sample or an exceeded budget.
//!
//! Everything waits in one `poll(2)` over the self-pipe of the signals, the command's pidfd and the
//! monitor. A monitor that fails is put aside, with its error kept: the command goes on, and its
//! exit status is still worth having.

use std::fmt::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use netprocmon::host::process;
use netprocmon::{Counters, Error, Monitor, Pid, Snapshot};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, Signal, kill_process, pidfd_open};

use super::budget::Meter;
use super::child::Ending;
use super::outcome::of_tree;
use crate::commands::say;
use crate::flags::meaning::{Descendants, RunPlan};
use netprocmon_tui::signals::{Arrived, Signals};

/// Between the polite and the certain way to end a process.
const KILL_AFTER: Duration = Duration::from_millis(500);
/// Looks at the descendants: often at first, for a tree that ends with its root.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const LAST_LOOK: Duration = Duration::from_millis(200);
/// A wait longer than this is explained.
const EXPLAIN_AFTER: Duration = Duration::from_secs(1);
/// How many graces the counters are given to come to rest.
const GRACES: u32 = 20;

pub(crate) struct Session<'a> {
    plan: &'a RunPlan,
    monitor: Monitor,
    signals: Signals,
    child: Child,
    pidfd: OwnedFd,
    root: Pid,
    /// Set when the command was reaped: from then on its pid may be another process's.
    ending: Option<Ending>,
    meter: Option<Meter>,
    /// When the tree was first asked to end for exceeding its budget.
    stopping: Option<Instant>,
    trouble: Option<Error>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        plan: &'a RunPlan,
        monitor: Monitor,
        signals: Signals,
        child: Child,
    ) -> anyhow::Result<Self> {
        let root = Pid(child.id());
        let pid = rustix_pid(root).context("the command has no pid")?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).context("watch the command's end")?;
        Ok(Self {
            plan,
            monitor,
            signals,
            child,
            pidfd,
            root,
            ending: None,
            meter: plan.budget.map(Meter::new),
            stopping: None,
            trouble: None,
        })
    }

    /// Waits for the command itself, passing signals on.
    pub(crate) fn until_child_ends(&mut self) -> anyhow::Result<Ending> {
        loop {
            self.wait(None);
            // Before the child is looked at: a Ctrl-C that ended it has reached us, too, and must
            // not be taken for one that ends the waiting for its descendants.
            for signal in self.signals.arrived() {
                self.forward(signal);
            }
            if let Some(status) = self.child.try_wait().context("wait for the command")? {
                let ending = Ending::from(status);
                self.ending = Some(ending);
                drop(self.signals.arrived());
                return Ok(ending);
            }
            self.enforce_budget();
        }
    }

    /// Waits for the command's descendants, unless told not to, or told to stop; gives those that
    /// still live.
    pub(crate) fn until_tree_ends(&mut self) -> Vec<Pid> {
        let began = Instant::now();
        let mut explained = !self.plan.may_say();
        let mut pause = FIRST_LOOK;
        loop {
            let living = self.living();
            let leave = self.plan.descendants == Descendants::Leave && self.stopping.is_none();
            if living.is_empty() || leave || self.told_to_stop() {
                return living;
            }
            if !explained && began.elapsed() >= EXPLAIN_AFTER {
                explained = true;
                Self::explain(&living);
            }
            self.wait(Some(pause));
            self.enforce_budget();
            pause = (pause * 2).min(LAST_LOOK);
        }
    }

    /// Waits until the counters have stood still for the grace, then gives the last snapshot;
    /// `None` where the monitor failed. Where `others_run`, there is no rest to wait for.
    pub(crate) fn last_snapshot(&mut self, others_run: bool) -> Option<Arc<Snapshot>> {
        let grace = self.plan.grace;
        let began = Instant::now();
        let longest = grace * if others_run { 1 } else { GRACES };
        let look = (grace / 5).clamp(Duration::from_millis(1), Duration::from_millis(50));
        let mut last = self.snapshot()?;
        let mut still_since = Instant::now();
        while still_since.elapsed() < grace && began.elapsed() < longest && !self.told_to_stop() {
            self.wait(Some(look));
            let next = self.snapshot()?;
            if self.totals(&next) != self.totals(&last) {
                still_since = Instant::now();
            }
            last = next;
        }
        Some(last)
    }

    /// What became of the budget, and the error that ended the measurement.
    pub(crate) fn end(self) -> (Option<Meter>, Option<Error>) {
        (self.meter, self.trouble)
    }

    /// Sleeps until a signal arrives, the command ends, a sample is due or `timeout` has passed;
    /// takes the sample.
    fn wait(&mut self, timeout: Option<Duration>) {
        let timeout = match self.stopping {
            Some(_) => Some(timeout.map_or(LAST_LOOK, |timeout| timeout.min(LAST_LOOK))),
            None => timeout,
        };
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let monitor = self.monitor.as_fd();
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        if self.trouble.is_none() {
            fds.push(PollFd::from_borrowed_fd(monitor, PollFlags::IN));
        }
        if self.ending.is_none() {
            fds.push(PollFd::new(&self.pidfd, PollFlags::IN));
        }
        // An interrupted poll is a signal that arrived: the caller looks.
        let _ = poll(&mut fds, timeout.as_ref());
        let measuring = self.trouble.is_none();
        let due = measuring && fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
        drop(fds);
        if due {
            let sample = self.monitor.try_sample();
            if let Some(Some(sample)) = self.note(sample) {
                self.measure(&sample);
            }
        }
    }

    fn forward(&self, signal: Arrived) {
        if !signal.is_for(self.root) {
            return;
        }
        let number = Signal::from_named_raw(signal.number);
        if let Some((pid, number)) = rustix_pid(self.root).zip(number) {
            // Not reaped yet, so the pid is still the command's; a zombie takes no notice.
            let _ = kill_process(pid, number);
        }
    }

    fn told_to_stop(&mut self) -> bool {
        let arrived = self.signals.arrived();
        arrived.into_iter().any(Arrived::asks_to_end)
    }

    fn living(&mut self) -> Vec<Pid> {
        if self.trouble.is_some() {
            return Vec::new();
        }
        let living = self.monitor.living_in_tree(self.root);
        self.note(living).unwrap_or_default()
    }

    fn snapshot(&mut self) -> Option<Arc<Snapshot>> {
        if self.trouble.is_some() {
            return None;
        }
        let snapshot = self.monitor.snapshot();
        let snapshot = self.note(snapshot)?;
        self.measure(&snapshot);
        Some(snapshot)
    }

    fn totals(&self, snapshot: &Snapshot) -> Counters {
        of_tree(snapshot, self.root).totals
    }

    fn measure(&mut self, snapshot: &Snapshot) {
        if let Some(mut meter) = self.meter.take() {
            meter.read(&self.totals(snapshot));
            self.meter = Some(meter);
        }
    }

    /// Stops the tree that has moved too much: asks first, then does not.
    fn enforce_budget(&mut self) {
        if !self.meter.as_ref().is_some_and(Meter::wants_kill) {
            return;
        }
        let signal = match self.stopping {
            None => Signal::TERM,
            Some(since) if since.elapsed() >= KILL_AFTER => Signal::KILL,
            Some(_) => return,
        };
        self.stopping.get_or_insert_with(Instant::now);
        let mut targets = self.living();
        if self.ending.is_none() && !targets.contains(&self.root) {
            targets.push(self.root);
        }
        for pid in targets.into_iter().filter_map(rustix_pid) {
            // One that is gone by now needs nothing.
            let _ = kill_process(pid, signal);
        }
        if let Some(meter) = &mut self.meter {
            meter.note_kill();
        }
    }

    fn explain(living: &[Pid]) {
        const NAMED: usize = 5;
        // Not from a snapshot: a process that has moved nothing is in none.
        let name = |pid: &Pid| {
            process::read(*pid).map_or_else(
                || format!("pid {pid}"),
                |process| format!("{} (pid {pid})", process.name),
            )
        };
        let mut named = living
            .iter()
            .take(NAMED)
            .map(name)
            .collect::<Vec<_>>()
            .join(", ");
        if living.len() > NAMED {
            // Writing to a String cannot fail.
            let _ = write!(named, " and {} more", living.len() - NAMED);
        }
        let verb = if living.len() == 1 { "runs" } else { "run" };
        say(&format_args!(
            "the command has ended, {named} still {verb}; Ctrl-C ends the waiting"
        ));
    }

    /// Keeps the first error of the monitor.
    fn note<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.trouble.get_or_insert(error);
                None
            }
        }
    }
}

fn rustix_pid(pid: Pid) -> Option<rustix::process::Pid> {
    i32::try_from(pid.0)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
}
