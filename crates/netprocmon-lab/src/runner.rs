//! Runs rows and prints what came out.

use std::any::Any;
use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use netprocmon::{Monitor, SourceChoice};

use crate::net::sweep;
use crate::peer::Tool;
use crate::peer::company::Seen;
use crate::report::accuracy::{self, Run};
use crate::report::{Outcome, Row, Tally, destination, details, text};
use crate::scenario::{Comparison, Scenario, Skip};
use crate::stage::Stage;
use crate::table;
use crate::tool;
use crate::verify::{Moment, verify};

/// What to run and where to write it.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // they are switches
pub struct Options {
    /// Print the names of the rows and do nothing.
    #[arg(long)]
    pub list: bool,
    /// Only rows whose name contains this; may be given more than once.
    #[arg(long, value_name = "PATTERN")]
    pub only: Vec<String>,
    /// Write a line a row, as a Markdown table.
    #[arg(long, value_name = "FILE", value_parser = destination)]
    pub report: Option<PathBuf>,
    /// Write every comparison, as JSON, one a line.
    #[arg(long, value_name = "FILE", value_parser = destination)]
    pub details: Option<PathBuf>,
    /// Let other tools watch the same rows: those in this directory or on the path.
    #[arg(long, value_name = "DIR")]
    pub peers: Option<PathBuf>,
    /// Let our own three sources watch the same rows, each in a program of its own.
    #[arg(long)]
    pub sources: bool,
    /// Count with this source, in every row that compares as the table does.
    #[arg(long, value_name = "SOURCE", default_value = "auto")]
    pub source: SourceChoice,
    /// The commit to name in the report.
    #[arg(long, value_name = "COMMIT", hide = true)]
    pub revision: Option<String>,
    /// Print every comparison, also of rows that passed.
    #[arg(short, long)]
    pub verbose: bool,
    /// Check the lab itself: generators against the kernel's counters, with no monitor.
    #[arg(long)]
    pub without_monitor: bool,
}

