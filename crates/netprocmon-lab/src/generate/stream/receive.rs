//! Ways to receive a stream's bytes.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::null_mut;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{SpliceFlags, pipe, splice};

use super::ring::Ring;
use crate::generate::socket;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Way {
    /// read(2).
    Plain,
    /// readv(2) into two pieces.
    Vector,
    /// Each piece is looked at with `MSG_PEEK` first, twice.
    Peek,
    /// `MSG_TRUNC`: the bytes are dropped and counted, tcp(7).
    Discard,
    /// Non-blocking, with calls that find nothing.
    Impatient,
    /// splice(2) into a pipe.
    Splice,
    /// `TCP_ZEROCOPY_RECEIVE`: pages are mapped, the rest is read.
    ZeroCopy,
    /// `io_uring`.
    Ring,
    /// `io_uring` whose submissions a kernel thread takes (`IORING_SETUP_SQPOLL`).
    PolledRing,
}

const CHUNK: usize = 64 * 1024;

impl Way {
    /// Receives exactly `length` bytes; gives the sum of what the calls returned.
    pub(super) fn pull(self, stream: &OwnedFd, length: u64) -> Result<u64> {
        let length = usize::try_from(length)?;
        let mut buffer = vec![0; CHUNK];
        let (out_of_pipe, into_pipe) = pipe()?;
        let mut ring = match self {
            Self::Ring => Some(Ring::new(false)?),
            Self::PolledRing => Some(Ring::new(true)?),
            _ => None,
        };
        let pages = match self {
            Self::ZeroCopy => Some(Pages::of(stream)?),
            _ => None,
        };
        if self == Self::Impatient {
            // A narrow window, so that the sender meets it.
            socket::set(stream, libc::SOL_SOCKET, libc::SO_RCVBUF, 8 * 1024)?;
        }
        let (mut got, mut mapped) = (0, 0);
        while got < length {
            let next = &mut buffer[..(length - got).min(CHUNK)];
            let done = match self {
                Self::Plain => rustix::io::read(stream, next).map_err(Into::into),
                Self::Vector => vector(stream, next),
                Self::Peek => {
                    socket::recv(stream, next, libc::MSG_PEEK)?;
                    socket::recv(stream, next, libc::MSG_PEEK)?;
                    let shorter = next.len().div_ceil(3);
                    socket::recv(stream, &mut next[..shorter], 0)
                }
                Self::Discard => socket::recv(stream, next, libc::MSG_TRUNC),
                Self::Impatient => socket::recv(stream, next, libc::MSG_DONTWAIT),
                Self::Splice => through(stream, (&into_pipe, &out_of_pipe), next),
                Self::ZeroCopy => match &pages {
                    Some(pages) => {
                        poll(&mut [PollFd::new(stream, PollFlags::IN)], None)?;
                        let (taken, copy) = pages.receive(next.len())?;
                        mapped += taken;
                        let copied = match next.len().min(copy) {
                            0 => 0,
                            copy => socket::recv(stream, &mut next[..copy], 0)?,
                        };
                        Ok(taken + copied)
                    }
                    None => Err(io::Error::other("no pages")),
                },
                Self::Ring | Self::PolledRing => match &mut ring {
                    Some(ring) => ring.receive(stream, next),
                    None => Err(io::Error::other("no ring")),
                },
            };
            match done {
                Ok(0) => anyhow::bail!("the peer closed {} bytes early", length - got),
                Ok(n) => got += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(stream, PollFlags::IN)], None)?;
                }
                Err(error) => return Err(error).context("receive"),
            }
        }
        if self == Self::ZeroCopy && length > 0 {
            ensure!(mapped > 0, "nothing was received without a copy");
        }
        Ok(got as u64)
    }
}

fn vector(stream: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (head, tail) = buffer.split_at_mut(buffer.len() / 3);
    let mut both = [io::IoSliceMut::new(head), io::IoSliceMut::new(tail)];
    Ok(rustix::io::readv(stream, &mut both)?)
}

/// Into a pipe, and out of it again, so that it stays empty.
fn through(
    stream: &OwnedFd,
    (into, out): (&OwnedFd, &OwnedFd),
    buffer: &mut [u8],
) -> io::Result<usize> {
    let got = splice(stream, None, into, None, buffer.len(), SpliceFlags::empty())?;
    let mut drained = 0;
    while drained < got {
        drained += rustix::io::read(out, &mut buffer[..got - drained])?;
    }
    Ok(got)
}

/// Room that the kernel maps received pages into.
struct Pages {
    socket: i32,
    at: *mut libc::c_void,
}

/// `struct tcp_zerocopy_receive`, include/uapi/linux/tcp.h, as far as it is used.
#[repr(C)]
struct Request {
    address: u64,
    length: u32,
    recv_skip_hint: u32,
}

impl Pages {
    fn of(stream: &OwnedFd) -> Result<Self> {
        let socket = stream.as_raw_fd();
        // SAFETY: asks for new pages, of which nothing is known yet.
        let at = unsafe {
            libc::mmap(
                null_mut(),
                CHUNK,
                libc::PROT_READ,
                libc::MAP_SHARED,
                socket,
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error()).context("map a socket");
        }
        Ok(Self { socket, at })
    }

    /// How many bytes were mapped, and how many must be read in the old way first.
    fn receive(&self, want: usize) -> Result<(usize, usize)> {
        let mut request = Request {
            address: self.at as u64,
            length: u32::try_from(want)?,
            recv_skip_hint: 0,
        };
        let mut length = libc::socklen_t::try_from(size_of::<Request>())?;
        // SAFETY: `request` lives and is `length` long; the pages that it names are ours.
        let done = unsafe {
            libc::getsockopt(
                self.socket,
                libc::IPPROTO_TCP,
                libc::TCP_ZEROCOPY_RECEIVE,
                (&raw mut request).cast(),
                &raw mut length,
            )
        };
        if done != 0 {
            return Err(io::Error::last_os_error()).context("receive without a copy");
        }
        Ok((request.length as usize, request.recv_skip_hint as usize))
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: they were mapped in `of`, that long, and nobody reads them.
        unsafe { libc::munmap(self.at, CHUNK) };
    }
}
