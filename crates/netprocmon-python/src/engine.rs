//! A running monitor, shared by the threads of a Python program.
//!
//! The monitor is behind a mutex that is only waited for without the interpreter's lock, so the two
//! locks cannot wait for each other. It belongs to the process that started it: in a forked child
//! every call is refused, for the tables in the kernel are the parent's, and [`Engine::forget`] closes
//! the child's copies of the descriptors, which keeps nothing alive that the parent has closed.

use std::net::IpAddr;
use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use netprocmon::{
    Children, Error, Monitor, NoSuchSource, Pid, Retention, Snapshot, SourceChoice, Traffic,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::snapshot::RawSnapshot;
use crate::ticker::Ticker;
use crate::{errors, records};

/// A monitor that counts.
#[pyclass(frozen, module = "netprocmon._netprocmon")]
pub(crate) struct Engine {
    monitor: Mutex<Option<Monitor>>,
    /// Which monitor its snapshots are of.
    number: u64,
    /// The process that it belongs to.
    process: u32,
    /// Of the epoll instance, which stays the same until it is closed.
    descriptor: RawFd,
}

/// What was asked for.
#[derive(FromPyObject)]
pub(crate) struct Asked {
    #[pyo3(item)]
    pids: Vec<(u32, bool)>,
    #[pyo3(item)]
    names: Vec<String>,
    #[pyo3(item)]
    cgroups: Vec<String>,
    #[pyo3(item)]
    interfaces: Vec<String>,
    #[pyo3(item)]
    addresses: Vec<IpAddr>,
    #[pyo3(item)]
    source: String,
    #[pyo3(item)]
    interval: f64,
    #[pyo3(item)]
    connections: bool,
    #[pyo3(item)]
    keep_ended: bool,
}

impl Asked {
    fn start(self, source: SourceChoice) -> Result<Monitor, Error> {
        let retention = if self.keep_ended {
            Retention::Keep
        } else {
            Retention::ShowOnce
        };
        let mut builder = Monitor::builder()
            .source(source)
            .interval(seconds(self.interval))
            .connections(self.connections)
            .retention(retention);
        for (pid, follow) in self.pids {
            builder = builder.pid(Pid(pid), children(follow));
        }
        for name in self.names {
            builder = builder.name(name);
        }
        for cgroup in self.cgroups {
            builder = builder.cgroup(cgroup);
        }
        for interface in self.interfaces {
            builder = builder.interface(interface);
        }
        for address in self.addresses {
            builder = builder.address(address);
        }
        builder.start()
    }
}

/// The package has checked that it is a number above 0; one too large for the clock is as long as
/// the clock can say.
fn seconds(interval: f64) -> Duration {
    const LONGEST: Duration = Duration::from_secs(1 << 32);
    Duration::try_from_secs_f64(interval).map_or(LONGEST, |interval| interval.min(LONGEST))
}

fn children(follow: bool) -> Children {
    if follow {
        Children::Follow
    } else {
        Children::Ignore
    }
}

impl Engine {
    /// Does something with the monitor, without the interpreter's lock.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&mut Monitor) -> T + Send,
    ) -> PyResult<T> {
        self.is_here(py)?;
        let answer = py.detach(|| self.lock().as_mut().map(ask));
        answer.ok_or_else(|| errors::closed(py))
    }

    /// The same for what may fail.
    fn try_with<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&mut Monitor) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        self.with(py, ask)?
            .map_err(|error| errors::raise(py, &error))
    }

    /// A panic in another thread leaves the monitor as it was between two observations.
    fn lock(&self) -> MutexGuard<'_, Option<Monitor>> {
        self.monitor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_here(&self, py: Python<'_>) -> PyResult<()> {
        if self.process == std::process::id() {
            Ok(())
        } else {
            Err(errors::forked(py))
        }
    }

    fn look(&self, snapshot: Arc<Snapshot>) -> RawSnapshot {
        RawSnapshot::new(snapshot, self.number)
    }
}

#[pymethods]
impl Engine {
    /// Starts counting.
    #[new]
    fn new(py: Python<'_>, asked: Asked) -> PyResult<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let source: SourceChoice = asked
            .source
            .parse()
            .map_err(|error: NoSuchSource| PyValueError::new_err(error.to_string()))?;
        let monitor = py.detach(|| asked.start(source));
        let monitor = monitor.map_err(|error| errors::raise(py, &error))?;
        Ok(Self {
            descriptor: monitor.as_fd().as_raw_fd(),
            monitor: Mutex::new(Some(monitor)),
            number: NUMBERS.fetch_add(1, Relaxed),
            process: std::process::id(),
        })
    }

