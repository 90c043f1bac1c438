//! What the kernel skipped. A program of a tracepoint, or behind a function, is not run while the
//! same program has been interrupted on that processor and has not come to its end. Since Linux 7
//! tasks may be preempted in a tracepoint, so it happens to programs that nothing recurses into.
//!
//! The kernel counts it for each program and tells it where it describes the program's descriptor
//! (`recursion_misses`, `bpf_prog_show_fdinfo`, kernel/bpf/syscall.c; Linux 5.12).

use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

/// The programs that can be skipped, and how often they were.
#[derive(Debug, Default)]
pub(crate) struct Skipped {
    /// What the kernel says of each.
    descriptions: Vec<File>,
    count: u64,
    until: Option<Instant>,
}

/// Longer than what the kernel says of a program.
const LONGEST: usize = 1024;
/// A process whose end was skipped is there until its parent has asked for it.
const AFTERMATH: Duration = Duration::from_secs(10);

impl Skipped {
    /// Of these programs. One whose description cannot be opened is not looked at.
    pub(crate) fn of<'a>(programs: impl Iterator<Item = BorrowedFd<'a>>) -> Self {
        let files = programs.filter_map(|program| {
            let path = format!("/proc/self/fdinfo/{}", program.as_raw_fd());
            File::open(path).ok()
        });
        Self {
            descriptions: files.collect(),
            ..Self::default()
        }
    }

    /// How often any of them was skipped since it was loaded, by the last look.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Looks. Whether processes may have ended of which nobody has told.
    pub(crate) fn look(&mut self) -> bool {
        let mut text = [0; LONGEST];
        let each = self.descriptions.iter().map(|file| {
            let length = file.read_at(&mut text, 0).unwrap_or_default();
            misses(text.get(..length).unwrap_or_default()).unwrap_or_default()
        });
        let count = each.sum();
        let now = Instant::now();
        if count != std::mem::replace(&mut self.count, count) {
            self.until = Some(now + AFTERMATH);
        }
        self.until.is_some_and(|until| now < until)
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
