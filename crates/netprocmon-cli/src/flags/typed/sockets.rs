//! `netprocmon ps` and `netprocmon ports`, as typed.

use clap::Args;
use netprocmon::Filter;

use super::{Display, rows};

/// One look at the processes that have sockets
///
/// Ports, connections, and for TCP the payload bytes since each connection began, from the kernel's
/// own counters (`tcp_info`). Needs no privilege; without it only your own processes are shown.
#[derive(Args, Debug)]
pub(crate) struct Ps {
    /// One line of JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Show each connection
    #[arg(long)]
    pub(crate) connections: bool,

    /// Show only what matches, such as `name=curl and state=listen` or `remote=*.example.com`; exits
    /// with status 1 when nothing does. docs/filter.md has it all
    #[arg(short, long, value_name = "EXPR", value_parser = rows::filter)]
    pub(crate) filter: Option<Filter>,

    #[command(flatten)]
    pub(crate) display: Display,
}

/// Show who owns which port
///
/// Without an argument, the ports that something listens on (for UDP: is bound to). A number is
/// taken as a local port and, as well, as a pid; --port and --pid say which is meant, and all ports
/// that match are shown, those of connections too. Exits with status 1 when nothing matches.
#[derive(Args, Debug)]
pub(crate) struct Ports {
    /// A local port number or a pid
    #[arg(value_name = "PORT|PID", conflicts_with_all = ["port", "pid"])]
    pub(crate) number: Option<u32>,

    /// Only this local port
    #[arg(short, long)]
    pub(crate) port: Option<u16>,

    /// Only ports of this process
    #[arg(long)]
    pub(crate) pid: Option<u32>,

    /// Also the ports of connections, not only those that something listens on
    #[arg(short, long)]
    pub(crate) all: bool,

    /// One line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}
