//! The time to start a monitor: load, attach, and claim the sockets that are open.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Options;
use super::crowd::Crowd;
use super::report::{Row, Section, Target};
use super::sample::Sample;
use crate::net::Namespace;

const STARTS: usize = 9;

/// One start, in a fresh process.
fn start(connections: bool) -> Result<Duration> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["work", "start"]).stdin(Stdio::null());
    if connections {
        command.arg("--connections");
    }
    let output = command.output().context("start a worker")?;
    ensure!(
        output.status.success(),
        "the monitor did not start: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let nanoseconds = String::from_utf8_lossy(&output.stdout).trim().parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// Milliseconds of several starts.
pub(super) fn starts(count: usize, connections: bool) -> Result<Sample> {
    (0..count)
        .map(|_| Ok(start(connections)?.as_secs_f64() * 1e3))
        .collect()
}

pub(super) fn measure(options: &Options) -> Result<Section> {
    let mut section = Section::new(
        "Start",
        "`MonitorBuilder::start` in a fresh process, while another one holds that many connected \
         TCP sockets: load the programs, attach them, walk the open sockets. With none of them \
         open it is loading and attaching alone; the rest of a figure is the walk.",
    );
    for (sockets, target) in [
        (0, Target::None),
        (10_000, Target::AtMost(150.0)),
        (100_000, Target::AtMost(600.0)),
    ] {
        let namespace = Namespace::new()?;
        let _crowd = Crowd::of_sockets(&namespace, sockets)?;
        for (connections, with, target) in
            [(false, "", target), (true, ", connections", Target::None)]
        {
            let starts = starts(options.times(STARTS), connections)?;
            let title = format!("{sockets} sockets{with}");
            section.row(Row::new(title, &starts, "ms", 0, target));
        }
    }
    Ok(section)
}
