//! Nanoseconds a run of each program on the packet path, above an empty program of the same type
//! in the same place that sees the same packets at the same time.
//!
//! The kernel's own measurement (run times of BPF programs) takes 60 to 80 ns itself; the empty
//! program is that floor. Half of the windows have it attached before ours and half after, for the
//! first one pays for the packet's cold cache lines.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use netprocmon::Monitor;

use super::Options;
use super::bpf::{self, Empty, Place, Runs};
use super::load::{Kind, Load, bare_link};
use super::report::{Row, Section, Target};
use super::sample::Sample;
use crate::net::{Link, Offload};

const WINDOW: Duration = Duration::from_millis(400);
const WINDOWS: usize = 12;

/// The programs that run for each packet or call, and what each may cost above an empty one.
struct Program {
    name: &'static str,
    place: Place,
    target: Target,
}

const fn program(name: &'static str, place: Place, target: Target) -> Program {
    Program {
        name,
        place,
        target,
    }
}

const DATAGRAMS: [Program; 4] = [
    program("egress", Place::Egress, Target::AtMost(45.0)),
    program("ingress", Place::Ingress, Target::AtMost(45.0)),
    program(
        "sock_send_length",
        Place::Tracepoint("sock_send_length"),
        Target::None,
    ),
    program(
        "sock_recv_length",
        Place::Tracepoint("sock_recv_length"),
        Target::None,
    ),
];

const STREAM: [Program; 5] = [
    program("egress", Place::Egress, Target::AtMost(90.0)),
    program("ingress", Place::Ingress, Target::AtMost(90.0)),
    program(
        "sock_send_length",
        Place::Tracepoint("sock_send_length"),
        Target::None,
    ),
    program(
        "sock_recv_length",
        Place::Tracepoint("sock_recv_length"),
        Target::None,
    ),
    program(
        "tcp_rcv_space_adjust",
        Place::Tracepoint("tcp_rcv_space_adjust"),
        Target::None,
    ),
];

/// Those that run for this traffic.
fn programs(kind: Kind) -> &'static [Program] {
    match kind {
        Kind::Datagrams => &DATAGRAMS,
        Kind::Stream => &STREAM,
    }
}

/// Where they are.
pub(super) fn places(kind: Kind) -> impl Iterator<Item = Place> {
    programs(kind).iter().map(|program| program.place)
}

/// What the monitor is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Processes,
    Connections,
    /// The names of remotes too.
    Names,
}

impl Asked {
    fn name(self) -> &'static str {
        match self {
            Self::Processes => "",
            Self::Connections => ", connections",
            Self::Names => ", connections and names",
        }
    }
}

/// What was seen of one program.
#[derive(Clone, Debug, Default)]
struct Seen {
    above: Sample,
    floor: Sample,
    /// Runs in all windows.
    runs: u64,
}

pub(super) fn measure(options: &Options) -> Result<Section> {
    let mut section = Section::new(
        "In the kernel: nanoseconds a run, above an empty program",
        "`BPF_ENABLE_STATS` over windows of 0.4 s while traffic runs over a veth pair between two \
         namespaces, both ends on this machine. Of each window: ours less an empty program's of \
         the same type in the same place, which saw the same packets. UDP: datagrams of 64 bytes. \
         TCP: one stream of segmentation buffers; egress and ingress run for its bare \
         acknowledgements too, and the figure is over both. A datagram that stays on this machine \
         runs all four programs, one that leaves it two.",
    );
    for asked in [Asked::Processes, Asked::Connections, Asked::Names] {
        for (kind, name) in [(Kind::Datagrams, "UDP 64 B"), (Kind::Stream, "TCP buffers")] {
            let programs = programs(kind);
            let seen = run(options, kind, asked)?;
            for (program, seen) in programs.iter().zip(&seen) {
                let target = match asked {
                    Asked::Processes => program.target,
                    Asked::Connections | Asked::Names => Target::None,
                };
                let what = format!("{name}: {}{}", program.name, asked.name());
                section.row(Row::new(what, &seen.above, "ns", 1, target));
            }
            let floors = programs.iter().zip(&seen).map(|(program, seen)| {
                let floor = seen.floor.median();
                format!("{} {floor:.0} ns over {} runs", program.name, seen.runs)
            });
            if asked == Asked::Processes {
                let floors: Vec<_> = floors.collect();
                section.append(&format!("Floor, {name}: {}.\n", floors.join(", ")));
            }
        }
    }
    Ok(section)
}

fn run(options: &Options, kind: Kind, asked: Asked) -> Result<Vec<Seen>> {
    let link = bare_link(Offload::On)?;
    let mut seen = vec![Seen::default(); programs(kind).len()];
    for empty_first in [true, false] {
        let windows = options.times(WINDOWS) / 2;
        half(&link, kind, asked, empty_first, windows, &mut seen)?;
    }
    Ok(seen)
}

fn half(
    link: &Link,
    kind: Kind,
    asked: Asked,
    empty_first: bool,
    windows: usize,
    seen: &mut [Seen],
) -> Result<()> {
    let attach = || Empty::attach_all(places(kind));
    let early = if empty_first { attach()? } else { Vec::new() };
    let _monitor = Monitor::builder()
        .connections(asked != Asked::Processes)
        .remote_names(asked == Asked::Names)
        .start()?;
    let late = if empty_first { Vec::new() } else { attach()? };
    let empty = if empty_first { early } else { late };
    let own = bpf::own_programs()?;
    let own = programs(kind).iter().map(|program| {
        // The kernel keeps 15 bytes of a name.
        let is_it = |name: &str| match name.strip_suffix("_named") {
            Some(name) => name == program.name,
            None => !name.is_empty() && program.name.starts_with(name),
        };
        let found = own.iter().find(|(name, _)| is_it(name));
        found
            .map(|(_, fd)| *fd)
            .with_context(|| format!("the monitor has not loaded {}", program.name))
    });
    let own: Vec<i32> = own.collect::<Result<_>>()?;
    let read = || -> Result<Vec<(Runs, Runs)>> {
        let both = own.iter().zip(&empty);
        both.map(|(ours, empty)| Ok((bpf::runs(*ours)?, empty.runs()?)))
            .collect()
    };
    let load = Load::start(link, kind)?;
    let _collecting = bpf::collect_run_times()?;
    thread::sleep(Duration::from_millis(50)); // every processor has seen the switch
    for _ in 0..windows.max(1) {
        let then = read()?;
        let window = load.window(WINDOW);
        ensure!(window.calls_received > 0, "nothing arrived");
        let now = read()?;
        for ((now, then), seen) in now.iter().zip(&then).zip(&mut *seen) {
            let floor = now.1.each_since(then.1);
            seen.above.add(now.0.each_since(then.0) - floor);
            seen.floor.add(floor);
            seen.runs += now.0.count - then.0.count;
        }
    }
    Ok(())
}
