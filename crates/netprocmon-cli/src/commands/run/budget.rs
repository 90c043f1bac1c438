//! Budgets: whether a tree has moved more wire bytes than it may.

use netprocmon::Counters;
use serde::Serialize;

use crate::flags::meaning::{Budget, OnExcess};

/// One of the limits, by the name of its flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Limit {
    #[serde(rename = "max_bytes")]
    Bytes,
    #[serde(rename = "max_sent")]
    Sent,
    #[serde(rename = "max_recv")]
    Recv,
}

/// Compares totals with a budget.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Budget,
    exceeded: Vec<Limit>,
    killed: bool,
}

/// What became of a budget; the report's `"budget"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Spent {
    /// The limits, in bytes; `None` where not given.
    pub(crate) max_bytes: Option<u64>,
    pub(crate) max_sent: Option<u64>,
    pub(crate) max_recv: Option<u64>,
    /// Which of them were exceeded.
    pub(crate) exceeded: Vec<Limit>,
    /// Whether the tree was stopped for it.
    pub(crate) killed: bool,
}

impl Meter {
    pub(crate) const fn new(budget: Budget) -> Self {
        Self {
            budget,
            exceeded: Vec::new(),
            killed: false,
        }
    }

    /// Takes the tree's totals; a limit that was exceeded once stays so. A total that the source
    /// cannot know exceeds nothing.
    pub(crate) fn read(&mut self, totals: &Counters) {
        let Budget {
            max_bytes,
            max_sent,
            max_recv,
            on_excess: _,
        } = self.budget;
        for (limit, allowed, used) in [
            (Limit::Bytes, max_bytes, totals.bytes_total()),
            (Limit::Sent, max_sent, totals.bytes_sent),
            (Limit::Recv, max_recv, totals.bytes_recv),
        ] {
            let over = allowed
                .zip(used)
                .is_some_and(|(allowed, used)| used > allowed);
            if over && !self.exceeded.contains(&limit) {
                self.exceeded.push(limit);
            }
        }
    }

    pub(crate) fn is_exceeded(&self) -> bool {
        !self.exceeded.is_empty()
    }

    /// Whether the tree is to be stopped now.
    pub(crate) fn wants_kill(&self) -> bool {
        self.is_exceeded() && self.budget.on_excess == OnExcess::Kill
    }

    /// Notes that it was.
    pub(crate) fn note_kill(&mut self) {
        self.killed = true;
    }

    pub(crate) fn into_spent(self) -> Spent {
        Spent {
            max_bytes: self.budget.max_bytes,
            max_sent: self.budget.max_sent,
            max_recv: self.budget.max_recv,
            exceeded: self.exceeded,
            killed: self.killed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(sent: u64, recv: u64) -> Counters {
        Counters {
            bytes_sent: Some(sent),
            bytes_recv: Some(recv),
            ..Counters::ZERO
        }
    }

    #[test]
    fn exactly_the_limit_is_within_it() {
        let mut meter = Meter::new(Budget {
            max_bytes: Some(100),
            max_recv: Some(60),
            ..Budget::default()
        });
        meter.read(&moved(40, 60));
        assert!(!meter.is_exceeded());
        meter.read(&moved(41, 60));
        assert_eq!(meter.exceeded, [Limit::Bytes]);
        meter.read(&moved(41, 61));
        assert_eq!(meter.exceeded, [Limit::Bytes, Limit::Recv]);
        assert!(!meter.wants_kill());
    }

    #[test]
    fn the_unknown_exceeds_nothing() {
        let mut meter = Meter::new(Budget {
            max_sent: Some(0),
            ..Budget::default()
        });
        meter.read(&Counters::UNKNOWN);
        assert!(!meter.is_exceeded());
    }

    #[test]
    fn a_kill_is_wanted_only_where_it_was_asked_for() {
        let mut meter = Meter::new(Budget {
            max_sent: Some(1),
            on_excess: OnExcess::Kill,
            ..Budget::default()
        });
        assert!(!meter.wants_kill());
        meter.read(&moved(2, 0));
        assert!(meter.wants_kill());
    }
}
