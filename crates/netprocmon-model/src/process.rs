//! What is known about a process besides its bytes.
//!
//! Every text here came from outside and is hostile: a process chooses its own name. It is valid
//! UTF-8 (invalid bytes were replaced when it was read) but may hold control characters; a front
//! end escapes it with [`crate::text::escape`] before it reaches a terminal.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::{NetnsId, Pid, Place, ProcessId, ProgramFile};

/// Facts about one process. Shared between snapshots; replaced as a whole when something changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Which process: pid and start, never the pid alone.
    #[serde(skip)]
    pub id: ProcessId,
    /// The pid, as seen from the monitor's pid namespace.
    pub pid: Pid,
    /// When it started, wall clock, to the kernel's resolution.
    pub started: Option<Timestamp>,
    /// The parent's pid when the process was first seen.
    pub ppid: Option<Pid>,
    /// Who started it, who started that, and so on: the parent first, as far as it is known.
    /// Shared by the processes that one parent started.
    pub parents: Arc<[Ancestor]>,
    /// `comm`: at most 15 bytes of the kernel's (`/proc/PID/comm`).
    pub name: Arc<str>,
    /// The program file's path; `None` where it could not be read in time.
    pub exe: Option<Arc<str>>,
    /// The arguments; empty for a kernel thread, `None` where they could not be read in time.
    pub command: Option<Arc<[Arc<str>]>>,
    /// Real user id.
    pub uid: Option<u32>,
    /// The user's name, where the user database has one.
    pub user: Option<Arc<str>>,
    /// cgroup v2 path, from the root of the hierarchy.
    pub cgroup: Option<Arc<str>>,
    /// The script or archive that an interpreter runs: `train.py`, `app.jar`.
    pub script: Option<Arc<str>>,
    /// What has become of the program file; `None` while it stands where it stood.
    pub exe_file: Option<ProgramFile>,
    /// Unit, slice, container, pod, flat; shared by the processes of a cgroup.
    #[serde(flatten)]
    pub place: Arc<Place>,
    /// The network namespace of its sockets.
    pub netns: Option<NetnsId>,
    /// When it ended; `None` while it lives.
    pub exited: Option<Timestamp>,
    /// The root of the followed tree that it belongs to, however its parents ended.
    #[serde(skip)]
    pub tree: Option<Pid>,
}

/// One of those above a process, as it was when the process was first seen: it may have ended since.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Ancestor {
    /// Which process: pid and start, never the pid alone.
    #[serde(skip)]
    pub id: ProcessId,
    /// Its pid.
    pub pid: Pid,
    /// `comm`; `None` where it was gone before it could be asked.
    pub name: Option<Arc<str>>,
}

impl Ancestor {
    fn starts_everything(&self) -> bool {
        let name = self.name.as_deref().unwrap_or_default();
        self.pid.0 <= 1 || MANAGERS.contains(&name)
    }
}

/// Names as the kernel cuts them.
const MANAGERS: [&str; 3] = ["systemd", "containerd-shim", "conmon"];

impl Process {
    /// A process of which nothing is known yet but who it is and what it is called.
    #[must_use]
    pub fn new(id: ProcessId, name: &str) -> Self {
        Self {
            id,
            pid: id.pid,
            started: None,
            ppid: None,
            parents: [].into(),
            name: name.into(),
            exe: None,
            command: None,
            uid: None,
            user: None,
            cgroup: None,
            script: None,
            exe_file: None,
            place: Arc::default(),
            netns: None,
            exited: None,
            tree: None,
        }
    }

    /// Whether it is the process with this pid or comes from it, however its parents ended.
    #[must_use]
    pub fn is_in_tree(&self, root: Pid) -> bool {
        self.pid == root
            || self.tree == Some(root)
            || self.parents.iter().any(|above| above.pid == root)
    }

    /// The root of its tree: that of the followed tree that it belongs to; else the topmost of its
    /// parents below what starts everything and would make all processes one tree: pid 1, a
    /// user's own `systemd`, the shim of a container.
    #[must_use]
    pub fn root(&self) -> Pid {
        let below = self
            .parents
            .iter()
            .take_while(|one| !one.starts_everything());
        let top = below.last().map(|one| one.pid);
        self.tree.or(top).unwrap_or(self.pid)
    }

