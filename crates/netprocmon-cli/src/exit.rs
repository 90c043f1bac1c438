//! Exit status: what a script can branch on, and the one place that prints an error.
//!
//! The numbers are the contract's. An error's status follows from what it is, wherever in the
//! chain that stands; a command never calls `exit` itself.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use netprocmon::text::escape;
use netprocmon::{Error, ErrorKind};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// 0.
    Success,
    /// 1: the thing asked about is not there.
    NotFound,
    /// 2: the command line cannot be meant.
    Usage,
    /// 3: not permitted.
    NotPermitted,
    /// 4: something failed on the way.
    Failure,
    /// 10: a budget was exceeded.
    BudgetExceeded,
    /// The child's own: its exit code, 128+N for a signal, 126 and 127 where it did not start.
    Child(u8),
}

impl Status {
    /// The number that the shell sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::NotFound => 1,
            Self::Usage => 2,
            Self::NotPermitted => 3,
            Self::Failure => 4,
            Self::BudgetExceeded => 10,
            Self::Child(code) => code,
        }
    }
}

/// An error of the command line itself, with its status and what would mend it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    status: Status,
    message: String,
    remedy: Option<String>,
}

impl Failure {
    /// A failure with a remedy still to be added with [`Failure::with_remedy`].
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            remedy: None,
        }
    }

    /// Says what the user can do about it.
    pub(crate) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// The status that an error ends the program with.
pub(crate) fn status_of(error: &anyhow::Error) -> Status {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.status;
        }
        if let Some(error) = cause.downcast_ref::<Error>() {
            return match error.kind() {
                ErrorKind::NoSuchProcess
                | ErrorKind::NoSuchInterface
                | ErrorKind::NoSuchAddress => Status::NotFound,
                ErrorKind::PermissionDenied => Status::NotPermitted,
                _ => Status::Failure,
            };
        }
    }
    Status::Failure
}

/// Prints what clap has to say of a command line: what is wrong with it, or the help or version
/// that it asks for.
pub(crate) fn explain(said: &clap::Error) -> Status {
    // Where even that fails there is nobody left to tell.
    drop(said.print());
    if said.use_stderr() {
        Status::Usage
    } else {
        Status::Success
    }
}

/// Prints an error, its causes and its remedy to standard error. Where even that fails there is
/// nobody left to tell.
pub(crate) fn report(error: &anyhow::Error) {
    drop(io::stderr().lock().write_all(describe(error).as_bytes()));
}

/// The chain on one line, the remedy on the next; safe for a terminal.
fn describe(error: &anyhow::Error) -> String {
    let mut text = String::from("netprocmon: ");
    let mut said = String::new();
    for cause in error.chain() {
        let message = cause.to_string();
        // Some errors repeat their source's words in their own.
        if !said.is_empty() && said.contains(&message) {
            continue;
        }
        if !said.is_empty() {
            said.push_str(": ");
        }
        said.push_str(&message);
    }
    text.push_str(&escape(&said));
    text.push('\n');
    if let Some(remedy) = remedy_of(error) {
        for line in remedy.lines() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {}", escape(line));
        }
    }
    text
}

fn remedy_of(error: &anyhow::Error) -> Option<&str> {
    error.chain().find_map(|cause| {
        let ours = cause
            .downcast_ref::<Failure>()
            .and_then(|failure| failure.remedy.as_deref());
        ours.or_else(|| cause.downcast_ref::<Error>().and_then(Error::remedy))
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_status_is_found_behind_any_context() {
        let error = anyhow::Error::new(Failure::new(Status::NotFound, "no process 7"));
        let error = error.context("watch");
        assert_eq!(status_of(&error).code(), 1);
        assert_eq!(status_of(&anyhow::anyhow!("disk on fire")).code(), 4);
    }

    #[test]
    fn a_hostile_message_is_escaped_and_a_remedy_follows() {
        let failure = Failure::new(Status::NotPermitted, "cannot open \x1b[31m\u{202e}x")
            .with_remedy("run it as root:\nsudo netprocmon");
        let error = Err::<(), _>(failure).context("start").unwrap_err();
        assert_eq!(
            describe(&error),
            "netprocmon: start: cannot open \\x1b[31m\\u{202e}x\n  run it as root:\n  sudo netprocmon\n"
        );
    }
}
