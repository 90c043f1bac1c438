//! `netprocmon top`, and `netprocmon` alone on a terminal: the live view.

use netprocmon::{Children, Monitor, Retention};

use crate::config;
use crate::exit::Status;
use crate::flags::meaning::TopPlan;
use crate::flags::typed::Top;
use crate::rights;

/// Shows it until it is told to end.
pub(crate) fn top(typed: Top) -> anyhow::Result<Status> {
    let role = rights::assume(None)?;
    let variable = |name: &str| role.variable(name);
    let file = rights::as_user(|| config::load(typed.config.as_deref(), variable))??;
    let plan = TopPlan::new(typed, file, variable);
    rights::as_user(|| plan.remotes.check())??;
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
    // Before the rest is given up: it says what there was to start with.
    let diagnosis = monitor.diagnosis().to_string();
    rights::settle(&monitor)?;
    netprocmon_tui::run(monitor, plan.settings, diagnosis)?;
    Ok(Status::Success)
}
