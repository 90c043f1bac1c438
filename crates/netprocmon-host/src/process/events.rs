//! Processes that begin, change their program and end, as the kernel tells it (the process event
//! connector: `<linux/cn_proc.h>`, `Documentation/driver-api/connector.rst`).
//!
//! Minimum kernel 2.6.15 with `CONFIG_PROC_EVENTS`; needs `CAP_NET_ADMIN`, and only the first pid
//! and network namespaces of the host have it: from another network namespace the socket is opened
//! in the first, where that may be entered. What comes too fast is lost; that is told, and
//! `/proc` has to be asked again. Threads are not told of.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use netprocmon_model::Pid;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with,
};
use rustix::time::Timespec;

use crate::netlink::{bytes_at, messages, request, u32_at};
use crate::{HostError, netns};

/// Index and value of the connector's messages, and of its group.
const CN_IDX_PROC: u32 = 1;
const CN_VAL_PROC: u32 = 1;
const PROC_CN_MCAST_LISTEN: u32 = 1;
const NLMSG_DONE: u16 = 3;
/// `struct cn_msg`: index, value, sequence, acknowledgement u32 each, length and flags u16.
const CN_HEADER: usize = 20;
/// `struct proc_event`: what u32, cpu u32, timestamp u64, then what it is about.
const SUBJECT: usize = CN_HEADER + 16;

const PROC_EVENT_FORK: u32 = 1;
const PROC_EVENT_EXEC: u32 = 2;
const PROC_EVENT_EXIT: u32 = 0x8000_0000;

/// The kernel answers a listener at once, or never.
const PATIENCE: Duration = Duration::from_millis(200);
/// Thousands of events: what a `make -j` does in a tenth of a second.
const BUFFER: usize = 4 << 20;

/// What happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It began.
    Fork {
        /// Who called fork(2).
        parent: Pid,
        /// Who began.
        child: Pid,
    },
    /// It runs another program now (execve(2)).
    Exec(Pid),
    /// It ended, all threads of it.
    Exit(Pid),
    /// Some events were lost.
    Lost,
}

/// Listens for as long as it lives. Readable ([`AsFd`]) when there is an event.
#[derive(Debug)]
pub struct Events {
    socket: OwnedFd,
}

impl Events {
    /// Starts listening.
    ///
    /// # Errors
    ///
    /// No `CAP_NET_ADMIN`; not in the host's first pid namespace, where the kernel does not answer;
    /// a kernel without it.
    pub fn open() -> io::Result<Self> {
        let here = Self::listen();
        let elsewhere = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        match here {
            Err(error) if elsewhere(&error) => Self::listen_in_any().ok_or(error),
            here => here,
        }
        .map_err(|error| HostError::new("listen to", "the process event connector", error).into())
    }

    /// In the first network namespace, which is one of all that there are.
    fn listen_in_any() -> Option<Self> {
        let answers = netns::enter(&netns::all(), |_| Self::listen());
        answers.into_iter().find_map(|answer| answer.ok()?.ok())
    }

