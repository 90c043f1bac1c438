//! Rust's rows as the frozen dataclasses of `netprocmon._records` and `_diagnosis`, field by field and by name, so
//! that neither side depends on the other's order.
//!
//! Python's classes, and not classes of our own: they are hashed, compared, pickled and matched by
//! what Python has for that, and a program can make them itself for its tests.

use std::path::Path;

use jiff::Timestamp;
use netprocmon::host::confinement::Namespaces;
use netprocmon::{
    Ancestor, ConnectionUsage, Counters, Degradation, DeviceCounters, Diagnosis, Group,
    InterfaceSummary, InterfaceUsage, Pod, Process, ProcessUsage, ProgramFile, ProtocolUsage,
    Rates, SourceKind, Traffic, UnattributedUsage, Verdict,
};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};
use serde::Serialize;
use serde_json::Value;

type Made<'py> = PyResult<Bound<'py, PyAny>>;

/// `record!(py, "Class", { field: value, … })`, with `, counters` for the eight of the contract.
macro_rules! record {
    ($py:expr, $class:literal, { $($fields:tt)* } $(, $counters:expr)?) => {
        record!($py, "netprocmon._records", $class, { $($fields)* } $(, $counters)?)
    };
    ($py:expr, $module:literal, $class:literal, { $($field:ident: $value:expr),* $(,)? } $(, $counters:expr)?) => {{
        static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let fields = PyDict::new($py);
        $(fields.set_item(intern!($py, stringify!($field)), $value)?;)*
        $(put_counters(&fields, $counters)?;)?
        CLASS
            .import($py, $module, $class)?
            .call((), Some(&fields))
    }};
}

fn put_counters(fields: &Bound<'_, PyDict>, counters: &Counters) -> PyResult<()> {
    let py = fields.py();
    fields.set_item(intern!(py, "bytes_sent"), counters.bytes_sent)?;
    fields.set_item(intern!(py, "bytes_recv"), counters.bytes_recv)?;
    fields.set_item(intern!(py, "packets_sent"), counters.packets_sent)?;
    fields.set_item(intern!(py, "packets_recv"), counters.packets_recv)?;
    fields.set_item(intern!(py, "payload_sent"), counters.payload_sent)?;
    fields.set_item(intern!(py, "payload_recv"), counters.payload_recv)?;
    let (bytes, packets) = (counters.retransmitted_bytes, counters.retransmitted_packets);
    fields.set_item(intern!(py, "retransmitted_bytes"), bytes)?;
    fields.set_item(intern!(py, "retransmitted_packets"), packets)
}

/// A tuple of records.
pub(crate) fn tuple<'py, 'a, T: 'a>(
    py: Python<'py>,
    all: impl IntoIterator<Item = &'a T>,
    convert: impl Fn(Python<'py>, &T) -> Made<'py>,
) -> PyResult<Bound<'py, PyTuple>> {
    let all: Vec<_> = all
        .into_iter()
        .map(|one| convert(py, one))
        .collect::<PyResult<_>>()?;
    PyTuple::new(py, all)
}

/// An aware datetime, UTC, to the microsecond.
pub(crate) fn time(py: Python<'_>, time: Timestamp) -> Made<'_> {
    // Python has no finer ones, and rounding up would be a moment that has not been.
    let micros = Timestamp::from_microsecond(time.as_microsecond())
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(micros.into_pyobject(py)?.into_any())
}

fn time_or_none(py: Python<'_>, at: Option<Timestamp>) -> PyResult<Option<Bound<'_, PyAny>>> {
    at.map(|at| time(py, at)).transpose()
}

/// What JSON shows of it: a word, a number or nothing.
fn word<'py>(py: Python<'py>, of: &impl Serialize) -> Made<'py> {
    plain(py, &serde_json::to_value(of).map_err(unwritable)?)
}

fn plain<'py>(py: Python<'py>, value: &Value) -> Made<'py> {
    Ok(match value {
        Value::String(text) => text.into_pyobject(py)?.into_any(),
        Value::Number(number) => number.as_u64().into_pyobject(py)?.into_any(),
        _ => py.None().into_bound(py),
    })
}

/// `Counters`.
pub(crate) fn counters<'py>(py: Python<'py>, of: &Counters) -> Made<'py> {
    record!(py, "Counters", {}, of)
}

