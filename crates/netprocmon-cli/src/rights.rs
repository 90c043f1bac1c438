//! As whom the command acts, and what it may do: less and less, in this order.
//!
//! 1. [`assume`], first of all, while there is one thread: under sudo the process becomes the user
//!    who called it, and keeps only the capabilities that some source starts with. From then on it is
//!    as if that user had started a program file with these capabilities.
//! 2. What the user names (configuration, databases, a report's file) is opened with the user's own
//!    rights, no capability in force ([`as_user`]).
//! 3. The monitor starts.
//! 4. `run` starts its command with the user's own rights, environment and no capability.
//! 5. [`settle`]: the capabilities that counting goes on to use are kept, and nothing that would be
//!    executed gains any.
//!
//! Started by root without sudo, it stays root's, and so does the command of `run`; 5 holds all the
//! same. Landlock cannot be had for the whole of it: a process that is restricted so may look at no
//! other. SECURITY.md tells the rest.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use netprocmon::Monitor;
use netprocmon::host::privilege::Capability;
use netprocmon::host::privilege::reduce::{self, Identity};
use netprocmon::host::sudo::{self, Caller};
use netprocmon::host::user::Account;
use rustix::process::Gid;

use crate::exit::{Failure, Status};

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// Some source starts with these; the packet source's thread wants to be in time.
const STARTING: [Capability; 9] = [
    Capability::DacReadSearch,
    Capability::Kill,
    Capability::NetAdmin,
    Capability::NetRaw,
    Capability::SysPtrace,
    Capability::SysAdmin,
    Capability::SysNice,
    Capability::Perfmon,
    Capability::Bpf,
];

/// As whom the command acts from now on, and with what environment.
#[derive(Debug)]
pub(crate) struct Role(Environment);

#[derive(Debug)]
enum Environment {
    /// That of this process.
    Ours,
    /// That which sudo was called with.
    Callers(Vec<(OsString, OsString)>),
    /// Ours, with what a log-in of this account would change.
    Of(Account),
}

/// What names a user, in every log-in's environment (environ(7)).
const NAMING: [&str; 4] = ["HOME", "LOGNAME", "SHELL", "USER"];

/// Becomes the user who called sudo or, where one is given, that one.
pub(crate) fn assume(given: Option<&str>) -> anyhow::Result<Role> {
    undo_set_user_id()?;
    let (identity, environment) = match (given, sudo::caller()) {
        (Some(name), caller) => named(name, caller)?,
        (None, Some(caller)) => of_caller(caller),
        (None, None) => return Ok(Role(Environment::Ours)),
    };
    let (uid, ours) = (identity.uid, rustix::process::getuid().as_raw());
    if uid == ours {
        return Ok(Role(Environment::Ours));
    }
    if !rustix::process::geteuid().is_root() {
        let message = format!("only root can run a command as user {uid}, and this is user {ours}");
        return Err(Failure::new(Status::NotPermitted, message)
            .with_remedy("run it with sudo, or without --user")
            .into());
    }
    reduce::become_user(&identity, &STARTING)
        .with_context(|| format!("become user {uid}, in whose place sudo runs this"))?;
    Ok(Role(environment))
}

/// Whoever gave the program file root's set-user-id bit meant that others may count, not that they
/// may do what root may.
fn undo_set_user_id() -> anyhow::Result<()> {
    let (real, effective) = (rustix::process::getuid(), rustix::process::geteuid());
    if real == effective {
        return Ok(());
    }
    let groups = rustix::process::getgroups().context("ask for the groups")?;
    let identity = Identity {
        uid: real.as_raw(),
        gid: rustix::process::getgid().as_raw(),
        groups: groups.into_iter().map(Gid::as_raw).collect(),
    };
    reduce::become_user(&identity, &STARTING).context("become the user who started this")
}

fn named(name: &str, caller: Option<Caller>) -> Result<(Identity, Environment), Failure> {
    let account = Account::of_name_or_uid(Path::new(PASSWD), name).ok_or_else(|| {
        Failure::new(Status::Usage, format!("no user is called {name}"))
            .with_remedy(format!("give a name or a number that is in {PASSWD}"))
    })?;
    if let Some(caller) = caller.filter(|caller| caller.identity.uid == account.uid) {
        return Ok(of_caller(caller));
    }
    let identity = Identity {
        uid: account.uid,
        gid: account.gid,
        groups: account.groups(Path::new(GROUP)),
    };
    Ok((identity, Environment::Of(account)))
}