    fn listen() -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(netlink::CONNECTOR),
        )?;
        bind(&socket, &SocketAddrNetlink::new(0, CN_IDX_PROC))?;
        // As much as the host allows is as good as can be.
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER)
            .or_else(|_| rustix::net::sockopt::set_socket_recv_buffer_size(&socket, BUFFER));
        let mut body = Vec::with_capacity(CN_HEADER + 4);
        for number in [CN_IDX_PROC, CN_VAL_PROC, 0, 0, 4, PROC_CN_MCAST_LISTEN] {
            body.extend(number.to_ne_bytes());
        }
        let message = request(NLMSG_DONE, 0, 1, &body);
        retry_on_intr(|| send(&socket, &message, SendFlags::empty()))?;
        let mut events = Self { socket };
        events.wait_for_answer()?;
        Ok(events)
    }

    /// In a pid namespace of its own a listener is accepted and never told anything.
    fn wait_for_answer(&mut self) -> io::Result<()> {
        let patience = Timespec::try_from(PATIENCE).map_err(io::Error::other)?;
        let mut readable = [PollFd::new(&self.socket, PollFlags::IN)];
        match retry_on_intr(|| poll(&mut readable, Some(&patience)))? {
            0 => Err(io::ErrorKind::Unsupported.into()),
            _ => Ok(()),
        }
    }

    /// Takes every event that waits; never blocks.
    pub fn drain(&mut self, mut sink: impl FnMut(Event)) {
        let mut buffer = [0; 8192];
        loop {
            match recv(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((_, 0)) => return,
                Ok((_, length)) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    for event in messages(datagram).filter_map(|one| parse(one.body)) {
                        sink(event);
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::NOBUFS) => sink(Event::Lost),
                Err(_) => return,
            }
        }
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// `None` for events of threads and of other kinds, and for what is cut short.
fn parse(body: &[u8]) -> Option<Event> {
    if bytes_at::<8>(body, 0)? != connector() {
        return None;
    }
    let number = |at: usize| u32_at(body, SUBJECT + 4 * at);
    match u32_at(body, CN_HEADER)? {
        PROC_EVENT_FORK => {
            let (parent, child, leader) = (number(1)?, number(2)?, number(3)?);
            (child == leader).then_some(Event::Fork {
                parent: Pid(parent),
                child: Pid(child),
            })
        }
        PROC_EVENT_EXEC => number(1).map(Pid).map(Event::Exec),
        PROC_EVENT_EXIT => {
            let (thread, process) = (number(0)?, number(1)?);
            (thread == process).then_some(Event::Exit(Pid(process)))
        }
        _ => None,
    }
}

fn connector() -> [u8; 8] {
    let mut id = [0; 8];
    id[..4].copy_from_slice(&CN_IDX_PROC.to_ne_bytes());
    id[4..].copy_from_slice(&CN_VAL_PROC.to_ne_bytes());
    id
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    fn message(what: u32, subject: [u32; 4]) -> Vec<u8> {
        let mut body = connector().to_vec();
        body.extend([0; 12]);
        body.extend(what.to_ne_bytes());
        body.extend([0; 12]);
        body.extend(subject.iter().flat_map(|number| number.to_ne_bytes()));
        body
    }

    #[test]
    fn processes_are_told_apart_from_threads() {
        let (parent, child) = (Pid(7), Pid(9));
        for (what, subject, event) in [
            (
                PROC_EVENT_FORK,
                [8, 7, 9, 9],
                Some(Event::Fork { parent, child }),
            ),
            (PROC_EVENT_FORK, [8, 7, 9, 7], None),
            (PROC_EVENT_EXEC, [9, 9, 0, 0], Some(Event::Exec(child))),
            (PROC_EVENT_EXIT, [9, 9, 0, 17], Some(Event::Exit(child))),
            (PROC_EVENT_EXIT, [8, 9, 0, 17], None),
            (0, [0; 4], None), // the answer to a listener
        ] {
            assert_eq!(parse(&message(what, subject)), event);
        }
    }

    #[test]
    #[ignore = "needs root: cargo xtask test runs it"]
    fn a_child_is_told_of_from_its_birth_to_its_end() {
        let mut events = match Events::open() {
            Ok(events) => events,
            Err(error) => {
                eprintln!("SKIPPED: {error}");
                return;
            }
        };
        let mut child = Command::new("true").spawn().unwrap();
        let pid = Pid(child.id());
        child.wait().unwrap();
        let (mut seen, parent) = (Vec::new(), Pid(std::process::id()));
        let deadline = Instant::now() + Duration::from_secs(20);
        while !seen.contains(&Event::Exit(pid)) {
            assert!(Instant::now() < deadline, "{seen:?}");
            events.drain(|event| seen.push(event));
            std::thread::yield_now();
        }
        assert!(seen.contains(&Event::Fork { parent, child: pid }));
        assert!(seen.contains(&Event::Exec(pid)));
    }

    proptest! {
        #[test]
        fn noise_does_no_harm(noise in prop::collection::vec(any::<u8>(), 0..100), cut in 0_usize..60) {
            let _ = parse(&noise);
            let mut body = message(PROC_EVENT_FORK, [1, 1, 2, 2]);
            body.truncate(cut);
            let _ = parse(&body);
        }
    }
}
