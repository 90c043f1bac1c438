//! The eight numbers of the contract, and how they add up.
//!
//! A counter that the source cannot know is `None` (JSON `null`), never 0: that is why each field
//! is an `Option`. A sum with something unknown in it is unknown.

use std::{iter::Sum, ops::AddAssign};

use serde::Serialize;

/// What was moved, cumulative since the monitor started. All sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Counters {
    /// Wire bytes sent, at the IP layer, after segmentation.
    pub bytes_sent: Option<u64>,
    /// Wire bytes received, at the IP layer, before they were merged.
    pub bytes_recv: Option<u64>,
    /// Packets sent, after segmentation.
    pub packets_sent: Option<u64>,
    /// Packets received, before they were merged.
    pub packets_recv: Option<u64>,
    /// Application bytes that send calls moved, each byte once.
    pub payload_sent: Option<u64>,
    /// Application bytes that receive calls moved, each byte once.
    pub payload_recv: Option<u64>,
    /// TCP: wire bytes of retransmitted segments; part of `bytes_sent`.
    pub retransmitted_bytes: Option<u64>,
    /// TCP: retransmitted segments; part of `packets_sent`.
    pub retransmitted_packets: Option<u64>,
}

impl Counters {
    /// Nothing moved, and that is known.
    pub const ZERO: Self = Self {
        bytes_sent: Some(0),
        bytes_recv: Some(0),
        packets_sent: Some(0),
        packets_recv: Some(0),
        payload_sent: Some(0),
        payload_recv: Some(0),
        retransmitted_bytes: Some(0),
        retransmitted_packets: Some(0),
    };

    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        bytes_sent: None,
        bytes_recv: None,
        packets_sent: None,
        packets_recv: None,
        payload_sent: None,
        payload_recv: None,
        retransmitted_bytes: None,
        retransmitted_packets: None,
    };

    /// Wire bytes in both directions.
    #[must_use]
    pub fn bytes_total(&self) -> Option<u64> {
        Some(self.bytes_sent?.wrapping_add(self.bytes_recv?))
    }

    /// Whether every known counter is 0.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.fields().into_iter().flatten().all(|value| value == 0)
    }

    /// What was counted since `earlier`; 0 where a counter went back (bytes moved to the process
    /// that turned out to own them).
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        self.combine(earlier, u64::saturating_sub)
    }

    /// Each counter and its other, where both are known.
    pub(crate) fn combine(&self, other: &Self, op: fn(u64, u64) -> u64) -> Self {
        let both = |a: Option<u64>, b: Option<u64>| Some(op(a?, b?));
        Self {
            bytes_sent: both(self.bytes_sent, other.bytes_sent),
            bytes_recv: both(self.bytes_recv, other.bytes_recv),
            packets_sent: both(self.packets_sent, other.packets_sent),
            packets_recv: both(self.packets_recv, other.packets_recv),
            payload_sent: both(self.payload_sent, other.payload_sent),
            payload_recv: both(self.payload_recv, other.payload_recv),
            retransmitted_bytes: both(self.retransmitted_bytes, other.retransmitted_bytes),
            retransmitted_packets: both(self.retransmitted_packets, other.retransmitted_packets),
        }
    }

    fn fields(&self) -> [Option<u64>; 8] {
        [
            self.bytes_sent,
            self.bytes_recv,
            self.packets_sent,
            self.packets_recv,
            self.payload_sent,
            self.payload_recv,
            self.retransmitted_bytes,
            self.retransmitted_packets,
        ]
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self::ZERO
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        *self = self.combine(&other, u64::wrapping_add);
    }
}

impl Sum for Counters {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, |mut sum, item| {
            sum += item;
            sum
        })
    }
}

impl<'a> Sum<&'a Self> for Counters {
    fn sum<I: Iterator<Item = &'a Self>>(items: I) -> Self {
        items.copied().sum()
    }
}

/// Wire bytes per second over the last interval; `None` before a second sample exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Bytes per second sent.
    pub sent: Option<f64>,
    /// Bytes per second received.
    pub recv: Option<f64>,
}

impl Rates {
    /// The rates of what was moved in `seconds`; unknown when no time has passed.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a rate above 2^53 bytes a second is not ours to show
    pub fn over(moved: &Counters, seconds: f64) -> Self {
        let rate = |bytes: Option<u64>| {
            (seconds > 0.0).then_some(())?;
            Some(bytes? as f64 / seconds)
        };
        Self {
            sent: rate(moved.bytes_sent),
            recv: rate(moved.bytes_recv),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_makes_the_sum_unknown_and_leaves_the_rest() {
        let known = Counters {
            bytes_sent: Some(3),
            ..Counters::ZERO
        };
        let partly = Counters {
            payload_sent: None,
            bytes_sent: Some(4),
            ..Counters::ZERO
        };
        let sum: Counters = [known, partly].iter().sum();
        assert_eq!(sum.bytes_sent, Some(7));
        assert_eq!(sum.payload_sent, None);
    }

    #[test]
    fn since_never_goes_below_zero() {
        let before = Counters {
            bytes_recv: Some(10),
            ..Counters::ZERO
        };
        assert_eq!(Counters::ZERO.since(&before).bytes_recv, Some(0));
    }

    #[test]
    fn no_time_gives_no_rate() {
        assert_eq!(Rates::over(&Counters::ZERO, 0.0), Rates::default());
        assert_eq!(Rates::over(&Counters::ZERO, 2.0).sent, Some(0.0));
    }
}
