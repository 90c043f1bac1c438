//! `netprocmon watch`: what processes move, an interval at a time, and the totals at the end.

use std::io::{self, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use netprocmon::host::process;
use netprocmon::{Children, Monitor, Pid, Retention, Shown, Snapshot};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::commands::shown::{Series, tracks_connections};
use crate::commands::{STDOUT, say_degradations};
use crate::exit::{Failure, Status};
use crate::flags::meaning::{Format, WatchPlan};
use crate::flags::typed::Sort;
use crate::json::{self, Reader};
use crate::render::{self, Terminal};
use crate::rights;
use netprocmon_tui::signals::{ENDING, Signals};

/// What the kernel may still send for a process that has just ended.
const GRACE: Duration = Duration::from_millis(100);

/// Watches until it is told to end, the samples are taken, or the watched pids have ended.
pub(crate) fn watch(plan: &WatchPlan) -> anyhow::Result<Status> {
    rights::assume(None)?;
    rights::as_user(|| plan.remotes.check())??;
    // Before anything is attached: a pid that is not there is the likeliest mistake.
    let mut watched = Watched::open(plan)?;
    let mut monitor = start(plan)?;
    rights::settle(&monitor)?;
    let mut signals = Signals::catch(ENDING).context("install signal handlers")?;
    let mut show = Show::new(plan, io::stdout().lock(), Terminal::of_stdout());
    show.begin().context(STDOUT)?;
    let mut left = plan.count;
    loop {
        wait(&signals, &monitor, &mut watched);
        let sample = monitor.try_sample()?;
        if let Some(sample) = &sample {
            if show.is_first() && plan.format == Format::Text {
                say_degradations(&sample.degradations);
            }
            if show.sample(sample).context(STDOUT)? == Reader::Gone {
                return Ok(Status::Success);
            }
            left = left.map(|left| left.saturating_sub(1));
            if left == Some(0) {
                show.totals().context(STDOUT)?;
                return Ok(Status::Success);
            }
        }
        let told = !signals.arrived().is_empty();
        if told || watched.have_ended(&monitor, plan)? {
            if !told {
                pause(&signals);
            }
            let last = monitor.snapshot()?;
            if show.sample(&last).context(STDOUT)? == Reader::Reading {
                show.totals().context(STDOUT)?;
            }
            return Ok(Status::Success);
        }
    }
}

fn start(plan: &WatchPlan) -> anyhow::Result<Monitor> {
    let mut builder = Monitor::builder()
        .retention(Retention::ShowOnce)
        .interval(plan.interval)
        .source(plan.source)
        .capacity(plan.capacity)
        .connections(tracks_connections(
            plan.connections,
            &plan.filter,
            &plan.group_by,
        ));
    for pid in &plan.pids {
        builder = builder.pid(*pid, plan.children);
    }
    for name in &plan.names {
        builder = builder.name(name);
    }
    for cgroup in &plan.cgroups {
        builder = builder.cgroup(cgroup);
    }
    for interface in &plan.interfaces {
        builder = builder.interface(interface);
    }
    for address in &plan.addresses {
        builder = builder.address(*address);
    }
    Ok(plan.remotes.ask(builder).start()?)
}

/// Sleeps until a signal arrives, a sample is due, or a watched pid ends.
fn wait(signals: &Signals, monitor: &Monitor, watched: &mut Watched) {
    let monitor = monitor.as_fd();
    let mut fds = vec![
        PollFd::new(signals, PollFlags::IN),
        PollFd::from_borrowed_fd(monitor, PollFlags::IN),
    ];
    fds.extend(watched.0.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
    // An interrupted poll is a signal that arrived: the caller looks.
    if poll(&mut fds, None).is_err() {
        return;
    }
    let ended: Vec<_> = fds[2..].iter().map(|fd| !fd.revents().is_empty()).collect();
    drop(fds);
    let mut ended = ended.into_iter();
    watched.0.retain(|_| !ended.next().unwrap_or(false));
}

/// Waits out the grace, unless a signal arrives.
fn pause(signals: &Signals) {
    let mut fds = [PollFd::new(signals, PollFlags::IN)];
    let timeout = Timespec::try_from(GRACE).ok();
    let _ = poll(&mut fds, timeout.as_ref());
}

/// The pids that still live, where their end is the end of the watch.
struct Watched(Vec<OwnedFd>);

impl Watched {
    /// Fails where a pid is no process, whether or not its end matters.
    fn open(plan: &WatchPlan) -> anyhow::Result<Self> {
        let mut fds = Vec::new();
        for &pid in &plan.pids {
            let raw = i32::try_from(pid.0)
                .ok()
                .and_then(rustix::process::Pid::from_raw);
            let raw = raw.filter(|_| process::exists(pid));
            let fd = raw.and_then(|raw| pidfd_open(raw, PidfdFlags::empty()).ok());
            fds.push(fd.ok_or_else(|| no_such_process(pid))?);
        }
        Ok(Self(fds))
    }

    fn have_ended(&self, monitor: &Monitor, plan: &WatchPlan) -> anyhow::Result<bool> {
        if !plan.ends_with_pids() || !self.0.is_empty() {
            return Ok(false);
        }
        if plan.children == Children::Follow {
            for pid in &plan.pids {
                if !monitor.living_in_tree(*pid)?.is_empty() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

fn no_such_process(pid: Pid) -> Failure {
    Failure::new(Status::NotFound, format!("no process has the pid {pid}"))
        .with_remedy("`netprocmon ps` lists those with sockets; a name can be given, too")
}

/// Writes samples in the format that was asked for.
struct Show<'a, W> {
    plan: &'a WatchPlan,
    out: W,
    terminal: Terminal,
    series: Series,
    last: Option<Shown>,
}

impl<'a, W: Write> Show<'a, W> {
    fn new(plan: &'a WatchPlan, out: W, terminal: Terminal) -> Self {
        Self {
            plan,
            out,
            terminal,
            series: Series::new(&plan.filter, &plan.group_by, plan.connections),
            last: None,
        }
    }

    const fn is_first(&self) -> bool {
        self.last.is_none()
    }

    fn begin(&mut self) -> io::Result<Reader> {
        let has_rows = self.plan.group_by.is_empty();
        match render::watch::head(self.terminal) {
            Some(head) if self.plan.format == Format::Text && has_rows => {
                json::write_text(&mut self.out, head.as_bytes())
            }
            _ => Ok(Reader::Reading),
        }
    }

    fn sample(&mut self, snapshot: &Arc<Snapshot>) -> io::Result<Reader> {
        let mut shown = self.series.next(snapshot);
        if let Some(key) = self.plan.sort {
            sort(&mut shown, key);
        }
        let shown = self.last.insert(shown);
        match self.plan.format {
            Format::Json => json::write_line(&mut self.out, shown),
            Format::Text => {
                let text = render::watch::sample(shown, self.plan, self.terminal);
                json::write_text(&mut self.out, text.as_bytes())
            }
        }
    }

    /// For people only: the last line of JSON has the totals already.
    fn totals(&mut self) -> io::Result<Reader> {
        match (self.plan.format, &self.last) {
            (Format::Text, Some(last)) => {
                let text = render::watch::totals(&last.snapshot, self.plan.units, self.terminal);
                json::write_text(&mut self.out, text.as_bytes())
            }
            _ => Ok(Reader::Reading),
        }
    }
}

/// Puts what is shown into the order that was typed.
fn sort(shown: &mut Shown, key: Sort) {
    render::watch::sort(&mut Arc::make_mut(&mut shown.snapshot).processes, key);
    if let Some(groups) = &mut shown.groups {
        render::group::sort(groups, key);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::flags::typed::{Cli, Command};
    use crate::render::tests::snapshot;

    fn shown(arguments: &[&str]) -> String {
        let all = ["netprocmon", "watch"].iter().chain(arguments);
        let plan: WatchPlan = match Cli::try_parse_from(all).unwrap().command {
            Command::Watch(typed) => typed.into(),
            other => panic!("{other:?}"),
        };
        let mut out = Vec::new();
        let mut show = Show::new(&plan, &mut out, Terminal::NONE);
        show.begin().unwrap();
        show.sample(&Arc::new(snapshot())).unwrap();
        show.totals().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_the_contracts_and_one_line() {
        let json = shown(&["--json", "--connections"]);
        assert_eq!(json.lines().count(), 1);
        assert!(
            !json.trim_end().contains(|c: char| c.is_control()),
            "{json}"
        );
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        insta::assert_json_snapshot!(value);
    }

    #[test]
    fn the_order_that_was_typed_is_the_jsons_too() {
        let pids = |json: &str| -> Vec<u64> {
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            let processes = value["processes"].as_array().unwrap();
            processes
                .iter()
                .map(|p| p["pid"].as_u64().unwrap())
                .collect()
        };
        assert_eq!(pids(&shown(&["--json"])), [586, 587, 588]);
        assert_eq!(pids(&shown(&["--json", "--sort=total"])), [587, 586, 588]);
    }

    #[test]
    fn what_was_asked_for_stands_in_the_json() {
        let json = shown(&[
            "--json",
            "--filter",
            "pid=587  and recv>1M",
            "--group-by=name",
        ]);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["filter"], "pid=587 and recv>1M");
        assert_eq!(value["processes"].as_array().unwrap().len(), 1);
        assert_eq!(value["totals"]["bytes_sent"], 64_000);
        assert_eq!(value["groups"][0]["by"], "name");
        assert_eq!(value["groups"][0]["bytes_sent"], 64_000);
        // Connections that were only needed to tell are not shown.
        assert_eq!(
            value["processes"][0]["connections"],
            serde_json::Value::Null
        );
        let plain: serde_json::Value = serde_json::from_str(&shown(&["--json"])).unwrap();
        assert!(plain.get("filter").is_none() && plain.get("groups").is_none());
    }

    #[test]
    fn a_filter_for_connections_recounts() {
        let json = shown(&["--json", "--filter=port=443 pid=586", "--connections"]);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["totals"]["bytes_sent"], 1_500);
        assert_eq!(
            value["processes"][0]["connections"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        let text = shown(&["--filter", "evil", "--group-by", "remote,process"]);
        assert!(text.contains("evil\\x1b"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn a_pid_that_is_not_there_is_status_1() {
        let plan = WatchPlan {
            pids: vec![Pid(u32::MAX)],
            ..typed_default()
        };
        let error = Watched::open(&plan).err().unwrap();
        assert_eq!(crate::exit::status_of(&error), Status::NotFound);
    }

    fn typed_default() -> WatchPlan {
        match Cli::try_parse_from(["netprocmon", "watch"])
            .unwrap()
            .command
        {
            Command::Watch(typed) => typed.into(),
            other => panic!("{other:?}"),
        }
    }
}
