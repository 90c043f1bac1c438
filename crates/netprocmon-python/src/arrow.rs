//! A snapshot as columns, handed over by Arrow's C stream interface: polars, pandas and pyarrow read
//! it without copying and without this package depending on any of them.
//!
//! The structs of that interface, their release callbacks and their alignment are `arrow-array`'s:
//! written by hand they would be the only `unsafe` code of the extension.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    ArrayRef, Float64Array, RecordBatch, RecordBatchIterator, StringArray,
    TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow_schema::ArrowError;
use jiff::Timestamp;
use netprocmon::{Counters, Process, ProcessUsage, Snapshot};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

/// A capsule with a stream of one batch.
pub(crate) fn stream<'py>(py: Python<'py>, of: &Snapshot) -> PyResult<Bound<'py, PyCapsule>> {
    let batch = py
        .detach(|| batch(of))
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    let schema = batch.schema();
    let batches = RecordBatchIterator::new([Ok(batch)], schema);
    let stream = FFI_ArrowArrayStream::new(Box::new(batches));
    // Whoever imports the stream takes it out of the struct; otherwise dropping it releases it.
    PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
}

/// A row a process; what JSON nests (interfaces, protocols, connections) is left out.
fn batch(of: &Snapshot) -> Result<RecordBatch, ArrowError> {
    let rows = &of.processes;
    let time = rows.iter().map(|_| Some(of.time.as_microsecond()));
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("time", moments(time), false),
        ("pid", Arc::new(pids(rows)), false),
        ("name", text(rows, |process| Some(&process.name)), false),
        ("started", times(rows, |process| process.started), true),
        ("exited", times(rows, |process| process.exited), true),
        (
            "ppid",
            numbers(rows, |process| process.ppid.map(|pid| pid.0)),
            true,
        ),
        ("exe", text(rows, |process| process.exe.as_deref()), true),
        ("command", commands(rows), true),
        ("uid", numbers(rows, |process| process.uid), true),
        ("user", text(rows, |process| process.user.as_deref()), true),
        (
            "cgroup",
            text(rows, |process| process.cgroup.as_deref()),
            true,
        ),
        (
            "unit",
            text(rows, |process| process.place.unit.as_deref()),
            true,
        ),
        ("container", text(rows, container), true),
        (
            "pod",
            text(rows, |process| Some(process.place.pod.as_ref()?.label())),
            true,
        ),
        (
            "netns",
            numbers(rows, |process| process.netns.map(|netns| netns.inode)),
            true,
        ),
        ("bytes_sent", counts(rows, |of| of.bytes_sent), true),
        ("bytes_recv", counts(rows, |of| of.bytes_recv), true),
        ("packets_sent", counts(rows, |of| of.packets_sent), true),
        ("packets_recv", counts(rows, |of| of.packets_recv), true),
        ("payload_sent", counts(rows, |of| of.payload_sent), true),
        ("payload_recv", counts(rows, |of| of.payload_recv), true),
        (
            "retransmitted_bytes",
            counts(rows, |of| of.retransmitted_bytes),
            true,
        ),
        (
            "retransmitted_packets",
            counts(rows, |of| of.retransmitted_packets),
            true,
        ),
        ("rate_sent", rates(rows, |usage| usage.rates.sent), true),
        ("rate_recv", rates(rows, |usage| usage.rates.recv), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns)
}

type Rows = [Arc<ProcessUsage>];

fn container(process: &Process) -> Option<&str> {
    let of = process.place.container.as_ref()?;
    Some(of.name.as_deref().unwrap_or(&of.id))
}

fn pids(rows: &Rows) -> UInt32Array {
    rows.iter().map(|usage| Some(usage.process.pid.0)).collect()
}

fn numbers(rows: &Rows, of: impl Fn(&Process) -> Option<u32>) -> ArrayRef {
    Arc::new(
        rows.iter()
            .map(|usage| of(&usage.process))
            .collect::<UInt32Array>(),
    )
}

fn text(rows: &Rows, of: impl Fn(&Process) -> Option<&str>) -> ArrayRef {
    Arc::new(
        rows.iter()
            .map(|usage| of(&usage.process))
            .collect::<StringArray>(),
    )
}

fn counts(rows: &Rows, of: impl Fn(&Counters) -> Option<u64>) -> ArrayRef {
    Arc::new(
        rows.iter()
            .map(|usage| of(&usage.counters))
            .collect::<UInt64Array>(),
    )
}

fn rates(rows: &Rows, of: impl Fn(&ProcessUsage) -> Option<f64>) -> ArrayRef {
    Arc::new(rows.iter().map(|usage| of(usage)).collect::<Float64Array>())
}

fn times(rows: &Rows, of: impl Fn(&Process) -> Option<Timestamp>) -> ArrayRef {
    moments(
        rows.iter()
            .map(|usage| of(&usage.process).map(Timestamp::as_microsecond)),
    )
}

fn moments(all: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(
        all.collect::<TimestampMicrosecondArray>()
            .with_timezone("UTC"),
    )
}

fn commands(rows: &Rows) -> ArrayRef {
    let mut commands = ListBuilder::new(StringBuilder::new());
    for usage in rows {
        let words = usage.process.command.as_deref();
        for word in words.unwrap_or_default() {
            commands.values().append_value(word);
        }
        commands.append(words.is_some());
    }
    Arc::new(commands.finish())
}
