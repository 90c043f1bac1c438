//! Where this process stands: which of its namespaces are the host's own, and in which container.
//!
//! The inode numbers of the first namespaces are fixed (`<linux/nsfs.h>`, `PROC_*_INIT_INO`), that of
//! the first network namespace only since Linux 6.18.

use std::fs;

use netprocmon_model::{NetnsId, Pid};
use serde::Serialize;

use crate::{netns, place, process};

/// Whether a namespace is the host's first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Namespace {
    /// The host's own.
    Initial,
    /// One that was made later: what is outside is not seen.
    Inner,
    /// It may not be looked at.
    Unknown,
}

/// The namespaces that decide what can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // namespaces(7)
pub struct Namespaces {
    pub user: Namespace,
    pub pid: Namespace,
    pub cgroup: Namespace,
    pub net: Namespace,
}

impl Namespaces {
    /// Of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let pid = first("pid", 0xefff_fffc);
        Self {
            user: first("user", 0xefff_fffd),
            cgroup: first("cgroup", 0xefff_fffb),
            net: network(pid),
            pid,
        }
    }
}

fn first(kind: &str, number: u32) -> Namespace {
    let link = fs::read_link(format!("/proc/self/ns/{kind}"));
    let found = link
        .ok()
        .and_then(|link| process::stat::namespace_inode(&link.to_string_lossy()));
    match found {
        Some(found) if found == number => Namespace::Initial,
        Some(_) => Namespace::Inner,
        None => Namespace::Unknown,
    }
}

/// The number of the first network namespace since Linux 6.18 (`NET_NS_INIT_INO`,
/// `<linux/nsfs.h>`); before it was one of those that are given to all, which are higher.
const FIRST_NETWORK: u32 = 0xefff_fff9;

/// Where the number does not tell: process 1 of the host lives in the first one; that of a container
/// says nothing.
fn network(pid: Namespace) -> Namespace {
    let ours = process::netns(Pid(std::process::id()));
    let is_first = |netns: NetnsId| netns.inode == FIRST_NETWORK;
    match (pid, process::netns(Pid(1)), ours) {
        (_, _, Some(ours)) if is_first(ours) => Namespace::Initial,
        (Namespace::Initial, Some(first), Some(ours)) if first == ours => Namespace::Initial,
        (Namespace::Initial, Some(_), Some(_)) => Namespace::Inner,
        _ if netns::all().iter().any(|one| is_first(one.id)) => Namespace::Inner,
        _ => Namespace::Unknown,
    }
}

/// The kind of container that this process runs in, as far as it leaves traces: by its cgroup, by the
/// files that runtimes leave, by what they tell their first process.
#[must_use]
pub fn container() -> Option<String> {
    let cgroup = process::read(Pid(std::process::id())).and_then(|facts| facts.cgroup);
    if let Some(container) = cgroup.and_then(|path| place::of_cgroup(&path).container) {
        return Some(container.runtime.to_string());
    }
    for (file, runtime) in [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")] {
        if fs::exists(file).unwrap_or(false) {
            return Some(runtime.to_owned());
        }
    }
    // systemd's container interface; readable where `environ` of process 1 is.
    fs::read_to_string("/run/systemd/container")
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
}
