//! `netprocmon watch`, as typed.

use std::net::IpAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use netprocmon::{Filter, GroupBy, SourceChoice};

use super::{Display, Remotes, Tables, rows};
use crate::flags::quantity;

/// Show what processes move, an interval at a time
///
/// Without a PID or NAME, every process of the host. Ends with totals on SIGINT (Ctrl-C) and
/// SIGTERM, after `--count` intervals, and, where only PIDs are watched, when all of them have
/// ended. A NAME is watched for processes that are still to come.
#[derive(Args, Debug)]
pub(crate) struct Watch {
    /// Processes to watch, by pid or by name (the process's own or its program file's)
    #[arg(value_name = "PID|NAME")]
    pub(crate) targets: Vec<String>,

    /// Time between two samples, in seconds or with a unit
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = quantity::interval)]
    pub(crate) delay: Duration,

    /// End after this many samples
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// One line of JSON a sample
    #[arg(long)]
    pub(crate) json: bool,

    /// Show each connection
    #[arg(long)]
    pub(crate) connections: bool,

    /// Order of the processes; the table's default is `rate`, the JSON's is `pid`
    #[arg(short, long, value_name = "KEY")]
    pub(crate) sort: Option<Sort>,

    /// Show only what matches, such as `name=curl and port=https` or `remote=*.example.com`; what
    /// asks about connections recounts the rows from those that match. docs/filter.md has it all
    #[arg(short, long, value_name = "EXPR", value_parser = rows::filter)]
    pub(crate) filter: Option<Filter>,

    /// Sum what is shown by process, tree, name, user, unit, container, pod, remote, interface,
    /// protocol or port; several with commas, one inside the other
    #[arg(short, long, value_name = "A[,B…]", value_delimiter = ',')]
    pub(crate) group_by: Vec<GroupBy>,

    /// Where the numbers come from: `auto` takes the best that works here, `netprocmon doctor` says
    /// which
    #[arg(long, value_name = "SOURCE", default_value = "auto", value_parser = rows::source())]
    pub(crate) source: SourceChoice,

    /// Also watch the children of the given PIDs, and theirs
    #[arg(long)]
    pub(crate) children: bool,

    /// Count only what crosses this interface; may be given several times
    #[arg(short, long, value_name = "NAME")]
    pub(crate) interface: Vec<String>,

    /// Count only what is sent from or to this local address; may be given several times
    #[arg(short, long, value_name = "IP")]
    pub(crate) address: Vec<IpAddr>,

    /// Also watch the processes of this cgroup (a path below /sys/fs/cgroup); may be given several
    /// times
    #[arg(long, value_name = "PATH")]
    pub(crate) cgroup: Vec<String>,

    #[command(flatten)]
    pub(crate) remotes: Remotes,

    #[command(flatten)]
    pub(crate) display: Display,

    #[command(flatten)]
    pub(crate) tables: Tables,
}

/// What the rows are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// Bytes sent, most first
    Sent,
    /// Bytes received, most first
    Recv,
    /// Bytes sent and received, most first
    Total,
    /// Bytes a second in both directions, most first
    Rate,
    /// Name, then pid
    Name,
    /// Process id
    Pid,
}
