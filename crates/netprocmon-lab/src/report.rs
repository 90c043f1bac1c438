//! What came out: one check, one row, and how they are shown on a terminal.
//!
//! [`accuracy`] makes the report that is published, a line a row; [`details`] writes every
//! comparison down.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

use crate::peer::company::Seen;

pub mod accuracy;
pub mod details;

/// A file to write when all has been measured: that it cannot be is said before, not after half an hour.
///
/// # Errors
///
/// When its directory is not there, or it is one itself.
pub fn destination(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    let directory = path.parent().unwrap_or(&path);
    if path.is_dir() {
        return Err("is a directory".to_owned());
    }
    if !Path::new(".").join(directory).is_dir() {
        return Err(format!("there is no directory {}", directory.display()));
    }
    Ok(path)
}

/// How far apart truth and ours may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerance {
    /// Not at all.
    Exact,
    /// As the contract promises for an interface's bytes: 0.1 %, or 2 kB.
    Bytes,
    /// The same for packets: 0.1 %, or as many bare acknowledgements as make 2 kB.
    Packets,
}

impl Tolerance {
    /// Whether `ours` is close enough to `truth`.
    #[must_use]
    pub fn takes(self, truth: u64, ours: u64) -> bool {
        let least = match self {
            Self::Exact => return truth == ours,
            Self::Bytes => 2000,
            Self::Packets => 2000 / 52,
        };
        truth.abs_diff(ours) <= least.max(truth / 1000)
    }
}

/// One thing that was compared.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was compared, such as `left0 bytes sent`.
    pub what: String,
    /// What the kernel or the generator says.
    pub truth: String,
    /// What netprocmon says.
    pub ours: String,
    /// Ours less the truth.
    pub difference: String,
    /// Whether that is good enough.
    pub passed: bool,
    /// Whether it had to be; a number that is only told is always good enough.
    pub judged: bool,
    /// How far apart two numbers are that are to be the same.
    pub apart: Option<u64>,
}

impl Check {
    /// Two numbers. Unknown is never right.
    #[must_use]
    pub fn number(
        what: impl Into<String>,
        truth: u64,
        ours: Option<u64>,
        tolerance: Tolerance,
    ) -> Self {
        let difference = ours.map(|ours| i128::from(ours) - i128::from(truth));
        Self {
            what: what.into(),
            truth: truth.to_string(),
            ours: ours.map_or("-".to_owned(), |ours| ours.to_string()),
            difference: difference.map_or("-".to_owned(), |d| format!("{d:+}")),
            passed: ours.is_some_and(|ours| tolerance.takes(truth, ours)),
            judged: true,
            apart: ours.map(|ours| ours.abs_diff(truth)),
        }
    }

    /// Two texts that are to be the same.
    #[must_use]
    pub fn same(what: impl Into<String>, truth: impl fmt::Debug, ours: impl fmt::Debug) -> Self {
        let (truth, ours) = (format!("{truth:?}"), format!("{ours:?}"));
        let passed = truth == ours;
        Self {
            what: what.into(),
            difference: if passed { "0" } else { "differs" }.to_owned(),
            truth,
            ours,
            passed,
            judged: true,
            apart: None,
        }
    }

    /// A number that is told and not judged, such as a time.
    #[must_use]
    pub fn measured(what: impl Into<String>, ours: impl fmt::Display) -> Self {
        Self {
            what: what.into(),
            truth: "-".to_owned(),
            ours: ours.to_string(),
            difference: "-".to_owned(),
            passed: true,
            judged: false,
            apart: None,
        }
    }

    /// A number that is to be at least another.
    #[must_use]
    pub fn at_least(what: impl Into<String>, least: u64, ours: Option<u64>) -> Self {
        let check = Self::number(what, least, ours, Tolerance::Exact);
        Self {
            truth: format!("≥ {least}"),
            passed: ours.is_some_and(|ours| ours >= least),
            apart: None,
            ..check
        }
    }

    /// A number that is to be at most another.
    #[must_use]
    pub fn at_most(what: impl Into<String>, most: u64, ours: Option<u64>) -> Self {
        let check = Self::number(what, most, ours, Tolerance::Exact);
        Self {
            truth: format!("≤ {most}"),
            passed: ours.is_some_and(|ours| ours <= most),
            apart: None,
            ..check
        }
    }

    /// A number that is to be no less than one and no more than another.
    #[must_use]
    pub fn between(what: impl Into<String>, least: u64, most: u64, ours: Option<u64>) -> Self {
        let check = Self::number(what, most, ours, Tolerance::Exact);
        if least == most {
            return check;
        }
        Self {
            truth: format!("{least} to {most}"),
            passed: ours.is_some_and(|ours| (least..=most).contains(&ours)),
            apart: None,
            ..check
        }
    }
}

