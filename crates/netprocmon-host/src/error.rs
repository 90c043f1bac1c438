//! The error of this crate: which operation on which object failed, and why.
//!
//! Not every function uses it: where an [`io::Error`] with its context is clear to the caller, that
//! is what it gets.

use std::io;

use thiserror::Error;

/// A question to the kernel that could not be asked or was refused.
#[derive(Debug, Error)]
#[error("{operation} {object}: {source}")]
pub struct HostError {
    operation: &'static str,
    object: String,
    source: io::Error,
}

impl HostError {
    /// Says that `operation` (a verb phrase: "enter network namespace") failed on `object`.
    pub fn new(
        operation: &'static str,
        object: impl Into<String>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self {
            operation,
            object: object.into(),
            source: source.into(),
        }
    }

    /// To branch on: [`io::ErrorKind::PermissionDenied`], [`io::ErrorKind::NotFound`] and so on.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// The kernel's error number, where the kernel said no (`errno(3)`).
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

impl From<HostError> for io::Error {
    fn from(error: HostError) -> Self {
        Self::new(error.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_operation_object_and_reason() {
        let error = HostError::new("open", "/x", io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(error.to_string(), "open /x: entity not found");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
    }
}
