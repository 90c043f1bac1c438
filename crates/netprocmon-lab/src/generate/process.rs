//! The lab's side of a generator: starts it under a name inside a namespace, reads what it says,
//! lets it go on, and ends it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{Account, Event};
use crate::net::{Cgroup, Namespace};

/// A generator that was started. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
    what: String,
}

impl Running {
    /// Starts `generate ARGS…` in `namespace`, in a process whose `comm` is `name` (at most 15
    /// bytes, any but `/` and NUL).
    ///
    /// The name is that of a symbolic link to the lab's own program, for the kernel takes `comm`
    /// from the path that was executed; links are kept in `dir`.
    pub fn start(
        namespace: &Namespace,
        dir: &Path,
        name: impl AsRef<OsStr>,
        args: &[String],
    ) -> Result<Self> {
        Self::start_in(None, namespace, dir, name, args)
    }

    /// The same in a cgroup, so that the program never ran in another.
    pub fn start_in(
        cgroup: Option<&Cgroup>,
        namespace: &Namespace,
        dir: &Path,
        name: impl AsRef<OsStr>,
        args: &[String],
    ) -> Result<Self> {
        let link = named_program(dir, name.as_ref())?;
        let what = format!("{} {}", name.as_ref().display(), args.join(" "));
        let netns = namespace.file().try_clone()?;
        let procs = cgroup
            .map(|cgroup| cgroup.procs().try_clone())
            .transpose()?;
        let mut command = Command::new(link);
        command
            .arg("generate")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let enter = move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            if let Some(procs) = &procs {
                rustix::io::write(procs, b"0")?;
            }
            move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(())
        };
        // SAFETY: between fork and exec it makes three system calls and touches no lock or heap.
        unsafe { command.pre_exec(enter) };
        let mut child = command.spawn().with_context(|| format!("start {what}"))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("{what} has no pipes");
        };
        Ok(Self {
            child,
            stdin: Some(stdin),
            said: BufReader::new(stdout),
            what,
        })
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next thing that it says.
    pub fn hear(&mut self) -> Result<Event> {
        let mut line = String::new();
        self.said
            .read_line(&mut line)
            .with_context(|| format!("listen to {}", self.what))?;
        if line.is_empty() {
            let status = self.child.wait()?;
            bail!("{} ended before it was done: {status}", self.what);
        }
        serde_json::from_str(&line).with_context(|| format!("{} said {line:?}", self.what))
    }

    /// The port that a server got.
    pub fn port(&mut self) -> Result<u16> {
        match self.hear()? {
            Event::Listening { port } => Ok(port),
            other => bail!("{} said {other:?} instead of its port", self.what),
        }
    }

    /// Waits until it has come to where it asks to go on.
    pub fn ready(&mut self) -> Result<()> {
        match self.hear()? {
            Event::Ready => Ok(()),
            other => bail!("{} said {other:?} instead of being ready", self.what),
        }
    }

    /// Lets it go on.
    pub fn go(&mut self) -> Result<()> {
        let what = &self.what;
        let stdin = self.stdin.as_mut().context("released already")?;
        stdin
            .write_all(b"\n")
            .with_context(|| format!("tell {what} to go on"))
    }

    /// What `count` processes of it moved.
    pub fn accounts(&mut self, count: usize) -> Result<Vec<Account>> {
        let mut accounts = Vec::with_capacity(count);
        while accounts.len() < count {
            match self.hear()? {
                Event::Moved(account) => accounts.push(account),
                Event::Ready => {}
                Event::Listening { .. } => bail!("{} listens twice", self.what),
            }
        }
        Ok(accounts)
    }

    /// Kills it (`SIGKILL`) and waits for its end.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Lets it close its sockets and waits for its end.
    pub fn release(mut self) -> Result<()> {
        drop(self.stdin.take());
        let status = self
            .child
            .wait()
            .with_context(|| format!("wait for {}", self.what))?;
        if !status.success() {
            bail!("{}: {status}", self.what);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn named_program(dir: &Path, name: &OsStr) -> Result<PathBuf> {
    fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    let mut link = OsString::from(dir);
    link.push("/");
    link.push(name);
    let link = PathBuf::from(link);
    let program = fs::canonicalize("/proc/self/exe").context("find the lab's own program")?;
    match symlink(program, &link) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("make {}", link.display()))
        }
        _ => Ok(link),
    }
}
