//! The measured command as a process: what to start, why it did not start, how it ended.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use crate::exit::{Failure, Status};
use crate::flags::meaning::RunPlan;

/// `ENOEXEC`, `execve(2)`: a file that the kernel cannot start, such as a script without `#!`.
const ENOEXEC: i32 = 8;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With this exit code.
    Exited(u8),
    /// Killed by this signal.
    Signalled(u8),
}

impl Ending {
    /// The status to exit with, as a shell would report it.
    pub(crate) const fn status(self) -> Status {
        match self {
            Self::Exited(code) => Status::Child(code),
            Self::Signalled(number) => Status::Child(number.saturating_add(128)),
        }
    }
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        // wait(2): a code and a signal number have eight and seven bits.
        let byte = |number: i32| u8::try_from(number & 0xff).unwrap_or(u8::MAX);
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(byte(code)),
            (None, signal) => Self::Signalled(byte(signal.unwrap_or(0))),
        }
    }
}

/// The program and its arguments.
pub(crate) fn program_of(plan: &RunPlan) -> Result<(&OsStr, &[OsString]), Failure> {
    match plan.command.split_first() {
        Some((program, arguments)) => Ok((program, arguments)),
        None => Err(Failure::new(Status::Usage, "no command to run")),
    }
}

/// What it means that a program could not be started, in the shell's numbers.
pub(crate) fn not_started(program: &OsStr, error: &io::Error) -> anyhow::Error {
    let name = program.to_string_lossy();
    let (status, message, remedy) = match error.kind() {
        io::ErrorKind::NotFound => (
            Status::Child(127),
            format!("command not found: {name}"),
            Some("check the name, and the PATH it is looked up in (sudo has its own)"),
        ),
        io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory => (
            Status::Child(126),
            format!("cannot execute {name}"),
            Some("it has to be a program file with execute permission (chmod +x)"),
        ),
        io::ErrorKind::ExecutableFileBusy => (
            Status::Child(126),
            format!("cannot execute {name}"),
            Some("somebody has the program file open for writing"),
        ),
        _ if error.raw_os_error() == Some(ENOEXEC) => (
            Status::Child(126),
            format!("cannot execute {name}"),
            Some("it is no program for this machine, or a script without a #! line"),
        ),
        _ => (Status::Failure, format!("cannot start {name}"), None),
    };
    let failure = Failure::new(status, format!("{message}: {error}"));
    anyhow::Error::new(match remedy {
        Some(remedy) => failure.with_remedy(remedy),
        None => failure,
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::exit::status_of;

    #[test]
    fn endings_are_the_shells() {
        let end = |script: &str| {
            let status = Command::new("sh").args(["-c", script]).status().unwrap();
            Ending::from(status).status().code()
        };
        assert_eq!(end("exit 0"), 0);
        assert_eq!(end("exit 255"), 255);
        assert_eq!(end("kill -TERM $$"), 143);
        assert_eq!(end("kill -KILL $$"), 137);
    }

    #[test]
    fn what_cannot_start_has_the_shells_number() {
        let number = |program: &str| {
            let error = Command::new(program).spawn().unwrap_err();
            status_of(&not_started(OsStr::new(program), &error)).code()
        };
        assert_eq!(number("/nonexistent/program"), 127);
        assert_eq!(number("/etc/passwd"), 126);
        assert_eq!(number("/"), 126);
    }

    #[test]
    fn a_file_that_is_no_program_is_126() {
        const ETXTBSY: i32 = 26;
        for number in [ENOEXEC, ETXTBSY] {
            let error = io::Error::from_raw_os_error(number);
            let status = status_of(&not_started(OsStr::new("x"), &error));
            assert_eq!(status.code(), 126, "{error}");
        }
    }
}
