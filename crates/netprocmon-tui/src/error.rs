//! Why there is no live view.

use std::io;

use thiserror::Error as Derive;

/// What went wrong.
#[derive(Debug, Derive)]
pub enum Error {
    /// Standard input or output is no terminal.
    #[error(
        "the live view needs a terminal on standard input and output; `netprocmon watch` does not"
    )]
    NoTerminal,
    /// A system call.
    #[error("cannot {operation}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The monitor.
    #[error(transparent)]
    Monitor(netprocmon::Error),
}

impl Error {
    pub(crate) const fn io(operation: &'static str, source: io::Error) -> Self {
        Self::Io { operation, source }
    }
}
