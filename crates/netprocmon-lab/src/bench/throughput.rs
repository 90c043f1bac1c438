//! Throughput of the whole machine with the monitor running over without, in windows that follow
//! each other.

use std::time::Duration;

use anyhow::Result;

use super::Options;
use super::bpf::Empty;
use super::kernel;
use super::load::{Kind, Load, Window, bare_link};
use super::report::{Row, Section, Target};
use super::sample::Sample;
use super::watch::Watch;
use crate::net::Offload;

const WINDOW: Duration = Duration::from_secs(1);

/// A window of a stream differs from its neighbours by up to a fifth: the median of 25 ratios is good
/// to 0.02, which is all that the target leaves. Datagrams are steadier.
const fn pairs_of(kind: Kind) -> usize {
    match kind {
        Kind::Stream => 75,
        Kind::Datagrams => 25,
    }
}

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

/// Runs windows with and without what `start` starts, in turns, `pairs` with it and one more
/// without. Hands each with it to `record`, with both that it stands between taken together, and with
/// what `meter` read of it at its end: a machine that gets slower or faster does so for both.
pub(super) fn in_turns<T, M>(
    load: &Load,
    pairs: usize,
    length: Duration,
    mut start: impl FnMut() -> Result<T>,
    mut meter: impl FnMut(&T) -> M,
    mut record: impl FnMut(Window, Window, M),
) -> Result<()> {
    let mut before = load.window(length);
    for _ in 0..pairs {
        let running = start()?;
        let with = load.window(length);
        let metered = meter(&running);
        drop(running);
        let after = load.window(length);
        record(before.and(after), with, metered);
        before = after;
    }
    Ok(())
}

pub(super) fn measure(options: &Options) -> Result<Section> {
    let mut section = Section::new(
        "Whole system: throughput with the monitor over without",
        "Traffic over a veth pair between two namespaces, sender and receiver each on a processor \
         of its own; windows of one second, with `netprocmon watch --json -d 1` running and \
         without, in turns; *without* is the window before and the one after. Both ends are on this \
         machine: each packet is counted twice. *Empty programs*: no monitor, and programs that do \
         nothing in the places of ours; what they take is the kernel's, to call a program at all.",
    );
    let watch = |args: &'static [&'static str]| move |_| Watch::start(args);
    let empty = |kind| Empty::attach_all(kernel::places(kind));
    let wanted = [Target::AtLeast(0.98), Target::AtLeast(0.94), Target::None];
    let shown = [Target::None; FIGURES.len()];
    compare(&mut section, options, "", wanted, watch(&["-d", "1"]))?;
    let connections = watch(&["-d", "1", "--connections"]);
    compare(
        &mut section,
        options,
        ", `--connections`",
        shown,
        connections,
    )?;
    compare(&mut section, options, ", empty programs", shown, empty)?;
    Ok(section)
}

/// What is read of a window.
struct Figure {
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    of: fn(&Window) -> f64,
}

const FIGURES: [Figure; 3] = [
    Figure {
        name: "TCP, one stream",
        kind: Kind::Stream,
        unit: "Gbit/s",
        of: Window::gigabits_per_second,
    },
    Figure {
        name: "UDP 64 B, sent",
        kind: Kind::Datagrams,
        unit: "kpps",
        of: |window| window.sent_per_second() / 1e3,
    },
    Figure {
        name: "UDP 64 B, delivered",
        kind: Kind::Datagrams,
        unit: "kpps",
        of: |window| window.received_per_second() / 1e3,
    },
];

/// Adds the rows of what `start` starts for one kind of load, with the targets of their ratios.
fn compare<T>(
    section: &mut Section,
    options: &Options,
    with: &str,
    targets: [Target; FIGURES.len()],
    start: impl Fn(Kind) -> Result<T>,
) -> Result<()> {
    let mut seen: [Pairs; FIGURES.len()] = Default::default();
    for kind in [Kind::Stream, Kind::Datagrams] {
        let link = bare_link(Offload::On)?;
        let load = Load::start(&link, kind)?;
        in_turns(
            &load,
            options.times(pairs_of(kind)),
            options.window(WINDOW),
            || start(kind),
            |_| (),
            |without, with, ()| {
                for (figure, pairs) in FIGURES.iter().zip(&mut seen) {
                    if figure.kind == kind {
                        pairs.add((figure.of)(&without), (figure.of)(&with));
                    }
                }
            },
        )?;
    }
    for ((figure, pairs), target) in FIGURES.iter().zip(&seen).zip(targets) {
        let title = |of: &str| format!("{}{with}: {of}", figure.name);
        let mut row = |of, sample, unit, decimals, target| {
            section.row(Row::new(title(of), sample, unit, decimals, target));
        };
        row("ratio", &pairs.ratio, "", 3, target);
        row("without", &pairs.without, figure.unit, 1, Target::None);
        row("with", &pairs.with, figure.unit, 1, Target::None);
    }
    Ok(())
}
