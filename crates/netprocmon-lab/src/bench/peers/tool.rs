//! The tools: how each is started without its screen, and what its output says of each process.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;

use crate::net::Namespace;
use crate::wait;

/// All of them say something every second.
const PATIENCE: Duration = Duration::from_secs(8);

/// A tool, ours first among them.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    kind: Kind,
    program: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Netprocmon,
    Nethogs,
    Bandwhich,
    Rustnet,
}

/// A tool that runs until it is dropped.
pub(super) struct Started {
    child: Child,
    said: PathBuf,
}

impl Tool {
    /// All that are known, installed or not.
    pub(super) fn all(dir: Option<&Path>) -> Vec<Self> {
        let here = std::env::current_exe().ok();
        let here = here.as_deref().and_then(Path::parent);
        let tool = |kind: Kind, dir| Self {
            kind,
            program: super::program(dir, kind.program()),
        };
        vec![
            tool(Kind::Netprocmon, here),
            tool(Kind::Nethogs, dir),
            tool(Kind::Bandwhich, dir),
            tool(Kind::Rustnet, dir),
        ]
    }

    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Rustnet => "rustnet-monitor",
            kind => kind.program(),
        }
    }

    fn args(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Netprocmon => &["watch", "--json", "-d", "1"],
            Kind::Nethogs => &["-t", "-v", "2", "-d", "1", "left0"],
            Kind::Bandwhich => &["--raw", "--no-resolve", "-i", "left0"],
            // All that is not asked of the others is switched off.
            Kind::Rustnet => &[
                "-i",
                "left0",
                "--headless",
                "--output",
                "jsonl",
                "-r",
                "1000",
                "--no-dpi",
                "--no-resolve-dns",
                "--no-geoip",
                "--no-uid-drop",
            ],
        }
    }

    /// Starts it in a namespace and waits until it has said something.
    pub(super) fn start(&self, namespace: &Namespace) -> Result<Started> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Relaxed);
        let name = format!("netprocmon-bench-{}-{serial}", std::process::id());
        let said = std::env::temp_dir().join(name);
        let netns = namespace.file().try_clone()?;
        let mut command = Command::new(&self.program);
        command.args(self.args()).stdin(Stdio::null());
        command.stdout(File::create(&said).context("make a file")?);
        command.stderr(Stdio::null());
        let enter = move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(())
        };
        // SAFETY: between fork and exec it makes two system calls and touches no lock or heap.
        unsafe { command.pre_exec(enter) };
        let child = command
            .spawn()
            .with_context(|| format!("start {}", self.program))?;
        let mut started = Started { child, said };
        // One that keeps its output back until the end is measured all the same.
        wait::until(PATIENCE, || {
            if let Some(status) = started.child.try_wait()? {
                bail!("it ended at once: {status}");
            }
            let length = fs::metadata(&started.said)?.len();
            Ok((length > 0).then_some(()))
        })?;
        Ok(started)
    }

    /// Bytes in both directions that it has put on these processes.
    pub(super) fn told(&self, said: &str, ours: &BTreeSet<u32>) -> u64 {
        match self.kind {
            Kind::Netprocmon => netprocmon(said, ours),
            Kind::Nethogs => nethogs(said, ours),
            Kind::Bandwhich => bandwhich(said),
            Kind::Rustnet => rustnet(said, ours),
        }
    }

    /// What it says of itself that a reader should know.
    pub(super) fn note(&self, said: &str) -> String {
        let last = said.lines().rev().find_map(json);
        let detection = last.and_then(|last| match self.kind {
            Kind::Rustnet => Some(last["runtime"]["process_detection"].clone()),
            _ => None,
        });
        let degraded = detection.filter(|detection| detection["degraded"] == true);
        degraded.map_or_else(String::new, |detection| {
            let text = |key: &str| detection[key].as_str().unwrap_or("").replace('|', "/");
            format!(
                "it says: {} only, {}",
                text("method"),
                text("degradation_reason")
            )
        })
    }
}

impl Kind {
    const fn program(self) -> &'static str {
        match self {
            Self::Netprocmon => "netprocmon",
            Self::Nethogs => "nethogs",
            Self::Bandwhich => "bandwhich",
            Self::Rustnet => "rustnet",
        }
    }
}

impl Started {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as Ctrl-C does and gives all that it has said.
    pub(super) fn end(mut self) -> Result<String> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process(pid, Signal::INT).context("end a tool")?;
        }
        let ended = || Ok(self.child.try_wait()?.map(drop));
        wait::until(PATIENCE, ended)?;
        let said = fs::read(&self.said).context("read what a tool has said")?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // All three fail only when there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.said);
    }
}

fn json(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok()
}

