//! The monitor: a source, the ledger that adds its observations up, and the facts about interfaces
//! that neither of them knows.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use netprocmon_host::privilege::Capability;
use netprocmon_host::process;
use netprocmon_host::tree::TreeNumber;
use netprocmon_model::{Degradation, Ledger, Pid, Protocol, Snapshot, SourceKind};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::directory::HostDirectory;
use crate::doctor::{Diagnosis, Verdict};
use crate::error::{no_such_address, no_such_interface, no_such_process};
use crate::interfaces::Interfaces;
use crate::source::{self, Source};
use crate::ticker::Ticker;
use crate::watched::Watched;
use crate::{Error, MonitorBuilder, ports};

mod selection;

/// Counts, from the moment that it is started until it is dropped.
///
/// It is readable ([`AsFd`]) when a sample is due; then [`Monitor::try_sample`] gives it. Or
/// [`Monitor::wait`] for it. Or take a [`Monitor::snapshot`] whenever you like.
///
/// ```no_run
/// use netprocmon::{Children, Monitor, Pid};
///
/// let mut monitor = Monitor::builder().pid(Pid(586), Children::Follow).start()?;
/// while let Some(snapshot) = monitor.wait(None)? {
///     println!("{:?}", snapshot.totals.bytes_total());
///     if snapshot.process(Pid(586)).is_none_or(|usage| usage.process.exited.is_some()) {
///         break;
///     }
/// }
/// # Ok::<(), netprocmon::Error>(())
/// ```
pub struct Monitor {
    source: Box<dyn Source>,
    /// Better sources, which did not start.
    refused: Vec<Verdict>,
    /// The same as degradations.
    missing: Vec<Degradation>,
    ledger: Ledger,
    /// What the ledger asks about remotes, where there are any.
    directory: Option<Arc<HostDirectory>>,
    interfaces: Interfaces,
    ticker: Ticker,
    started: Instant,
    watched: BTreeMap<Pid, Watched>,
    trees: BTreeMap<Pid, TreeNumber>,
    names: BTreeSet<String>,
    cgroups: BTreeSet<String>,
    interface_names: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
    /// Of [`Interfaces`], when the selection was last made.
    selected_version: u64,
    degradations: Arc<[Degradation]>,
}

impl Monitor {
    /// What to watch and how, to be started.
    #[must_use]
    pub fn builder() -> MonitorBuilder {
        MonitorBuilder::new()
    }

    pub(crate) fn start(asked: MonitorBuilder) -> Result<Self, Error> {
        if let Some((pid, _)) = asked.pids.iter().find(|(pid, _)| !process::exists(*pid)) {
            return Err(no_such_process(*pid));
        }
        let interfaces = Interfaces::at_start();
        for name in &asked.interfaces {
            interfaces
                .named(name)
                .next()
                .ok_or_else(|| no_such_interface(name))?;
        }
        for address in &asked.addresses {
            let found = interfaces.with_address(*address).next();
            found.ok_or_else(|| no_such_address(*address))?;
        }
        let mut directory = None;
        if asked.connections || !asked.origins.is_empty() {
            let open =
                HostDirectory::open(&asked.origins, asked.reverse_lookup && asked.connections)?;
            directory = Some(Arc::new(open));
        }
        let (source, refused) = source::start(&asked)?;
        let mut ledger = Ledger::new(source.kind(), asked.retention, asked.connections);
        if let Some(open) = &directory {
            ledger = ledger.with_directory(Arc::<HostDirectory>::clone(open));
        }
        let ticker = Ticker::new(asked.interval, source.as_fd())
            .map_err(|error| Error::io("make a timer", error))?;
        let mut monitor = Self {
            ledger,
            directory,
            source,
            missing: refused.iter().map(Verdict::lack).collect(),
            refused,
            interfaces,
            ticker,
            started: Instant::now(),
            watched: BTreeMap::new(),
            trees: BTreeMap::new(),
            names: asked.names.into_iter().collect(),
            cgroups: asked.cgroups.into_iter().collect(),
            interface_names: asked.interfaces.into_iter().collect(),
            addresses: asked.addresses.into_iter().collect(),
            selected_version: 0,
            degradations: [].into(),
        };
        for (pid, children) in asked.pids {
            monitor.add_pid(pid, children)?;
        }
        monitor.note_degradations();
        monitor.select();
        Ok(monitor)
    }

