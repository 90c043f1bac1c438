//! Which processes hold which sockets: one walk over `/proc/*/fd`.
//!
//! About 4 µs a descriptor. Sockets in no descriptor table (in an accept queue, in flight over a
//! UNIX socket, an `io_uring`'s fixed files) have no holder here.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use netprocmon_model::Pid;

use crate::process;

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
    fn links() {
        assert_eq!(inode(b"socket:[4242]"), Some(4242));
        assert_eq!(inode(b"socket:[x]"), None);
        assert_eq!(inode(b"/tmp/socket:[1]"), None);
        assert_eq!(inode(b"pipe:[1]"), None);
    }
}
