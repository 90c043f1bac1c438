//! Which processes hold which sockets: one walk over `/proc/*/fd`.
//!
//! About 4 µs a descriptor. Sockets in no descriptor table (in an accept queue, in flight over a
//! UNIX socket, an `io_uring`'s fixed files) have no holder here.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use netprocmon_model::Pid;
use rustix::fs::{CWD, Dir, Mode, OFlags, openat, readlinkat};

use crate::process;

/// Whether a process holds a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// One of its descriptors is the socket.
    Yes,
    /// None of them is, or the process is gone or not ours to look at.
    No,
    /// It has more descriptors than were looked at.
    TooMany,
}

/// Whether a process holds the socket with this inode number, looking at no more than `limit` of its
/// descriptors.
#[must_use]
pub fn holds(pid: Pid, inode_number: u64, limit: usize) -> Held {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(CWD, format!("/proc/{pid}/fd"), flags, Mode::empty());
    let Ok(mut directory) = opened.and_then(Dir::new) else {
        return Held::No;
    };
    let mut name = Vec::with_capacity(64);
    let mut looked_at = 0;
    while let Some(Ok(entry)) = directory.next() {
        if entry.file_name().to_bytes().starts_with(b".") {
            continue;
        }
        if looked_at == limit {
            return Held::TooMany;
        }
        looked_at += 1;
        let Ok(fd) = directory.fd() else {
            return Held::No;
        };
        name.clear();
        let Ok(link) = readlinkat(fd, entry.file_name(), std::mem::take(&mut name)) else {
            continue; // closed meanwhile
        };
        if inode(link.as_bytes()) == Some(inode_number) {
            return Held::Yes;
        }
        name = link.into_bytes();
    }
    Held::No
}

/// The holders of every socket, by inode number; each pid once, in the order of `/proc`. Processes
/// that may not be looked at are missing.
#[must_use]
pub fn owners() -> HashMap<u64, Vec<Pid>> {
    let mut owners: HashMap<u64, Vec<Pid>> = HashMap::new();
    for pid in process::all() {
        for inode in inodes_of(pid) {
            let holders = owners.entry(inode).or_default();
            if holders.last() != Some(&pid) {
                holders.push(pid);
            }
        }
    }
    owners
}

/// The inode numbers of the sockets that one process holds, one for each descriptor.
#[must_use]
pub fn inodes_of(pid: Pid) -> Vec<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    links
        .filter_map(|link| inode(link.as_os_str().as_bytes()))
        .collect()
}

/// `socket:[4242]`.
fn inode(link: &[u8]) -> Option<u64> {
    let number = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_of_our_own_is_held_until_it_is_closed() {
        use std::os::fd::AsRawFd;
        let here = Pid(std::process::id());
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        let number = inode(link.as_os_str().as_bytes()).unwrap();
        assert_eq!(holds(here, number, 4096), Held::Yes);
        assert_eq!(holds(here, number, 0), Held::TooMany);
        drop(socket);
        assert_eq!(holds(here, number, 4096), Held::No);
    }

    #[test]
    fn links() {
        assert_eq!(inode(b"socket:[4242]"), Some(4242));
        assert_eq!(inode(b"socket:[x]"), None);
        assert_eq!(inode(b"/tmp/socket:[1]"), None);
        assert_eq!(inode(b"pipe:[1]"), None);
    }
}
