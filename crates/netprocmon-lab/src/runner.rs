//! Runs rows and prints what came out.

use std::any::Any;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use netprocmon::Monitor;

use crate::net::sweep;
use crate::report::{Outcome, Tally, markdown, text};
use crate::scenario::{Comparison, Scenario, Skip};
use crate::stage::Stage;
use crate::table;
use crate::tool;
use crate::verify::{Moment, verify};

/// What to run and where to write it.
#[derive(Debug, Args)]
pub struct Options {
    /// Print the names of the rows and do nothing.
    #[arg(long)]
    pub list: bool,
    /// Only rows whose name contains this; may be given more than once.
    #[arg(long, value_name = "PATTERN")]
    pub only: Vec<String>,
    /// Write all comparisons as a Markdown table.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Print every comparison, also of rows that passed.
    #[arg(short, long)]
    pub verbose: bool,
    /// Check the lab itself: generators against the kernel's counters, with no monitor.
    #[arg(long)]
    pub without_monitor: bool,
}

/// Runs them; gives whether none failed.
pub fn run(options: &Options) -> Result<bool> {
    let rows: Vec<_> = table::all()
        .into_iter()
        .filter(|r| chosen(r, options))
        .collect();
    if options.list {
        for row in rows {
            println!("{}", row.name);
        }
        return Ok(true);
    }
    anyhow::ensure!(!rows.is_empty(), "no row has that in its name; see --list");
    let obstacle = obstacle(!options.without_monitor);
    if obstacle.is_none() {
        for name in sweep()? {
            eprintln!("lab: removed {name}, which a killed lab had left behind");
        }
    }
    let mut tally = Tally::default();
    let mut done = Vec::new();
    for row in rows {
        let outcome = match &obstacle {
            Some(reason) => Outcome::Skipped(reason.clone()),
            None => play_twice(row, !options.without_monitor),
        };
        print!("{}", shown(&row, &outcome, options.verbose));
        tally.add(&outcome);
        done.push((row.name, outcome));
    }
    if let Some(path) = &options.report {
        fs::write(path, markdown(&done)).with_context(|| format!("write {}", path.display()))?;
    }
    if tally.skipped > 0 {
        println!("lab: SKIPPED rows have not been tested, see the reasons above");
    }
    println!("{tally}");
    Ok(tally.failed == 0)
}

fn chosen(row: &Scenario, options: &Options) -> bool {
    options.only.is_empty() || options.only.iter().any(|part| row.name.contains(part))
}

/// All comparisons of a row that failed, one line for one that passed.
fn shown(row: &Scenario, outcome: &Outcome, verbose: bool) -> String {
    let text = text(row.name, outcome);
    if verbose || outcome.word() != "pass" {
        return text;
    }
    let first = text.lines().next().unwrap_or_default();
    format!("{first} ({} comparisons)\n", outcome.checks().len())
}

/// Why no row at all can run here.
fn obstacle(with_monitor: bool) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("needs root: namespaces and BPF programs are root's".to_owned());
    }
    for program in ["ip", "nft", "ethtool"] {
        if !tool::exists(program) {
            return Some(format!("{program} is not installed"));
        }
    }
    if let Err(error) = crate::net::Namespace::new() {
        return Some(format!("cannot make a network namespace: {error:#}"));
    }
    if !with_monitor {
        return None;
    }
    match catch_unwind(|| Monitor::builder().start()) {
        Ok(Err(error)) if error.kind() != netprocmon::ErrorKind::Io => {
            let error = anyhow::Error::new(error);
            Some(format!("the monitor cannot run here: {error:#}"))
        }
        // Anything else that goes wrong is no obstacle but a fault, which every row will show.
        Ok(_) | Err(_) => None,
    }
}

/// Plays a row; once more, and says so, where what broke was the lab itself before it had compared
/// anything. A comparison is never repeated.
fn play_twice(row: Scenario, with_monitor: bool) -> Outcome {
    match play(row, with_monitor) {
        Outcome::Broke(reason, checks) if checks.is_empty() => {
            println!("again   {}: {reason}", row.name);
            play(row, with_monitor)
        }
        outcome => outcome,
    }
}

/// Plays one row: acts, compares, closes, compares again.
fn play(row: Scenario, with_monitor: bool) -> Outcome {
    let mut checks = Vec::new();
    let played = catch_unwind(AssertUnwindSafe(|| -> Result<()> {
        let mut stage = Stage::new(row, with_monitor)?;
        let result = act(&mut stage);
        checks = stage.checks().to_vec();
        result
    }));
    match played {
        Ok(Ok(())) => Outcome::Ran(checks),
        Ok(Err(error)) => match error.downcast_ref::<Skip>() {
            Some(skip) => Outcome::Skipped(skip.to_string()),
            None => Outcome::Broke(format!("{error:#}"), checks),
        },
        Err(panic) => Outcome::Broke(format!("panicked: {}", message(&*panic)), checks),
    }
}

fn act(stage: &mut Stage) -> Result<()> {
    (stage.scenario().act)(stage)?;
    if stage.scenario().comparison == Comparison::Own || !stage.is_counting() {
        return stage.release(); // a row that makes comparisons of its own
    }
    verify(stage, Moment::Open)?;
    stage.release()?;
    verify(stage, Moment::Closed)
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("with no message")
}