    /// What [`doctor`](crate::doctor()) says of the source that counts, of better ones that were
    /// tried, and of this host and thread as they are now. Starts nothing.
    #[must_use]
    pub fn diagnosis(&self) -> Diagnosis {
        let mut sources = self.refused.clone();
        sources.push(Verdict::working(self.source.as_ref()));
        Diagnosis::new(sources)
    }

    /// The capabilities (capabilities(7)) that counting goes on to use, where it was given them. A
    /// program may give up all others once the monitor runs, and can do it with
    /// [`keep`](crate::host::privilege::reduce::keep). Threads of the monitor's own have done so.
    #[must_use]
    pub fn needs(&self) -> &'static [Capability] {
        self.source.needs()
    }

    /// Everything up to now.
    ///
    /// # Errors
    ///
    /// None today; a source may lose its privileges.
    pub fn snapshot(&mut self) -> Result<Arc<Snapshot>, Error> {
        if let Some(directory) = &self.directory {
            directory.refresh();
        }
        self.collect();
        let wanted: BTreeSet<_> = self.ledger.interfaces_to_read().collect();
        let readings = self.interfaces.read(&wanted);
        if self.interfaces.version() != self.selected_version {
            self.select();
        }
        self.note_degradations();
        let elapsed = self.started.elapsed();
        let snapshot =
            self.ledger
                .snapshot(Timestamp::now(), elapsed, &readings, &self.degradations);
        self.interfaces.forget(|id| self.ledger.counts_on(id));
        Ok(Arc::new(snapshot))
    }

    /// The sample that is due, when [`AsFd`] has turned readable; `None` when none is. Never
    /// blocks.
    pub fn try_sample(&mut self) -> Result<Option<Arc<Snapshot>>, Error> {
        self.attend();
        match self.ticker.take_tick() {
            Ok(true) => self.snapshot().map(Some),
            Ok(false) => Ok(None),
            Err(error) => Err(Error::io("read the timer", error)),
        }
    }

    /// Blocks until the next sample is due, a signal comes or `timeout` is over; `None` for the
    /// latter two. `timeout: None` waits as long as it takes.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<Arc<Snapshot>>, Error> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = left.map(rustix::time::Timespec::try_from).transpose();
            let left = left.map_err(|error| Error::io("wait for so long", error))?;
            match poll(
                &mut [PollFd::new(&self.ticker, PollFlags::IN)],
                left.as_ref(),
            ) {
                Ok(0) | Err(Errno::INTR) => return Ok(None),
                Ok(_) => {}
                Err(error) => return Err(Error::io("wait for the next sample", error)),
            }
            if let Some(sample) = self.try_sample()? {
                return Ok(Some(sample));
            }
        }
    }

    /// One more reader's own pace, beside the monitor's: for several that want samples at different
    /// intervals. Rates are always over the time since the snapshot before, whoever took it.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use rustix::event::{PollFd, PollFlags, poll};
    /// # let mut monitor = netprocmon::Monitor::builder().start()?;
    /// let minutes = monitor.ticker(Duration::from_secs(60))?;
    /// loop {
    ///     // Here a real program waits for its other descriptors too.
    ///     poll(&mut [PollFd::new(&minutes, PollFlags::IN)], None)?;
    ///     monitor.attend();
    ///     if minutes.take_tick()? {
    ///         println!("{:?}", monitor.snapshot()?.totals);
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ticker(&self, interval: Duration) -> io::Result<Ticker> {
        Ticker::new(interval, self.source.as_fd())
    }

    /// What this run cannot see, as it is known now; also in each snapshot.
    #[must_use]
    pub fn degradations(&self) -> &[Degradation] {
        &self.degradations
    }

    /// Where the numbers come from.
    ///
    /// ```no_run
    /// use netprocmon::{Monitor, SourceChoice, SourceKind};
    ///
    /// let monitor = Monitor::builder().source(SourceChoice::Auto).start()?;
    /// if monitor.source() != SourceKind::Ebpf {
    ///     for one in monitor.degradations() {
    ///         eprintln!("{}", one.message);
    ///     }
    /// }
    /// # Ok::<(), netprocmon::Error>(())
    /// ```
    #[must_use]
    pub fn source(&self) -> SourceKind {
        self.source.kind()
    }

    /// Starts `command`. It and all its descendants are counted from their first packet; the
    /// child's pid is the tree's root, and from now on the monitor watches this tree.
    ///
    /// ```no_run
    /// # use netprocmon::{Monitor, Pid, Retention};
    /// let mut monitor = Monitor::builder().retention(Retention::Keep).start()?;
    /// let mut child = monitor.spawn(std::process::Command::new("curl").arg("https://example.org"))?;
    /// child.wait()?;
    /// println!("{:?}", monitor.snapshot()?.totals);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Command::spawn`]; or the tree could not be followed.
    pub fn spawn(&mut self, command: &mut Command) -> io::Result<Child> {
        self.spawn_with(|| {
            let child = command.spawn()?;
            Ok((Pid(child.id()), child))
        })
    }

    /// The same for a process that something else than [`Command`] starts: `start` forks it, in
    /// this thread or another of this process, and says its pid. What any thread forks meanwhile is
    /// counted as of the tree.
    ///
    /// # Errors
    ///
    /// As `start`; or the tree could not be followed.
    pub fn spawn_with<T, E: From<io::Error>>(
        &mut self,
        start: impl FnOnce() -> Result<(Pid, T), E>,
    ) -> Result<T, E> {
        let here = Pid(std::process::id());
        let tree = self.source.open_tree();
        // What a member forks belongs to the tree: so we are one for as long as we fork.
        self.source
            .join_tree(tree, here)
            .map_err(io::Error::other)?;
        let started = start();
        self.source.leave_tree(here);
        let (root, child) = started?;
        self.source.name_tree(tree, root);
        self.trees.insert(root, tree);
        self.select();
        Ok(child)
    }

    /// The members of a followed tree that live: of one that was spawned, or added with
    /// [`Children::Follow`](crate::Children::Follow).
    pub fn living_in_tree(&self, root: Pid) -> Result<Vec<Pid>, Error> {
        let tree = self.trees.get(&root).ok_or_else(|| no_such_process(root))?;
        Ok(self.source.members_of_tree(*tree))
    }

    /// The local ports of a process, in order.
    ///
    /// # Errors
    ///
    /// [`NoSuchProcess`](crate::ErrorKind::NoSuchProcess).
    pub fn ports_of_pid(&self, pid: Pid) -> Result<Vec<u16>, Error> {
        ports::of_pid(pid)
    }

    /// The local ports in use by sockets of a protocol, in order.
    pub fn ports_of_protocol(&self, protocol: Protocol) -> Result<Vec<u16>, Error> {
        Ok(ports::of_protocol(protocol))
    }

    /// All local ports in use, in order.
    pub fn ports(&self) -> Result<Vec<u16>, Error> {
        Ok(ports::all())
    }

    /// The process that owns a local port: the listener or bound socket before a connection, and of
    /// several processes that share it the one with the lowest pid.
    ///
    /// ```no_run
    /// # let monitor = netprocmon::Monitor::builder().start()?;
    /// if let Some(pid) = monitor.pid_of_port(netprocmon::Protocol::TCP, 443)? {
    ///     println!("{pid} has the ports {:?}", monitor.ports_of_pid(pid)?);
    /// }
    /// # Ok::<(), netprocmon::Error>(())
    /// ```
    pub fn pid_of_port(&self, protocol: Protocol, port: u16) -> Result<Option<Pid>, Error> {
        Ok(ports::owner(protocol, port))
    }

    /// Takes everything that the source has.
    fn collect(&mut self) {
        let ledger = &mut self.ledger;
        self.source
            .collect(&mut |observation| ledger.observe(observation));
        self.meet_namespaces();
    }

    /// Takes what should not wait for the interval: a namespace may be gone by then. For readers
    /// with a [`Ticker`] of their own; [`try_sample`](Self::try_sample) and [`wait`](Self::wait) do
    /// it themselves.
    pub fn attend(&mut self) {
        let ledger = &mut self.ledger;
        self.source
            .attend(&mut |observation| ledger.observe(observation));
        self.meet_namespaces();
    }

    /// The source's own may change with each look.
    fn note_degradations(&mut self) {
        let now = self.missing.iter().chain(self.source.degradations());
        if !now.clone().eq(self.degradations.iter()) {
            self.degradations = now.cloned().collect();
        }
    }

    fn meet_namespaces(&mut self) {
        for new in self.source.take_new_interfaces() {
            self.interfaces.meet(new.id, new.member);
        }
    }
}

impl AsFd for Monitor {
    /// Readable when a sample is due, or when [`Monitor::try_sample`] should be called for another
    /// reason (it then gives `None`).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ticker.as_fd()
    }
}
