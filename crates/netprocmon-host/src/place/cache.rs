//! Places that are known already, by cgroup path.
//!
//! A cgroup's files are read when the first of its processes is asked about, and once more where
//! the runtime had not written them by then. Nothing is looked at again for as long as some
//! process holds on to the answer; what nobody holds is dropped when there is much of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use netprocmon_model::Place;

use super::{Runtimes, of_cgroup};

/// How long after the first look the second one is worth while.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// Below this many nothing is ever dropped.
const FEW: usize = 1024;

/// Remembers the place of each cgroup, shared by all of its processes.
#[derive(Debug)]
pub struct Places {
    runtimes: Runtimes,
    known: BTreeMap<Arc<str>, Known>,
    sweep_at: usize,
}

#[derive(Debug)]
struct Known {
    place: Arc<Place>,
    /// When the runtime's files are to be looked for once more.
    again: Option<Instant>,
}

impl Places {
    /// Nothing is known yet; files are read by `runtimes`.
    #[must_use]
    pub const fn new(runtimes: Runtimes) -> Self {
        Self {
            runtimes,
            known: BTreeMap::new(),
            sweep_at: FEW,
        }
    }

    /// The place that a cgroup path means. Reads files at most twice for each path that is held.
    pub fn at(&mut self, cgroup: &Arc<str>) -> Arc<Place> {
        self.at_time(cgroup, Instant::now())
    }

    fn at_time(&mut self, cgroup: &Arc<str>, now: Instant) -> Arc<Place> {
        if let Some(known) = self.known.get_mut(cgroup) {
            if known.again.is_some_and(|again| again <= now) {
                known.again = None;
                let mut place = Place::clone(&known.place);
                if self.runtimes.describe(cgroup, &mut place) {
                    known.place = Arc::new(place);
                }
            }
            return Arc::clone(&known.place);
        }
        self.sweep();
        let mut place = of_cgroup(cgroup);
        let described = self.runtimes.describe(cgroup, &mut place);
        let place = Arc::new(place);
        let known = Known {
            place: Arc::clone(&place),
            again: (!described).then(|| now + SECOND_LOOK),
        };
        self.known.insert(Arc::clone(cgroup), known);
        place
    }

    /// Drops what no process holds any more, at most once for each doubling.
    fn sweep(&mut self) {
        if self.known.len() >= self.sweep_at {
            self.known
                .retain(|_, known| Arc::strong_count(&known.place) > 1);
            self.sweep_at = FEW.max(self.known.len() * 2);
        }
    }
}

impl Default for Places {
    /// The places of this host.
    fn default() -> Self {
        Self::new(Runtimes::default())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn docker(root: &std::path::Path, name: &str) {
        let directory = root.join("var/lib/docker/containers").join(ID);
        fs::create_dir_all(&directory).unwrap();
        let text = format!(r#"{{"Name":"/{name}","Config":{{"Image":"nginx:1"}}}}"#);
        fs::write(directory.join("config.v2.json"), text).unwrap();
    }

    #[test]
    fn files_that_come_late_are_read_once_more_and_then_never() {
        let root = tempfile::tempdir().unwrap();
        let mut places = Places::new(Runtimes::below(root.path()));
        let path: Arc<str> = format!("/docker/{ID}").into();
        let start = Instant::now();
        let name = |place: &Place| place.container.as_ref().unwrap().name.clone();
        assert_eq!(name(&places.at_time(&path, start)), None);
        docker(root.path(), "web");
        let soon = start + SECOND_LOOK / 2;
        assert_eq!(name(&places.at_time(&path, soon)), None, "not yet");
        let later = start + SECOND_LOOK;
        let second = places.at_time(&path, later);
        assert_eq!(name(&second).as_deref(), Some("web"));
        docker(root.path(), "other");
        let third = places.at_time(&path, later + SECOND_LOOK * 9);
        assert!(Arc::ptr_eq(&second, &third));
    }

    #[test]
    fn what_is_held_stays_and_the_rest_goes() {
        let mut places = Places::new(Runtimes::below("/nowhere"));
        let held: Arc<str> = "/held.service".into();
        let place = places.at(&held);
        for number in 0..FEW * 4 {
            places.at(&format!("/{number}.service").into());
        }
        assert!(places.known.len() <= FEW + 1, "{}", places.known.len());
        assert!(Arc::ptr_eq(&place, &places.at(&held)));
    }
}
