//! How memory, start and tick grow with the number of sockets, and with that of processes.

use std::fmt::Write as _;

use anyhow::Result;

use super::Options;
use super::crowd::Crowd;
use super::report::Section;
use super::start::starts;
use super::tick::ticks;
use super::watch::{Watch, memory};
use crate::net::Namespace;

const SOCKETS: [usize; 5] = [10, 100, 1000, 10_000, 100_000];
const PROCESSES: [usize; 5] = [1, 10, 100, 1000, 10_000];
const TIMES: usize = 3;

pub(super) fn measure(options: &Options) -> Result<Section> {
    let mut section = Section::new(
        "Growth",
        "Medians of three. Resident: of `netprocmon watch --json -d 1` after a tick in which every \
         socket was active. Start and tick as above; `C` is with connections.",
    );
    let namespace = Namespace::new()?;
    section.append(&head("TCP sockets of one process"));
    for count in steps(SOCKETS, options) {
        let crowd = Crowd::of_sockets(&namespace, count)?;
        section.append(&line(options, count, crowd)?);
    }
    section.append("\n");
    section.append(&head("processes with one UDP socket each"));
    for count in steps(PROCESSES, options) {
        let crowd = Crowd::of_processes(&namespace, count)?;
        section.append(&line(options, count, crowd)?);
    }
    Ok(section)
}

fn steps(all: [usize; 5], options: &Options) -> impl Iterator<Item = usize> {
    let most = if options.quick { 1000 } else { usize::MAX };
    all.into_iter().filter(move |count| *count <= most)
}

fn head(of: &str) -> String {
    format!(
        "| {of} | resident MiB | resident C MiB | start ms | start C ms | tick ms | tick C ms |\n\
         |---:|---:|---:|---:|---:|---:|---:|\n"
    )
}

fn line(options: &Options, count: usize, mut crowd: Crowd) -> Result<String> {
    let mut text = format!("| {count} ");
    for connections in [false, true] {
        let mut args = vec!["-d", "1"];
        if connections {
            args.push("--connections");
        }
        let watch = Watch::start(&args)?;
        crowd.move_something()?;
        watch.wait_for_lines(3)?;
        let resident = memory(watch.pid(), "VmRSS").unwrap_or(f64::NAN);
        // Writing to a string cannot fail.
        let _ = write!(text, "| {resident:.1} ");
    }
    for connections in [false, true] {
        let starts = starts(options.times(TIMES), connections)?;
        let _ = write!(text, "| {:.0} ", starts.median());
    }
    for connections in [false, true] {
        let ticks = ticks(&mut crowd, options.times(TIMES), connections)?;
        let _ = write!(text, "| {:.2} ", ticks.snapshot.median());
    }
    text.push_str("|\n");
    Ok(text)
}
