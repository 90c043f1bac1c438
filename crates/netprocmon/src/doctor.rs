//! What this host lets us count: each source is started and stopped again, and what it lacks is said
//! with what would mend it.
//!
//! The facts about the host stand beside the verdicts as explanation only; no verdict follows from a
//! version number.

use std::collections::BTreeMap;
use std::path::PathBuf;

use netprocmon_host::cgroup;
use netprocmon_host::confinement::{self, Namespace, Namespaces};
use netprocmon_host::privilege::{self, Capabilities, Capability, Lockdown};
use netprocmon_model::{Degradation, SCHEMA_VERSION, SourceKind};
use serde::Serialize;

use crate::source::{self, BEST_FIRST, Source};
use crate::{Error, ErrorKind, MonitorBuilder};

mod text;

/// What was found; [`Serialize`] is `netprocmon doctor --json`, [`Display`](std::fmt::Display) its
/// text.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// [`SCHEMA_VERSION`].
    pub schema: u32,
    /// `"doctor"`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The source that `auto` takes; `None` where none works.
    pub source: Option<SourceKind>,
    /// Each source that was tried, the best first.
    pub sources: Vec<Verdict>,
    /// The kernel's release.
    pub kernel: String,
    /// Whether the kernel carries its type information.
    pub btf: bool,
    /// Where cgroup v2 is mounted.
    pub cgroup2: Option<PathBuf>,
    /// Whether that is the hierarchy's real root.
    pub cgroup2_is_root: bool,
    /// `None` where the kernel has no lockdown, or does not tell.
    pub lockdown: Option<Lockdown>,
    /// Each capability that some source needs, by name, and whether it is in force.
    pub capabilities: BTreeMap<&'static str, bool>,
    /// Which namespaces are the host's own.
    pub namespaces: Namespaces,
    /// What made the container that this process is in.
    pub container: Option<String>,
}

/// What became of one source.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Which.
    pub source: SourceKind,
    /// Whether it starts.
    pub works: bool,
    /// Why it does not.
    pub why: Option<String>,
    /// The command or setting that mends it.
    pub remedy: Option<String>,
    /// Where it works: what it does not see here.
    pub degradations: Vec<Degradation>,
    #[serde(skip)]
    obstacle: Option<ErrorKind>,
}

const OUTSIDE: &str = "run it outside of the user namespace (a container: without user namespaces, \
                       with --privileged --pid=host --cgroupns=host --network=host)";

/// Tries each source. Takes a fraction of a second, in which the eBPF source counts.
///
/// ```
/// let diagnosis = netprocmon::doctor();
/// assert_eq!(diagnosis.sources.len(), 3);
/// println!("{diagnosis}");
/// ```
#[must_use]
pub fn doctor() -> Diagnosis {
    let asked = MonitorBuilder::new();
    let try_one = |source| match source::start_one(source, &asked) {
        Ok(running) => Verdict::working(running.as_ref()),
        Err(error) => Verdict::refused(source, &error),
    };
    Diagnosis::new(BEST_FIRST.map(try_one).into())
}

impl Diagnosis {
    /// These verdicts, and the facts of this host.
    pub(crate) fn new(mut sources: Vec<Verdict>) -> Self {
        let namespaces = Namespaces::of_this_process();
        // Capabilities that are in force here are not outside, where the kernel looks for them.
        for one in &mut sources {
            if !one.works && one.remedy.is_none() && namespaces.user == Namespace::Inner {
                one.remedy = Some(OUTSIDE.to_owned());
            }
        }
        let ours = Capabilities::effective();
        let cgroup2 = cgroup::mount_point();
        Self {
            schema: SCHEMA_VERSION,
            kind: "doctor",
            source: sources.iter().find(|one| one.works).map(|one| one.source),
            sources,
            kernel: privilege::kernel_release(),
            btf: privilege::btf_available(),
            cgroup2_is_root: cgroup2.as_deref().is_some_and(cgroup::is_real_root),
            cgroup2,
            lockdown: privilege::lockdown(),
            capabilities: Capability::ALL
                .into_iter()
                .map(|one| (one.name(), ours.has(one)))
                .collect(),
            namespaces,
            container: confinement::container(),
        }
    }

    /// Whether the best source works.
    #[must_use]
    pub fn best_works(&self) -> bool {
        self.obstacle().is_none()
    }

    /// What keeps the best source from working.
    #[must_use]
    pub fn obstacle(&self) -> Option<ErrorKind> {
        self.sources.first()?.obstacle
    }

    /// What a namespace or a container hides, a sentence each.
    #[must_use]
    pub fn confinement(&self) -> Vec<String> {
        let mut said = Vec::new();
        if let Some(runtime) = &self.container {
            said.push(format!("this runs in a container ({runtime})"));
        }
        let Namespaces {
            user,
            pid,
            cgroup,
            net,
        } = self.namespaces;
        for (is, covers) in [
            (
                user,
                "a user namespace of its own: capabilities hold only inside, and eBPF needs the host's",
            ),
            (
                pid,
                "a pid namespace of its own: processes outside have no name here (container: --pid=host)",
            ),
            (
                cgroup,
                "a cgroup namespace of its own: eBPF counts only what is in this cgroup (container: --cgroupns=host)",
            ),
            (
                net,
                "a network namespace of its own: the packet and sockdiag sources see only this one (container: --network=host)",
            ),
        ] {
            if is == Namespace::Inner {
                said.push(covers.to_owned());
            }
        }
        said
    }
}

impl Verdict {
    /// Of one that counts.
    pub(crate) fn working(source: &dyn Source) -> Self {
        Self {
            source: source.kind(),
            works: true,
            why: None,
            remedy: None,
            degradations: source.degradations().to_vec(),
            obstacle: None,
        }
    }

    /// Of one that did not start.
    pub(crate) fn refused(source: SourceKind, error: &Error) -> Self {
        Self {
            source,
            works: false,
            why: Some(why(error)),
            remedy: error.remedy().map(ToOwned::to_owned),
            degradations: Vec::new(),
            obstacle: Some(error.kind()),
        }
    }

    /// The same as what a monitor says that counts with another source instead.
    pub(crate) fn lack(&self) -> Degradation {
        let code = match self.obstacle {
            Some(ErrorKind::PermissionDenied) => "missing_capability",
            _ => "source_unavailable",
        };
        let why = self.why.as_deref().unwrap_or_default();
        let message = format!("the {} source does not work here: {why}", self.source);
        Degradation {
            remedy: self.remedy.clone(),
            ..Degradation::new(code, message)
        }
    }
}

fn why(error: &Error) -> String {
    match error.kind() {
        // It says what is missing; the kernel's own word for that adds nothing.
        ErrorKind::PermissionDenied => error.to_string(),
        _ => error.chain(),
    }
}