/// What a row moved in all: what the kernel or the generators say, and what we do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    /// IP bytes at the devices that sockets used, both directions, both ends.
    pub wire: u64,
    /// The same by our count of those interfaces.
    pub our_wire: Option<u64>,
    /// Payload that processes sent and received.
    pub payload: u64,
    /// The same by our count of those processes.
    pub our_payload: Option<u64>,
}

/// One row that was run.
#[derive(Clone, Debug)]
pub struct Row {
    /// The kind of rows that it is one of.
    pub room: &'static str,
    /// Its name.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What it moved in all, where that was compared.
    pub sums: Option<Sums>,
    /// What each peer saw of it.
    pub seen: Vec<Seen>,
    /// Why it was played a second time: the lab itself broke before anything was compared.
    pub again: Option<String>,
}

/// How a row ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It ran to the end; it passed when all of these did, and there are some.
    Ran(Vec<Check>),
    /// It broke off.
    Broke(String, Vec<Check>),
    /// It could not run here, for this reason.
    Skipped(String),
}

impl Outcome {
    /// `pass`, `FAIL` or `SKIPPED`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Skipped(_) => "SKIPPED",
            Self::Ran(checks) if !checks.is_empty() && checks.iter().all(|c| c.passed) => "pass",
            Self::Ran(_) | Self::Broke(..) => "FAIL",
        }
    }

    /// What was compared.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        match self {
            Self::Ran(checks) | Self::Broke(_, checks) => checks,
            Self::Skipped(_) => &[],
        }
    }

    /// Why it broke off or was skipped.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Broke(reason, _) | Self::Skipped(reason) => Some(reason),
            Self::Ran(checks) if checks.is_empty() => Some("nothing was compared"),
            Self::Ran(_) => None,
        }
    }
}

/// Passed, failed, skipped; its text is the lab's last line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // numbers of rows
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Tally {
    /// Counts one more row.
    pub fn add(&mut self, outcome: &Outcome) {
        match outcome.word() {
            "pass" => self.passed += 1,
            "SKIPPED" => self.skipped += 1,
            _ => self.failed += 1,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(
            f,
            "lab: {passed} passed, {failed} failed, {skipped} skipped"
        )
    }
}

/// One row as text: its name and, a line each, what was compared.
#[must_use]
pub fn text(name: &str, outcome: &Outcome) -> String {
    let mut text = format!("{:<8}{name}\n", outcome.word());
    if let Some(reason) = outcome.reason() {
        let _ = writeln!(text, "        {reason}");
    }
    for check in outcome.checks() {
        let _ = writeln!(
            text,
            "        {:<4} {:<44} truth {:>14}  ours {:>14}  {}",
            if check.passed { "ok" } else { "FAIL" },
            check.what,
            check.truth,
            check.ours,
            check.difference
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_can_be_written_is_said_before() {
        assert!(destination("/no/such/directory/report.md").is_err());
        assert!(destination(env!("CARGO_MANIFEST_DIR")).is_err());
        assert!(destination("report.md").is_ok());
    }

    #[test]
    fn the_contracts_tolerance_is_a_thousandth_or_two_kilobytes() {
        assert!(Tolerance::Bytes.takes(100, 2100));
        assert!(!Tolerance::Bytes.takes(100, 2101));
        assert!(Tolerance::Bytes.takes(10_000_000, 9_990_000));
        assert!(!Tolerance::Bytes.takes(10_000_000, 9_989_999));
        assert!(!Tolerance::Exact.takes(1, 2));
    }

    #[test]
    fn an_unknown_number_fails() {
        assert!(!Check::number("x", 0, None, Tolerance::Bytes).passed);
    }

    #[test]
    fn between_takes_both_ends_and_nothing_beyond() {
        let passes = |least, most, ours| Check::between("x", least, most, ours).passed;
        assert!(passes(5, 7, Some(5)) && passes(5, 7, Some(7)) && passes(7, 7, Some(7)));
        assert!(!passes(5, 7, Some(4)) && !passes(5, 7, Some(8)) && !passes(5, 7, None));
        assert!(!passes(7, 7, Some(6)));
    }

    #[test]
    fn a_row_that_compared_nothing_has_not_passed() {
        assert_eq!(Outcome::Ran(Vec::new()).word(), "FAIL");
        assert_eq!(Outcome::Skipped("no root".into()).word(), "SKIPPED");
    }

    #[test]
    fn one_wrong_number_fails_the_row() {
        let right = Check::number("a", 1, Some(1), Tolerance::Exact);
        let wrong = Check::number("b", 1, Some(2), Tolerance::Exact);
        assert_eq!(Outcome::Ran(vec![right.clone()]).word(), "pass");
        assert_eq!(Outcome::Ran(vec![right, wrong]).word(), "FAIL");
    }
}
