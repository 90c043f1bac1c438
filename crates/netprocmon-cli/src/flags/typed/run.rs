//! `netprocmon run`, as typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use netprocmon::{Filter, GroupBy, SourceChoice};

use super::{Display, Remotes, Tables, rows};
use crate::flags::quantity;

/// Run a command and report what it and all its descendants moved
///
/// What `time` is for seconds, for the network. Counting starts before the command's first packet
/// and ends after the last byte of its tree: children, grandchildren, and daemons that it left
/// behind, for as long as they live. The command's own streams are untouched, signals are passed
/// on, and the exit status is the command's.
///
/// Under sudo, the command runs as the user who called sudo, in that user's environment, as if there
/// were no sudo; so does all but the counting. `--user root` runs it as root.
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools)] // as typed: a flag is there or not; see `meaning`
#[command(after_long_help = "\
Sizes take k, M, G, T (powers of 1000) and Ki, Mi, Gi, Ti (powers of 1024).

Examples:
  netprocmon run -- curl -sO https://example.org/big.iso
  netprocmon run --json -o traffic.json -- make test
  netprocmon run --max-recv 50M --kill -- ./crawler")]
pub(crate) struct Run {
    /// The command and its arguments
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) command: Vec<OsString>,

    /// Write the report to this file instead of standard error
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Report as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Report each connection
    #[arg(long)]
    pub(crate) connections: bool,

    /// Print no report; only the exit status counts
    #[arg(short, long, conflicts_with_all = ["json", "connections", "output"])]
    pub(crate) quiet: bool,

    /// Count only what crosses this interface; may be given several times
    #[arg(short, long, value_name = "NAME")]
    pub(crate) interface: Vec<String>,

    /// Report only what matches, such as `name=curl and port=https` or `remote=*.example.com`; what
    /// asks about connections recounts the rows from those that match. docs/filter.md has it
    /// all. A budget is on everything all the same
    #[arg(short, long, conflicts_with = "quiet", value_name = "EXPR", value_parser = rows::filter)]
    pub(crate) filter: Option<Filter>,

    /// Sum what is reported by process, tree, name, user, unit, container, pod, remote, interface,
    /// protocol or port; several with commas, one inside the other
    #[arg(
        short,
        long,
        conflicts_with = "quiet",
        value_name = "A[,B…]",
        value_delimiter = ','
    )]
    pub(crate) group_by: Vec<GroupBy>,

    /// Where the numbers come from: `auto` takes the best that works here, `netprocmon doctor` says
    /// which
    #[arg(long, value_name = "SOURCE", default_value = "auto", value_parser = rows::source())]
    pub(crate) source: SourceChoice,

    /// Run the command as this user (a name or a number) instead of the one who called sudo
    #[arg(short, long, value_name = "USER")]
    pub(crate) user: Option<String>,

    /// Do not wait for descendants that outlive the command
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// How long the counters must have stood still, once the last process has ended, before the
    /// report is made: the kernel may still be sending. The wait is at most 20 times as long
    #[arg(long, value_name = "DURATION", default_value = "100ms", value_parser = quantity::duration)]
    pub(crate) grace: Duration,

    #[command(flatten)]
    pub(crate) budget: Budget,

    #[command(flatten)]
    pub(crate) remotes: Remotes,

    #[command(flatten)]
    pub(crate) display: Display,

    #[command(flatten)]
    pub(crate) tables: Tables,
}

/// Limits on wire bytes of the whole tree.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(
    next_help_heading = "Budget",
    group = ArgGroup::new("limits").multiple(true).args(["max_bytes", "max_sent", "max_recv"])
)]
pub(crate) struct Budget {
    /// Exit with status 10 when more than this was sent and received together
    #[arg(long, value_name = "SIZE", value_parser = quantity::size)]
    pub(crate) max_bytes: Option<u64>,

    /// Exit with status 10 when more than this was sent
    #[arg(long, value_name = "SIZE", value_parser = quantity::size)]
    pub(crate) max_sent: Option<u64>,

    /// Exit with status 10 when more than this was received
    #[arg(long, value_name = "SIZE", value_parser = quantity::size)]
    pub(crate) max_recv: Option<u64>,

    /// Stop the command and its descendants as soon as a budget is exceeded (SIGTERM, then SIGKILL)
    #[arg(long, requires = "limits")]
    pub(crate) kill: bool,
}
