//! The bench: what counting costs, on this machine, in one run.
//!
//! One file a measurement. Each gives a [`Section`]: a few lines on how it was measured, and rows
//! with the median, the spread and the target. Whatever is compared is measured in turns (without,
//! with, without, with, …), so that a machine that slows down slows down both. A missed target is
//! printed as missed, and nothing here fails because something was slow: wall-clock figures are
//! for people, not for gates.
//!
//! Not here: whether the numbers are right; that is the rest of the lab.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

mod bpf;
mod btf;
mod crowd;
mod growth;
mod kernel;
mod load;
pub(crate) mod machine;
mod peers;
mod report;
mod sample;
mod start;
mod throughput;
mod tick;
mod top;
mod watch;
mod worker;

use crate::report::destination;
pub use report::{Row, Section, Target};
pub use worker::Worker;

/// What to measure and where to write it.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Few and short repetitions: to try the bench, not to publish
    #[arg(long)]
    pub quick: bool,
    /// Only these measurements; may be given more than once
    #[arg(long, value_name = "NAME", value_enum)]
    pub only: Vec<Measurement>,
    /// Also measure the peers whose programs are in this directory or on the path
    #[arg(long, value_name = "DIR")]
    pub peers: Option<PathBuf>,
    /// Write the report here too
    #[arg(long, value_name = "FILE", value_parser = destination)]
    pub report: Option<PathBuf>,
}

/// The measurements, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Measurement {
    /// Nanoseconds a run of each program in the kernel
    Kernel,
    /// Throughput with the monitor over without
    Throughput,
    /// Memory and idle cost of `netprocmon watch`
    Watch,
    /// What of a core the live view takes
    Top,
    /// Time of a snapshot with many active connections
    Tick,
    /// Time to start with many open sockets
    Start,
    /// Memory, start and tick with more sockets and processes
    Growth,
    /// The same beside other tools; only with `--peers`
    Peers,
}

impl Measurement {
    fn measure(self, options: &Options) -> Result<Section> {
        match self {
            Self::Kernel => kernel::measure(options),
            Self::Throughput => throughput::measure(options),
            Self::Watch => watch::measure(options),
            Self::Top => top::measure(options),
            Self::Tick => tick::measure(options),
            Self::Start => start::measure(options),
            Self::Growth => growth::measure(options),
            Self::Peers => Ok(peers::measure(options)),
        }
    }
}

impl Options {
    /// Repetitions: `full`, or few in a quick run.
    fn times(&self, full: usize) -> usize {
        if self.quick { full.min(2) } else { full }
    }

    /// Length of a window.
    fn window(&self, full: Duration) -> Duration {
        if self.quick { full / 4 } else { full }
    }

    fn chosen(&self) -> Vec<Measurement> {
        let all = Measurement::value_variants().iter().copied();
        all.filter(|one| match one {
            _ if !self.only.is_empty() => self.only.contains(one),
            Measurement::Peers => self.peers.is_some(),
            _ => true,
        })
        .collect()
    }
}

/// Measures, prints the report, and writes it where that was asked for.
///
/// A measurement that cannot be made stands in the report with the reason.
pub fn run(options: &Options) -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "needs root: namespaces and BPF programs are root's"
    );
    for name in crate::net::sweep()? {
        eprintln!("bench: removed {name}, which a killed run had left behind");
    }
    let mut text = machine::describe(options.quick);
    for measurement in options.chosen() {
        eprintln!("bench: {measurement:?}");
        let section = measurement
            .measure(options)
            .unwrap_or_else(|error| Section::broken(&format!("{measurement:?}"), &error));
        text.push_str(&section.markdown());
    }
    text.push_str(&machine::afterwards());
    print!("{text}");
    if let Some(path) = &options.report {
        fs::write(path, &text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
