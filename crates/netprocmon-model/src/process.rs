//! What is known about a process besides its bytes.
//!
//! Every text here came from outside and is hostile: a process chooses its own name. It is valid
//! UTF-8 (invalid bytes were replaced when it was read) but may hold control characters; a front
//! end escapes it with [`crate::text::escape`] before it reaches a terminal.

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

impl Process {
    /// A process of which nothing is known yet but who it is and what it is called.
    #[must_use]
    pub fn new(id: ProcessId, name: &str) -> Self {
        Self {
            id,
            pid: id.pid,
            started: None,
            ppid: None,
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
}
