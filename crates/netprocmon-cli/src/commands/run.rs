//! `netprocmon run`: counts a command and all its descendants, and reports when they have ended.
//!
//! In order: become whoever is meant to run it, open the report's file, start counting, start the
//! command, give up what counting does not need; pass signals on while it runs; wait for descendants
//! that outlive it, and a little for what the kernel still sends; report.
//! What fails before the command is started ends with nothing started; what fails afterwards does
//! not stop the command, it is told at the end.

use std::io;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use netprocmon::{Monitor, Pid, Retention, SourceKind};

use crate::commands::{say, shown};
use crate::exit::{self, Failure, Status};
use crate::flags::meaning::RunPlan;
use crate::rights;
use netprocmon_tui::signals::{FORWARDED, Signals};

mod budget;
mod child;
pub(crate) mod outcome;
mod session;
mod sink;

use budget::Meter;
use outcome::Outcome;
use session::Session;
use sink::Sink;

/// How often the totals are read while a budget is watched.
const BUDGET_INTERVAL: Duration = Duration::from_millis(20);

/// Runs and measures the command; the status is the command's own, or says that a budget was
/// exceeded.
pub(crate) fn run(plan: &RunPlan) -> anyhow::Result<Status> {
    let role = rights::assume(plan.user.as_deref())?;
    let sink = rights::as_user(|| Sink::open(&plan.report))??;
    rights::as_user(|| plan.remotes.check())??;
    let mut monitor = start(plan)?;
    // Not earlier: until there is something to report, a signal may end this program as it is.
    let signals = Signals::catch(FORWARDED).context("install signal handlers")?;

    let (program, arguments) = child::program_of(plan)?;
    let mut command = Command::new(program);
    command.args(arguments);
    role.dress(&mut command);
    let started = Instant::now();
    let start = || -> io::Result<_> {
        let child = rights::as_user(|| command.spawn())??;
        Ok((Pid(child.id()), child))
    };
    let child = monitor
        .spawn_with(start)
        .map_err(|error| child::not_started(program, &error))?;
    rights::settle_and_signal(&monitor)?;
    let root = Pid(child.id());

    let mut session = Session::new(plan, monitor, signals, child)?;
    let ending = session.until_child_ends()?;
    let wall = started.elapsed();
    let still_running = session.until_tree_ends();
    let snapshot = session.last_snapshot(!still_running.is_empty());
    let (meter, trouble) = session.end();

    let status = match &meter {
        Some(meter) if meter.is_exceeded() => Status::BudgetExceeded,
        _ => ending.status(),
    };
    if let Some(snapshot) = snapshot {
        let tree = outcome::of_tree(&snapshot, root);
        let moved = tree.totals;
        let tree = outcome::of_run(&tree, &plan.filter, wall);
        let outcome = Outcome {
            command: &plan.command,
            ending,
            wall,
            spent: meter.map(Meter::into_spent),
            still_running,
            moved,
            filter: (!plan.filter.takes_everything()).then_some(&plan.filter),
            groups: shown::groups_of_run(&tree, &plan.group_by, wall),
        };
        let tree = shown::with(plan.connections, Arc::new(tree));
        let written = sink.write(&tree, &outcome);
        if let Err(error) = written {
            exit::report(&error);
            return Ok(worse_of(status, Status::Failure));
        }
    }
    if let Some(error) = trouble {
        say(&"the measurement failed while the command ran; the command itself was left alone");
        let error = anyhow::Error::new(error);
        exit::report(&error);
        return Ok(worse_of(status, exit::status_of(&error)));
    }
    Ok(status)
}

fn start(plan: &RunPlan) -> anyhow::Result<Monitor> {
    let mut builder = Monitor::builder()
        .retention(Retention::Keep)
        .source(plan.source)
        .capacity(plan.capacity)
        .connections(shown::tracks_connections(
            plan.connections,
            &plan.filter,
            &plan.group_by,
        ));
    if plan.budget.is_some() {
        builder = builder.interval(BUDGET_INTERVAL);
    }
    for interface in &plan.interfaces {
        builder = builder.interface(interface);
    }
    let monitor = plan.remotes.ask(builder).start()?;
    if plan.budget.is_some() && monitor.source() == SourceKind::Sockdiag {
        // It would never be exceeded.
        let message = "a budget is on wire bytes, which the sockdiag source cannot know";
        let remedy =
            "the command was not started; `netprocmon doctor` says what a better source needs";
        return Err(Failure::new(Status::NotPermitted, message)
            .with_remedy(remedy)
            .into());
    }
    Ok(monitor)
}

/// A failed command's own status says more than ours does.
fn worse_of(status: Status, ours: Status) -> Status {
    if status.code() == 0 { ours } else { status }
}
