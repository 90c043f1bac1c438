//! How memory and descriptors went, round by round, and whether they came to rest. Pure, but for
//! reading what this process holds.

use std::fmt;
use std::fs;

use anyhow::{Context, Result};

/// What a process holds at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Resident, in KiB; what the kernel's tables take is not in it.
    pub(super) memory_kib: u64,
    pub(super) descriptors: u64,
}

impl Held {
    /// Of ourselves, the monitor included.
    pub(super) fn by_this_process() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let mut lines = status.lines();
        let memory = lines.find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|text| text.trim().strip_suffix(" kB"));
        Ok(Self {
            memory_kib: memory.context("no VmRSS in /proc/self/status")?.parse()?,
            descriptors: fs::read_dir("/proc/self/fd")?.count() as u64,
        })
    }
}

/// All rounds so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Course(Vec<Held>);

/// Rounds that one of the monitors lives; memory goes up and down with it.
pub(super) const LIFE: usize = 4;

/// Tables are full for the first time after a dozen rounds; then two lives are compared with two.
const LEAST: usize = 7 * LIFE;

/// Memory may be by so much more in the last third than in the middle one: a heap that is cut
/// otherwise. What leaks does so each round, and is more.
const SLACK_KIB: u64 = 1024;

impl Course {
    pub(super) fn add(&mut self, held: Held) {
        self.0.push(held);
    }

    pub(super) fn rounds(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_long_enough(&self) -> bool {
        self.0.len() >= LEAST
    }

    pub(super) fn is_flat(&self) -> bool {
        self.verdicts().iter().all(Verdict::is_flat)
    }

    /// The last third against the middle one, of as many whole lives each; the rest is to warm up.
    ///
    /// Of memory the most in a life, and of these the median: in an hour the heap was cut otherwise
    /// for 66 lives, by 3 MiB, and then was as before. What leaks does not come back, so the last two
    /// lives are looked at by themselves.
    pub(super) fn verdicts(&self) -> [Verdict; 3] {
        let third = self.0.len() / 3 / LIFE * LIFE;
        let (before, last) = self.0.split_at(self.0.len() - third);
        let middle = &before[before.len() - third..];
        let end = &last[last.len().saturating_sub(2 * LIFE)..];
        let memory = |held: &Held| held.memory_kib;
        let [typical, before] = [last, middle].map(|held| {
            let lives = held.chunks_exact(LIFE);
            let mut lives: Vec<_> = lives.map(|life| most(life, memory)).collect();
            lives.sort_unstable();
            lives.get(lives.len() / 2).copied().unwrap_or(0)
        });
        let [descriptors, fewer] = [last, middle].map(|held| most(held, |held| held.descriptors));
        [
            Verdict {
                what: "KiB of memory in a life, in the median",
                middle: before,
                last: typical,
                slack: SLACK_KIB + before / 50,
            },
            Verdict {
                what: "KiB of memory, at most, and of the last only its end",
                middle: most(middle, memory),
                last: most(end, memory),
                slack: SLACK_KIB + most(middle, memory) / 50,
            },
            Verdict {
                what: "descriptors, at most",
                middle: fewer,
                last: descriptors,
                slack: 0,
            },
        ]
    }
}

fn most(held: &[Held], of: fn(&Held) -> u64) -> u64 {
    held.iter().map(of).max().unwrap_or(0)
}

/// Whether one of them came to rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    what: &'static str,
    middle: u64,
    last: u64,
    slack: u64,
}

impl Verdict {
    pub(super) fn is_flat(&self) -> bool {
        self.last <= self.middle + self.slack
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what, middle, last, ..
        } = self;
        let word = if self.is_flat() { "flat" } else { "GROWS" };
        write!(
            f,
            "{word}: {what}: {middle} in the middle third, {last} in the last"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(memory: impl Iterator<Item = u64>, descriptors: impl Fn(u64) -> u64) -> Course {
        let held = memory.enumerate().map(|(round, memory_kib)| Held {
            memory_kib,
            descriptors: descriptors(round as u64),
        });
        Course(held.collect())
    }

    #[test]
    fn what_comes_to_rest_after_the_first_third_is_flat() {
        let memory = (0..30).map(|round| 20_000 + 3000 * u64::min(round, 3));
        let verdicts = course(memory, |_| 40).verdicts();
        assert!(verdicts.iter().all(Verdict::is_flat), "{verdicts:?}");
    }

    #[test]
    fn what_comes_back_is_flat_and_what_stays_is_not() {
        let is_flat = |from: u64, to: u64| {
            let memory = (0..120).map(move |round| {
                80_000 + round % 4 * 1000 + u64::from((from..to).contains(&round)) * 5000
            });
            let verdicts = course(memory, |_| 40).verdicts();
            verdicts.iter().all(Verdict::is_flat)
        };
        assert!(is_flat(84, 100));
        for from in [84, 104, 116] {
            assert!(!is_flat(from, 120), "since {from}");
        }
    }

    #[test]
    fn what_grows_each_round_is_not() {
        let [typical, end, _] =
            course((0..30).map(|round| 20_000 + 2048 * round), |_| 40).verdicts();
        assert!(!typical.is_flat(), "{typical}");
        assert!(!end.is_flat(), "{end}");
        let [.., descriptors] = course((0..30).map(|_| 20_000), |round| 40 + round).verdicts();
        assert!(!descriptors.is_flat(), "{descriptors}");
    }

    #[test]
    fn this_process_holds_something() {
        let held = Held::by_this_process().unwrap();
        assert!(held.memory_kib > 100 && held.descriptors >= 3, "{held:?}");
    }
}