/// Bytes by process (`None`: none), the most that was said of each; all are running totals.
fn sum<K: Ord>(most: &BTreeMap<K, (Option<u32>, u64)>, ours: &BTreeSet<u32>) -> u64 {
    let is_ours = |pid: &Option<u32>| pid.is_some_and(|pid| ours.contains(&pid));
    let right = most.values().filter(|(pid, _)| is_ours(pid));
    right.map(|(_, bytes)| bytes).sum()
}

fn netprocmon(said: &str, ours: &BTreeSet<u32>) -> u64 {
    let mut most = BTreeMap::new();
    for line in said.lines().filter_map(json) {
        for process in line["processes"].as_array().into_iter().flatten() {
            let of = |key: &str| process[key].as_u64().unwrap_or(0);
            let bytes = of("bytes_sent") + of("bytes_recv");
            let pid = u32::try_from(of("pid")).ok();
            let key = (pid, process["started"].as_str().map(str::to_owned));
            most.insert(key, (pid, bytes));
        }
    }
    sum(&most, ours)
}

/// `PROGRAM/PID/UID <tab> SENT <tab> RECEIVED`, in bytes since it started.
fn nethogs(said: &str, ours: &BTreeSet<u32>) -> u64 {
    let mut most = BTreeMap::new();
    for line in said.lines() {
        let mut fields = line.split('\t');
        let (Some(program), Some(sent), Some(recv)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let (Ok(sent), Ok(recv)) = (sent.parse::<f64>(), recv.parse::<f64>()) else {
            continue;
        };
        let pid = program.rsplit('/').nth(1).and_then(|pid| pid.parse().ok());
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let bytes = (sent + recv) as u64;
        let entry = most.entry(program.to_owned()).or_insert((pid, 0));
        entry.1 = entry.1.max(bytes);
    }
    sum(&most, ours)
}

/// `process: <TIME> "NAME" up/down Bps: UP/DOWN connections: N`, once a second: an average over
/// five, so that the sum over all lines is the sum of the bytes.
fn bandwhich(said: &str) -> u64 {
    let mut right = 0;
    for line in said.lines().filter(|line| line.starts_with("process:")) {
        let rates = line.rsplit_once("up/down Bps: ").map(|(_, rest)| rest);
        let rates = rates.and_then(|rest| rest.split(' ').next()?.split_once('/'));
        let Some((Ok(up), Ok(down))) =
            rates.map(|(up, down)| (up.parse::<u64>(), down.parse::<u64>()))
        else {
            continue;
        };
        if line.contains(" \"curl\" ") {
            right += up + down;
        }
    }
    right
}

fn rustnet(said: &str, ours: &BTreeSet<u32>) -> u64 {
    let mut most = BTreeMap::new();
    for line in said.lines().filter_map(json) {
        for connection in line["connections"].as_array().into_iter().flatten() {
            let id = connection["id"].as_str().unwrap_or("").to_owned();
            let pid = connection["process"]["pid"].as_u64();
            let pid = pid.and_then(|pid| u32::try_from(pid).ok());
            let of = |key: &str| connection["traffic"][key].as_u64().unwrap_or(0);
            let bytes = of("bytes_sent") + of("bytes_received");
            let entry = most.entry(id).or_insert((pid, 0));
            *entry = (pid.or(entry.0), entry.1.max(bytes));
        }
    }
    sum(&most, ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [u32; 2] = [10, 11];

    #[test]
    fn nethogs_totals_are_taken_once_and_by_pid() {
        let said = "\nRefreshing:\ncurl/10/0\t5\t100\nunknown TCP/0/0\t0\t50\n\nRefreshing:\n\
                    curl/10/0\t6\t200\ncurl/12/0\t1\t1\n/usr/bin/curl/11/0\t0\t7\n";
        assert_eq!(nethogs(said, &OURS.into()), 213);
    }

    #[test]
    fn bandwhich_rates_are_added_up() {
        let said = "process: <1> \"curl\" up/down Bps: 1/20 connections: 1\n\
                    process: <2> \"<UNKNOWN>\" up/down Bps: 0/9 connections: 1\n\
                    connection: <2> <x>:1 => y:2 (tcp) up/down Bps: 0/9 process: \"curl\"\n";
        assert_eq!(bandwhich(said), 21);
    }

    #[test]
    fn rustnet_connections_and_our_processes_are_taken_once() {
        let said = r#"{"connections":[{"id":"a","process":null,"traffic":{"bytes_sent":1,"bytes_received":2}}]}
            {"connections":[{"id":"a","process":{"pid":10},"traffic":{"bytes_sent":3,"bytes_received":4}}]}"#;
        assert_eq!(rustnet(said, &OURS.into()), 7);
        let said = r#"{"processes":[{"pid":11,"started":"x","bytes_sent":1,"bytes_recv":2}]}
            {"processes":[{"pid":11,"started":"x","bytes_sent":3,"bytes_recv":2},{"pid":9,"bytes_sent":1}]}"#;
        assert_eq!(netprocmon(said, &OURS.into()), 5);
    }
}
