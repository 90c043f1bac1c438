//! Names and images of containers, from the files that their runtimes keep for themselves.
//!
//! These files are no interface: they have been the same for years, and where one is missing,
//! elsewhere or otherwise, the container keeps its id alone. Nothing is asked of any daemon.
//!
//! A container's id is checked to be one before it becomes part of a path. Files are regular,
//! bounded, and opened in a way that does nothing to what is not a regular file; those of a user's
//! own containers must belong to the user, so that a link cannot make us read another's.

mod docker;
mod oci;
mod podman;

use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use netprocmon_model::{Place, Pod};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use serde::de::DeserializeOwned;

use super::container::is_id;
use super::user_of_cgroup;
use crate::user::Account;

/// A file about one container.
const ONE: u64 = 1 << 20;
/// A file about all containers of a user.
const ALL: u64 = 16 << 20;
/// What is longer than this is no name.
const NAME_LIMIT: usize = 512;

/// The container runtimes' files, below a root directory.
#[derive(Clone, Debug)]
pub struct Runtimes {
    root: PathBuf,
}

impl Default for Runtimes {
    /// Those of this host.
    fn default() -> Self {
        Self::below("/")
    }
}

/// What files say about a container.
#[derive(Debug, Default, PartialEq, Eq)]
struct Description {
    name: Option<Arc<str>>,
    image: Option<Arc<str>>,
    pod_uid: Option<Arc<str>>,
    pod_name: Option<Arc<str>>,
    pod_namespace: Option<Arc<str>>,
}

impl Runtimes {
    /// Those of a system whose root directory this is.
    #[must_use]
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Adds names and image to what a cgroup path says. Answers whether there is nothing left to
    /// find: `false` where there is a container whose files are not there.
    pub fn describe(&self, cgroup: &str, place: &mut Place) -> bool {
        let Some(container) = &mut place.container else {
            return true;
        };
        if !is_id(&container.id) {
            return true; // its name is all there is
        }
        let user = user_of_cgroup(cgroup).filter(|uid| *uid != 0);
        let found = match &*container.runtime {
            "docker" => self.docker(&container.id, user),
            "podman" => self.podman(&container.id, user),
            "containerd" => self.containerd(&container.id, user),
            "cri-o" => self.cri_o(&container.id, user),
            _ => return true,
        };
        let Some(found) = found else {
            return false;
        };
        container.name = found.name;
        container.image = found.image;
        if place.pod.is_none() {
            place.pod = found.pod_uid.map(|uid| Pod {
                uid,
                name: None,
                namespace: None,
            });
        }
        if let Some(pod) = &mut place.pod {
            pod.name = found.pod_name;
            pod.namespace = found.pod_namespace;
        }
        true
    }

    /// The home of a user, below our root.
    fn home(&self, uid: u32) -> Option<PathBuf> {
        let account = Account::of_uid(&self.root.join("etc/passwd"), uid)?;
        let home = Path::new(&account.home).strip_prefix("/").ok()?;
        (!home.as_os_str().is_empty()).then(|| self.root.join(home))
    }
}

/// A JSON file, where it is one, is at most `limit` bytes long, and belongs to `owner`.
fn json<T: DeserializeOwned>(path: &Path, limit: u64, owner: Option<u32>) -> Option<T> {
    serde_json::from_slice(&regular(path, limit, owner)?).ok()
}

/// Opened without access first (`O_PATH`), for opening a device or a pipe can already do harm.
fn regular(path: &Path, limit: u64, owner: Option<u32>) -> Option<Vec<u8>> {
    let found = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let stat = fstat(&found).ok()?;
    let length = u64::try_from(stat.st_size).ok()?;
    let good = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && length <= limit
        && owner.is_none_or(|uid| uid == stat.st_uid);
    good.then_some(())?;
    let file = File::open(format!("/proc/self/fd/{}", found.as_raw_fd())).ok()?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// A name as it is shown; nothing for what is empty or too long to be one.
fn name(text: &str) -> Option<Arc<str>> {
    (!text.is_empty() && text.len() <= NAME_LIMIT).then(|| text.into())
}

#[cfg(test)]
mod tests;
