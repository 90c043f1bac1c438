//! Cgroups of the processes that use the network: their paths by id, and the places they mean.
//!
//! The kernel leaves a number. It can be made a path for as long as the cgroup is there; one whose
//! last process lived a millisecond may be gone by then, so a path that `/proc` told for any of its
//! processes is remembered under the number too.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Weak};

use netprocmon_host::cgroup;
use netprocmon_host::place::Places;
use netprocmon_model::Place;

/// Below this many nothing is ever dropped.
const FEW: usize = 1024;

pub(super) struct Cgroups {
    root: OwnedFd,
    /// Dead once no process and no place is known by the path.
    paths: BTreeMap<u64, Weak<str>>,
    places: Places,
    sweep_at: usize,
}

impl Cgroups {
    /// `root` is an open directory of the hierarchy's root.
    pub(super) fn new(root: OwnedFd) -> Self {
        Self {
            root,
            paths: BTreeMap::new(),
            places: Places::default(),
            sweep_at: FEW,
        }
    }

    /// The path of a cgroup of the kernel's; `None` for one that is gone and was never told of.
    pub(super) fn path(&mut self, id: u64) -> Option<Arc<str>> {
        if let Some(known) = self.paths.get(&id).and_then(Weak::upgrade) {
            return Some(known);
        }
        let path = cgroup::path_of_id(self.root.as_fd(), id)?;
        Some(self.remember(id, path.into()))
    }

    /// The one copy of a path that `/proc` told of a living process.
    pub(super) fn told(&mut self, path: &Arc<str>) -> Arc<str> {
        let Some(id) = cgroup::id_at(self.root.as_fd(), path) else {
            return Arc::clone(path);
        };
        match self.paths.get(&id).and_then(Weak::upgrade) {
            Some(known) if known == *path => known,
            _ => self.remember(id, Arc::clone(path)),
        }
    }

    /// What a path means.
    pub(super) fn place(&mut self, path: &Arc<str>) -> Arc<Place> {
        self.places.at(path)
    }

    fn remember(&mut self, id: u64, path: Arc<str>) -> Arc<str> {
        if self.paths.len() >= self.sweep_at {
            self.paths.retain(|_, path| path.strong_count() > 0);
            self.sweep_at = FEW.max(self.paths.len() * 2);
        }
        self.paths.insert(id, Arc::downgrade(&path));
        path
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    #[ignore = "needs root: cargo xtask test runs it"]
    fn a_cgroup_that_is_gone_keeps_the_path_that_was_told() {
        let point = cgroup::mount_point().expect("cgroup v2 is mounted");
        let path = |name| format!("/netprocmon {name} {}.service", std::process::id());
        let make = |path: &str| {
            fs::create_dir(point.join(&path[1..])).unwrap();
            cgroup::id_of_path(&point, path).unwrap()
        };
        let (told, seen, missed) = (path("told"), path("seen"), path("missed"));
        let ids = [&told, &seen, &missed].map(|path| make(path));
        let mut cgroups = Cgroups::new(File::open(&point).unwrap().into());
        let kept = cgroups.told(&told.as_str().into());
        assert!(Arc::ptr_eq(&kept, &cgroups.told(&told.as_str().into())));
        let handle = cgroups.path(ids[1]).unwrap();
        for path in [&told, &seen, &missed] {
            fs::remove_dir(point.join(&path[1..])).unwrap();
        }
        assert!(Arc::ptr_eq(&kept, &cgroups.path(ids[0]).unwrap()));
        assert!(Arc::ptr_eq(&handle, &cgroups.path(ids[1]).unwrap()));
        assert_eq!(*handle, *seen);
        assert_eq!(cgroups.path(ids[2]), None);
    }
}
