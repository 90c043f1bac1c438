//! The time of a snapshot while 10,000 sockets have moved something since the last one.

use std::time::Instant;

use anyhow::Result;
use netprocmon::Monitor;

use super::Options;
use super::crowd::Crowd;
use super::report::{Row, Section, Target};
use super::sample::Sample;
use crate::net::Namespace;

const SOCKETS: usize = 10_000;
const TICKS: usize = 15;

/// What a tick takes, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    /// [`Monitor::snapshot`].
    pub(super) snapshot: Sample,
    /// Making a line of JSON of it.
    pub(super) json: Sample,
}

/// Ticks of a monitor in this process, with everybody in the crowd active before each.
pub(super) fn ticks(crowd: &mut Crowd, count: usize, connections: bool) -> Result<Ticks> {
    let mut ticks = Ticks::default();
    let mut monitor = Monitor::builder().connections(connections).start()?;
    // The first makes the rows that the next only read.
    for tick in 0..=count {
        crowd.move_something()?;
        let start = Instant::now();
        let snapshot = monitor.snapshot()?;
        let taken = start.elapsed();
        let line = serde_json::to_vec(&*snapshot)?;
        let written = start.elapsed().saturating_sub(taken);
        std::hint::black_box(line);
        if tick > 0 {
            ticks.snapshot.add(taken.as_secs_f64() * 1e3);
            ticks.json.add(written.as_secs_f64() * 1e3);
        }
    }
    Ok(ticks)
}

pub(super) fn measure(options: &Options) -> Result<Section> {
    let mut section = Section::new(
        "A tick with 10,000 active connections",
        "`Monitor::snapshot`, after each of 10,000 connected TCP sockets of one process (both ends \
         of 5,000 connections over loopback) has moved a byte since the last one. Making a line of \
         JSON of the snapshot is shown apart.",
    );
    let namespace = Namespace::new()?;
    let mut crowd = Crowd::of_sockets(&namespace, SOCKETS)?;
    for (connections, what) in [(false, "without connections"), (true, "with connections")] {
        let ticks = ticks(&mut crowd, options.times(TICKS), connections)?;
        let title = |of: &str| format!("{of}, {what}");
        let target = Target::AtMost(5.0);
        section.row(Row::new(
            title("snapshot"),
            &ticks.snapshot,
            "ms",
            2,
            target,
        ));
        section.row(Row::new(
            title("JSON of it"),
            &ticks.json,
            "ms",
            2,
            Target::None,
        ));
    }
    Ok(section)
}
