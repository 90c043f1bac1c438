//! What was typed: the one definition of the command line.
//!
//! Help, man pages and completions are made from it, so the texts here are the manual. What the
//! flags mean together is [`super::meaning`]'s.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod remotes;
pub(crate) mod rows;
mod run;
mod sockets;
mod top;
mod watch;

pub(crate) use remotes::Remotes;
pub(crate) use run::{Budget, Run};
pub(crate) use sockets::{Ports, Ps};
pub(crate) use top::{Characters, ThemeName, Top, column, view};
pub(crate) use watch::{Sort, Watch};

/// How many bytes each process sends and receives, per network interface, exactly.
///
/// Counting is done in the kernel, packet by packet, and charged to the process whose call moved
/// the bytes: nothing is sampled, and a process that lives a millisecond is counted like any other.
///
/// Bytes are wire bytes at the IP layer, with headers and retransmissions; payload is what the
/// program's own calls moved.
#[derive(Debug, Parser)]
#[command(
    name = "netprocmon",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    override_usage = "netprocmon [COMMAND] [OPTIONS]",
    after_long_help = EXIT_STATUS
)]
pub(crate) struct Cli {
    /// What to do; without a command `top` on a terminal, `watch` elsewhere, with their options.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_STATUS: &str = "\
Exit status:
  0   success
  1   the thing asked about is not there (no such process, nothing matched)
  2   usage
  3   not permitted (the message names what is missing and the command that grants it)
  4   runtime failure
  10  a budget was exceeded
`run` exits with the command's own status (128+N for signal N, 127 not found, 126 not executable),
unless a budget was exceeded.";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Run),
    Top(Box<Top>),
    Watch(Watch),
    Ps(Ps),
    Ports(Ports),
    Doctor(Doctor),
    Man(Man),
    Completions(Completions),
}

/// Say what can be counted on this host, and what would make it better
///
/// Starts each source and stops it again. The exit status is 0 when the best one works, 3 when it
/// is not permitted, 4 when this host cannot have it.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// One line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print the manual pages
///
/// Without a name, the page of netprocmon itself; `netprocmon man run | man -l -` reads one.
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// The command whose page to print
    #[arg(value_name = "COMMAND", conflicts_with = "directory")]
    pub(crate) page: Option<String>,

    /// Write all pages into this directory instead
    #[arg(short = 'o', long = "out-dir", value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

/// Print a shell's completions
///
/// For bash: `netprocmon completions bash > /usr/share/bash-completion/completions/netprocmon`.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// Sizes of the tables in the kernel.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Tables in the kernel (sized from the host by default)")]
pub(crate) struct Tables {
    /// Rows of process, interface, protocol and IP version: 128 bytes each, times up to 8 copies on
    /// a host with many processors. Full, it costs names, never bytes
    #[arg(id = "max_counters", long = "max-counters", value_name = "ROWS", value_parser = clap::value_parser!(u32).range(ROWS))]
    pub(crate) counters: Option<u32>,

    /// Connections at one time, with `--connections`: 192 bytes each
    #[arg(id = "max_connections", long = "max-connections", value_name = "ROWS", value_parser = clap::value_parser!(u32).range(ROWS))]
    pub(crate) connections: Option<u32>,

    /// Processes with sockets at one time
    #[arg(id = "max_processes", long = "max-processes", value_name = "ROWS", value_parser = clap::value_parser!(u32).range(ROWS))]
    pub(crate) processes: Option<u32>,
}

const ROWS: std::ops::RangeInclusive<i64> = 1..=4_000_000;

/// How sizes and the ends of connections are shown.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Display")]
pub(crate) struct Display {
    /// Show sizes in powers of 1000 (kB, MB) instead of 1024 (KiB, MiB)
    #[arg(long)]
    pub(crate) si: bool,

    /// Show bits instead of bytes
    #[arg(long)]
    pub(crate) bits: bool,

    /// Show addresses and port numbers of connections instead of names
    #[arg(short, long)]
    pub(crate) numeric: bool,
}
