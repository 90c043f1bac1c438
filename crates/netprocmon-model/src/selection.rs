//! Which processes and interfaces the reader asked for.
//!
//! An empty selection is the whole host. Criteria on processes are alternatives (this pid or that
//! name); a restriction to interfaces applies on top of them and leaves only what crossed those.

use std::collections::BTreeSet;

use crate::{InterfaceId, Pid, Process};

/// What a snapshot is to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Processes with these pids.
    pub pids: BTreeSet<Pid>,
    /// Processes that belong to the followed trees with these roots.
    pub trees: BTreeSet<Pid>,
    /// Processes with these names: `comm`, or the file name of the program.
    pub names: BTreeSet<String>,
    /// Processes in these cgroups or below them, as paths from the root of cgroup v2.
    pub cgroups: BTreeSet<String>,
    /// Only traffic over these interfaces; `None` is over all.
    pub interfaces: Option<BTreeSet<InterfaceId>>,
}

/// The kernel cuts `comm` to this many bytes (`TASK_COMM_LEN` less the terminator).
const COMM_LEN: usize = 15;

impl Selection {
    /// Whether any process is taken.
    #[must_use]
    pub fn takes_all_processes(&self) -> bool {
        self.pids.is_empty()
            && self.trees.is_empty()
            && self.names.is_empty()
            && self.cgroups.is_empty()
    }

    /// Whether this process was asked for.
    #[must_use]
    pub fn takes(&self, process: &Process) -> bool {
        self.takes_all_processes()
            || self.pids.contains(&process.pid)
            || process.tree.is_some_and(|root| self.trees.contains(&root))
            || self.names.iter().any(|name| is_named(process, name))
            || self.cgroups.iter().any(|cgroup| is_in(process, cgroup))
    }

    /// Whether traffic over this interface was asked for.
    #[must_use]
    pub fn takes_interface(&self, interface: InterfaceId) -> bool {
        self.interfaces
            .as_ref()
            .is_none_or(|chosen| chosen.contains(&interface))
    }
}

fn is_named(process: &Process, name: &str) -> bool {
    let cut = name
        .get(..COMM_LEN)
        .filter(|_| process.name.len() == COMM_LEN);
    let file = process
        .exe
        .as_deref()
        .and_then(|exe| exe.rsplit('/').next());
    *process.name == *name || file == Some(name) || (file.is_none() && cut == Some(&*process.name))
}

fn is_in(process: &Process, cgroup: &str) -> bool {
    let wanted = cgroup.trim_matches('/');
    process.cgroup.as_deref().is_some_and(|path| {
        let rest = path.trim_start_matches('/').strip_prefix(wanted);
        wanted.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProcessId;

    fn process(name: &str) -> Process {
        Process::new(
            ProcessId {
                pid: Pid(7),
                start_boottime: 1,
            },
            name,
        )
    }

    fn named(name: &str) -> Selection {
        Selection {
            names: [name.to_owned()].into(),
            ..Selection::default()
        }
    }

    #[test]
    fn nothing_asked_takes_everything() {
        assert!(Selection::default().takes(&process("any")));
        assert!(Selection::default().takes_interface(InterfaceId::default()));
    }

    #[test]
    fn a_name_is_the_comm_or_the_file() {
        let mut python = process("python3");
        python.exe = Some("/usr/bin/python3.11".into());
        assert!(named("python3").takes(&python));
        assert!(named("python3.11").takes(&python));
        assert!(!named("python").takes(&python));
    }

    #[test]
    fn a_name_that_the_kernel_cut_is_still_found() {
        assert!(named("systemd-resolved-x").takes(&process("systemd-resolve")));
        assert!(!named("systemd-resolved-x").takes(&process("systemd")));
    }

    #[test]
    fn a_cgroup_takes_what_is_below_it_and_no_namesake() {
        let mut inside = process("x");
        inside.cgroup = Some("/system.slice/a.service/b".into());
        let takes = |path: &str| {
            Selection {
                cgroups: [path.to_owned()].into(),
                ..Selection::default()
            }
            .takes(&inside)
        };
        assert!(takes("/system.slice"));
        assert!(takes("system.slice/a.service/"));
        assert!(takes("/"));
        assert!(!takes("/system.slice/a"));
    }
}