fn of_caller(caller: Caller) -> (Identity, Environment) {
    let Caller {
        identity,
        environment,
    } = caller;
    let account = || Account::of_uid(Path::new(PASSWD), identity.uid).map(Environment::Of);
    let environment = match environment {
        Some(known) => Environment::Callers(known),
        None => account().unwrap_or(Environment::Ours),
    };
    (identity, environment)
}

/// Does `work` with the user's own rights: no capability of the program file's in force.
pub(crate) fn as_user<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    // Root's own right to its files is in its capabilities.
    if rustix::process::geteuid().is_root() {
        return Ok(work());
    }
    reduce::without_capabilities(work)
}

/// Gives up what `monitor` has no more use for. What is to be executed with other rights than these
/// runs by now.
pub(crate) fn settle(monitor: &Monitor) -> anyhow::Result<()> {
    keep(monitor.needs())
}

/// The same where signals go on to be passed on to whatever the command becomes.
pub(crate) fn settle_and_signal(monitor: &Monitor) -> anyhow::Result<()> {
    keep(&[monitor.needs(), &[Capability::Kill]].concat())
}

fn keep(kept: &[Capability]) -> anyhow::Result<()> {
    reduce::keep(kept)
        .and_then(|()| reduce::gain_nothing())
        .context("give up capabilities")
}

impl Role {
    /// A variable of the user's environment.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let text = |value: &OsStr| value.to_str().map(str::to_owned);
        match &self.0 {
            Environment::Ours => env::var(name).ok(),
            Environment::Callers(all) => {
                let found = all.iter().find(|(known, _)| known == name);
                found.and_then(|(_, value)| text(value))
            }
            Environment::Of(account) => match name {
                "HOME" => Some(account.home.clone()),
                "LOGNAME" | "USER" => Some(account.name.clone()),
                "SHELL" => Some(account.shell.clone()),
                _ => env::var(name).ok(),
            },
        }
    }

    /// Gives a command the user's environment.
    pub(crate) fn dress(&self, command: &mut Command) {
        match &self.0 {
            Environment::Ours => {}
            Environment::Callers(all) => {
                command.env_clear().envs(all.iter().cloned());
            }
            Environment::Of(_) => {
                for name in ["SUDO_COMMAND", "SUDO_GID", "SUDO_UID", "SUDO_USER", "MAIL"] {
                    command.env_remove(name);
                }
                let named = NAMING.into_iter();
                command.envs(named.filter_map(|name| Some((name, self.variable(name)?))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dressed(role: &Role) -> Vec<(String, Option<String>)> {
        let mut command = Command::new("true");
        role.dress(&mut command);
        let text = |text: &OsStr| text.to_str().unwrap().to_owned();
        let all = command.get_envs();
        all.map(|(name, value)| (text(name), value.map(text)))
            .collect()
    }

    #[test]
    fn a_command_has_the_environment_of_its_user() {
        assert_eq!(dressed(&Role(Environment::Ours)), []);
        let callers = vec![
            ("HOME".into(), "/home/ana".into()),
            ("X".into(), "1".into()),
        ];
        let callers = Role(Environment::Callers(callers));
        assert_eq!(callers.variable("X").unwrap(), "1");
        assert_eq!(callers.variable("PATH"), None);
        let is = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        assert_eq!(dressed(&callers), [is("HOME", "/home/ana"), is("X", "1")]);
        let account = Account {
            name: "ana".to_owned(),
            uid: 1000,
            gid: 100,
            home: "/home/ana".to_owned(),
            shell: "/bin/sh".to_owned(),
        };
        let of = Role(Environment::Of(account));
        let all = dressed(&of);
        assert!(all.contains(&is("LOGNAME", "ana")) && all.contains(&is("HOME", "/home/ana")));
        assert!(all.contains(&("SUDO_UID".to_owned(), None)));
        assert_eq!(of.variable("PATH"), env::var("PATH").ok());
    }

    #[test]
    fn who_is_nobody_is_not_become() {
        let error = assume(Some("no-such-user")).unwrap_err().to_string();
        assert!(error.contains("no-such-user"), "{error}");
        let ours = rustix::process::getuid().as_raw().to_string();
        assert!(matches!(
            assume(Some(&ours)).unwrap(),
            Role(Environment::Ours)
        ));
    }
}
