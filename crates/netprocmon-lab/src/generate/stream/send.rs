//! Ways to send a stream's bytes.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{MemfdFlags, memfd_create, sendfile};
use rustix::pipe::{SpliceFlags, pipe, splice};

use super::ring::Ring;
use crate::generate::socket::{self, moved};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Way {
    /// write(2).
    Plain,
    /// writev(2) of two pieces.
    Vector,
    /// Many small pieces with `MSG_MORE`, and one without at the end.
    More,
    /// Non-blocking, all that is left at each call: partial sends and refused ones.
    Partial,
    /// sendfile(2) from a file.
    File,
    /// splice(2) from a pipe.
    Splice,
    /// `MSG_ZEROCOPY`, and the notifications read from the error queue.
    ZeroCopy,
    /// `io_uring`.
    Ring,
    /// `io_uring` whose submissions a kernel thread takes (`IORING_SETUP_SQPOLL`).
    PolledRing,
    /// `io_uring`'s zero-copy send.
    ZeroCopyRing,
}

const CHUNK: usize = 64 * 1024;
const PIECE: usize = 100;

impl Way {
    /// Sends exactly `length` bytes; gives the sum of what the calls returned.
    pub(super) fn push(self, stream: &OwnedFd, length: u64) -> Result<u64> {
        if length == 0 {
            return Ok(0);
        }
        let file = self.source(length)?;
        let (into_pipe, out_of_pipe) = pipe().map(|(out, into)| (into, out))?;
        let mut ring = match self {
            Self::Ring | Self::ZeroCopyRing => Some(Ring::new(false)?),
            Self::PolledRing => Some(Ring::new(true)?),
            _ => None,
        };
        if self == Self::ZeroCopy {
            socket::set(stream, libc::SOL_SOCKET, libc::SO_ZEROCOPY, 1)?;
        }
        if self == Self::Partial {
            socket::set(stream, libc::SOL_SOCKET, libc::SO_SNDBUF, 16 * 1024)?;
        }
        let chunk = vec![0x5a; usize::try_from(length)?];
        let (mut sent, mut partial) = (0_usize, 0);
        while sent < chunk.len() {
            let rest = &chunk[sent..];
            let next = &rest[..rest.len().min(CHUNK)];
            let done = match self {
                Self::Plain => rustix::io::write(stream, next).map_err(Into::into),
                Self::Vector => vector(stream, next),
                Self::More => more(stream, next),
                Self::Partial => {
                    let done = socket::send(stream, rest, libc::MSG_DONTWAIT);
                    partial += usize::from(done.as_ref().is_ok_and(|&n| n < rest.len()));
                    done
                }
                Self::File => sendfile(stream, &file, None, next.len()).map_err(Into::into),
                Self::Splice => rustix::io::write(&into_pipe, &next[..next.len().min(PIPE)])
                    .map_err(Into::into)
                    .and_then(|n| out(&out_of_pipe, stream, n)),
                Self::ZeroCopy => socket::send(stream, next, libc::MSG_ZEROCOPY),
                Self::Ring | Self::PolledRing | Self::ZeroCopyRing => match &mut ring {
                    Some(ring) => ring.send(stream, next, self == Self::ZeroCopyRing),
                    None => Err(io::Error::other("no ring")),
                },
            };
            match done {
                Ok(n) => sent += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(stream, PollFlags::OUT)], None)?;
                }
                Err(error) => return Err(error).context("send"),
            }
        }
        if self == Self::Partial {
            // Whether a call is refused besides is the timing's to say; the receiver's are.
            ensure!(partial > 0, "every call sent all there was");
        }
        if self == Self::ZeroCopy {
            notifications(stream)?;
        }
        Ok(sent as u64)
    }

    /// A file of that many bytes, for the ways that send one.
    fn source(self, length: u64) -> Result<File> {
        let file: File = memfd_create("lab", MemfdFlags::CLOEXEC)?.into();
        if self == Self::File {
            file.set_len(length)?;
        }
        Ok(file)
    }
}

/// What a pipe holds, pipe(7).
const PIPE: usize = 64 * 1024;

fn out(from: &OwnedFd, stream: &OwnedFd, length: usize) -> io::Result<usize> {
    let mut spliced = 0;
    while spliced < length {
        spliced += splice(
            from,
            None,
            stream,
            None,
            length - spliced,
            SpliceFlags::empty(),
        )?;
    }
    Ok(spliced)
}

fn vector(stream: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    let (head, tail) = bytes.split_at(bytes.len() / 3);
    let both = [io::IoSlice::new(head), io::IoSlice::new(tail)];
    Ok(rustix::io::writev(stream, &both)?)
}

fn more(stream: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        let end = bytes.len().min(sent + PIECE);
        let flags = if end < bytes.len() { libc::MSG_MORE } else { 0 };
        sent += socket::send(stream, &bytes[sent..end], flags)?;
    }
    Ok(sent)
}

/// Reads the notifications of zero-copy sends; they are messages without bytes.
fn notifications(stream: &OwnedFd) -> Result<()> {
    poll(&mut [PollFd::new(&stream.as_fd(), PollFlags::ERR)], None)?;
    let mut control = [0_u64; 32];
    // SAFETY: a message header of zeroes is one without address, buffers or control.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: `message` and `control` live, and the length is that of `control`.
    let got = unsafe { libc::recvmsg(stream.as_raw_fd(), &raw mut message, libc::MSG_ERRQUEUE) };
    let got = moved(got).context("read the error queue")?;
    ensure!(got == 0, "a notification that carries {got} bytes");
    Ok(())
}
