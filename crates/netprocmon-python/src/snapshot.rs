//! An immutable snapshot, converted only where it is looked at: a snapshot of thousands of processes
//! costs Python nothing until one of them is asked for.

use std::sync::Arc;

use netprocmon::{Filter, GroupBy, Pid, ProcessUsage, Snapshot};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

use crate::{arrow, errors, records};

/// A snapshot of one engine.
#[pyclass(frozen, module = "netprocmon._netprocmon")]
pub(crate) struct RawSnapshot {
    snapshot: Arc<Snapshot>,
    /// The engine that it is of.
    engine: u64,
}

impl RawSnapshot {
    pub(crate) fn new(snapshot: Arc<Snapshot>, engine: u64) -> Self {
        Self { snapshot, engine }
    }

    fn of(&self, snapshot: Snapshot) -> Self {
        Self::new(Arc::new(snapshot), self.engine)
    }
}

#[pymethods]
impl RawSnapshot {
    fn __len__(&self) -> usize {
        self.snapshot.processes.len()
    }

    fn __eq__(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.snapshot, &other.snapshot) || self.snapshot == other.snapshot
    }

    /// The process at this place, which exists.
    fn item<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let usage = self.snapshot.processes.get(index);
        usage.map(|usage| records::process(py, usage)).transpose()
    }

    /// The process with this pid.
    fn process<'py>(&self, py: Python<'py>, pid: u32) -> PyResult<Option<Bound<'py, PyAny>>> {
        let usage = self.snapshot.process(Pid(pid));
        usage.map(|usage| records::process(py, usage)).transpose()
    }

    /// The processes with the most of something.
    fn top<'py>(&self, py: Python<'py>, n: usize, by: &str) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let amount = Amount::named(by)?;
        let top = py.detach(|| match amount {
            Amount::Count(count) => self.snapshot.top_by(n, count),
            Amount::Rate(rate) => self.snapshot.top_by(n, rate),
        });
        top.into_iter()
            .map(|usage| records::process(py, usage))
            .collect()
    }

    /// All connections, or `None` where they were not asked for.
    fn connections<'py>(&self, py: Python<'py>) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
        let all = &self.snapshot.processes;
        let mut connections = Vec::new();
        for usage in all {
            let Some(of_process) = &usage.connections else {
                return Ok(None);
            };
            for one in of_process {
                connections.push(records::connection(py, one, Some(&usage.process))?);
            }
        }
        Ok(Some(connections))
    }

    /// The rows that a filter takes.
    fn filter(&self, py: Python<'_>, text: &str) -> PyResult<Self> {
        let filter: Filter = text
            .parse()
            .map_err(|error| errors::raise_filter(py, &error, text))?;
        Ok(self.of(py.detach(|| self.snapshot.filter(&filter))))
    }

    /// The sums by what rows have in common, one grouping inside the other.
    #[allow(clippy::needless_pass_by_value)] // what pyo3 extracts
    fn group_by<'py>(&self, py: Python<'py>, by: Vec<String>) -> PyResult<Bound<'py, PyTuple>> {
        let by = by.iter().map(|one| one.parse::<GroupBy>());
        let by: Vec<_> = by
            .collect::<Result<_, _>>()
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let groups = py.detach(|| self.snapshot.group_by(&by));
        records::groups(py, &groups)
    }

    /// Whether a grouping needs connections.
    #[staticmethod]
    #[allow(clippy::needless_pass_by_value)] // what pyo3 extracts
    fn needs_connections(by: Vec<String>) -> bool {
        let by: Vec<GroupBy> = by.iter().filter_map(|one| one.parse().ok()).collect();
        GroupBy::need_connections(&by)
    }

    /// What happened since another snapshot of the same engine; `None` where it is none, or later.
    fn since(&self, py: Python<'_>, earlier: &Self) -> Option<Self> {
        let comparable =
            self.engine == earlier.engine && self.snapshot.elapsed >= earlier.snapshot.elapsed;
        comparable.then(|| self.of(py.detach(|| self.snapshot.since(&earlier.snapshot))))
    }

    #[getter]
    fn time<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        records::time(py, self.snapshot.time)
    }

    #[getter]
    fn elapsed_seconds(&self) -> f64 {
        self.snapshot.elapsed.as_secs_f64()
    }

    #[getter]
    fn source(&self) -> &'static str {
        self.snapshot.source.name()
    }

    #[getter]
    fn totals<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        records::counters(py, &self.snapshot.totals)
    }

    #[getter]
    fn unattributed<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        records::tuple(py, &self.snapshot.unattributed, records::unattributed)
    }

    #[getter]
    fn interfaces<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        records::tuple(py, &self.snapshot.interfaces, records::interface)
    }

    #[getter]
    fn lost_events(&self) -> u64 {
        self.snapshot.lost_events
    }

    #[getter]
    fn degradations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        records::tuple(py, self.snapshot.degradations.iter(), records::degradation)
    }

    /// The contract's `snapshot` object.
    fn to_json(&self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| serde_json::to_string(&*self.snapshot))
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// A stream of one record batch, a row a process.
    fn arrow_stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        arrow::stream(py, &self.snapshot)
    }
}

/// What processes can be ordered by.
enum Amount {
    Count(fn(&ProcessUsage) -> Option<u64>),
    Rate(fn(&ProcessUsage) -> Option<f64>),
}

impl Amount {
    fn named(name: &str) -> PyResult<Self> {
        Ok(match name {
            "bytes" => Self::Count(|usage| usage.counters.bytes_total()),
            "bytes_sent" => Self::Count(|usage| usage.counters.bytes_sent),
            "bytes_recv" => Self::Count(|usage| usage.counters.bytes_recv),
            "packets_sent" => Self::Count(|usage| usage.counters.packets_sent),
            "packets_recv" => Self::Count(|usage| usage.counters.packets_recv),
            "payload" => Self::Count(|usage| {
                let (sent, recv) = (usage.counters.payload_sent?, usage.counters.payload_recv?);
                Some(sent.saturating_add(recv))
            }),
            "payload_sent" => Self::Count(|usage| usage.counters.payload_sent),
            "payload_recv" => Self::Count(|usage| usage.counters.payload_recv),
            "retransmitted_bytes" => Self::Count(|usage| usage.counters.retransmitted_bytes),
            "retransmitted_packets" => Self::Count(|usage| usage.counters.retransmitted_packets),
            "rate" => Self::Rate(|usage| Some(usage.rates.sent? + usage.rates.recv?)),
            "rate_sent" => Self::Rate(|usage| usage.rates.sent),
            "rate_recv" => Self::Rate(|usage| usage.rates.recv),
            other => {
                return Err(PyValueError::new_err(format!(
                    "cannot order by {other:?}: give bytes, payload or rate, each also with _sent \
                     or _recv, packets_sent, packets_recv, retransmitted_bytes or \
                     retransmitted_packets"
                )));
            }
        })
    }
}
