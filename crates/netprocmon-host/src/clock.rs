//! From the kernel's time since boot to the wall clock.
//!
//! The kernel stamps processes and BPF events with time since boot, suspend included
//! (`CLOCK_BOOTTIME`). People want dates.

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// The wall clock's reading at the moment of boot, as of when this was sampled.
///
/// Sampled once, so that all times converted with it keep their distances even when the wall clock
/// is set in between; [`BootClock::resample`] follows such a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootClock {
    /// Nanoseconds since the Unix epoch at boot.
    boot: i128,
}

impl BootClock {
    /// Reads both clocks (`clock_gettime(2)`).
    #[must_use]
    pub fn new() -> Self {
        // The boot clock is read before and after, and the middle taken: the thread may be
        // preempted between two calls.
        let before = nanoseconds(clock_gettime(ClockId::Boottime));
        let wall = nanoseconds(clock_gettime(ClockId::Realtime));
        let after = nanoseconds(clock_gettime(ClockId::Boottime));
        Self {
            boot: wall - i128::midpoint(before, after),
        }
    }

    /// Reads both clocks anew, after the wall clock was set.
    pub fn resample(&mut self) {
        *self = Self::new();
    }

    /// The date of a moment given in nanoseconds since boot; the Unix epoch or the end of time for
    /// a number that is not a date.
    #[must_use]
    pub fn timestamp(&self, since_boot: u64) -> Timestamp {
        let nanoseconds = self.boot + i128::from(since_boot);
        Timestamp::from_nanosecond(nanoseconds).unwrap_or(if nanoseconds < 0 {
            Timestamp::UNIX_EPOCH
        } else {
            Timestamp::MAX
        })
    }

    /// Now, in nanoseconds since boot (`bpf_ktime_get_boot_ns`'s clock).
    #[must_use]
    pub fn now() -> u64 {
        u64::try_from(nanoseconds(clock_gettime(ClockId::Boottime))).unwrap_or(0)
    }
}

impl Default for BootClock {
    fn default() -> Self {
        Self::new()
    }
}

fn nanoseconds(time: Timespec) -> i128 {
    i128::from(time.tv_sec) * SignedDuration::from_secs(1).as_nanos() + i128::from(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_since_boot_is_now_on_the_wall() {
        let clock = BootClock::new();
        let apart = clock
            .timestamp(BootClock::now())
            .duration_since(Timestamp::now());
        assert!(apart.abs() < SignedDuration::from_secs(1), "{apart:?}");
    }

    #[test]
    fn distances_are_kept_and_nonsense_is_clamped() {
        let clock = BootClock::new();
        let hour = 3_600_000_000_000;
        let apart = clock.timestamp(hour).duration_since(clock.timestamp(0));
        assert_eq!(apart, SignedDuration::from_hours(1));
        assert_eq!(
            BootClock {
                boot: i128::from(i64::MAX) * 1000
            }
            .timestamp(u64::MAX),
            Timestamp::MAX
        );
    }
}
