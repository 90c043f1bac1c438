//! Where a process runs, read off its cgroup path: systemd unit, slice, container, Kubernetes pod.
//!
//! The path is all that is needed to tell which runtime a container belongs to and what its id is,
//! and a process that lived a millisecond has left it behind. [`of_cgroup`] is pure. Names and
//! images are not in the path: [`Runtimes`] takes them from the files that the runtimes keep for
//! themselves; no daemon is asked. [`Places`] remembers both, so that a cgroup is looked at once.
//!
//! A user may make cgroups of any name below its own manager, so a path is a claim there. What is
//! below a user's manager is therefore never described from files that only root can write.
//!
//! Not here: cgroup v1. A container whose runtime has no scheme of its own for names (`ctr run`
//! with a name of the caller's choice) is not told from an ordinary cgroup.

mod cache;
mod container;
mod pod;
mod runtime;
mod unit;

use netprocmon_model::Place;

pub use cache::Places;
pub use runtime::Runtimes;

/// What a cgroup v2 path (from the root of the hierarchy) says by itself.
///
/// `unit`, `user_unit` and `slice` are what `sd_pid_get_unit(3)`, `sd_pid_get_user_unit(3)` and
/// `sd_pid_get_slice(3)` give, but that there is no slice where there is no sign of systemd. Of
/// containers within containers it is the innermost.
///
/// # Examples
///
/// ```
/// let place = netprocmon_host::place::of_cgroup("/system.slice/nginx.service");
/// assert_eq!(place.unit.as_deref(), Some("nginx.service"));
/// assert_eq!(place.slice.as_deref(), Some("system.slice"));
/// ```
#[must_use]
pub fn of_cgroup(path: &str) -> Place {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let unit = unit::system(&parts);
    Place {
        slice: unit::slice(&parts, unit.is_some()).map(Into::into),
        unit: unit.map(Into::into),
        user_unit: unit::user(&parts).map(Into::into),
        container: container::find(&parts),
        pod: pod::find(&parts),
    }
}

/// The user below whose manager or session a cgroup path lies; who may have made up the rest of it.
#[must_use]
pub fn user_of_cgroup(path: &str) -> Option<u32> {
    path.split('/').find_map(unit::user_of)
}

#[cfg(test)]
mod tests;
