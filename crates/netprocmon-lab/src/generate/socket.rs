//! Socket calls with every flag and option that a row may be about, as the kernel has them.
//!
//! The standard library hides the flags that the hard cases are made of. Nothing here counts: the
//! callers add up what the calls return.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::net::sockopt::{Timeout, set_socket_timeout};

/// What does not come is a failure, not a wait for ever.
const PATIENCE: Duration = Duration::from_secs(20);

/// Opens a socket; `protocol` may be one that no library knows.
pub(super) fn open(like: SocketAddr, kind: i32, protocol: i32) -> Result<OwnedFd> {
    let family = if like.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    // SAFETY: takes three numbers.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) };
    if fd < 0 {
        return Err(io::Error::last_os_error())
            .with_context(|| format!("open a socket of protocol {protocol}"));
    }
    // SAFETY: it was opened above and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
    Ok(socket)
}

/// Sets an option whose value is a number.
pub(super) fn set(socket: &impl AsRawFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    set_bytes(socket, level, name, &value.to_ne_bytes())
}

/// Sets an option whose value is anything.
pub(super) fn set_bytes(
    socket: &impl AsRawFd,
    level: i32,
    name: i32,
    value: &[u8],
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).map_err(io::Error::other)?;
    // SAFETY: reads `length` bytes of `value`, which it is that long.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_ptr().cast(),
            length,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The bytes of an option.
pub(super) fn get<const N: usize>(
    socket: &impl AsRawFd,
    level: i32,
    name: i32,
) -> io::Result<[u8; N]> {
    let mut value = [0_u8; N];
    let mut length = libc::socklen_t::try_from(N).map_err(io::Error::other)?;
    // SAFETY: writes at most `length` bytes of `value`, which is that long.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if done == 0 {
        Ok(value)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// send(2). No signal: an error is what a row wants to see.
pub(super) fn send(socket: &impl AsRawFd, bytes: &[u8], flags: i32) -> io::Result<usize> {
    let flags = flags | libc::MSG_NOSIGNAL;
    // SAFETY: reads `bytes.len()` bytes of `bytes`.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            flags,
        )
    };
    moved(sent)
}

/// recv(2).
pub(super) fn recv(socket: &impl AsRawFd, buffer: &mut [u8], flags: i32) -> io::Result<usize> {
    // SAFETY: writes at most `buffer.len()` bytes of `buffer`.
    let got = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            flags,
        )
    };
    moved(got)
}

/// What a call that gives a length or -1 has given.
pub(super) fn moved(length: isize) -> io::Result<usize> {
    usize::try_from(length).map_err(|_| io::Error::last_os_error())
}
