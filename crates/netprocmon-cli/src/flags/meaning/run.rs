//! What a `run` is to do.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use netprocmon::units::Units;
use netprocmon::{Capacity, Filter, GroupBy, SourceChoice};

use super::{Connections, Format, Remotes, connections, format};
use crate::flags::typed;

/// A measured command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunPlan {
    /// The program, then its arguments; never empty.
    pub(crate) command: Vec<OsString>,
    /// As whom it runs, where that was given.
    pub(crate) user: Option<String>,
    pub(crate) report: Report,
    pub(crate) connections: Connections,
    pub(crate) remotes: Remotes,
    pub(crate) filter: Filter,
    /// Empty shows processes.
    pub(crate) group_by: Vec<GroupBy>,
    /// Count only what crosses these; empty is all.
    pub(crate) interfaces: Vec<String>,
    pub(crate) descendants: Descendants,
    /// How long the counters must stand still before the report.
    pub(crate) grace: Duration,
    /// `None` where no limit was given.
    pub(crate) budget: Option<Budget>,
    pub(crate) source: SourceChoice,
    pub(crate) capacity: Capacity,
}

/// What is reported, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    None,
    To(Destination, Format, Units),
}

/// Where a report goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Stderr,
    File(PathBuf),
}

/// What is done about descendants that outlive the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Descendants {
    AwaitAll,
    Leave,
}

/// Limits on wire bytes of the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) max_bytes: Option<u64>,
    pub(crate) max_sent: Option<u64>,
    pub(crate) max_recv: Option<u64>,
    /// Whether the tree is stopped when one is exceeded.
    pub(crate) on_excess: OnExcess,
}

/// What happens when a budget is exceeded, besides the exit status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnExcess {
    #[default]
    Continue,
    Kill,
}

impl RunPlan {
    /// Whether netprocmon may say something on standard error besides its report: a line of JSON
    /// there stands alone, and `--quiet` is quiet.
    pub(crate) fn may_say(&self) -> bool {
        match &self.report {
            Report::None | Report::To(Destination::Stderr, Format::Json, _) => false,
            Report::To(..) => true,
        }
    }
}

impl From<typed::Run> for RunPlan {
    fn from(typed: typed::Run) -> Self {
        let destination = typed.output.map_or(Destination::Stderr, Destination::File);
        Self {
            command: typed.command,
            user: typed.user,
            report: if typed.quiet {
                Report::None
            } else {
                Report::To(destination, format(typed.json), typed.display.into())
            },
            connections: connections(typed.connections),
            remotes: typed.remotes.into(),
            filter: typed.filter.unwrap_or_default(),
            group_by: typed.group_by,
            interfaces: typed.interface,
            descendants: if typed.no_wait {
                Descendants::Leave
            } else {
                Descendants::AwaitAll
            },
            grace: typed.grace,
            budget: Budget::from_typed(typed.budget),
            source: typed.source,
            capacity: typed.tables.into(),
        }
    }
}

impl Budget {
    fn from_typed(typed: typed::Budget) -> Option<Self> {
        let typed::Budget {
            max_bytes,
            max_sent,
            max_recv,
            kill,
        } = typed;
        let any = max_bytes.or(max_sent).or(max_recv).is_some();
        any.then_some(Self {
            max_bytes,
            max_sent,
            max_recv,
            on_excess: if kill {
                OnExcess::Kill
            } else {
                OnExcess::Continue
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn plan(arguments: &[&str]) -> Result<RunPlan, clap::Error> {
        let all = ["netprocmon", "run"].iter().chain(arguments);
        typed::Cli::try_parse_from(all).map(|cli| match cli.command {
            typed::Command::Run(typed) => typed.into(),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn the_command_keeps_its_own_flags() {
        for arguments in [
            &["--json", "--", "curl", "--json", "-s", "--", "x"][..],
            &["--json", "curl", "--json", "-s", "--", "x"],
        ] {
            let plan = plan(arguments).unwrap();
            assert_eq!(plan.command, ["curl", "--json", "-s", "--", "x"]);
            assert!(matches!(plan.report, Report::To(_, Format::Json, _)));
        }
    }

    #[test]
    fn defaults() {
        let plan = plan(&["--", "true"]).unwrap();
        assert_eq!(plan.grace, Duration::from_millis(100));
        assert_eq!(plan.descendants, Descendants::AwaitAll);
        assert_eq!(plan.budget, None);
        assert_eq!(
            plan.report,
            Report::To(Destination::Stderr, Format::Text, Units::default())
        );
        assert!(plan.may_say());
    }

    #[test]
    fn a_budget_in_the_units_that_were_typed() {
        let plan = plan(&["--max-bytes=50M", "--max-sent", "1Gi", "--kill", "x"]).unwrap();
        let expected = Budget {
            max_bytes: Some(50_000_000),
            max_sent: Some(1 << 30),
            max_recv: None,
            on_excess: OnExcess::Kill,
        };
        assert_eq!(plan.budget, Some(expected));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(plan(&[]).is_err());
        assert!(plan(&["--kill", "x"]).is_err());
        assert!(plan(&["--quiet", "--json", "x"]).is_err());
        let error = plan(&["--max-bytes", "5X", "x"]).unwrap_err().to_string();
        assert!(error.contains("powers of 1000"), "{error}");
    }

    #[test]
    fn json_on_standard_error_stands_alone() {
        assert!(!plan(&["--json", "x"]).unwrap().may_say());
        assert!(plan(&["--json", "-o", "f", "x"]).unwrap().may_say());
        assert!(!plan(&["-q", "x"]).unwrap().may_say());
    }
}
