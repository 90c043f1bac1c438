//! Network namespaces: which there are, and asking a question inside each of them.
//!
//! Namespaces are never pinned: no descriptor of one stays open after a call, so watching a host
//! keeps no container's network alive. The price is that a namespace may be gone when it is
//! entered; that is an error of that namespace alone.
//!
//! Blind spots: a namespace that is held only by an open descriptor, by a socket, or by a single
//! thread of a process that lives elsewhere is not found.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use netprocmon_model::NetnsId;
use rustix::net::{AddressFamily, SocketType, socket};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{HostError, mountinfo, process};

/// The calling thread's namespace. `/proc/self` would be the main thread's.
const HERE: &str = "/proc/thread-self/ns/net";

/// A network namespace and a file to enter it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Netns {
    /// Which.
    pub id: NetnsId,
    /// A file of `nsfs` that leads to it: `/proc/PID/ns/net`, or a bind mount such as
    /// `/run/netns/NAME`.
    pub path: PathBuf,
}

/// The network namespace of the calling thread.
pub fn current() -> io::Result<NetnsId> {
    inode(Path::new(HERE)).map_err(|error| HostError::new("look at", HERE, error).into())
}

/// Every network namespace that a process lives in or that is mounted, the calling thread's first.
///
/// Namespaces of processes that may not be looked at (ptrace(2), `PTRACE_MODE_READ`) are missing.
#[must_use]
pub fn all() -> Vec<Netns> {
    let here = current().ok().map(|id| Netns {
        id,
        path: HERE.into(),
    });
    let processes = process::all().filter_map(|pid| {
        let id = process::netns(pid)?;
        let path = format!("/proc/{pid}/ns/net").into();
        Some(Netns { id, path })
    });
    let mounts = mountinfo::read().into_iter().filter_map(mounted);
    let mut seen = HashSet::new();
    here.into_iter()
        .chain(processes)
        .chain(mounts)
        .filter(|netns| seen.insert(netns.id))
        .collect()
}

/// A bind mount of a namespace's file; the root field names the namespace.
fn mounted(mount: mountinfo::Mount) -> Option<Netns> {
    (mount.fstype == "nsfs").then_some(())?;
    let root = mount.root.to_str()?;
    let id = root
        .strip_prefix("net:[")?
        .strip_suffix(']')?
        .parse()
        .ok()?;
    Some(Netns {
        id: NetnsId::new(id),
        path: mount.point,
    })
}

/// Asks `f` inside each namespace, one after the other; an answer each, in the same order.
///
/// One thread is started for all of them and has ended when this returns (setns(2) changes a
/// thread, and must not change the caller's). For the caller's own namespace `f` runs on the
/// caller's thread, and where there is no other no thread is started. `f` must leave no thread
/// behind and keep no descriptor that belongs to the namespace.
///
/// Errors, an element each: no `CAP_SYS_ADMIN`, or the namespace is gone.
pub fn enter<T: Send>(
    namespaces: &[Netns],
    mut f: impl FnMut(&Netns) -> T + Send,
) -> Vec<Result<T, HostError>> {
    let here = current().ok();
    let mut answers: Vec<Option<Result<T, HostError>>> = Vec::new();
    answers.resize_with(namespaces.len(), || None);
    let elsewhere = |netns: &Netns| Some(netns.id) != here;
    if namespaces.iter().any(elsewhere) {
        let visit = || {
            for (netns, answer) in namespaces.iter().zip(&mut answers) {
                if elsewhere(netns) {
                    *answer = Some(switch(netns).map(|()| f(netns)));
                }
            }
        };
        // A thread that cannot be started leaves the answers empty; they are filled below.
        thread::scope(|scope| {
            let worker = thread::Builder::new().name("netns".into());
            if let Ok(worker) = worker.spawn_scoped(scope, visit)
                && let Err(panic) = worker.join()
            {
                std::panic::resume_unwind(panic);
            }
        });
    }
    let answers = namespaces.iter().zip(answers);
    answers
        .map(|(netns, answer)| match answer {
            Some(answer) => answer,
            None if elsewhere(netns) => {
                let reason = io::Error::from(io::ErrorKind::WouldBlock);
                Err(error("start a thread for", netns, reason))
            }
            None => Ok(f(netns)),
        })
        .collect()
}

/// Moves the calling thread into a namespace, for good.
fn switch(netns: &Netns) -> Result<(), HostError> {
    let file = File::open(&netns.path).map_err(|reason| error("open", netns, reason))?;
    // The pid in the path may belong to another process by now.
    let same = file
        .metadata()
        .is_ok_and(|file| file.ino() == u64::from(netns.id.inode));
    if !same {
        return Err(error("find", netns, io::ErrorKind::NotFound.into()));
    }
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(|errno| error("enter", netns, errno.into()))
}

fn error(operation: &'static str, netns: &Netns, reason: io::Error) -> HostError {
    let object = format!("network namespace {} ({})", netns.id, netns.path.display());
    HostError::new(operation, object, reason)
}

/// Whether the way still leads to that namespace; a number is given again when its namespace is
/// gone, but never while it lives.
#[must_use]
pub fn leads_to(netns: &Netns) -> bool {
    inode(&netns.path).is_ok_and(|id| id.inode == netns.id.inode)
}

fn inode(path: &Path) -> io::Result<NetnsId> {
    let inode = path.metadata()?.ino();
    u32::try_from(inode)
        .map(NetnsId::new)
        .map_err(io::Error::other)
}

/// The cookie of the calling thread's namespace, as `bpf_get_netns_cookie` gives it: unlike the
/// inode number it is never reused. `None` before kernel 5.14 (`SO_NETNS_COOKIE`, socket(7)).
#[must_use]
pub fn cookie() -> Option<u64> {
    use std::os::fd::AsRawFd;
    let any = socket(AddressFamily::UNIX, SocketType::DGRAM, None).ok()?;
    let mut cookie = 0_u64;
    let mut length = libc::socklen_t::try_from(size_of::<u64>()).ok()?;
    // SAFETY: the option writes a u64, for which there is room, as `length` says; both pointers
    // are to live locals, and the descriptor is open.
    let result = unsafe {
        libc::getsockopt(
            any.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    (result == 0 && cookie != 0).then_some(cookie)
}

#[cfg(test)]
mod tests;
