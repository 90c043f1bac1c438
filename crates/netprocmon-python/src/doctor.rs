//! What can be counted here: the library's diagnosis.

use pyo3::prelude::*;

use crate::records;

/// Tries each source, as `netprocmon doctor` does.
#[pyfunction]
pub(crate) fn doctor(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let diagnosis = py.detach(netprocmon::doctor);
    records::diagnosis(py, &diagnosis)
}
