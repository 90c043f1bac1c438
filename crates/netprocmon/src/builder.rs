//! What a monitor is asked to do, before it starts.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use netprocmon_ebpf::Capacity;
use netprocmon_model::{Pid, Retention};

use crate::{Children, Error, Monitor, SourceChoice};

/// Collects what to watch and how; [`MonitorBuilder::start`] starts it. Nothing asked is the whole
/// host.
///
/// Criteria on processes (pid, name, cgroup) are alternatives. Restrictions to interfaces and
/// addresses apply on top of them: only traffic of those interfaces counts.
#[derive(Clone, Debug)]
pub struct MonitorBuilder {
    pub(crate) pids: Vec<(Pid, Children)>,
    pub(crate) names: Vec<String>,
    pub(crate) cgroups: Vec<String>,
    pub(crate) interfaces: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) interval: Duration,
    pub(crate) connections: bool,
    pub(crate) remote_names: Option<bool>,
    pub(crate) origins: Vec<PathBuf>,
    pub(crate) reverse_lookup: bool,
    pub(crate) retention: Retention,
    pub(crate) source: SourceChoice,
    pub(crate) capacity: Capacity,
    pub(crate) refuse: &'static [&'static str],
}

impl MonitorBuilder {
    pub(crate) fn new() -> Self {
        Self {
            pids: Vec::new(),
            names: Vec::new(),
            cgroups: Vec::new(),
            interfaces: Vec::new(),
            addresses: Vec::new(),
            interval: Duration::from_secs(1),
            connections: false,
            remote_names: None,
            origins: Vec::new(),
            reverse_lookup: false,
            retention: Retention::ShowOnce,
            source: SourceChoice::Auto,
            capacity: Capacity::default(),
            refuse: &[],
        }
    }

    /// Watch the process with this pid.
    #[must_use]
    pub fn pid(mut self, pid: Pid, children: Children) -> Self {
        self.pids.push((pid, children));
        self
    }

    /// Watch processes of this name: `comm`, or the file name of the program.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Watch processes in this cgroup or below it: a path from the root of cgroup v2.
    #[must_use]
    pub fn cgroup(mut self, path: impl Into<String>) -> Self {
        self.cgroups.push(path.into());
        self
    }

    /// Count only what crosses interfaces of this name, in whichever network namespace.
    #[must_use]
    pub fn interface(mut self, name: impl Into<String>) -> Self {
        self.interfaces.push(name.into());
        self
    }

    /// Count only what crosses the interface with this local address.
    #[must_use]
    pub fn address(mut self, address: IpAddr) -> Self {
        self.addresses.push(address);
        self
    }

    /// How often a sample is due. Default: one second.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Count each connection too. Default: no, and then nothing is paid for it.
    #[must_use]
    pub fn connections(mut self, with: bool) -> Self {
        self.connections = with;
        self
    }

    /// Learn what remotes are called from the answers of the domain name system that this host
    /// receives anyway, in every namespace. Nothing is ever asked. Default: as
    /// [`connections`](Self::connections), which is where names are shown.
    ///
    /// ```no_run
    /// use netprocmon::Monitor;
    ///
    /// let mut monitor = Monitor::builder().connections(true).start()?;
    /// while let Some(snapshot) = monitor.wait(None)? {
    ///     for usage in &snapshot.processes {
    ///         for one in usage.connections.iter().flatten() {
    ///             println!("{} → {:?}", usage.process.name, one.connection.remote_name);
    ///         }
    ///     }
    /// }
    /// # Ok::<(), netprocmon::Error>(())
    /// ```
    #[must_use]
    pub fn remote_names(mut self, with: bool) -> Self {
        self.remote_names = Some(with);
        self
    }

    /// Say where remotes are by this database: a file of the `MaxMind` DB format. Once for each,
    /// where countries are in one and networks (ASN) in another; the first that knows counts.
    ///
    /// ```no_run
    /// # use netprocmon::Monitor;
    /// let monitor = Monitor::builder()
    ///     .connections(true)
    ///     .origins("/usr/share/GeoIP/GeoLite2-Country.mmdb")
    ///     .origins("/usr/share/GeoIP/GeoLite2-ASN.mmdb")
    ///     .start()?;
    /// # Ok::<(), netprocmon::Error>(())
    /// ```
    #[must_use]
    pub fn origins(mut self, database: impl Into<PathBuf>) -> Self {
        self.origins.push(database.into());
        self
    }

    /// Look up what remotes are called that no answer has named. Default: no, for it tells name
    /// servers what this host talks to, and its packets are counted like any others.
    ///
    /// A thread of its own does that, one address after the other, and nothing waits for it: a name
    /// is in the first snapshot after it was found. Loopback and
    /// multicast addresses are not looked up, nor private ones of other network namespaces.
    ///
    /// ```no_run
    /// # use netprocmon::Monitor;
    /// let monitor = Monitor::builder().connections(true).reverse_lookup(true).start()?;
    /// # Ok::<(), netprocmon::Error>(())
    /// ```
    #[must_use]
    pub fn reverse_lookup(mut self, with: bool) -> Self {
        self.reverse_lookup = with;
        self
    }

    /// What happens to processes and connections that have ended. Default: shown once more as
    /// ended, then only in the totals.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Where the numbers come from. Default: the best source that works here.
    ///
    /// ```
    /// use netprocmon::{Monitor, SourceChoice, SourceKind};
    ///
    /// // Works without any privilege.
    /// let monitor = Monitor::builder().source(SourceChoice::Sockdiag).start()?;
    /// assert_eq!(monitor.source(), SourceKind::Sockdiag);
    /// # Ok::<(), netprocmon::Error>(())
    /// ```
    #[must_use]
    pub fn source(mut self, source: SourceChoice) -> Self {
        self.source = source;
        self
    }

    /// Sizes of the kernel tables. Default: from the host.
    #[must_use]
    pub fn capacity(mut self, capacity: Capacity) -> Self {
        self.capacity = capacity;
        self
    }

    /// Leaves out these hooks, as a kernel does that refuses them: for tests of what is said then.
    #[doc(hidden)]
    #[must_use]
    pub fn refuse(mut self, hooks: &'static [&'static str]) -> Self {
        self.refuse = hooks;
        self
    }

    /// Starts counting: loads the programs, attaches them, claims the sockets that are open.
    ///
    /// # Errors
    ///
    /// [`NoSuchProcess`](crate::ErrorKind::NoSuchProcess),
    /// [`NoSuchInterface`](crate::ErrorKind::NoSuchInterface),
    /// [`NoSuchAddress`](crate::ErrorKind::NoSuchAddress) and
    /// [`InvalidDatabase`](crate::ErrorKind::InvalidDatabase) before anything is attached;
    /// [`PermissionDenied`](crate::ErrorKind::PermissionDenied) and
    /// [`Unsupported`](crate::ErrorKind::Unsupported) with their remedy. After an error nothing
    /// stays in the kernel.
    pub fn start(self) -> Result<Monitor, Error> {
        Monitor::start(self)
    }
}

impl Default for MonitorBuilder {
    fn default() -> Self {
        Self::new()
    }
}