    /// Everything up to now.
    fn snapshot(&self, py: Python<'_>) -> PyResult<RawSnapshot> {
        let snapshot = self.try_with(py, Monitor::snapshot)?;
        Ok(self.look(snapshot))
    }

    /// The sample that is due, if one is.
    fn try_sample(&self, py: Python<'_>) -> PyResult<Option<RawSnapshot>> {
        let sample = self.try_with(py, Monitor::try_sample)?;
        Ok(sample.map(|snapshot| self.look(snapshot)))
    }

    /// Takes what should not wait.
    fn attend(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, Monitor::attend)
    }

    /// A pace of its own for one more reader.
    fn ticker(&self, py: Python<'_>, interval: f64) -> PyResult<Ticker> {
        let ticker = self.with(py, |monitor| monitor.ticker(seconds(interval)))?;
        let ticker = ticker.map_err(|error| errors::system(py, "make a timer", &error))?;
        Ok(Ticker::new(ticker))
    }

    /// The descriptor that turns readable when a sample is due.
    fn fileno(&self, py: Python<'_>) -> PyResult<RawFd> {
        self.with(py, |_| ())?;
        Ok(self.descriptor)
    }

    /// Watches a process too.
    fn add_pid(&self, py: Python<'_>, pid: u32, follow: bool) -> PyResult<()> {
        self.try_with(py, |monitor| monitor.add_pid(Pid(pid), children(follow)))
    }

    /// Stops watching a process; whether it was watched.
    fn remove_pid(&self, py: Python<'_>, pid: u32) -> PyResult<bool> {
        self.with(py, |monitor| monitor.remove_pid(Pid(pid)))
    }

    /// Restricts counting to the interface with this address.
    fn add_address(&self, py: Python<'_>, address: IpAddr) -> PyResult<()> {
        self.try_with(py, |monitor| monitor.add_address(address))
    }

    /// Lifts the restriction to an address; whether there was one.
    fn remove_address(&self, py: Python<'_>, address: IpAddr) -> PyResult<bool> {
        self.with(py, |monitor| monitor.remove_address(address))
    }

    /// What a process moved, a record per interface.
    fn traffic<'py>(&self, py: Python<'py>, pid: u32) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let traffic: Vec<Traffic> = self.try_with(py, |monitor| monitor.traffic(Pid(pid)))?;
        traffic
            .iter()
            .map(|one| records::network_traffic(py, one))
            .collect()
    }

    /// Where the numbers come from.
    fn source(&self, py: Python<'_>) -> PyResult<&'static str> {
        self.with(py, |monitor| monitor.source().name())
    }

    /// What this run cannot see.
    fn degradations<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let all = self.with(py, |monitor| monitor.degradations().to_vec())?;
        all.iter()
            .map(|one| records::degradation(py, one))
            .collect()
    }

    /// Follows the process that `start` forks, and all its descendants, from their first packet.
    /// `start` gives an object with a `pid`.
    ///
    /// The engine's lock is held while `start` runs, so that nothing changes what is followed
    /// meanwhile. Other threads wait for it without the interpreter's lock, so `start` gets that.
    fn spawn(&self, py: Python<'_>, start: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.is_here(py)?;
        let start = start.unbind();
        let started = py.detach(|| {
            let mut monitor = self.lock();
            let monitor = monitor.as_mut()?;
            Some(monitor.spawn_with(|| {
                Python::attach(|py| {
                    let process = start.call0(py)?;
                    let pid: u32 = process.getattr(py, "pid")?.extract(py)?;
                    Ok::<_, PyErr>((Pid(pid), process))
                })
            }))
        });
        started.ok_or_else(|| errors::closed(py))?
    }

    /// Stops counting and closes every descriptor. In a forked child nothing is done.
    fn close(&self, py: Python<'_>) {
        if self.is_here(py).is_ok() {
            drop(py.detach(|| self.lock().take()));
        }
    }

    /// In a forked child: closes its copies of the descriptors. Another thread of the parent may have
    /// held the lock when it forked; then they stay open until the child ends.
    fn forget(&self) {
        if self.process == std::process::id() {
            return;
        }
        let mut monitor = match self.monitor.try_lock() {
            Ok(monitor) => monitor,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        drop(monitor.take());
    }

    /// Whether it is open, and this process's.
    #[getter]
    fn is_open(&self, py: Python<'_>) -> bool {
        self.is_here(py).is_ok() && py.detach(|| self.lock().is_some())
    }
}
