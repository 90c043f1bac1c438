//! Processes that the bench measures with: itself, started again.
//!
//! They say a line when they have done what they were told, and end with their standard input.

use std::io::{self, Read as _, Write as _};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Subcommand;
use netprocmon::Monitor;

use super::crowd::{self, Holding};
use super::peers::curls;

/// What such a process can do.
#[derive(Debug, Subcommand)]
pub enum Worker {
    /// Forks processes that hold sockets, and move something on each when told
    Crowd {
        /// How many processes
        processes: usize,
        /// What each of them holds
        #[command(subcommand)]
        each: Holding,
    },
    /// Answers HTTP requests, and says first at which address
    Serve,
    /// Starts a monitor and says how many nanoseconds that took
    Start {
        /// Count connections too
        #[arg(long)]
        connections: bool,
    },
}

impl Worker {
    /// Does it, to the end of standard input.
    pub fn run(self) -> Result<()> {
        match self {
            Self::Crowd { processes, each } => crowd::hold(processes, each),
            Self::Serve => curls::serve(),
            Self::Start { connections } => {
                let start = Instant::now();
                let monitor = Monitor::builder().connections(connections).start()?;
                say(&start.elapsed().as_nanos().to_string())?;
                drop(monitor);
                Ok(())
            }
        }
    }
}

/// Says a line.
pub(super) fn say(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .context("write to standard output")
}

/// Waits for a line on standard input, which says nothing but "again"; `false` at its end.
pub(super) fn told_again() -> Result<bool> {
    let mut byte = [0];
    Ok(io::stdin().read(&mut byte).context("read standard input")? > 0)
}
