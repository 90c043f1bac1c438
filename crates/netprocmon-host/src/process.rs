//! Processes, from `/proc` (proc(5)).
//!
//! All files of one process are read through one descriptor of its directory, which stands for
//! that process and no later one with the same pid: once it is gone, reads fail. What another
//! user's process does not show (executable, namespace) is `None`.
//!
//! Not here: threads. A thread id that is not a process id is treated as absent.

pub mod events;
mod program;
pub(crate) mod stat;

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use netprocmon_model::{NetnsId, Pid, Process, ProcessId, ProgramFile};
use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};

use crate::{BootClock, place, script, user};
use stat::{Stat, Status};

/// Arguments are cut after this many bytes: a process can have megabytes of them, and every
/// snapshot would carry them.
const COMMAND_LIMIT: u64 = 64 * 1024;
/// No other file that is read here is longer in an honest `/proc`.
const FILE_LIMIT: u64 = 256 * 1024;

/// The facts about a process; `None` where there is none (or only a thread) of that id, or it
/// vanished before it could be read.
///
/// The start in [`Process::id`] has the resolution of `/proc`, one clock tick (10 ms): see
/// [`same_start`] before comparing it with one from the kernel.
///
/// [`Process::place`] is what the cgroup path says by itself; [`place::Places`] knows the names of
/// containers too.
#[must_use]
pub fn read(pid: Pid) -> Option<Process> {
    read_with(pid, &BootClock::new())
}

/// [`read`] with a clock of the caller's, so that many processes share one.
#[must_use]
pub fn read_with(pid: Pid, clock: &BootClock) -> Option<Process> {
    let directory = open(pid)?;
    let status = Status::parse(&file(&directory, "status", FILE_LIMIT)?)?;
    if status.tgid != pid.0 {
        return None;
    }
    let stat = Stat::parse(&file(&directory, "stat", FILE_LIMIT)?)?;
    let start_boottime = ns_from_ticks(stat.start_ticks);
    let id = ProcessId {
        pid,
        start_boottime,
    };
    let name = file(&directory, "comm", FILE_LIMIT).map_or(stat.name, |mut comm| {
        // Only the newline that the kernel adds: the name may end with one of its own.
        if comm.last() == Some(&b'\n') {
            comm.pop();
        }
        comm
    });
    let (exe, exe_file) = program::read(&directory);
    let command = file(&directory, "cmdline", COMMAND_LIMIT).map(|bytes| stat::arguments(&bytes));
    let cgroup: Option<Arc<str>> = file(&directory, "cgroup", FILE_LIMIT)
        .and_then(|text| stat::cgroup_v2(&text))
        .map(Into::into);
    Some(Process {
        started: Some(clock.timestamp(start_boottime)),
        ppid: Some(Pid(stat.ppid)),
        script: script::name(exe.as_deref(), command.as_deref().unwrap_or_default()),
        exe,
        exe_file,
        command,
        uid: Some(status.uid),
        user: user::name(status.uid),
        place: cgroup
            .as_deref()
            .map(place::of_cgroup)
            .map(Arc::new)
            .unwrap_or_default(),
        cgroup,
        netns: link(&directory, "ns/net")
            .and_then(|link| stat::namespace_inode(&link))
            .map(NetnsId::new),
        ..Process::new(id, &String::from_utf8_lossy(&name))
    })
}

/// What has become of a process's program file; `None` while it stands where it stood, and where it
/// cannot be told. One system call for a file that stands.
#[must_use]
pub fn program_file(pid: Pid) -> Option<ProgramFile> {
    program::read(&open(pid)?).1
}

/// Every process there is now, in the order of `/proc` (by pid). Those that end meanwhile may or
/// may not be among them.
pub fn all() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid))
}

/// Whether there is a process (a zombie too, but not a mere thread) of this id.
#[must_use]
pub fn exists(pid: Pid) -> bool {
    open(pid)
        .and_then(|directory| file(&directory, "status", FILE_LIMIT))
        .and_then(|text| Status::parse(&text))
        .is_some_and(|status| status.tgid == pid.0)
}

/// All descendants of a process, itself not among them: children before their own children.
///
/// One pass over `/proc`, by parent pid. A process whose parent ended has been adopted by another
/// (`init` or a subreaper) and is no longer found; following a tree through such ends needs the
/// kernel's fork events.
#[must_use]
pub fn descendants(root: Pid) -> Vec<Pid> {
    let mut children: HashMap<u32, Vec<Pid>> = HashMap::new();
    for pid in all() {
        if let Some(stat) = read_stat(pid) {
            children.entry(stat.ppid).or_default().push(pid);
        }
    }
    let mut found = children.remove(&root.0).unwrap_or_default();
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        // Taken out of the table, so that a pid reused in the middle cannot make a circle.
        found.extend(children.remove(&pid.0).unwrap_or_default());
        next += 1;
    }
    found.retain(|pid| *pid != root);
    found
}