/// `NetworkTraffic`.
pub(crate) fn network_traffic<'py>(py: Python<'py>, one: &Traffic) -> Made<'py> {
    record!(py, "NetworkTraffic", {
        interface: one.interface_name.as_deref(),
        recv: one.counters.bytes_recv,
        pid: one.pid.0,
        send: one.counters.bytes_sent,
    })
}

/// `ProcessUsage`.
pub(crate) fn process<'py>(py: Python<'py>, usage: &ProcessUsage) -> Made<'py> {
    let process = &*usage.process;
    let place = &*process.place;
    let container = place.container.as_ref();
    let pod = place.pod.as_ref();
    let command = process.command.as_deref();
    let command = command.map(|words| PyTuple::new(py, words.iter().map(|word| &**word)));
    let connections = usage
        .connections
        .as_ref()
        .map(|all| tuple(py, all, |py, one| connection(py, one, Some(process))));
    record!(py, "ProcessUsage", {
        pid: process.pid.0,
        name: &*process.name,
        title: &*process.title(),
        started: time_or_none(py, process.started)?,
        exited: time_or_none(py, process.exited)?,
        ppid: process.ppid.map(|pid| pid.0),
        parents: tuple(py, process.parents.iter(), ancestor)?,
        exe: process.exe.as_deref(),
        command: command.transpose()?,
        script: process.script.as_deref(),
        exe_file: process.exe_file.map(|file| match file {
            ProgramFile::Deleted => "deleted",
            ProgramFile::Replaced => "replaced",
        }),
        uid: process.uid,
        user: process.user.as_deref(),
        cgroup: process.cgroup.as_deref(),
        unit: place.unit.as_deref(),
        user_unit: place.user_unit.as_deref(),
        slice: place.slice.as_deref(),
        container: container.map(|of| of.name.as_deref().unwrap_or(&of.id)),
        container_id: container.map(|of| &*of.id),
        container_runtime: container.map(|of| &*of.runtime),
        container_image: container.and_then(|of| of.image.as_deref()),
        pod: pod.map(Pod::label),
        pod_namespace: pod.and_then(|of| of.namespace.as_deref()),
        netns: process.netns.map(|netns| netns.inode),
        rates: rates(py, &usage.rates)?,
        interfaces: tuple(py, &usage.interfaces, interface_usage)?,
        protocols: tuple(py, &usage.protocols, protocol_usage)?,
        connections: connections.transpose()?,
    }, &usage.counters)
}

fn ancestor<'py>(py: Python<'py>, one: &Ancestor) -> Made<'py> {
    record!(py, "Ancestor", { pid: one.pid.0, name: one.name.as_deref() })
}

fn rates<'py>(py: Python<'py>, rates: &Rates) -> Made<'py> {
    record!(py, "Rates", { sent: rates.sent, recv: rates.recv })
}

fn interface_usage<'py>(py: Python<'py>, one: &InterfaceUsage) -> Made<'py> {
    record!(py, "InterfaceUsage", {
        name: one.name.as_deref(),
        index: one.id.index,
        netns: one.id.netns.inode,
    }, &one.counters)
}

fn protocol_usage<'py>(py: Python<'py>, one: &ProtocolUsage) -> Made<'py> {
    record!(py, "ProtocolUsage", {
        protocol: one.protocol.to_string(),
        ip_version: one.ip_version.number(),
    }, &one.counters)
}

/// `Connection`, with the process that owns it where one is known.
pub(crate) fn connection<'py>(
    py: Python<'py>,
    one: &ConnectionUsage,
    owner: Option<&Process>,
) -> Made<'py> {
    let of = &one.connection;
    let origin = of.origin.as_deref();
    record!(py, "Connection", {
        pid: owner.map(|owner| owner.pid.0),
        process: owner.map(|owner| &*owner.name),
        protocol: of.protocol.to_string(),
        ip_version: of.ip_version.number(),
        local: address(py, of.local)?,
        remote: of.remote.map(|remote| address(py, remote)).transpose()?,
        state: of.state.name(),
        direction: word(py, &of.direction)?,
        interface: of.interface_name.as_deref(),
        remote_name: of.remote_name.as_deref(),
        remote_scope: of.scope.map(netprocmon::Scope::name),
        service: of.service.as_deref(),
        peer_pid: of.peer.as_ref().map(|peer| peer.process.pid.0),
        peer_name: of.peer.as_ref().map(|peer| &*peer.name),
        remote_country: origin.and_then(|origin| origin.country.as_deref()),
        remote_asn: origin.and_then(|origin| origin.asn),
        remote_organization: origin.and_then(|origin| origin.organization.as_deref()),
        opened: time_or_none(py, of.opened)?,
        closed: time_or_none(py, of.closed)?,
    }, &one.counters)
}

