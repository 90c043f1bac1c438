//! Where the numbers come from: what every source does for the monitor, which there are, and how
//! one is chosen.
//!
//! A source says what happened since it was last asked, in [`Observation`]s, and follows trees of
//! processes. Adding up, selecting, names of interfaces and of remotes are others' business, and no
//! source knows who reads. `choice` decides, purely; the rest of the files put each source behind
//! the trait.

use std::os::fd::AsFd;

use netprocmon_host::interface::NewInterface;
use netprocmon_host::privilege::Capability;
use netprocmon_host::tree::TreeNumber;
use netprocmon_model::{Degradation, Observation, Pid, SourceKind};

use crate::doctor::Verdict;
use crate::{Error, MonitorBuilder};

mod choice;
mod ebpf;
mod packet;
mod sockdiag;

pub(crate) use choice::{BEST_FIRST, Facts, Plan, choose};
pub use choice::{NoSuchSource, SourceChoice};

/// Takes observations in, one after the other.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(Observation);

/// One way to count, running from its start until it is dropped.
///
/// **Observations.** Whatever is charged to a process must be explained by an
/// [`Observation::Process`] that came before it, or comes in the same [`collect`](Self::collect);
/// the source emits it, with `tree` set to the root of the followed tree that the process is in, and
/// again when a fact changes (another program, a tree that was [named](Self::name_tree)). It emits
/// [`Observation::Exited`] (or a `Process` with `exited`) once a process has ended, and
/// [`Observation::Settled`] when no byte of it can follow: without it the ledger never lets go of
/// the process. [`Observation::Traffic`] is a change since the last one with the same key, never a
/// total; [`Observation::Connection`] is a total, emitted only where connections were asked for and
/// only when it has changed. A number that the source can never know is left 0 in a `Delta`: the
/// ledger goes by [`SourceKind::nothing_moved`]; one that it does not know this time is `None`.
/// `/proc` tells a process's start in clock ticks: a source that reads it there takes its
/// [`ProcessId`](netprocmon_model::ProcessId) from there everywhere.
///
/// **Threads and namespaces.** All methods are called from one thread at a time, which may be
/// another each time, and which is in the network namespace that the source was started in. A source
/// never leaves a calling thread in another namespace, and never blocks for longer than its work
/// takes.
///
/// **Privileges.** What is done after the start works with what [`needs`](Self::needs) names: a
/// program may have given up the rest.
pub(crate) trait Source: AsFd + Send + Sync {
    /// Which it is.
    fn kind(&self) -> SourceKind;

    /// The capabilities that it goes on to use, where it was given them.
    fn needs(&self) -> &'static [Capability];

    /// What it does not see here. May change with each look.
    fn degradations(&self) -> &[Degradation];

    /// Hands over everything that was seen since the last call.
    fn collect(&mut self, sink: Sink<'_>);

    /// Takes what should not wait for the interval; called when the descriptor ([`AsFd`]) is
    /// readable, and must make it unreadable. Counters may be left alone.
    fn attend(&mut self, sink: Sink<'_>);

    /// Interfaces and namespaces that were met since the last call of this.
    fn take_new_interfaces(&mut self) -> Vec<NewInterface>;

    /// A new followed tree, without members. Whatever a member forks from now on belongs to it too,
    /// however its parent ends, as far as the source can tell; a source without the kernel's fork
    /// events keeps [`Trees`](netprocmon_host::tree::Trees).
    fn open_tree(&mut self) -> TreeNumber;

    /// Shows the members of a tree, those of now and of later, as belonging to `root`.
    fn name_tree(&mut self, tree: TreeNumber, root: Pid);

    /// Adds a living process to a tree. The monitor itself is a member for as long as it forks.
    fn join_tree(&mut self, tree: TreeNumber, member: Pid) -> Result<(), Error>;

    /// Takes a process out of whatever tree it is in; its children stay.
    fn leave_tree(&mut self, member: Pid);

    /// The members of a tree that live, zombies included.
    fn members_of_tree(&self, tree: TreeNumber) -> Vec<Pid>;
}

/// Starts the best source that is asked for and works, and says why better ones did not.
///
/// Whether a source works is found out by starting it: no version number tells.
pub(crate) fn start(asked: &MonitorBuilder) -> Result<(Box<dyn Source>, Vec<Verdict>), Error> {
    let mut facts = Facts::default();
    loop {
        let Plan { source, refused } = choose(asked.source, &mut facts)?;
        match start_one(source, asked) {
            Ok(source) => return Ok((source, refused)),
            Err(error) => facts.refuse(source, error),
        }
    }
}

/// Starts this source or says why not.
pub(crate) fn start_one(
    source: SourceKind,
    asked: &MonitorBuilder,
) -> Result<Box<dyn Source>, Error> {
    match source {
        SourceKind::Ebpf => ebpf::start(asked),
        SourceKind::Packet => packet::start(asked),
        SourceKind::Sockdiag => sockdiag::start(asked),
    }
}
