//! Sends and receives through `io_uring`(7), one operation at a time.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use io_uring::{IoUring, cqueue, opcode, types};

pub(in crate::generate) struct Ring(IoUring);

/// How long the kernel's thread polls before it sleeps, in milliseconds.
const IDLE: u32 = 100;

impl Ring {
    pub(in crate::generate) fn new(polled: bool) -> io::Result<Self> {
        let mut builder = IoUring::builder();
        if polled {
            builder.setup_sqpoll(IDLE);
        }
        builder.build(8).map(Self)
    }

    /// One send; with `zero_copy`, until the kernel has let go of the bytes.
    pub(in crate::generate) fn send(
        &mut self,
        stream: &OwnedFd,
        bytes: &[u8],
        zero_copy: bool,
    ) -> io::Result<usize> {
        let fd = types::Fd(stream.as_raw_fd());
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let flags = libc::MSG_NOSIGNAL;
        let entry = if zero_copy {
            opcode::SendZc::new(fd, bytes.as_ptr(), length)
                .flags(flags)
                .build()
        } else {
            opcode::Send::new(fd, bytes.as_ptr(), length)
                .flags(flags)
                .build()
        };
        // SAFETY: `bytes` lives until all of its completions are in.
        unsafe { self.complete(&entry) }
    }

    pub(in crate::generate) fn receive(
        &mut self,
        stream: &OwnedFd,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let fd = types::Fd(stream.as_raw_fd());
        let length = u32::try_from(buffer.len()).map_err(io::Error::other)?;
        let entry = opcode::Recv::new(fd, buffer.as_mut_ptr(), length).build();
        // SAFETY: `buffer` lives until its completion is in.
        unsafe { self.complete(&entry) }
    }

    /// # Safety
    ///
    /// What the entry points to must live until this returns.
    unsafe fn complete(&mut self, entry: &io_uring::squeue::Entry) -> io::Result<usize> {
        // SAFETY: the caller's promise.
        unsafe { self.0.submission().push(entry) }.map_err(io::Error::other)?;
        let mut result = None;
        loop {
            self.0.submit_and_wait(1)?;
            // The notification of a zero-copy send follows its result.
            while let Some(completion) = self.0.completion().next() {
                if !cqueue::notif(completion.flags()) {
                    result = Some(completion.result());
                }
                if !cqueue::more(completion.flags())
                    && let Some(result) = result
                {
                    return usize::try_from(result)
                        .map_err(|_| io::Error::from_raw_os_error(-result));
                }
            }
        }
    }
}

/// Why there can be no ring here.
pub(super) fn obstacle(polled: bool) -> Option<String> {
    let error = Ring::new(polled).err()?;
    Some(format!("this kernel refuses an io_uring: {error}"))
}
