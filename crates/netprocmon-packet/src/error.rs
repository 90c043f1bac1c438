//! Why the packet source does not start, with what would mend it.

use std::io;

use netprocmon_host::privilege::setcap;
use thiserror::Error;

/// What kind of obstacle it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PacketErrorKind {
    /// `CAP_NET_RAW` is missing.
    PermissionDenied,
    /// The kernel has no packet sockets, or none with such a ring.
    Unsupported,
    /// Anything else, such as no memory.
    Io,
}

/// The packet source could not start.
#[derive(Debug, Error)]
#[error("{operation}")]
pub struct PacketError {
    kind: PacketErrorKind,
    /// What was tried, on what.
    operation: String,
    remedy: Option<String>,
    source: io::Error,
}

/// The capability that the source needs, as `setcap(8)` takes it, and those that make it see the
/// processes of other users.
pub(crate) const CAPABILITIES: &str = "cap_net_raw,cap_sys_ptrace,cap_dac_read_search";

impl PacketError {
    pub(crate) fn new(operation: &str, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let kind = match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => PacketErrorKind::PermissionDenied,
            Some(
                libc::EAFNOSUPPORT
                | libc::EPROTONOSUPPORT
                | libc::ENOPROTOOPT
                | libc::EINVAL
                | libc::ENOSYS,
            ) => PacketErrorKind::Unsupported,
            _ => PacketErrorKind::Io,
        };
        let mut operation = operation.to_owned();
        let mut remedy = None;
        if kind == PacketErrorKind::PermissionDenied {
            operation.push_str(": missing cap_net_raw");
            remedy = Some(format!(
                "run it as root (sudo), or give it the capabilities once: {}",
                setcap(CAPABILITIES)
            ));
        }
        Self {
            kind,
            operation,
            remedy,
            source,
        }
    }

    /// What kind of obstacle it is.
    #[must_use]
    pub fn kind(&self) -> PacketErrorKind {
        self.kind
    }

    /// What the user can do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// The cause, for an error that takes this one's place.
    #[must_use]
    pub fn into_source(self) -> Option<Box<dyn std::error::Error + Send + Sync>> {
        Some(Box::new(self.source))
    }
}
