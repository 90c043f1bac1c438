//! Throughput of the whole machine with the monitor running over without, in pairs that follow
//! each other.

use std::time::Duration;

use anyhow::Result;

use super::Options;
use super::load::{Kind, Load, Window, bare_link};
use super::report::{Row, Section, Target};
use super::sample::Sample;
use super::watch::Watch;
use crate::net::Offload;

const WINDOW: Duration = Duration::from_secs(1);
const PAIRS: usize = 25;

/// With over without, and what each was.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub(super) ratio: Sample,
    pub(super) without: Sample,
    pub(super) with: Sample,
}

impl Pairs {
    pub(super) fn add(&mut self, without: f64, with: f64) {
        self.ratio.add(with / without);
        self.without.add(without);
        self.with.add(with);
    }
}

/// Runs `pairs` windows with and without what `start` starts, and hands both to `record`, with
/// what `meter` read of it at the end of its window. Which of the two comes first changes from pair
/// to pair.
pub(super) fn in_turns<T, M>(
    load: &Load,
    pairs: usize,
    length: Duration,
    mut start: impl FnMut() -> Result<T>,
    mut meter: impl FnMut(&T) -> M,
    mut record: impl FnMut(Window, Window, M),
) -> Result<()> {
    for pair in 0..pairs {
        let earlier = (pair % 2 == 0).then(|| load.window(length));
        let running = start()?;
        let with = load.window(length);
        let metered = meter(&running);
        drop(running);
        let without = earlier.unwrap_or_else(|| load.window(length));
        record(without, with, metered);
    }
    Ok(())
}

pub(super) fn measure(options: &Options) -> Result<Section> {
    let mut section = Section::new(
        "Whole system: throughput with the monitor over without",
        "Traffic over a veth pair between two namespaces, sender and receiver each on a processor \
         of its own; windows of one second, with `netprocmon watch --json -d 1` running and \
         without, in turns. Both ends are on this machine: each packet is counted twice.",
    );
    for (args, with) in [
        (&["-d", "1"][..], ""),
        (&["-d", "1", "--connections"], ", `--connections`"),
    ] {
        let (mut stream, mut sent, mut arrived) =
            (Pairs::default(), Pairs::default(), Pairs::default());
        let (pairs, length) = (options.times(PAIRS), options.window(WINDOW));
        {
            let link = bare_link(Offload::On)?;
            let load = Load::start(&link, Kind::Stream)?;
            in_turns(
                &load,
                pairs,
                length,
                || Watch::start(args),
                |_| (),
                |without, with, ()| {
                    stream.add(without.gigabits_per_second(), with.gigabits_per_second());
                },
            )?;
        }
        {
            let link = bare_link(Offload::On)?;
            let load = Load::start(&link, Kind::Datagrams)?;
            in_turns(
                &load,
                pairs,
                length,
                || Watch::start(args),
                |_| (),
                |without, with, ()| {
                    sent.add(
                        without.sent_per_second() / 1e3,
                        with.sent_per_second() / 1e3,
                    );
                    arrived.add(
                        without.received_per_second() / 1e3,
                        with.received_per_second() / 1e3,
                    );
                },
            )?;
        }
        let targets = match with {
            "" => [Target::AtLeast(0.98), Target::AtLeast(0.94)],
            _ => [Target::None; 2],
        };
        for (name, pairs, unit, target) in [
            ("TCP, one stream", &stream, "Gbit/s", targets[0]),
            ("UDP 64 B, sent", &sent, "kpps", targets[1]),
            ("UDP 64 B, delivered", &arrived, "kpps", Target::None),
        ] {
            let title = |of: &str| format!("{name}{with}: {of}");
            section.row(Row::new(title("ratio"), &pairs.ratio, "", 3, target));
            section.row(Row::new(
                title("without"),
                &pairs.without,
                unit,
                1,
                Target::None,
            ));
            section.row(Row::new(title("with"), &pairs.with, unit, 1, Target::None));
        }
    }
    Ok(section)
}
