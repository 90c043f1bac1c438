//! `netprocmon top`, and `netprocmon` alone on a terminal: the live view.

use std::env;

use netprocmon::{Children, Monitor, Retention};

use crate::config;
use crate::exit::Status;
use crate::flags::meaning::TopPlan;
use crate::flags::typed::Top;

/// Shows it until it is told to end.
pub(crate) fn top(typed: Top) -> anyhow::Result<Status> {
    let file = config::load(typed.config.as_deref())?;
    let plan = TopPlan::new(typed, file, |name| env::var(name).ok());
    let mut builder = Monitor::builder()
        .retention(Retention::ShowOnce)
        .interval(plan.interval)
        .source(plan.source)
        .capacity(plan.capacity)
        .connections(true);
    for pid in &plan.pids {
        builder = builder.pid(*pid, Children::Follow);
    }
    for name in &plan.names {
        builder = builder.name(name);
    }
    for interface in &plan.interfaces {
        builder = builder.interface(interface);
    }
    let monitor = plan.remotes.ask(builder).start()?;
    netprocmon_tui::run(monitor, plan.settings, diagnosis)?;
    Ok(Status::Success)
}

/// What the doctor says, for the view's `d`.
fn diagnosis() -> String {
    netprocmon::doctor().to_string()
}
