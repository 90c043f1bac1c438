//! The tools that stand beside ours: how each is started without its screen, and how it is ended.
//!
//! The bench and the lab both start them here, so that what the one measures is what the other
//! judges. What their output says of each process is in [`said`]; how much of that is right, in
//! [`share`]. A tool sees one network namespace, the one that it is started in.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use netprocmon::SourceChoice;
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::net::Namespace;
use crate::wait;

pub mod company;
pub mod said;
pub mod share;

use said::Told;

/// All of them say something every second.
const PATIENCE: Duration = Duration::from_secs(8);

/// A tool, ours first among them.
#[derive(Clone, Debug)]
pub struct Tool {
    kind: Kind,
    program: String,
    /// Which of our sources; the best that works where none is named.
    source: SourceChoice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Netprocmon,
    Nethogs,
    Bandwhich,
    Rustnet,
}

/// What a tool is told to look at.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// Interfaces by name; at least one.
    pub devices: &'a [&'static str],
    /// Datagrams as well, for the tool that leaves them out unless it is told.
    pub datagrams: bool,
}

impl Sight<'static> {
    /// The left end of a link, each tool's own default beyond that.
    pub const LINK: Self = Self {
        devices: &["left0"],
        datagrams: false,
    };
}

/// A tool that runs until it is dropped.
#[derive(Debug)]
pub struct Started {
    kind: Kind,
    child: Child,
    said: PathBuf,
    /// How much of what it has said was looked at, and how many rounds that was.
    heard: u64,
    rounds: usize,
}

impl Tool {
    /// All that are known, installed or not.
    #[must_use]
    pub fn all(dir: Option<&Path>) -> Vec<Self> {
        let here = std::env::current_exe().ok();
        let here = here.as_deref().and_then(Path::parent);
        let ours = Self::ours(here, SourceChoice::Auto);
        [vec![ours], Self::peers(dir)].concat()
    }

    /// Ours, with each source: how they compare.
    #[must_use]
    pub fn sources() -> Vec<Self> {
        let here = std::env::current_exe().ok();
        let here = here.as_deref().and_then(Path::parent);
        let each = [
            SourceChoice::Ebpf,
            SourceChoice::Packet,
            SourceChoice::Sockdiag,
        ];
        each.map(|source| Self::ours(here, source)).into()
    }

    fn ours(dir: Option<&Path>, source: SourceChoice) -> Self {
        Self {
            kind: Kind::Netprocmon,
            program: program(dir, Kind::Netprocmon.program()),
            source,
        }
    }

    /// All but ours: programs in `dir`, else on the path.
    #[must_use]
    pub fn peers(dir: Option<&Path>) -> Vec<Self> {
        [Kind::Nethogs, Kind::Bandwhich, Kind::Rustnet]
            .map(|kind| Self {
                kind,
                program: program(dir, kind.program()),
                source: SourceChoice::Auto,
            })
            .into()
    }

