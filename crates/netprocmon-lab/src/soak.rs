//! The soak: the same monitor for a long time, on a host where everything comes and goes, and at the
//! end nothing may have grown.
//!
//! A round makes two network namespaces and a link between them, lets a thousand processes live for
//! a few milliseconds each and opens a few thousand connections, compares with the devices as the
//! table's rows do, and takes all of it away. Two monitors watch it at once: one lasts, with tables
//! that are small on purpose, so that rows of what has ended are used again many times and memory
//! can come to rest within a minute; the other counts connections too, and is stopped every few
//! rounds and started again.
//!
//! It fails where a comparison does, where descriptors are more at the end than after the first
//! third, and where memory still grows in the last one (`Course`).

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use netprocmon::IpVersion::V4;
use netprocmon::{Capacity, InterfaceId, Monitor, Snapshot};

use crate::net::End;
use crate::report::Check;
use crate::scenario::{Scenario, Seat};
use crate::stage::{Reading, Stage};
use crate::verify::{self, Moment};

mod course;

use course::{Course, Held, LIFE};

/// How long, and whether to prove that it can fail.
#[derive(Debug, Args)]
pub struct Soak {
    /// How long; fractions count
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Lose memory or descriptors on purpose, each round: then it must fail
    #[arg(long, hide = true, value_name = "WHAT")]
    leak: Option<Leak>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Leak {
    Memory,
    Descriptors,
}

/// Short-lived processes, and connections, of one round.
const PROCESSES: u32 = 1000;
const CONNECTIONS: u32 = 2000;
/// Interfaces of the host, and of the rounds of the last seconds.
const LISTED: usize = 100;

const SCENARIO: Scenario = Scenario::new("soak", |_| Ok(())).seat(Seat::Outside);

impl Soak {
    /// Gives whether everything stayed flat and exact.
    pub fn run(&self) -> Result<bool> {
        let end = Instant::now() + Duration::try_from_secs_f64(self.minutes * 60.0)?;
        let mut course = Course::default();
        let lasting = Capacity {
            counters: Some(12_000),
            processes: Some(20_000),
            connections: None,
        };
        let lasting = Monitor::builder().capacity(lasting).start();
        let mut monitors = vec![lasting.context("start the monitor that lasts")?, start()?];
        let mut failed = 0;
        while Instant::now() < end || !course.is_long_enough() {
            failed += self.round(&mut monitors, &mut course)?;
        }
        // What has not leaked comes back: it is given two lives for that.
        for _ in 0..2 * LIFE {
            if course.is_flat() {
                break;
            }
            failed += self.round(&mut monitors, &mut course)?;
        }
        println!(
            "soak: {} rounds, each with {PROCESSES} processes, {CONNECTIONS} connections, 2 namespaces",
            course.rounds()
        );
        for verdict in course.verdicts() {
            println!("soak: {verdict}");
        }
        println!("soak: {failed} comparisons failed");
        Ok(failed == 0 && course.is_flat())
    }

    /// Gives how many comparisons failed.
    fn round(&self, monitors: &mut Vec<Monitor>, course: &mut Course) -> Result<usize> {
        let round = course.rounds() + 1;
        if round.is_multiple_of(LIFE) {
            // Stopped before the next one starts.
            drop(monitors.pop());
            monitors.push(start()?);
        }
        let began = Instant::now();
        let checks = play(monitors).with_context(|| format!("round {round}"))?;
        let took = began.elapsed();
        self.lose()?;
        let held = Held::by_this_process()?;
        let bad: Vec<_> = checks.iter().filter(|check| !check.passed).collect();
        println!(
            "soak: round {round:>4}: {} of {} comparisons right, {:>6} KiB, {} descriptors, {:.1} s",
            checks.len() - bad.len(),
            checks.len(),
            held.memory_kib,
            held.descriptors,
            took.as_secs_f64(),
        );
        for check in bad.iter().take(10) {
            println!(
                "        FAIL {}: truth {}, ours {}",
                check.what, check.truth, check.ours
            );
        }
        course.add(held);
        Ok(bad.len())
    }

    fn lose(&self) -> Result<()> {
        match self.leak {
            // Seen by nobody, it would not be there: the compiler leaves it out.
            Some(Leak::Memory) => std::mem::forget(std::hint::black_box(vec![1_u8; 2 << 20])),
            Some(Leak::Descriptors) => std::mem::forget(fs::File::open("/proc/self/stat")?),
            None => {}
        }
        Ok(())
    }
}

/// One that does not last.
fn start() -> Result<Monitor> {
    let monitor = Monitor::builder().connections(true);
    monitor.start().context("start a monitor")
}

/// One round, with its comparisons.
fn play(monitors: &mut [Monitor]) -> Result<Vec<Check>> {
    let mut stage = Stage::new(SCENARIO, false)?;
    stage.count()?;
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let listen = End::Right.address(V4);
    let [echo, small] = [
        format!("udp-server --listen {listen} --count {PROCESSES}"),
        format!("small-server --listen {listen} --count {CONNECTIONS}"),
    ];
    let mut echo = stage.start(End::Right, "soak-echo", &words(&echo))?;
    let mut small = stage.start(End::Right, "soak-server", &words(&small))?;
    let [swarm, client] = [
        format!(
            "swarm --to {listen}:{} --count {PROCESSES} --protocol udp",
            echo.port()?
        ),
        format!(
            "small-client --to {listen}:{} --count {CONNECTIONS} --reset",
            small.port()?
        ),
    ];
    let swarm = stage.start(End::Left, "soak-swarm", &words(&swarm))?;
    let client = stage.start(End::Left, "soak-client", &words(&client))?;
    let processes = usize::try_from(PROCESSES)? + 1;
    for (running, accounts) in [(swarm, processes), (client, 1), (echo, 1), (small, 1)] {
        stage.finish(running, accounts)?;
    }
    let (moved, _) = stage.compare()?;
    let mut checks = Vec::new();
    for monitor in monitors {
        let snapshot = monitor.snapshot()?;
        checks.extend(verify::processes(&snapshot, stage.accounts()));
        // The link's own devices; loopback has moved nothing.
        for device in moved.devices.iter().filter(|device| device.name != "lo") {
            let device = Reading {
                id: in_its_turn(&snapshot, device.id),
                ..*device
            };
            checks.extend(verify::device(&snapshot, &device, Moment::Open));
        }
        let said: Vec<_> = snapshot
            .degradations
            .iter()
            .map(|one| &*one.message)
            .collect();
        checks.push(Check::same("what is not seen", Vec::<&str>::new(), said));
        let shown = snapshot.interfaces.len();
        let what = format!("{shown} interfaces listed: no more than {LISTED}");
        checks.push(Check::same(what, true, shown <= LISTED));
    }
    stage.release()?;
    Ok(checks)
}

/// The kernel gives the numbers of namespaces that are gone again; the monitor tells them apart by
/// the turn, which only it knows. The last is the one that is there.
fn in_its_turn(snapshot: &Snapshot, id: InterfaceId) -> InterfaceId {
    let same = snapshot
        .interfaces
        .iter()
        .map(|one| one.id)
        .filter(|one| (one.netns.inode, one.index) == (id.netns.inode, id.index));
    same.max_by_key(|one| one.netns.turn).unwrap_or(id)
}