fn address(py: Python<'_>, of: std::net::SocketAddr) -> Made<'_> {
    record!(py, "Address", { ip: of.ip().to_string(), port: of.port() })
}

/// `UnattributedUsage`.
pub(crate) fn unattributed<'py>(py: Python<'py>, one: &UnattributedUsage) -> Made<'py> {
    record!(py, "UnattributedUsage", {
        reason: one.reason.name(),
        interface: one.interface_name.as_deref(),
        index: one.interface.index,
        netns: one.interface.netns.inode,
    }, &one.counters)
}

/// `InterfaceSummary`.
pub(crate) fn interface<'py>(py: Python<'py>, one: &InterfaceSummary) -> Made<'py> {
    let device = one
        .device
        .as_ref()
        .map(|device| device_counters(py, device));
    record!(py, "InterfaceSummary", {
        name: one.name.as_deref(),
        index: one.id.index,
        netns: one.id.netns.inode,
        counted: counters(py, &one.counted)?,
        device: device.transpose()?,
        explained_sent: one.explained_sent,
        explained_recv: one.explained_recv,
    })
}

fn device_counters<'py>(py: Python<'py>, device: &DeviceCounters) -> Made<'py> {
    record!(py, "DeviceCounters", {
        bytes_sent: device.bytes_sent,
        bytes_recv: device.bytes_recv,
        packets_sent: device.packets_sent,
        packets_recv: device.packets_recv,
    })
}

/// `Degradation`.
pub(crate) fn degradation<'py>(py: Python<'py>, one: &Degradation) -> Made<'py> {
    record!(py, "Degradation", {
        code: &*one.code,
        message: &*one.message,
        remedy: one.remedy.as_deref(),
    })
}

/// A `Diagnosis`.
pub(crate) fn diagnosis<'py>(py: Python<'py>, all: &Diagnosis) -> Made<'py> {
    let held = |is: bool| {
        let capabilities = all.capabilities.iter();
        let names = capabilities.filter_map(move |(name, held)| (*held == is).then_some(*name));
        PyTuple::new(py, names.collect::<Vec<_>>())
    };
    record!(py, "netprocmon._diagnosis", "Diagnosis", {
        source: all.source.map(SourceKind::name),
        sources: tuple(py, &all.sources, verdict)?,
        best_works: all.best_works(),
        kernel: &*all.kernel,
        btf: all.btf,
        cgroup2: all.cgroup2.as_deref().map(Path::to_string_lossy),
        cgroup2_is_root: all.cgroup2_is_root,
        lockdown: word(py, &all.lockdown)?,
        capabilities: held(true)?,
        missing_capabilities: held(false)?,
        namespaces: namespaces(py, all.namespaces)?,
        container: all.container.as_deref(),
        confinement: PyTuple::new(py, all.confinement())?,
        _text: all.to_string(),
        _json: serde_json::to_string(all).map_err(unwritable)?,
    })
}

fn verdict<'py>(py: Python<'py>, one: &Verdict) -> Made<'py> {
    record!(py, "netprocmon._diagnosis", "SourceDiagnosis", {
        source: one.source.name(),
        works: one.works,
        why: one.why.as_deref(),
        remedy: one.remedy.as_deref(),
        degradations: tuple(py, &one.degradations, degradation)?,
    })
}

fn namespaces(py: Python<'_>, all: Namespaces) -> Made<'_> {
    record!(py, "netprocmon._diagnosis", "Namespaces", {
        user: word(py, &all.user)?,
        pid: word(py, &all.pid)?,
        cgroup: word(py, &all.cgroup)?,
        net: word(py, &all.net)?,
    })
}

#[allow(clippy::needless_pass_by_value)] // as map_err has it
fn unwritable(error: serde_json::Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// `Group`s, with those inside them.
pub(crate) fn groups<'py>(py: Python<'py>, all: &[Group]) -> PyResult<Bound<'py, PyTuple>> {
    tuple(py, all, group)
}

fn group<'py>(py: Python<'py>, one: &Group) -> Made<'py> {
    let key = serde_json::to_value(&one.key).map_err(unwritable)?;
    record!(py, "Group", {
        by: one.key.by(),
        key: plain(py, &key["key"])?,
        label: &*one.label,
        rates: rates(py, &one.rates)?,
        groups: groups(py, &one.groups)?,
    }, &one.counters)
}
