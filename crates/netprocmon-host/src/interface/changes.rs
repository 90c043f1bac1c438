//! Says when interfaces or addresses of a namespace have changed, so that nobody has to look
//! (the multicast groups of rtnetlink(7)). What has changed is asked for with [`super::list`].
//!
//! Needs no privilege. It belongs to the namespace of the thread that opened it and keeps that
//! alive.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR`.
const GROUPS: u32 = 0x1 | 0x10 | 0x100;

/// Readable ([`AsFd`]) when something has changed.
#[derive(Debug)]
pub struct Changes {
    socket: OwnedFd,
}

impl Changes {
    /// Of the calling thread's namespace, from now on.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self { socket })
    }

    /// Whether anything has changed since the last call.
    #[must_use]
    pub fn take(&mut self) -> bool {
        let mut buffer = [0; 8192];
        let mut any = false;
        loop {
            match recv(&self.socket, &mut buffer[..], RecvFlags::TRUNC) {
                Ok(_) | Err(Errno::NOBUFS) => any = true, // too many at once are a change too
                Err(Errno::INTR) => {}
                Err(_) => return any,
            }
        }
    }
}

impl AsFd for Changes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "needs root: cargo xtask test runs it"]
    fn quiet_until_something_changes() {
        use rustix::thread::{UnshareFlags, unshare_unsafe};
        let changed = std::thread::spawn(|| {
            // SAFETY: only this thread's network namespace is another from now on.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
            let mut changes = Changes::open().unwrap();
            let before = changes.take();
            let up = std::process::Command::new("ip")
                .args(["link", "set", "lo", "up"])
                .status();
            assert!(up.unwrap().success());
            (before, changes.take(), changes.take())
        });
        assert_eq!(changed.join().unwrap(), (false, true, false));
    }
}
