//! What the kernel skipped. A program of a tracepoint, or behind a function, is not run while the
//! same program has been interrupted on that processor and has not come to its end. Since Linux 7
//! tasks may be preempted in a tracepoint, so it happens to programs that nothing recurses into.
//!
//! The kernel counts it for each program and tells it where it describes the program's descriptor
//! (`recursion_misses`, `bpf_prog_show_fdinfo`, kernel/bpf/syscall.c; Linux 5.12). There most programs
//! are run three times (`bpf/again.h`): then it is lost only where all were skipped.

use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

/// What the kernel says of a program.
#[derive(Debug)]
struct Description(File);

/// The programs that can be skipped, and how often they were.
#[derive(Debug, Default)]
pub(crate) struct Skipped {
    /// Each with those that do the same.
    programs: Vec<Vec<Description>>,
    count: u64,
    until: Option<Instant>,
}

/// Longer than what the kernel says of a program.
const LONGEST: usize = 1024;
/// A process whose end was skipped is there until its parent has asked for it.
const AFTERMATH: Duration = Duration::from_secs(10);
/// The first kernel on which tasks may be preempted in a tracepoint.
const PREEMPTS: u32 = 7;

/// Whether this kernel skips programs that nothing recurses into. By its version: it decides what
/// counting costs, not whether it works, and there is nothing to try.
pub(crate) fn by_this_kernel() -> bool {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let major = release
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    major.is_some_and(|major: u32| major >= PREEMPTS)
}

impl Skipped {
    /// Of these programs, each with those that do the same. One whose description cannot be opened is
    /// not looked at.
    pub(crate) fn of<'a>(
        programs: impl Iterator<Item = impl Iterator<Item = BorrowedFd<'a>>>,
    ) -> Self {
        let described = programs.map(|alike| alike.filter_map(Description::of).collect());
        Self {
            programs: described.collect(),
            ..Self::default()
        }
    }

    /// How often something was skipped since the start, at most, by the last look.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Looks. Whether processes may have ended of which nobody has told.
    pub(crate) fn look(&mut self) -> bool {
        let of_all = |alike: &Vec<Description>| alike.iter().map(Description::misses).min();
        let count = self.programs.iter().filter_map(of_all).sum();
        let now = Instant::now();
        if count != std::mem::replace(&mut self.count, count) {
            self.until = Some(now + AFTERMATH);
        }
        self.until.is_some_and(|until| now < until)
    }
}

impl Description {
    fn of(program: BorrowedFd<'_>) -> Option<Self> {
        let path = format!("/proc/self/fdinfo/{}", program.as_raw_fd());
        File::open(path).ok().map(Self)
    }

    fn misses(&self) -> u64 {
        let mut text = [0; LONGEST];
        let length = self.0.read_at(&mut text, 0).unwrap_or_default();
        misses(text.get(..length).unwrap_or_default()).unwrap_or_default()
    }
}

/// `name:\tvalue` a line.
fn misses(text: &[u8]) -> Option<u64> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| line.strip_prefix(b"recursion_misses:\t"))?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_among_others() {
        let text =
            b"pos:\t0\nprog_type:\t26\nrun_cnt:\t9\nrecursion_misses:\t6\nverified_insns:\t80\n";
        assert_eq!(misses(text), Some(6));
        assert_eq!(misses(b"pos:\t0\nrecursion_misses:\t\n"), None);
        assert_eq!(misses(b""), None);
    }
}
