//! How many bytes each process sends and receives, per network interface, exactly.
//! (Interface sketch: bodies follow.)
#![allow(missing_docs, clippy::all, clippy::pedantic, unused)]
use std::{os::fd::*, sync::Arc, time::Duration, net::IpAddr, process::{Child, Command}};
pub use netprocmon_model::*;
pub use netprocmon_host as host;

pub struct Monitor(());
#[derive(Clone, Debug, Default)]
pub struct MonitorBuilder(());

/// What kind of failure; the command line maps it to an exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind { NoSuchProcess, NoSuchInterface, NoSuchAddress, PermissionDenied, Unsupported, Capacity, Io }
/// An error: what failed (operation and object), why (source chain), and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error { kind: ErrorKind, message: String, remedy: Option<String> }
impl Error { pub fn kind(&self) -> ErrorKind { self.kind } pub fn remedy(&self) -> Option<&str> { self.remedy.as_deref() } }

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Children { Ignore, Follow }

/// Table sizes; `None` is sized from the host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Capacity { pub counters: Option<u32>, pub connections: Option<u32>, pub processes: Option<u32> }

#[derive(Clone, Debug)]
pub struct Traffic { pub pid: Pid, pub interface: InterfaceId, pub interface_name: Option<Arc<str>>, pub counters: Counters }

impl MonitorBuilder {
    pub fn pid(self, pid: Pid, children: Children) -> Self { self }
    pub fn name(self, name: impl Into<String>) -> Self { self }
    pub fn cgroup(self, path: impl Into<String>) -> Self { self }
    pub fn interface(self, name: impl Into<String>) -> Self { self }
    pub fn address(self, address: IpAddr) -> Self { self }
    /// How often `wait` gives a sample. Default 1 s.
    pub fn interval(self, interval: Duration) -> Self { self }
    pub fn connections(self, with: bool) -> Self { self }
    pub fn retention(self, retention: Retention) -> Self { self }
    pub fn capacity(self, capacity: Capacity) -> Self { self }
    /// Load, attach, prime. Counting runs when this returns.
    pub fn start(self) -> Result<Monitor, Error> { todo!() }
}
impl Monitor {
    pub fn builder() -> MonitorBuilder { MonitorBuilder(()) }
    /// Starts `command` so that it and all its descendants are counted from their first packet; its pid is the tree's root.
    pub fn spawn(&mut self, command: &mut Command) -> Result<Child, std::io::Error> { todo!() }
    /// Members of the followed tree that still live.
    pub fn living_in_tree(&self, root: Pid) -> Result<Vec<Pid>, Error> { todo!() }
    /// Everything up to now.
    pub fn snapshot(&mut self) -> Result<Arc<Snapshot>, Error> { todo!() }
    /// Next sample at the interval, if it is due (after `as_fd()` turned readable); never blocks.
    pub fn try_sample(&mut self) -> Result<Option<Arc<Snapshot>>, Error> { todo!() }
    /// Blocks until the next sample or the timeout; Ok(None) on timeout or EINTR.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<Arc<Snapshot>>, Error> { todo!() }
    pub fn add_pid(&mut self, pid: Pid, children: Children) -> Result<(), Error> { todo!() }
    pub fn remove_pid(&mut self, pid: Pid) -> bool { todo!() }
    pub fn pids(&self) -> Vec<Pid> { todo!() }
    pub fn clear_pids(&mut self) { todo!() }
    pub fn add_address(&mut self, address: IpAddr) -> Result<(), Error> { todo!() }
    pub fn remove_address(&mut self, address: IpAddr) -> bool { todo!() }
    pub fn addresses(&self) -> Vec<IpAddr> { todo!() }
    pub fn clear_addresses(&mut self) { todo!() }
    pub fn listen_addresses(&self) -> Result<Vec<IpAddr>, Error> { todo!() }
    pub fn listen_interfaces(&self) -> Result<Vec<Arc<str>>, Error> { todo!() }
    pub fn listen_interface_by_address(&self, address: IpAddr) -> Result<Option<Arc<str>>, Error> { todo!() }
    /// One record per interface, since the pid was added or the monitor started.
    pub fn traffic(&mut self, pid: Pid) -> Result<Vec<Traffic>, Error> { todo!() }
    pub fn ports_of_pid(&self, pid: Pid) -> Result<Vec<u16>, Error> { todo!() }
    pub fn ports_of_protocol(&self, protocol: Protocol) -> Result<Vec<u16>, Error> { todo!() }
    pub fn ports(&self) -> Result<Vec<u16>, Error> { todo!() }
    pub fn pid_of_port(&self, protocol: Protocol, port: u16) -> Result<Option<Pid>, Error> { todo!() }
}
impl AsFd for Monitor { fn as_fd(&self) -> BorrowedFd<'_> { todo!() } }
