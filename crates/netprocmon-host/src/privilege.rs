//! What this process may do and what this kernel offers, to say beforehand what will not work.
//!
//! These are hints for messages. Whether a program loads is decided by loading it.

use std::fs;
use std::path::Path;

use serde::Serialize;

pub mod reduce;
mod setcap;

pub use setcap::setcap;

/// A capability (capabilities(7)) that netprocmon has a use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // capabilities(7)
pub enum Capability {
    DacReadSearch,
    Kill,
    NetAdmin,
    NetRaw,
    SysPtrace,
    SysAdmin,
    SysNice,
    Perfmon,
    Bpf,
}

impl Capability {
    /// Those that some source needs, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::DacReadSearch,
        Self::NetAdmin,
        Self::NetRaw,
        Self::SysPtrace,
        Self::SysAdmin,
        Self::Perfmon,
        Self::Bpf,
    ];

    /// The bit in the kernel's sets (`<linux/capability.h>`).
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::DacReadSearch => 2,
            Self::Kill => 5,
            Self::NetAdmin => 12,
            Self::NetRaw => 13,
            Self::SysPtrace => 19,
            Self::SysAdmin => 21,
            Self::SysNice => 23,
            Self::Perfmon => 38,
            Self::Bpf => 39,
        }
    }

    /// The name that `setcap` and people use: `cap_bpf`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DacReadSearch => "cap_dac_read_search",
            Self::Kill => "cap_kill",
            Self::NetAdmin => "cap_net_admin",
            Self::NetRaw => "cap_net_raw",
            Self::SysPtrace => "cap_sys_ptrace",
            Self::SysAdmin => "cap_sys_admin",
            Self::SysNice => "cap_sys_nice",
            Self::Perfmon => "cap_perfmon",
            Self::Bpf => "cap_bpf",
        }
    }
}

/// The capabilities of the calling thread that are in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// The effective set of the calling thread (capget(2)).
    #[must_use]
    pub fn effective() -> Self {
        let sets = rustix::thread::capabilities(None);
        Self(sets.map_or(0, |sets| sets.effective.bits()))
    }

    /// Whether this one is in force.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 >> capability.number() & 1 == 1
    }

    /// Whether they are enough to look at other users' processes (`/proc/PID/fd`, `exe`, `ns`).
    #[must_use]
    pub const fn see_all_processes(self) -> bool {
        self.has(Capability::SysPtrace) && self.has(Capability::DacReadSearch)
    }

    /// Those of `wanted` that are not in force.
    pub fn missing(self, wanted: &[Capability]) -> impl Iterator<Item = Capability> {
        wanted.iter().copied().filter(move |one| !self.has(*one))
    }
}

/// Whether the calling thread has a capability in force.
#[must_use]
pub fn has(capability: Capability) -> bool {
    Capabilities::effective().has(capability)
}

/// Whether the kernel carries its own type information, which CO-RE programs need
/// (`CONFIG_DEBUG_INFO_BTF`).
#[must_use]
pub fn btf_available() -> bool {
    Path::new("/sys/kernel/btf/vmlinux").exists()
}

/// The kernel's release, such as `6.12.0-3-amd64` (uname(2)).
#[must_use]
pub fn kernel_release() -> String {
    rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned()
}

/// How much the kernel protects itself from root (`kernel_lockdown(7)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lockdown {
    /// Not at all.
    None,
    /// It may not be changed: no kprobes here and there.
    Integrity,
    /// Nor may its memory be read: no `bpf_probe_read_kernel`.
    Confidentiality,
}

/// The lockdown mode; `None` where the kernel has no lockdown or `securityfs` is not mounted.
#[must_use]
pub fn lockdown() -> Option<Lockdown> {
    lockdown_mode(&fs::read_to_string("/sys/kernel/security/lockdown").ok()?)
}

/// `none [integrity] confidentiality`: the one in force is in brackets.
fn lockdown_mode(text: &str) -> Option<Lockdown> {
    match text.split_once('[')?.1.split_once(']')?.0 {
        "none" => Some(Lockdown::None),
        "integrity" => Some(Lockdown::Integrity),
        "confidentiality" => Some(Lockdown::Confidentiality),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Capability::{Bpf, NetAdmin, NetRaw, Perfmon, SysAdmin};
    use super::*;

    #[test]
    fn capabilities_by_their_numbers() {
        let held = Capabilities(0x0000_00c0_0000_3000);
        let has: Vec<_> = Capability::ALL
            .into_iter()
            .filter(|one| held.has(*one))
            .collect();
        assert_eq!(has, [NetAdmin, NetRaw, Perfmon, Bpf]);
        assert_eq!(
            held.missing(&[Bpf, SysAdmin]).collect::<Vec<_>>(),
            [SysAdmin]
        );
        assert!(!held.see_all_processes());
    }

    /// What we ask by a call the kernel tells in a file too.
    #[test]
    fn capabilities_are_those_that_proc_tells() {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let told = u64::from_str_radix(line.unwrap().trim(), 16).unwrap();
        assert_eq!(Capabilities::effective(), Capabilities(told));
    }

    #[test]
    fn lockdown_modes() {
        assert_eq!(
            lockdown_mode("none [integrity] confidentiality\n"),
            Some(Lockdown::Integrity)
        );
        assert_eq!(
            lockdown_mode("[none] integrity confidentiality"),
            Some(Lockdown::None)
        );
        assert_eq!(lockdown_mode(""), None);
        assert_eq!(lockdown_mode("][x"), None);
    }

    #[test]
    fn this_kernel_has_a_release() {
        assert!(kernel_release().contains('.'));
    }
}
