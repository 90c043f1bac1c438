//! Who called sudo(8), and with what environment.
//!
//! sudo says in `SUDO_UID` and `SUDO_GID` who called. Shells that it started hand these on for as
//! long as they run, to commands that are meant to be root's. So they count only where sudo itself,
//! or the caller's own process, is our parent.
//!
//! What sudo keeps from us, the caller's environment, is still in its own process; the caller's
//! groups are those of the process that called it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::sync::Arc;

use netprocmon_model::Pid;

use crate::privilege::reduce::Identity;
use crate::process;
use crate::user::Account;

/// sudo, its monitor for a pseudo-terminal, and what called it.
const GENERATIONS: usize = 4;

/// The user who called sudo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// User and groups.
    pub identity: Identity,
    /// The environment that sudo was called with; `None` where sudo has not stayed.
    pub environment: Option<Vec<(OsString, OsString)>>,
}

/// The caller where this process is what sudo was asked to run as root; `None` where it is not.
#[must_use]
pub fn caller() -> Option<Caller> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let parent = Pid(rustix::process::getppid()?.as_raw_pid().cast_unsigned());
    of(|name| std::env::var(name).ok(), parent, Ancestor::read)
}

/// What is looked at of a process above.
#[derive(Clone, Debug)]
struct Ancestor {
    name: Arc<str>,
    parent: Pid,
    uid: u32,
    groups: Vec<u32>,
    environment: Vec<u8>,
}

fn of(
    variable: impl Fn(&str) -> Option<String>,
    parent: Pid,
    read: impl Fn(Pid) -> Option<Ancestor>,
) -> Option<Caller> {
    let number = |name| variable(name)?.parse::<u32>().ok();
    let (uid, gid) = (number("SUDO_UID")?, number("SUDO_GID")?);
    if uid == 0 {
        return None;
    }
    let mut environment = None;
    let mut next = parent;
    for _ in 0..GENERATIONS {
        let Some(ancestor) = read(next) else { break };
        if &*ancestor.name == "sudo" {
            environment = Some(variables(&ancestor.environment));
        } else if ancestor.uid == uid {
            return Some(Caller {
                identity: Identity {
                    uid,
                    gid,
                    groups: ancestor.groups,
                },
                environment,
            });
        } else {
            break;
        }
        next = ancestor.parent;
    }
    // Without sudo above us it is an old shell's variable. With it, its caller has gone.
    environment.is_some().then(|| Caller {
        identity: Identity {
            uid,
            gid,
            groups: Account::of_uid(Path::new("/etc/passwd"), uid).map_or_else(
                || vec![gid],
                |account| account.groups(Path::new("/etc/group")),
            ),
        },
        environment,
    })
}

impl Ancestor {
    fn read(pid: Pid) -> Option<Self> {
        let seen = process::glance(pid)?;
        let (uid, groups) = process::user_and_groups(pid)?;
        Some(Self {
            name: seen.name,
            parent: seen.ppid,
            uid,
            groups,
            environment: fs::read(format!("/proc/{pid}/environ")).unwrap_or_default(),
        })
    }
}

/// `name=value` with a zero after each (`proc_pid_environ(5)`).
fn variables(environ: &[u8]) -> Vec<(OsString, OsString)> {
    let owned = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let entries = environ.split(|byte| *byte == 0);
    let pairs = entries.filter_map(|entry| {
        let at = entry.iter().position(|byte| *byte == b'=')?;
        let (name, value) = entry.split_at(at);
        (at > 0).then(|| (owned(name), owned(value.get(1..).unwrap_or_default())))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use rustix::process::Gid;

    use super::*;

    fn ancestor(name: &str, parent: u32, uid: u32, environment: &str) -> Ancestor {
        Ancestor {
            name: name.into(),
            parent: Pid(parent),
            uid,
            groups: vec![uid, 27],
            environment: environment.as_bytes().to_vec(),
        }
    }

    fn caller_of(parent: u32, uid: &str, all: &[(u32, Ancestor)]) -> Option<Caller> {
        let variable = |name: &str| match name {
            "SUDO_UID" => Some(uid.to_owned()),
            "SUDO_GID" => Some("100".to_owned()),
            _ => None,
        };
        let read = |pid: Pid| {
            let found = all.iter().find(|(number, _)| *number == pid.0);
            found.map(|(_, ancestor)| ancestor.clone())
        };
        of(variable, Pid(parent), read)
    }

    #[test]
    fn sudo_has_a_caller_and_a_shell_of_roots_has_none() {
        let shell = (10, ancestor("bash", 1, 1000, ""));
        let sudo = (11, ancestor("sudo", 10, 0, "HOME=/home/ana\0PATH=/x\0"));
        let monitor = (12, ancestor("sudo", 11, 0, "HOME=/home/ana\0PATH=/x\0"));
        let root = (13, ancestor("bash", 12, 0, "HOME=/root\0"));
        let all = [shell, sudo, monitor, root];
        for parent in [11, 12] {
            let caller = caller_of(parent, "1000", &all).unwrap();
            assert_eq!((caller.identity.uid, caller.identity.gid), (1000, 100));
            assert_eq!(caller.identity.groups, [1000, 27]);
            let environment = caller.environment.unwrap();
            assert_eq!(environment[0], ("HOME".into(), "/home/ana".into()));
        }
        // A sudo that has put us in its own place.
        let caller = caller_of(10, "1000", &all).unwrap();
        assert_eq!(caller.environment, None);
        assert_eq!(caller_of(13, "1000", &all), None);
        assert_eq!(caller_of(11, "0", &all), None);
        assert_eq!(caller_of(11, "ana", &all), None);
        assert_eq!(caller_of(99, "1000", &all), None);
    }

    #[test]
    fn a_caller_that_has_gone_is_known_by_its_account() {
        let sudo = (11, ancestor("sudo", 1, 0, "HOME=/x\0"));
        let init = (1, ancestor("systemd", 0, 0, ""));
        let caller = caller_of(11, "4000000000", &[sudo, init]).unwrap();
        assert_eq!(caller.identity.groups, [100]);
    }

    #[test]
    fn this_process_as_an_ancestor() {
        let here = Ancestor::read(Pid(std::process::id())).unwrap();
        assert_eq!(here.uid, rustix::process::getuid().as_raw());
        let groups = rustix::process::getgroups().unwrap().into_iter();
        let groups: BTreeSet<_> = groups.map(Gid::as_raw).collect();
        assert_eq!(BTreeSet::from_iter(here.groups), groups);
        assert!(!here.environment.is_empty());
    }

    #[test]
    fn an_environment_is_taken_apart() {
        assert_eq!(
            variables(b"A=1\0=x\0B\0C=a=b\0"),
            [("A".into(), "1".into()), ("C".into(), "a=b".into())]
        );
    }

    proptest! {
        #[test]
        fn noise_does_no_harm(noise: Vec<u8>) {
            let _ = variables(&noise);
        }
    }
}