/// The children of a process, of all its threads; `None` where it is gone or the kernel does not
/// tell (`/proc/PID/task/TID/children`, `CONFIG_PROC_CHILDREN`). One that is born meanwhile may be
/// missing.
#[must_use]
pub fn children(pid: Pid) -> Option<Vec<Pid>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let text = fs::read_to_string(thread.path().join("children")).ok()?;
        let numbers = text.split_ascii_whitespace();
        found.extend(numbers.filter_map(|number| number.parse().ok().map(Pid)));
    }
    Some(found)
}

/// When a process started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
#[must_use]
pub fn start_ticks(pid: Pid) -> Option<u64> {
    Some(read_stat(pid)?.start_ticks)
}

/// A process's pid and start from `/proc/PID/stat` alone: one small file read.
#[must_use]
pub fn id(pid: Pid) -> Option<ProcessId> {
    Some(ProcessId {
        pid,
        start_boottime: ns_from_ticks(start_ticks(pid)?),
    })
}

/// What one small file says of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Which.
    pub id: ProcessId,
    /// `comm`.
    pub name: Arc<str>,
    /// Its parent now; 0 above the first process.
    pub ppid: Pid,
}

/// A process's name and parent, from `/proc/PID/stat` alone.
#[must_use]
pub fn glance(pid: Pid) -> Option<Glance> {
    let stat = read_stat(pid)?;
    Some(Glance {
        id: ProcessId {
            pid,
            start_boottime: ns_from_ticks(stat.start_ticks),
        },
        name: String::from_utf8_lossy(&stat.name).into(),
        ppid: Pid(stat.ppid),
    })
}

/// Whether two starts, in nanoseconds since boot, are the same at the resolution of `/proc`: the
/// kernel's own has nanoseconds, the one that was read here is a whole number of ticks.
#[must_use]
pub fn same_start(one: u64, other: u64) -> bool {
    ticks_from_ns(one) == ticks_from_ns(other)
}

/// Nanoseconds since boot as clock ticks, rounded as the kernel does (`nsec_to_clock_t`).
#[must_use]
pub fn ticks_from_ns(nanoseconds: u64) -> u64 {
    nanoseconds / tick()
}

/// Clock ticks since boot as nanoseconds.
#[must_use]
pub fn ns_from_ticks(ticks: u64) -> u64 {
    ticks.saturating_mul(tick())
}

/// The network namespace of a process; `None` where it is gone or not ours to look at (needs
/// `PTRACE_MODE_READ_FSCREDS`, ptrace(2)).
#[must_use]
pub fn netns(pid: Pid) -> Option<NetnsId> {
    let link = fs::read_link(format!("/proc/{pid}/ns/net")).ok()?;
    stat::namespace_inode(&link.to_string_lossy()).map(NetnsId::new)
}

/// The pid that was given last (`/proc/loadavg`, `proc_loadavg(5)`): the youngest processes are at
/// and below it. Of the pid namespace that `/proc` was mounted in.
#[must_use]
pub fn latest() -> Option<Pid> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_ascii_whitespace().nth(4)?.parse().ok().map(Pid)
}

/// The process that a thread belongs to; of a process itself.
#[must_use]
pub fn leader(thread: Pid) -> Option<Pid> {
    let text = fs::read(format!("/proc/{thread}/status")).ok()?;
    Some(Pid(Status::parse(&text)?.tgid))
}

/// The real user of a process, and all its groups.
pub(crate) fn user_and_groups(pid: Pid) -> Option<(u32, Vec<u32>)> {
    let text = fs::read(format!("/proc/{pid}/status")).ok()?;
    Some((Status::parse(&text)?.uid, stat::groups(&text)))
}

/// The parent of a process, while it lives.
#[must_use]
pub fn parent(pid: Pid) -> Option<Pid> {
    Some(Pid(read_stat(pid)?.ppid))
}

/// Nanoseconds in a clock tick, 10,000,000 on every Linux that people run.
fn tick() -> u64 {
    static TICK: OnceLock<u64> = OnceLock::new();
    *TICK.get_or_init(|| 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1))
}

fn read_stat(pid: Pid) -> Option<Stat> {
    Stat::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

fn open(pid: Pid) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, format!("/proc/{pid}"), flags, Mode::empty()).ok()
}

fn file(directory: &OwnedFd, name: &str, limit: u64) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let fd = openat(directory, Path::new(name), flags, Mode::empty()).ok()?;
    let mut bytes = Vec::new();
    let mut file = fs::File::from(fd).take(limit);
    file.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn link(directory: &OwnedFd, name: &str) -> Option<Arc<str>> {
    let target = readlinkat(directory, Path::new(name), Vec::new()).ok()?;
    Some(target.to_string_lossy().into())
}

#[cfg(test)]
mod tests;
