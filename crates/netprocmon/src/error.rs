//! The one error of the library: what failed, why, and what mends it.

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;

use netprocmon_ebpf::{EbpfError, EbpfErrorKind};
use netprocmon_host::origin::OriginError;
use netprocmon_model::Pid;
use netprocmon_packet::{PacketError, PacketErrorKind};

/// What kind of failure it is, to branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The pid that was asked for is no living process.
    NoSuchProcess,
    /// No network namespace has an interface of that name.
    NoSuchInterface,
    /// No interface has that address.
    NoSuchAddress,
    /// A capability is missing; the remedy says how to grant it.
    PermissionDenied,
    /// This kernel or host cannot do it; the remedy says what would.
    Unsupported,
    /// A database of origins cannot be read, or is none; the message names the file.
    InvalidDatabase,
    /// A table of a size that was asked for is full.
    Capacity,
    /// The operating system failed at something else.
    Io,
}

/// What failed, on what, with the cause as [`std::error::Error::source`].
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    remedy: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            remedy: None,
            source: None,
        }
    }

    pub(crate) fn io(
        operation: impl Into<String>,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self {
            source: Some(Box::new(source)),
            ..Self::new(ErrorKind::Io, operation)
        }
    }

    /// The message names the file already.
    pub(crate) fn origins(error: OriginError) -> Self {
        let message = error.to_string();
        Self {
            source: Some(Box::new(error)),
            ..Self::new(ErrorKind::InvalidDatabase, message)
        }
        .with_remedy("give a file of the MaxMind DB format: GeoLite2, DB-IP lite and the like")
    }

    pub(crate) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The message with its causes, the first line of each, on one line.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = StdError::source(self);
        while let Some(one) = cause {
            let said = one.to_string();
            let line = said.lines().next().unwrap_or_default();
            // Some errors repeat their source's words in their own.
            if !text.contains(line) {
                text.push_str(": ");
                text.push_str(line);
            }
            cause = one.source();
        }
        text
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What the user can do about it, often a command.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<EbpfError> for Error {
    fn from(error: EbpfError) -> Self {
        let kind = match error.kind() {
            EbpfErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            EbpfErrorKind::Unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::Io,
        };
        Self {
            kind,
            message: error.to_string(),
            remedy: error.remedy().map(str::to_owned),
            source: error.into_source(),
        }
    }
}

impl From<PacketError> for Error {
    fn from(error: PacketError) -> Self {
        let kind = match error.kind() {
            PacketErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            PacketErrorKind::Unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::Io,
        };
        Self {
            kind,
            message: error.to_string(),
            remedy: error.remedy().map(str::to_owned),
            source: error.into_source(),
        }
    }
}

pub(crate) fn no_such_process(pid: Pid) -> Error {
    Error::new(
        ErrorKind::NoSuchProcess,
        format!("no process has the pid {pid}"),
    )
    .with_remedy("list the processes that use the network: netprocmon ps")
}

pub(crate) fn no_such_interface(name: &str) -> Error {
    Error::new(
        ErrorKind::NoSuchInterface,
        format!("no interface is called {name:?}"),
    )
    .with_remedy("list the interfaces: ip link")
}

pub(crate) fn no_such_address(address: IpAddr) -> Error {
    Error::new(
        ErrorKind::NoSuchAddress,
        format!("no interface has the address {address}"),
    )
    .with_remedy("list the addresses: ip address")
}
