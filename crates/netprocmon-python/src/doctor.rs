//! What can be counted here: the library's diagnosis, with remedies for Python.

use netprocmon::Diagnosis;
use pyo3::prelude::*;

use crate::{errors, records};

/// Tries each source, as `netprocmon doctor` does.
#[pyfunction]
pub(crate) fn doctor(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let diagnosis = py.detach(|| {
        let mut diagnosis = netprocmon::doctor();
        for_python(&mut diagnosis);
        diagnosis
    });
    records::diagnosis(py, &diagnosis)
}

/// Before it becomes text, JSON and records, so that all three say the same.
fn for_python(diagnosis: &mut Diagnosis) {
    for verdict in &mut diagnosis.sources {
        verdict.remedy = verdict.remedy.as_deref().map(errors::remedy_for_python);
    }
}
