//! The live view as users start it: what of a core it takes, in a real terminal (tmux).
//!
//! A terminal of 120 columns and 40 rows, the processes and the connections, with nobody and with
//! everybody moving something in each second.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Options;
use super::crowd::Crowd;
use super::report::{Row, Section, Target};
use super::sample::Sample;
use super::watch::{processor_time, program};
use crate::net::Namespace;
use crate::wait;

const PATIENCE: Duration = Duration::from_secs(30);

/// A live view that runs until it is dropped.
struct Top {
    socket: String,
    pid: u32,
}

impl Top {
    fn start(view: &str) -> Result<Self> {
        // A name that was used is not free at once.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let socket = format!("netprocmon-bench-{}-{number}", std::process::id());
        let program = program()?;
        let run = format!(
            "exec env LANG=C.UTF-8 XDG_CONFIG_HOME=/nowhere {} top --view {view}",
            program.display()
        );
        let mut top = Self { socket, pid: 0 };
        top.tmux(&["new-session", "-d", "-x", "120", "-y", "40", &run])?;
        top.pid = top
            .tmux(&["display", "-p", "#{pane_pid}"])?
            .trim()
            .parse()?;
        let drawn = || {
            let screen = top.tmux(&["capture-pane", "-p"])?;
            Ok(screen.contains("1 Processes").then_some(()))
        };
        let come = wait::until(PATIENCE, drawn)?;
        ensure!(come.is_some(), "netprocmon top drew nothing in time");
        Ok(top)
    }

    fn tmux(&self, arguments: &[&str]) -> Result<String> {
        let mut tmux = Command::new("tmux");
        let output = tmux.args(["-L", &self.socket]).args(arguments).output();
        let output = output.context("start tmux")?;
        let why = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "tmux {arguments:?}: {}",
            why.trim()
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

impl Drop for Top {
    fn drop(&mut self) {
        // It fails only when it has ended.
        let _ = Command::new("tmux")
            .args(["-L", &self.socket, "kill-server"])
            .output();
    }
}

pub(super) fn measure(options: &Options) -> Result<Section> {
    let mut section = Section::new(
        "The live view",
        "`netprocmon top` at one second in a terminal of 120 columns and 40 rows (tmux), while another \
         process holds TCP connections over loopback, both ends of which are here. Active: each of \
         them moves a byte in each second. Processor time is the scheduler's, of the view alone.",
    );
    for (connections, limit) in [(1_000, 1.0), (10_000, 5.0)] {
        let namespace = Namespace::new()?;
        let mut crowd = Crowd::of_sockets(&namespace, 2 * connections)?;
        for view in ["processes", "connections"] {
            for is_active in [false, true] {
                let mut used = Sample::new();
                for _ in 0..options.times(3) {
                    let top = Top::start(view)?;
                    used.add(share(&top, &mut crowd, is_active, options)?);
                }
                let how = if is_active { "active" } else { "idle" };
                let what = format!("{view}, {connections} connections, {how}, of one core");
                section.row(Row::new(what, &used, "%", 2, Target::AtMost(limit)));
            }
        }
    }
    Ok(section)
}

/// Per cent of a core over a window.
fn share(top: &Top, crowd: &mut Crowd, is_active: bool, options: &Options) -> Result<f64> {
    let second = Duration::from_secs(1);
    thread::sleep(2 * second);
    let (start, before) = (Instant::now(), processor_time(top.pid));
    let window = options.window(Duration::from_secs(12));
    while start.elapsed() < window {
        let tick = Instant::now();
        if is_active {
            crowd.move_something()?;
        }
        thread::sleep(second.saturating_sub(tick.elapsed()));
    }
    let used = processor_time(top.pid).zip(before);
    let used = used.context("the view has ended")?;
    let used = used.0.saturating_sub(used.1);
    Ok(used.as_secs_f64() / start.elapsed().as_secs_f64() * 100.0)
}
