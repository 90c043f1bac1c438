//! A reader's own pace, as a descriptor for Python's `select` and asyncio.

use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

use crate::errors;

/// Turns readable when a sample is due or the engine should be attended to.
#[pyclass(frozen, module = "netprocmon._netprocmon")]
pub(crate) struct Ticker(Mutex<Option<netprocmon::Ticker>>);

impl Ticker {
    pub(crate) fn new(ticker: netprocmon::Ticker) -> Self {
        Self(Mutex::new(Some(ticker)))
    }

    fn with<T>(&self, py: Python<'_>, ask: impl FnOnce(&netprocmon::Ticker) -> T) -> PyResult<T> {
        // Held for one system call that does not wait, never for Python code.
        let ticker = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ticker.as_ref().map(ask).ok_or_else(|| errors::closed(py))
    }
}

#[pymethods]
impl Ticker {
    /// The descriptor.
    fn fileno(&self, py: Python<'_>) -> PyResult<RawFd> {
        self.with(py, |ticker| ticker.as_fd().as_raw_fd())
    }

    /// Whether the interval has passed since the last call that said so.
    fn take_tick(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, netprocmon::Ticker::take_tick)?
            .map_err(|error| errors::system(py, "read the timer", &error))
    }

    /// Makes it readable now, so that whoever waits for it looks.
    fn expire(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, netprocmon::Ticker::expire)?
            .map_err(|error| errors::system(py, "set the timer", &error))
    }

    /// Closes the descriptor.
    fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
