//! Rust's errors as the exceptions of `netprocmon._errors`, which are made in Python, where they can
//! subclass two things at once.

use std::error::Error as _;

use netprocmon::text::escape;
use netprocmon::{Error, ErrorKind, FilterError};
use pyo3::call::PyCallArgs;
use pyo3::prelude::*;

/// An exception of the package by its name.
fn exception<'py>(py: Python<'py>, name: &str, arguments: impl PyCallArgs<'py>) -> PyErr {
    let made = py
        .import("netprocmon._errors")
        .and_then(|errors| errors.getattr(name))
        .and_then(|class| class.call1(arguments));
    made.map_or_else(|error| error, PyErr::from_value)
}

/// An error of the library.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let name = match error.kind() {
        ErrorKind::NoSuchProcess => "NoSuchProcess",
        ErrorKind::NoSuchInterface => "NoSuchInterface",
        ErrorKind::NoSuchAddress => "NoSuchAddress",
        ErrorKind::PermissionDenied => "PermissionDenied",
        ErrorKind::Unsupported => "Unsupported",
        _ => "SystemFailure",
    };
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Some errors repeat their source's words in their own.
        if !message.contains(&said) {
            message.push_str(": ");
            message.push_str(&said);
        }
        cause = error.source();
    }
    let remedy = error.remedy();
    exception(py, name, (escape(&message), remedy))
}

/// A filter that cannot be read; `text` is what was given.
pub(crate) fn raise_filter(py: Python<'_>, error: &FilterError, text: &str) -> PyErr {
    // Python counts characters, the first being 0.
    let position = error.column() - 1;
    exception(py, "FilterError", (error.pointed(text), position, text))
}

/// Something was asked of a monitor that is closed.
pub(crate) fn closed(py: Python<'_>) -> PyErr {
    exception(py, "MonitorClosed", ())
}

/// Something was asked of a monitor of the process that this one was forked from.
pub(crate) fn forked(py: Python<'_>) -> PyErr {
    exception(py, "MonitorForked", ())
}

/// What the operating system refused.
pub(crate) fn system(py: Python<'_>, operation: &str, error: &std::io::Error) -> PyErr {
    let message = format!("{operation}: {error}");
    let nothing: Option<&str> = None;
    exception(py, "SystemFailure", (message, nothing))
}

/// Another user's process may not be looked at.
pub(crate) fn denied(py: Python<'_>, message: &str, remedy: &str) -> PyErr {
    exception(py, "PermissionDenied", (message, remedy))
}

/// No process has this pid.
pub(crate) fn no_such_process(py: Python<'_>, pid: u32) -> PyErr {
    let message = format!("no process has the pid {pid}");
    let remedy = "list the processes that use the network: netprocmon ps";
    exception(py, "NoSuchProcess", (message, remedy))
}
