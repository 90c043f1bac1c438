//! Signals as events on a file descriptor, with who sent them.
//!
//! A Ctrl-C at the terminal is sent by the kernel to the whole foreground process group, so the
//! child has it already; a `kill -INT` is sent to one process by another. The two are told apart by
//! `si_code` (`sigaction(2)`: `SI_KERNEL` against `SI_USER`), so that a child never gets one twice.
//!
//! Signals that were ignored when this program started (`nohup`) stay ignored, here and in the
//! child: a handler would be reset to the default at `execve(2)`, and the child would lose them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use netprocmon::Pid;
use signal_hook::consts::signal::{
    SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};

/// Everything that is passed on to a child. `SIGWINCH` and the terminal's stop signals are not:
/// the child has them from the terminal itself.
pub const FORWARDED: &[i32] = &[
    SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGALRM,
];

/// What ends a `watch`.
pub const ENDING: &[i32] = &[SIGHUP, SIGINT, SIGTERM];

/// One signal that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Its number.
    pub number: i32,
    /// Who sent it.
    pub sender: Sender,
}

/// Where a signal came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The kernel: a key at the terminal, or its hang-up. The whole foreground group has it.
    Kernel,
    /// A process; the number is as seen from this pid namespace, 0 where the sender is outside it.
    Process(Pid),
}

impl Arrived {
    /// Whether it asks a program to end.
    #[must_use]
    pub fn asks_to_end(self) -> bool {
        matches!(self.number, SIGINT | SIGTERM | SIGHUP | SIGQUIT)
    }

    /// Whether `child` still has to be given it: neither the terminal nor the child itself sent it.
    #[must_use]
    pub fn is_for(self, child: Pid) -> bool {
        match self.sender {
            Sender::Kernel => false,
            Sender::Process(sender) => sender != child,
        }
    }

    fn from_origin(origin: &Origin) -> Self {
        let sender = match (origin.cause, origin.process) {
            (Cause::Kernel, _) | (_, None) => Sender::Kernel,
            (_, Some(process)) => Sender::Process(Pid(process.pid.unsigned_abs())),
        };
        Self {
            number: origin.signal,
            sender,
        }
    }
}

/// Signals caught from now until it is dropped.
pub struct Signals(SignalDelivery<UnixStream, WithOrigin>);

impl Signals {
    /// Catches `numbers`, less those that are ignored now.
    pub fn catch(numbers: &[i32]) -> io::Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = ignored_mask(&status);
        let numbers = numbers.iter().filter(|&&number| !contains(ignored, number));
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        SignalDelivery::with_pipe(read, write, WithOrigin::default(), numbers).map(Self)
    }

    /// What arrived since the last call; never blocks.
    pub fn arrived(&mut self) -> Vec<Arrived> {
        self.0
            .pending()
            .map(|origin| Arrived::from_origin(&origin))
            .collect()
    }
}

impl AsFd for Signals {
    /// Readable when something arrived.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_read().as_fd()
    }
}

/// `SigIgn` of `/proc/PID/status` (`proc_pid_status(5)`): bit N-1 is signal N. 0 where it cannot be
/// read.
fn ignored_mask(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0)
}

fn contains(mask: u64, number: i32) -> bool {
    u32::try_from(number - 1)
        .ok()
        .and_then(|bit| mask.checked_shr(bit))
        .is_some_and(|rest| rest & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_status() {
        let mask = ignored_mask("Name:\tx\nSigBlk:\t0\nSigIgn:\t0000000000001001\nSigCgt:\t0\n");
        assert!(contains(mask, SIGHUP));
        assert!(contains(mask, 13));
        assert!(!contains(mask, SIGINT));
        assert!(!contains(mask, 0));
        assert_eq!(ignored_mask("nonsense"), 0);
    }

    #[test]
    fn a_key_at_the_terminal_is_not_passed_on_and_a_kill_is() {
        let from = |sender| Arrived {
            number: SIGINT,
            sender,
        };
        let child = Pid(42);
        assert!(!from(Sender::Kernel).is_for(child));
        assert!(from(Sender::Process(Pid(1))).is_for(child));
        assert!(!from(Sender::Process(child)).is_for(child));
    }

    #[test]
    fn a_signal_sent_by_a_process_arrives_with_its_sender() {
        let mut signals = Signals::catch(&[SIGUSR2]).unwrap();
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, rustix::process::Signal::USR2).unwrap();
        let mut fds = [rustix::event::PollFd::new(
            &signals,
            rustix::event::PollFlags::IN,
        )];
        while rustix::event::poll(&mut fds, None).is_err() {}
        let sender = Sender::Process(Pid(me.as_raw_pid().unsigned_abs()));
        assert!(signals.arrived().contains(&Arrived {
            number: SIGUSR2,
            sender
        }));
    }
}
