//! The same traffic, in the same run, beside other tools that show what each process moves.
//!
//! Each tool runs as its own documentation says, without its screen. What it costs is measured as
//! for ours; what it says is held against the link's own counters. A tool that cannot be run
//! stands in the table with the reason.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Options;
use super::load::{Kind, Load, bare_link};
use super::report::Section;
use super::sample::Sample;
use super::throughput::{Pairs, in_turns};
use super::watch::{memory, processor_time};
use crate::net::{End, Link, Offload};
use crate::peer::{Started, Tool};

pub(super) mod curls;

use curls::Shares;

const WINDOW: Duration = Duration::from_secs(1);
const PAIRS: usize = 7;

/// What running a tool costs.
#[derive(Debug, Default)]
struct Cost {
    stream: Pairs,
    datagrams: Pairs,
    /// Processor seconds of the tool's process for each GB, and for each million datagrams.
    per_gigabyte: Sample,
    per_million: Sample,
    resident: Sample,
}

pub(super) fn measure(options: &Options) -> Section {
    let mut section = Section::new(
        "Beside other tools",
        "Ratios as above, in turns. Processor seconds are those of the tool's own process (what \
         runs in the kernel, ours as well as a packet socket's copies, shows in the ratios). \
         Share: of the bytes that 300 curl processes, ten at a time, moved over the link (its own \
         counters), those that the tool put on the right process; `bandwhich` tells names and no \
         pids, so any curl is right there. Each had six seconds to say its last.",
    );
    section.append(
        "| tool | TCP ratio | UDP 64 B ratio | CPU s per GB | CPU s per million datagrams | \
         resident MiB | bytes on the right process | |\n\
         |---|---:|---:|---:|---:|---:|---:|---|\n",
    );
    for tool in Tool::all(options.peers.as_deref()) {
        section.append(&line(options, &tool));
    }
    section
}

fn line(options: &Options, tool: &Tool) -> String {
    let name = tool.name();
    match cost(options, tool).and_then(|cost| Ok((cost, curls::shares(options, tool)?))) {
        Ok((cost, shares)) => shown(name, &cost, &shares),
        Err(error) => format!("| {name} | | | | | | | could not be run: {error:#} |\n"),
    }
}

fn shown(name: &str, cost: &Cost, shares: &Shares) -> String {
    let mut text = format!("| {name} ");
    for (sample, decimals) in [
        (&cost.stream.ratio, 3),
        (&cost.datagrams.ratio, 3),
        (&cost.per_gigabyte, 3),
        (&cost.per_million, 3),
        (&cost.resident, 1),
    ] {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "| {:.decimals$} ({:.decimals$}–{:.decimals$}) ",
            sample.median(),
            sample.least(),
            sample.most()
        );
    }
    let _ = writeln!(text, "| {:.2} % | {} |", shares.right * 100.0, shares.note);
    text
}

fn cost(options: &Options, tool: &Tool) -> Result<Cost> {
    let mut cost = Cost::default();
    for kind in [Kind::Stream, Kind::Datagrams] {
        let link = bare_link(Offload::On)?;
        let load = Load::start(&link, kind)?;
        let (pairs, length) = (options.times(PAIRS), options.window(WINDOW));
        in_turns(
            &load,
            pairs,
            length,
            || Metered::start(tool, &link),
            |metered| (metered.used(), metered.resident()),
            |without, with, (used, resident)| match kind {
                Kind::Stream => {
                    let (then, now) = (without.gigabits_per_second(), with.gigabits_per_second());
                    cost.stream.add(then, now);
                    cost.per_gigabyte.add(used / (now / 8.0));
                    cost.resident.add(resident);
                }
                Kind::Datagrams => {
                    let (then, now) = (without.sent_per_second(), with.sent_per_second());
                    cost.datagrams.add(then, now);
                    cost.per_million.add(used / (now / 1e6));
                }
            },
        )?;
    }
    Ok(cost)
}

/// A tool whose processor time is read from the moment that it has started.
struct Metered {
    started: Started,
    since: Instant,
    before: Option<Duration>,
}

impl Metered {
    fn start(tool: &Tool, link: &Link) -> Result<Self> {
        let started = tool.start(link.namespace(End::Left))?;
        Ok(Self {
            since: Instant::now(),
            before: processor_time(started.pid()),
            started,
        })
    }

    /// Processor seconds a second since it had started; no number when it has ended.
    fn used(&self) -> f64 {
        let now = processor_time(self.started.pid());
        let used = now
            .zip(self.before)
            .map(|(now, before)| now.saturating_sub(before));
        used.map_or(f64::NAN, |used| {
            used.as_secs_f64() / self.since.elapsed().as_secs_f64()
        })
    }

    fn resident(&self) -> f64 {
        memory(self.started.pid(), "VmRSS").unwrap_or(f64::NAN)
    }
}
