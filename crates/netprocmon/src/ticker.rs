//! When the next sample is due: a descriptor that turns readable at the interval, and also when the
//! source has something that should not wait.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// A pace of its own for one more reader of a monitor: [`Monitor::ticker`](crate::Monitor::ticker).
///
/// Readable ([`AsFd`]) when the interval has passed, and when the monitor should be attended to.
/// Then [`Monitor::attend`](crate::Monitor::attend), and where [`Ticker::take_tick`] says so,
/// [`Monitor::snapshot`](crate::Monitor::snapshot).
#[derive(Debug)]
pub struct Ticker {
    epoll: OwnedFd,
    timer: OwnedFd,
}

impl Ticker {
    /// Ticks every `interval` from now on, and is readable whenever `source` is.
    pub(crate) fn new(interval: Duration, source: BorrowedFd<'_>) -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // 0 would disarm it.
        let interval = interval.max(Duration::from_millis(1));
        let every = Timespec::try_from(interval).map_err(io::Error::other)?;
        let spec = Itimerspec {
            it_interval: every,
            it_value: every,
        };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &spec)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (number, fd) in [timer.as_fd(), source].into_iter().enumerate() {
            let data = epoll::EventData::new_u64(number as u64);
            epoll::add(&epoll, fd, data, epoll::EventFlags::IN)?;
        }
        Ok(Self { epoll, timer })
    }

    /// Makes it readable now, so that whoever waits for it looks: at the end, for instance.
    pub fn expire(&self) -> io::Result<()> {
        let spec = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: Timespec {
                tv_sec: 0,
                tv_nsec: 1,
            },
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec)?;
        Ok(())
    }

    /// Whether the interval has passed since the last call that said so.
    pub fn take_tick(&self) -> io::Result<bool> {
        let mut expirations = [0; 8];
        match rustix::io::read(&self.timer, &mut expirations) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Ticker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    #[test]
    fn one_that_is_expired_wakes_whoever_waits_for_it() {
        let (quiet, _other) = io::pipe().unwrap();
        let ticker = Ticker::new(Duration::from_hours(1), quiet.as_fd()).unwrap();
        ticker.expire().unwrap();
        poll(&mut [PollFd::new(&ticker, PollFlags::IN)], None).unwrap();
        assert!(ticker.take_tick().unwrap());
    }

    #[test]
    fn it_turns_readable_at_the_interval_and_only_once_for_each() {
        let (quiet, _other) = io::pipe().unwrap();
        let ticker = Ticker::new(Duration::from_millis(20), quiet.as_fd()).unwrap();
        assert!(!ticker.take_tick().unwrap());
        assert_eq!(
            poll(&mut [PollFd::new(&ticker, PollFlags::IN)], None).unwrap(),
            1
        );
        assert!(ticker.take_tick().unwrap());
        assert!(!ticker.take_tick().unwrap());
    }
}
