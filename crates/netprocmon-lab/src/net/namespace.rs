//! A network namespace with a name, removed when it is dropped.
//!
//! It is made quiet: nothing in it talks unless a generator does. No duplicate address detection,
//! no router solicitations, no link-local addresses, and the multicast listener reports that IPv6
//! insists on are dropped before they reach a device.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow};
use netprocmon::NetnsId;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::tool;

/// Where ip-netns(8) keeps the named namespaces.
const NAMED: &str = "/run/netns";
/// Every namespace of the lab starts with this, then the lab's pid, so that what a killed lab left
/// behind can be told from what a running one uses.
const PREFIX: &str = "npl";

static MADE: AtomicU32 = AtomicU32::new(0);

/// One network namespace.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    file: File,
}

impl Namespace {
    /// Makes an empty, quiet namespace with loopback up.
    pub fn new() -> Result<Self> {
        let serial = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{serial}", std::process::id());
        tool::run("ip", &["netns", "add", &name])?;
        let path = Path::new(NAMED).join(&name);
        let file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
        let namespace = Self { name, file };
        for (key, value) in [
            ("net/ipv6/conf/default/addr_gen_mode", "1"),
            ("net/ipv6/conf/default/accept_dad", "0"),
            ("net/ipv6/conf/default/accept_ra", "0"),
            ("net/ipv6/conf/default/router_solicitations", "0"),
        ] {
            namespace.sysctl(key, value)?;
        }
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Its name under `/run/netns`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The open `nsfs` file, for setns(2).
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Its inode number, the name that everybody else knows it by.
    pub fn id(&self) -> Result<NetnsId> {
        let inode = self.file.metadata()?.ino();
        Ok(NetnsId::new(u32::try_from(inode)?))
    }

    /// Runs `ip` in it.
    pub fn ip(&self, args: &[&str]) -> Result<String> {
        let mut all = vec!["-n", &self.name];
        all.extend(args);
        tool::run("ip", &all)
    }

    /// Runs any program in it.
    pub fn run(&self, program: &str, args: &[&str]) -> Result<String> {
        let mut all = vec!["netns", "exec", &self.name, program];
        all.extend(args);
        tool::run("ip", &all)
    }

    /// Writes a file below `/proc/sys`, which shows the network namespace of whoever opens it.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys").join(key);
        self.inside(|| fs::write(&path, value))?
            .with_context(|| format!("write {value:?} to {} in {}", path.display(), self.name))
    }

    /// Runs `work` on a thread of its own that has entered the namespace; the caller stays where
    /// it is.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            scope
                .spawn(|| {
                    move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))
                        .with_context(|| format!("enter {}", self.name))
                        .map(|()| work())
                })
                .join()
                .map_err(|_| anyhow!("a thread in {} panicked", self.name))?
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A namespace that something still holds is only unnamed here, and goes when that ends.
        if let Err(error) = tool::run("ip", &["netns", "del", &self.name]) {
            eprintln!("lab: {error:#}");
        }
    }
}

/// Removes the namespaces of labs that are no longer running, and gives their names.
pub fn sweep() -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(NAMED) else {
        return Ok(Vec::new()); // nothing was ever named on this machine
    };
    let mut swept = Vec::new();
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue; // not ours: ours are ASCII
        };
        let owner = owner(&name);
        if owner.is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists()) {
            tool::run("ip", &["netns", "del", &name])?;
            swept.push(name);
        }
    }
    Ok(swept)
}

/// The pid in the name of one of the lab's namespaces.
fn owner(name: &str) -> Option<u32> {
    let (pid, serial) = name.strip_prefix(PREFIX)?.split_once('-')?;
    serial.parse::<u32>().ok()?;
    pid.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_lab_have_an_owner() {
        assert_eq!(owner("npl417-3"), Some(417));
        assert_eq!(owner("npl417"), None);
        assert_eq!(owner("npl-3"), None);
        assert_eq!(owner("cni-417-3"), None);
        assert_eq!(owner("npl417-x"), None);
    }
}
