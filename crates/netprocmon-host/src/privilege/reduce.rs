//! Giving rights up: those of the calling thread, and so of whatever it starts afterwards.
//!
//! Users and capabilities belong to threads, and the kernel lets no thread take them from another
//! (credentials(7), capabilities(7)). Whoever means a whole process does this while it has one
//! thread; a library's thread does it for itself, first of all.

use std::fs;
use std::io;

use landlock::{
    ABI, Access as _, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _, RulesetStatus,
};
use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_keep_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::Capability;

/// Whom a thread can become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User id: real, effective, saved and that for files.
    pub uid: u32,
    /// Group id, of the same four.
    pub gid: u32,
    /// All groups.
    pub groups: Vec<u32>,
}

/// Becomes another user for good, with no capability but those of `kept` that are there now.
///
/// # Errors
///
/// Where the thread is not the only one of its process: the others would stay what they are. As
/// setresuid(2), setresgid(2), setgroups(2) and capset(2); what was given up until then is not had
/// again.
pub fn become_user(user: &Identity, kept: &[Capability]) -> io::Result<()> {
    alone()?;
    // Else the last root id that goes takes every capability with it.
    set_keep_capabilities(true)?;
    // The groups first: afterwards nobody may.
    let groups: Vec<_> = user.groups.iter().copied().map(Gid::from_raw).collect();
    set_thread_groups(&groups)?;
    let (gid, uid) = (Gid::from_raw(user.gid), Uid::from_raw(user.uid));
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    set_keep_capabilities(false)?;
    keep(kept)
}

/// Gives up, for good, every capability but those of `kept` that are there now: of the thread, and
/// of what programs that it executes could inherit.
///
/// # Errors
///
/// As capset(2).
pub fn keep(kept: &[Capability]) -> io::Result<()> {
    let kept = set_of(kept) & capabilities(None)?.permitted;
    Ok(set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            // The ambient set goes with it.
            inheritable: CapabilitySet::empty(),
        },
    )?)
}

/// From now on no program gains anything by being executed: set-user-id bits and file capabilities
/// do nothing (`PR_SET_NO_NEW_PRIVS`, prctl(2)).
///
/// # Errors
///
/// As prctl(2).
pub fn gain_nothing() -> io::Result<()> {
    Ok(set_no_new_privs(true)?)
}

/// Does `work` with no capability in force, as the user alone may do it.
///
/// # Errors
///
/// As capset(2).
pub fn without_capabilities<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    let held = capabilities(None)?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        ..held
    };
    set_capabilities(None, none)?;
    let done = work();
    set_capabilities(None, held)?;
    Ok(done)
}

/// From now on the thread opens no file for writing and executes none (landlock(7)).
///
/// Nor may it look at processes outside: a landlocked thread fails the kernel's ptrace(2) access
/// checks, which guard most of `/proc/PID`. It is for threads that need neither.
///
/// # Errors
///
/// Where the kernel has no Landlock, which came with 5.13; nothing is restricted then.
pub fn only_read_files() -> io::Result<()> {
    let root = PathFd::new("/").map_err(io::Error::other)?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V3))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rule(PathBeneath::new(root, read)))
        .and_then(RulesetCreated::restrict_self)
        .map_err(io::Error::other)?;
    if status.ruleset == RulesetStatus::NotEnforced {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(())
}

fn alone() -> io::Result<()> {
    let threads = fs::read_dir("/proc/self/task")?.count();
    if threads == 1 {
        return Ok(());
    }
    Err(io::Error::other(format!("{threads} threads run already")))
}

fn set_of(capabilities: &[Capability]) -> CapabilitySet {
    let bits = capabilities.iter().map(|one| 1 << one.number());
    CapabilitySet::from_bits_retain(bits.fold(0, |all, bit: u64| all | bit))
}

#[cfg(test)]
mod tests;
