//! Cgroups that the lab makes, below a slice of its own at the root of cgroup v2, and removes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::scenario::Skip;

/// Every slice of the lab starts with this, then the lab's pid.
const PREFIX: &str = "netprocmonlab";

/// All cgroups of a row; removed when dropped, if no process is in them any more.
#[derive(Debug)]
pub struct Cgroups {
    root: PathBuf,
    slice: String,
}

/// One cgroup, to start processes in.
#[derive(Debug)]
pub struct Cgroup {
    directory: PathBuf,
    procs: File,
}

impl Cgroups {
    /// Makes the slice. [`Skip`] where cgroups cannot be made.
    pub fn new() -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").context("read the mounts")?;
        let Some(root) = mount_point(&mounts) else {
            bail!(Skip("cgroup v2 is not mounted".to_owned()));
        };
        let cgroups = Self {
            root: root.into(),
            slice: format!("{PREFIX}{}.slice", std::process::id()),
        };
        cgroups.sweep();
        if let Err(error) = fs::create_dir(cgroups.directory()) {
            bail!(Skip(format!("cannot make a cgroup in {root}: {error}")));
        }
        Ok(cgroups)
    }

    /// The slice's name, which is its path from the root.
    #[must_use]
    pub fn slice(&self) -> &str {
        &self.slice
    }

    /// Makes a cgroup, and those above it, below the slice.
    pub fn make(&self, path: &str) -> Result<Cgroup> {
        let directory = self.directory().join(path);
        let made = fs::create_dir_all(&directory);
        made.with_context(|| format!("make {}", directory.display()))?;
        let procs = File::options()
            .write(true)
            .open(directory.join("cgroup.procs"))
            .with_context(|| format!("open {}", directory.display()))?;
        Ok(Cgroup { directory, procs })
    }

    fn directory(&self) -> PathBuf {
        self.root.join(&self.slice)
    }

    /// Removes what labs have left behind that are no longer running.
    fn sweep(&self) {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let owner = name.to_str().and_then(owner);
            if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                remove(&entry.path());
            }
        }
    }
}

impl Cgroup {
    /// `cgroup.procs`, open: a process that writes `0` to it is in the cgroup (cgroups(7)).
    #[must_use]
    pub fn procs(&self) -> &File {
        &self.procs
    }

    /// Removes it; it must be empty.
    pub fn remove(self) -> Result<()> {
        let Self { directory, procs } = self;
        drop(procs);
        fs::remove_dir(&directory).with_context(|| format!("remove {}", directory.display()))
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        remove(&self.directory());
    }
}

/// Removes a cgroup and all below it; the kernel does that to empty ones only, one at a time.
fn remove(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    if let Err(error) = fs::remove_dir(directory) {
        eprintln!("lab: remove {}: {error}", directory.display());
    }
}

/// Where cgroup v2 is mounted, by the text of `/proc/self/mounts` (`proc_pid_mounts(5)`).
fn mount_point(mounts: &str) -> Option<&str> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let point = fields.next()?;
        (fields.next()? == "cgroup2").then_some(point)
    })
}

/// The pid in the name of one of the lab's slices.
fn owner(name: &str) -> Option<u32> {
    let pid = name.strip_prefix(PREFIX)?.strip_suffix(".slice")?;
    pid.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_is_found_on_a_host_that_has_both() {
        let hybrid = "tmpfs /sys/fs/cgroup tmpfs ro 0 0\n\
                      cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(mount_point(hybrid), Some("/sys/fs/cgroup/unified"));
        assert_eq!(mount_point("proc /proc proc rw 0 0\n"), None);
    }

    #[test]
    fn only_slices_of_the_lab_have_an_owner() {
        assert_eq!(owner("netprocmonlab417.slice"), Some(417));
        assert_eq!(owner("netprocmonlab.slice"), None);
        assert_eq!(owner("system.slice"), None);
    }
}