    /// The name that its package has.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match (self.kind, self.source) {
            (Kind::Netprocmon, SourceChoice::Ebpf) => "source ebpf",
            (Kind::Netprocmon, SourceChoice::Packet) => "source packet",
            (Kind::Netprocmon, SourceChoice::Sockdiag) => "source sockdiag",
            (Kind::Rustnet, _) => "rustnet-monitor",
            (kind, _) => kind.program(),
        }
    }

    /// The version that it tells; `None` when it cannot be started.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        let flag = match self.kind {
            Kind::Nethogs => "-V",
            _ => "--version",
        };
        let output = Command::new(&self.program).arg(flag).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split_whitespace().last().map(str::to_owned)
    }

    fn args(&self, sight: Sight<'_>) -> Vec<&'static str> {
        let devices = sight.devices;
        let loopback = devices.contains(&"lo");
        match self.kind {
            Kind::Netprocmon => {
                vec!["watch", "--json", "-d", "1", "--source", self.source.name()]
            }
            Kind::Nethogs => {
                let mut args = vec!["-t", "-v", "2", "-d", "1"];
                args.extend(sight.datagrams.then_some("-C"));
                args.extend(loopback.then_some("-a"));
                args.extend(devices);
                args
            }
            Kind::Bandwhich => {
                let mut args = vec!["--raw", "--no-resolve"];
                // It listens to one, or to all.
                if let [device] = devices {
                    args.extend(["-i", device]);
                }
                args
            }
            Kind::Rustnet => {
                let device = match devices {
                    [device] => device,
                    _ => "any",
                };
                // All that is not asked of the others is switched off.
                let mut args = vec!["-i", device, "--headless", "--output", "jsonl"];
                args.extend(["-r", "1000", "--no-dpi", "--no-resolve-dns"]);
                args.extend(["--no-geoip", "--no-uid-drop"]);
                // In its sandbox it finds no process where its own BPF programs cannot be loaded.
                args.push("--no-sandbox");
                args.extend(loopback.then_some("--show-localhost"));
                args
            }
        }
    }

    /// Starts it in a namespace and waits until it has said something.
    pub fn start(&self, namespace: &Namespace) -> Result<Started> {
        let mut started = self.spawn(namespace, Sight::LINK)?;
        started.wait_for(1, PATIENCE)?;
        Ok(started)
    }

    /// Starts it in a namespace.
    pub fn spawn(&self, namespace: &Namespace, sight: Sight<'_>) -> Result<Started> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Relaxed);
        let name = format!("netprocmon-peer-{}-{serial}", std::process::id());
        let said = std::env::temp_dir().join(name);
        let netns = namespace.file().try_clone()?;
        let mut command = Command::new(&self.program);
        command.args(self.args(sight)).stdin(Stdio::null());
        command.stdout(File::create(&said).context("make a file")?);
        command.stderr(Stdio::null());
        let enter = move || {
            // What runs in a shell's background ignores the signal that is to end a tool.
            // SAFETY: signal takes two numbers and touches no memory of ours.
            unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
            set_parent_process_death_signal(Some(Signal::KILL))?;
            move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(())
        };
        // SAFETY: between fork and exec it makes three system calls and touches no lock or heap.
        unsafe { command.pre_exec(enter) };
        let child = command.spawn();
        if child.is_err() {
            let _ = fs::remove_file(&said); // of no use, and of no harm
        }
        Ok(Started {
            kind: self.kind,
            child: child.with_context(|| format!("start {}", self.name()))?,
            said,
            heard: 0,
            rounds: 0,
        })
    }

    /// Bytes in both directions that it has put on each process.
    #[must_use]
    pub fn told(&self, said: &str) -> Told {
        match self.kind {
            Kind::Netprocmon => said::netprocmon(said),
            Kind::Nethogs => said::nethogs(said),
            Kind::Bandwhich => said::bandwhich(said),
            Kind::Rustnet => said::rustnet(said),
        }
    }

    /// What it says of itself that a reader should know.
    #[must_use]
    pub fn note(&self, said: &str) -> String {
        match self.kind {
            Kind::Rustnet => said::degraded(said).unwrap_or_default(),
            _ => String::new(),
        }
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

    /// How a line starts that it says once a round.
    const fn round(self) -> &'static [u8] {
        match self {
            Self::Netprocmon | Self::Rustnet => b"{",
            Self::Nethogs | Self::Bandwhich => b"Refreshing:",
        }
    }
}

impl Started {
    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has said something so often, or for as long as `limit`: one that keeps its
    /// output back until the end is measured all the same. An error when it has ended.
    pub fn wait_for(&mut self, rounds: usize, limit: Duration) -> Result<()> {
        wait::until(limit, || {
            if let Some(status) = self.child.try_wait()? {
                bail!("it has ended: {status}");
            }
            Ok((self.rounds()? >= rounds).then_some(()))
        })?;
        Ok(())
    }

    /// How often it has said something, to the end of a line.
    pub fn rounds(&mut self) -> Result<usize> {
        let mut file = File::open(&self.said).context("read what a tool has said")?;
        file.seek(SeekFrom::Start(self.heard))?;
        let mut more = Vec::new();
        file.read_to_end(&mut more)?;
        let Some(end) = more.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(self.rounds);
        };
        let lines = more[..end].split(|byte| *byte == b'\n');
        self.rounds += lines
            .filter(|line| line.starts_with(self.kind.round()))
            .count();
        self.heard += end as u64 + 1;
        Ok(self.rounds)
    }

    /// Ends it as Ctrl-C does and gives all that it has said.
    pub fn end(mut self) -> Result<String> {
        if let Some(status) = self.child.try_wait()? {
            bail!("it has ended: {status}");
        }
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

/// The first program of this name: in `dir`, or on the path.
fn program(dir: Option<&Path>, name: &str) -> String {
    let own = dir.map(|dir| dir.join(name)).filter(|path| path.is_file());
    own.and_then(|path| path.to_str().map(str::to_owned))
        .unwrap_or_else(|| name.to_owned())
}
