//! `netprocmon watch` as users start it: throughput beside it, its memory, its idle cost.
//!
//! A process of its own, of the binary that stands beside the bench's.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::Options;
use super::crowd::Crowd;
use super::report::{Row, Section, Target};
use super::sample::Sample;
use crate::net::Namespace;
use crate::wait;

/// Until its first line; it comes after one second.
const PATIENCE: Duration = Duration::from_secs(30);
const MIB: f64 = 1024.0;

/// A monitor that runs until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    child: Child,
    lines: Arc<AtomicU64>,
}

impl Watch {
    /// Starts `netprocmon watch --json ARGS…` and waits for its first line.
    pub(super) fn start(args: &[&str]) -> Result<Self> {
        let mut command = Command::new(program()?);
        command.args(["watch", "--json"]).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        // However the bench ends, no monitor stays behind and slows the next run.
        let with_us = || Ok(set_parent_process_death_signal(Some(Signal::KILL))?);
        // SAFETY: between fork and exec it makes one system call and touches no lock or heap.
        unsafe { command.pre_exec(with_us) };
        let mut child = command.spawn().context("start netprocmon watch")?;
        let stdout = child.stdout.take().context("it has no pipe")?;
        let lines = Arc::<AtomicU64>::default();
        let heard = lines.clone();
        // It ends with the pipe.
        thread::spawn(move || {
            let mut reader = BufReader::with_capacity(1 << 20, stdout);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                heard.fetch_add(1, Relaxed);
                line.clear();
            }
        });
        let watch = Self { child, lines };
        watch.wait_for_lines(1)?;
        Ok(watch)
    }

    /// Waits until it has written this many lines in all.
    pub(super) fn wait_for_lines(&self, count: u64) -> Result<()> {
        let enough = || Ok((self.lines.load(Relaxed) >= count).then_some(()));
        let come = wait::until(PATIENCE, enough)?;
        ensure!(come.is_some(), "netprocmon watch wrote no line in time");
        Ok(())
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Both fail only when it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command that stands beside the bench.
pub(super) fn program() -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("netprocmon");
    ensure!(
        program.is_file(),
        "netprocmon has not been built beside the bench: run `cargo xtask bench`"
    );
    Ok(program)
}

/// A field of `/proc/PID/status` that is in kB, in MiB; `None` when the process has gone.
#[allow(clippy::cast_precision_loss)]
pub(super) fn memory(pid: u32, field: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.trim_matches([':', ' ', '\t', 'k', 'B']).parse().ok()?;
    Some(kib as f64 / MIB)
}

/// Processor time that all threads of a process have used, in the scheduler's nanoseconds
/// (`/proc/PID/task/TID/schedstat`); `stat` counts in ticks, which are too coarse for an idle one.
pub(super) fn processor_time(pid: u32) -> Option<Duration> {
    let mut total = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        // A thread that has ended since the list was made is left out.
        let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else {
            continue;
        };
        total += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(total))
}

pub(super) fn measure(options: &Options) -> Result<Section> {
    let mut section = Section::new(
        "Memory and idle cost of `netprocmon watch`",
        "`netprocmon watch --json -d 1`, after three lines, while another process holds 1,000 TCP \
         sockets (500 connections over loopback). Idle: none of them moves a byte. Processor time \
         is the scheduler's. The tables in the kernel are not part of a process's resident memory \
         but where it has them mapped.",
    );
    let namespace = Namespace::new()?;
    let _crowd = Crowd::of_sockets(&namespace, 1000)?;
    for (args, what) in [
        (&["-d", "1"][..], "1,000 sockets"),
        (
            &["-d", "1", "--connections"],
            "1,000 sockets, `--connections`",
        ),
    ] {
        let (mut resident, mut peak, mut idle) = (Sample::new(), Sample::new(), Sample::new());
        for _ in 0..options.times(3) {
            let watch = Watch::start(args)?;
            watch.wait_for_lines(3)?;
            let (start, before) = (Instant::now(), processor_time(watch.pid()));
            thread::sleep(options.window(Duration::from_secs(12)));
            let used = processor_time(watch.pid()).zip(before);
            if let Some((now, before)) = used {
                let share =
                    now.saturating_sub(before).as_secs_f64() / start.elapsed().as_secs_f64();
                idle.add(share * 100.0);
            }
            resident.add(memory(watch.pid(), "VmRSS").unwrap_or(f64::NAN));
            peak.add(memory(watch.pid(), "VmHWM").unwrap_or(f64::NAN));
        }
        let title = |of: &str| format!("{of}, {what}");
        section.row(Row::new(
            title("resident"),
            &resident,
            "MiB",
            1,
            Target::AtMost(20.0),
        ));
        section.row(Row::new(
            title("resident at its peak"),
            &peak,
            "MiB",
            1,
            Target::None,
        ));
        section.row(Row::new(
            title("idle, of one core"),
            &idle,
            "%",
            3,
            Target::AtMost(0.2),
        ));
    }
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_memory_and_time_are_read() {
        let me = std::process::id();
        assert!(memory(me, "VmRSS").is_some_and(|mib| mib > 0.1));
        assert!(processor_time(me).is_some_and(|time| !time.is_zero()));
        assert_eq!(memory(me, "VmNone"), None);
    }
}
