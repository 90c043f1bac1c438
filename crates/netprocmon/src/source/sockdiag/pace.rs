//! When the next look is due: a timer that is set anew after each.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

pub(super) struct Pace {
    timer: OwnedFd,
}

impl Pace {
    pub(super) fn new(first: Duration) -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let pace = Self { timer };
        pace.next_in(first);
        Ok(pace)
    }

    /// Sets the timer anew, and makes it unreadable until then.
    pub(super) fn next_in(&self, pause: Duration) {
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // Neither can fail: the pause is at most seconds, the descriptor is a timer.
        let _ = Timespec::try_from(pause).map(|pause| {
            let spec = Itimerspec {
                it_interval: zero,
                it_value: pause,
            };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec)
        });
    }

    /// Whether the time has come.
    pub(super) fn is_due(&self) -> bool {
        rustix::io::read(&self.timer, &mut [0; 8]).is_ok()
    }
}

impl AsFd for Pace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}
