//! The fourth truth: the kernel's own trace of segments that are sent again (tracefs,
//! Documentation/trace/events.rst).
//!
//! A timer sends them, interrupting whatever task runs. There are kernels, of sandboxes, that trace it
//! but run no program behind a tracepoint while the task is process 1's: those nobody can count.

use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use crate::net::End;

/// Of the name of an instance; the lab's pid follows.
const PREFIX: &str = "netprocmon-lab-";
const EVENTS: [&str; 2] = ["tcp_retransmit_skb", "tcp_retransmit_synack"];

/// A trace of its own, of what is sent again from now on.
pub struct SentAgain {
    instance: PathBuf,
    /// Mounted nowhere, and gone with this.
    _tracefs: OwnedFd,
}

impl SentAgain {
    /// Begins; `None` where the kernel has no tracefs for us.
    pub fn trace() -> Result<Option<Self>> {
        let Ok(tracefs) = mount() else {
            return Ok(None);
        };
        let instances = format!("/proc/self/fd/{}/instances", tracefs.as_raw_fd());
        let instances = Path::new(&instances);
        sweep(instances);
        let instance = instances.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&instance).context("make a trace instance")?;
        let trace = Self {
            instance,
            _tracefs: tracefs,
        };
        for event in EVENTS {
            let switch = trace.instance.join("events/tcp").join(event).join("enable");
            fs::write(&switch, "1").with_context(|| format!("trace {event}"))?;
        }
        Ok(Some(trace))
    }

    /// How often something was sent again while process 1 was interrupted, by the left end and by the
    /// right, on connections to this port of the right end.
    pub fn by_first_process(&self, port: u16) -> Result<[u64; 2]> {
        let text = fs::read_to_string(self.instance.join("trace")).context("read the trace")?;
        let is_first = |task: &str| Path::new("/proc/1/task").join(task).exists();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let ends = lines.filter_map(|line| end_of(line, port).zip(task_of(line)));
        let mut sent = [0; 2];
        for (end, _) in ends.filter(|(_, task)| is_first(task)) {
            sent[usize::from(end == End::Right)] += 1;
        }
        Ok(sent)
    }
}

fn mount() -> rustix::io::Result<OwnedFd> {
    let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )
}

/// Removes the instances of labs that were killed: they go on tracing.
fn sweep(instances: &Path) {
    for entry in fs::read_dir(instances).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir(entry.path()); // the next one tries again
        }
    }
}

/// Who sent it, by the ports; `None` when it is another connection's.
fn end_of(line: &str, port: u16) -> Option<End> {
    let has = |field: String| line.split(' ').any(|word| word == field);
    if has(format!("dport={port}")) {
        return Some(End::Left);
    }
    has(format!("sport={port}")).then_some(End::Right)
}

/// The task that was interrupted: `COMM-PID [CPU] …`, and a name may have anything in it.
fn task_of(line: &str) -> Option<&str> {
    let name = line.find("tcp_retransmit_")?;
    let cpu = line.get(..name)?.rfind(" [")?;
    let task = line.get(..cpu)?.trim_end();
    task.rsplit_once('-').map(|(_, pid)| pid)
}

impl Drop for SentAgain {
    fn drop(&mut self) {
        // What stays behind is swept by the next.
        let _ = fs::remove_dir(&self.instance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = " tokio-rt [1] -75      [000] ..s2. 53771.840838: tcp_retransmit_skb: \
        skbaddr=00000000071 skaddr=00000000eb3 family=AF_INET sport=52872 dport=42073 \
        saddr=192.0.2.1 daddr=192.0.2.2 state=TCP_SYN_SENT err=0";

    #[test]
    fn whom_it_interrupted_is_found_whatever_its_name_is() {
        assert_eq!(task_of(LINE), Some("75"));
        assert_eq!(
            task_of("          <idle>-0       [001] ..s2. 5.0: tcp_retransmit_skb: x"),
            Some("0")
        );
        assert_eq!(task_of("CPU:1 [LOST 7 EVENTS]"), None);
    }

    #[test]
    fn who_sent_is_told_by_the_ports() {
        assert_eq!(end_of(LINE, 42073), Some(End::Left));
        assert_eq!(end_of(LINE, 52872), Some(End::Right));
        assert_eq!(end_of(LINE, 4207), None);
    }
}