/// Runs them; gives whether none failed.
pub fn run(options: &Options) -> Result<bool> {
    let rooms = table::ROOMS.iter();
    let rows: Vec<_> = rooms
        .flat_map(|room| room.rows.iter().map(|row| (room.title, *row)))
        .filter(|(_, row)| chosen(row, options))
        .map(|(title, row)| (title, with_source(row, options.source)))
        .collect();
    if options.list {
        for (_, row) in rows {
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
    let director = Director {
        with_monitor: !options.without_monitor,
        source: options.source,
        peers: [
            options
                .peers
                .as_deref()
                .map_or(Vec::new(), |dir| Tool::peers(Some(dir))),
            options.sources.then(Tool::sources).unwrap_or_default(),
        ]
        .concat(),
    };
    let mut tally = Tally::default();
    let mut done = Vec::new();
    let number = rows.len();
    for (room, scenario) in rows {
        if !director.peers.is_empty() {
            eprintln!("lab: {} of {number}: {}", done.len() + 1, scenario.name);
        }
        let row = match &obstacle {
            Some(reason) => Row {
                room,
                name: scenario.name,
                outcome: Outcome::Skipped(reason.clone()),
                sums: None,
                seen: Vec::new(),
                again: None,
            },
            None => director.play_twice(room, scenario),
        };
        print!("{}", shown(&row, options.verbose));
        tally.add(&row.outcome);
        done.push(row);
    }
    write(options, &director.peers, &done)?;
    if tally.skipped > 0 {
        println!("lab: SKIPPED rows have not been tested, see the reasons above");
    }
    println!("{tally}");
    Ok(tally.failed == 0)
}

fn write(options: &Options, peers: &[Tool], rows: &[Row]) -> Result<()> {
    let write = |path: &PathBuf, text: String| {
        fs::write(path, text).with_context(|| format!("write {}", path.display()))
    };
    if let Some(path) = &options.report {
        let run = Run {
            command: command(options),
            revision: options.revision.clone(),
            peers: peers
                .iter()
                .map(|peer| (peer.name(), peer.version()))
                .collect(),
        };
        write(path, accuracy::markdown(&run, rows))?;
    }
    if let Some(path) = &options.details {
        write(path, details::ndjson(rows))?;
    }
    Ok(())
}

/// What was typed, as far as it decides what the report says.
fn command(options: &Options) -> String {
    let mut command = "cargo xtask lab".to_owned();
    if options.peers.is_some() {
        command.push_str(" --peers");
    }
    if options.without_monitor {
        command.push_str(" --without-monitor");
    }
    if options.sources {
        command.push_str(" --sources");
    }
    if options.source != SourceChoice::Auto {
        // Writing to a string cannot fail.
        let _ = write!(command, " --source {}", options.source);
    }
    for only in &options.only {
        // Writing to a string cannot fail.
        let _ = write!(command, " --only '{only}'");
    }
    command + " --report FILE"
}

/// The row with the source that was asked for, unless it has one of its own.
fn with_source(row: Scenario, source: SourceChoice) -> Scenario {
    match row.source {
        SourceChoice::Auto => row.source(source),
        _ => row,
    }
}

fn chosen(row: &Scenario, options: &Options) -> bool {
    options.only.is_empty() || options.only.iter().any(|part| row.name.contains(part))
}

/// All comparisons of a row that failed, one line for one that passed.
fn shown(row: &Row, verbose: bool) -> String {
    let outcome = &row.outcome;
    let mut text = text(row.name, outcome);
    if !verbose && outcome.word() == "pass" {
        let first = text.lines().next().unwrap_or_default();
        text = format!("{first} ({} comparisons)\n", outcome.checks().len());
    }
    if !row.seen.is_empty() {
        let seen: Vec<_> = row.seen.iter().map(Seen::to_string).collect();
        let _ = writeln!(text, "        peers: {}", seen.join(", "));
    }
    text
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

/// Who plays the rows.
struct Director {
    with_monitor: bool,
    /// What rows without a source of their own count with.
    source: SourceChoice,
    peers: Vec<Tool>,
}

impl Director {
    /// Plays a row; once more, and says so, where what broke was the lab itself before it had
    /// compared anything. A comparison is never repeated.
    fn play_twice(&self, room: &'static str, scenario: Scenario) -> Row {
        let row = self.play(room, scenario);
        match row.outcome {
            Outcome::Broke(reason, checks) if checks.is_empty() => {
                println!("again   {}: {reason}", scenario.name);
                Row {
                    again: Some(reason),
                    ..self.play(room, scenario)
                }
            }
            _ => row,
        }
    }

    /// Plays one row: acts, compares, closes, compares again.
    fn play(&self, room: &'static str, scenario: Scenario) -> Row {
        let (mut checks, mut sums, mut seen) = (Vec::new(), None, Vec::new());
        let played = catch_unwind(AssertUnwindSafe(|| -> Result<()> {
            let lacks = matches!(self.source, SourceChoice::Packet | SourceChoice::Sockdiag);
            if lacks && scenario.comparison == Comparison::Own {
                let reason = "the row compares by itself what only the eBPF source tells";
                bail!(Skip(reason.to_owned()));
            }
            let mut stage = Stage::new(scenario, self.with_monitor)?.beside(&self.peers);
            let result = act(&mut stage);
            checks = stage.checks().to_vec();
            sums = stage.sums();
            result?;
            seen = stage.part()?;
            Ok(())
        }));
        let outcome = match played {
            Ok(Ok(())) => Outcome::Ran(checks),
            Ok(Err(error)) => match error.downcast_ref::<Skip>() {
                Some(skip) => Outcome::Skipped(skip.to_string()),
                None => Outcome::Broke(format!("{error:#}"), checks),
            },
            Err(panic) => Outcome::Broke(format!("panicked: {}", message(&*panic)), checks),
        };
        Row {
            room,
            name: scenario.name,
            outcome,
            sums,
            seen,
            again: None,
        }
    }
}

fn act(stage: &mut Stage) -> Result<()> {
    (stage.scenario().act)(stage)?;
    stage.linger();
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
