//! Why the eBPF source does not start, with what would mend it.

use netprocmon_host::privilege::setcap;
use thiserror::Error;

/// What kind of obstacle it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EbpfErrorKind {
    /// A capability is missing.
    PermissionDenied,
    /// The kernel cannot do it: no BTF, no cgroup v2, a program refused.
    Unsupported,
    /// Anything else, such as no memory.
    Io,
}

/// The eBPF source could not start or go on.
#[derive(Debug, Error)]
#[error("{operation}")]
pub struct EbpfError {
    kind: EbpfErrorKind,
    /// What was tried, on what: "attach egress to the kernel".
    operation: String,
    remedy: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The capabilities that the source needs, as `setcap(8)` takes them.
const CAPABILITIES: &str = "cap_bpf,cap_perfmon,cap_net_admin,cap_sys_ptrace,cap_dac_read_search";

impl EbpfError {
    pub(crate) fn new(kind: EbpfErrorKind, operation: impl Into<String>) -> Self {
        Self {
            kind,
            operation: operation.into(),
            remedy: None,
            source: None,
        }
    }

    /// The kind follows from the `errno` at the end of the chain of causes.
    pub(crate) fn from_source(
        operation: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        let missing = missing_capabilities();
        let kind = match os_error(&source) {
            // A verifier's refusal is EACCES or EPERM too; with the capabilities in hand it is that.
            Some(libc::EPERM | libc::EACCES) if !missing.is_empty() => {
                EbpfErrorKind::PermissionDenied
            }
            Some(libc::ENOMEM | libc::EMFILE | libc::ENFILE) => EbpfErrorKind::Io,
            _ => EbpfErrorKind::Unsupported,
        };
        let mut error = Self {
            source: Some(Box::new(source)),
            ..Self::new(kind, operation)
        };
        if kind == EbpfErrorKind::PermissionDenied {
            error.operation = format!("{}: missing {}", error.operation, missing.join(", "));
            error = error.with_remedy(format!(
                "run it as root (sudo), or give it the capabilities once: {}",
                setcap(CAPABILITIES)
            ));
        }
        error
    }

    pub(crate) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The cause, for an error that takes this one's place.
    #[must_use]
    pub fn into_source(self) -> Option<Box<dyn std::error::Error + Send + Sync>> {
        self.source
    }

    /// What kind of obstacle it is.
    #[must_use]
    pub fn kind(&self) -> EbpfErrorKind {
        self.kind
    }

    /// What the user can do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

/// The `errno` that the innermost cause carries.
pub(crate) fn os_error(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut cause = Some(error);
    let mut found = None;
    while let Some(this) = cause {
        if let Some(io) = this.downcast_ref::<std::io::Error>() {
            found = io.raw_os_error().or(found);
        }
        if let Some(aya::programs::ProgramError::LoadError { io_error, .. }) = this.downcast_ref() {
            found = io_error.raw_os_error().or(found);
        }
        cause = this.source();
    }
    found
}

/// The names of the capabilities that loading and attaching need and that we lack.
fn missing_capabilities() -> Vec<&'static str> {
    use netprocmon_host::privilege::{Capabilities, Capability};
    let ours = Capabilities::effective();
    let needed = [Capability::Bpf, Capability::Perfmon, Capability::NetAdmin];
    // What they were split from, in 5.8, still includes them.
    if ours.has(Capability::SysAdmin) {
        return Vec::new();
    }
    ours.missing(&needed).map(Capability::name).collect()
}