    /// What people call the process, in a line: of an interpreter what it runs, with its own name
    /// behind it (`train.py (python3.12)`); the program file's name where the kernel has cut the
    /// process's own; else that.
    ///
    /// From outside, like all that it is made of: to be escaped before it is shown.
    #[must_use]
    pub fn title(&self) -> Cow<'_, str> {
        let program = self.exe.as_deref().map(file_name);
        if let Some(script) = &self.script {
            let called = || self.command.as_ref()?.first().map(|name| file_name(name));
            return match program.or_else(called) {
                Some(interpreter) => format!("{script} ({interpreter})").into(),
                None => Cow::Borrowed(script),
            };
        }
        match program {
            Some(program) if was_cut(&self.name, program) => Cow::Borrowed(program),
            _ => Cow::Borrowed(&self.name),
        }
    }
}

/// Bytes of a name that the kernel keeps (`TASK_COMM_LEN`, its NUL taken off).
const NAME_BYTES: usize = 15;

/// Whether a name is the beginning of a longer one, cut where the kernel cuts. A character that was
/// cut in the middle has become a replacement, of three bytes.
fn was_cut(name: &str, whole: &str) -> bool {
    let kept = name.trim_end_matches(char::REPLACEMENT_CHARACTER);
    let cut = if kept.len() == name.len() {
        kept.len() == NAME_BYTES
    } else {
        (NAME_BYTES - 3..NAME_BYTES).contains(&kept.len())
    };
    cut && whole.len() > kept.len() && whole.starts_with(kept)
}

fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str, exe: Option<&str>) -> Process {
        let id = ProcessId {
            pid: Pid(7),
            start_boottime: 1,
        };
        Process {
            exe: exe.map(Into::into),
            ..Process::new(id, name)
        }
    }

    #[test]
    fn a_name_that_was_cut_is_made_whole() {
        for (name, exe, title) in [
            ("curl", Some("/usr/bin/curl"), "curl"),
            ("curl", None, "curl"),
            (
                "systemd-resolve",
                Some("/usr/lib/systemd/systemd-resolved"),
                "systemd-resolved",
            ),
            ("systemd-resolve", None, "systemd-resolve"),
            (
                "fifteen-letters",
                Some("/x/fifteen-letters"),
                "fifteen-letters",
            ),
            (
                "fifteen-letters",
                Some("/x/fifteen-other-letters"),
                "fifteen-letters",
            ),
            ("worker", Some("/x/worker-of-something"), "worker"),
            (
                "aaaaaaaaaaaaa\u{fffd}",
                Some("/x/aaaaaaaaaaaaa日本"),
                "aaaaaaaaaaaaa日本",
            ),
        ] {
            assert_eq!(process(name, exe).title(), title);
        }
    }

    #[test]
    fn a_tree_begins_below_what_starts_everything() {
        let above = |names: &[(u32, &str)]| {
            let one = |&(pid, name): &(u32, &str)| Ancestor {
                id: ProcessId {
                    pid: Pid(pid),
                    start_boottime: 1,
                },
                pid: Pid(pid),
                name: (!name.is_empty()).then(|| name.into()),
            };
            Process {
                parents: names.iter().map(one).collect(),
                ..process("curl", None)
            }
        };
        for (parents, root) in [
            (&[][..], 7),
            (&[(1, "systemd")], 7),
            (&[(5, "sh"), (4, "make"), (1, "init")], 4),
            (&[(5, "firefox"), (4, "systemd"), (1, "systemd")], 5),
            (&[(5, "app"), (4, "containerd-shim"), (1, "")], 5),
            (&[(5, "")], 5),
        ] {
            assert_eq!(above(parents).root(), Pid(root), "{parents:?}");
        }
        let mut followed = above(&[(5, "sh"), (1, "init")]);
        followed.tree = Some(Pid(6));
        assert_eq!(followed.root(), Pid(6));
        assert!(followed.is_in_tree(Pid(5)) && followed.is_in_tree(Pid(7)));
        assert!(!followed.is_in_tree(Pid(8)));
    }

    #[test]
    fn of_an_interpreter_the_script() {
        let mut python = process("python3", Some("/usr/bin/python3.12"));
        python.script = Some("train.py".into());
        assert_eq!(python.title(), "train.py (python3.12)");
        python.exe = None;
        assert_eq!(python.title(), "train.py");
        python.command = Some(["/opt/python3".into(), "train.py".into()].into());
        assert_eq!(python.title(), "train.py (python3)");
    }
}
