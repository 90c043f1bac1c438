//! Look-ups that need no monitor: whose the sockets and ports are, and which interfaces there are.

use std::io;

use netprocmon::host::{interface, netns, process};
use netprocmon::sockets::{Inventory, usage};
use netprocmon::{Pid, Protocol};
use pyo3::prelude::*;

use crate::{errors, records};

/// Every socket of the host, or of one process, as `Connection`s.
#[pyfunction]
pub(crate) fn connections(py: Python<'_>, pid: Option<u32>) -> PyResult<Vec<Bound<'_, PyAny>>> {
    if let Some(pid) = pid {
        may_look_at(py, pid)?;
    }
    let look = py.detach(Inventory::take);
    let holders = look.holders.iter();
    let holders = holders.filter(|holder| pid.is_none_or(|pid| holder.process.id.pid.0 == pid));
    let held = holders.flat_map(|holder| {
        let sockets = holder.sockets.iter();
        sockets.map(|socket| (socket, Some(&holder.process)))
    });
    let others = look.hidden.iter().chain(&look.unheld);
    let others = others
        .filter(|_| pid.is_none())
        .map(|socket| (socket, None));
    held.chain(others)
        .map(|(socket, owner)| records::connection(py, &usage(socket, &look.remotes), owner))
        .collect()
}

fn may_look_at(py: Python<'_>, pid: u32) -> PyResult<()> {
    match std::fs::read_dir(format!("/proc/{pid}/fd")) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(errors::denied(
            py,
            &format!("the sockets of process {pid} are another user's"),
            "run it as root, or as the user of that process",
        )),
        Err(_) if !process::exists(Pid(pid)) => Err(errors::no_such_process(py, pid)),
        _ => Ok(()),
    }
}

/// The local ports in use, all or of a protocol.
#[pyfunction]
pub(crate) fn ports(py: Python<'_>, protocol: Option<u8>) -> Vec<u16> {
    py.detach(|| match protocol {
        Some(protocol) => netprocmon::ports::of_protocol(Protocol(protocol)),
        None => netprocmon::ports::all(),
    })
}

/// The local ports of a process.
#[pyfunction]
pub(crate) fn ports_of_pid(py: Python<'_>, pid: u32) -> PyResult<Vec<u16>> {
    py.detach(|| netprocmon::ports::of_pid(Pid(pid)))
        .map_err(|error| errors::raise(py, &error))
}

/// The process that owns a local port.
#[pyfunction]
pub(crate) fn pid_of_port(py: Python<'_>, protocol: u8, port: u16) -> Option<u32> {
    py.detach(|| netprocmon::ports::owner(Protocol(protocol), port))
        .map(|pid| pid.0)
}

/// Names and addresses of the interfaces of this network namespace, or of all that can be entered.
#[pyfunction]
pub(crate) fn interfaces(py: Python<'_>, everywhere: bool) -> PyResult<Vec<(String, Vec<String>)>> {
    let all = py.detach(|| {
        if everywhere {
            let (found, _unreachable) = interface::survey(&netns::all());
            Ok(found.into_iter().map(|one| one.interface).collect())
        } else {
            interface::list()
        }
    });
    let all = all.map_err(|error| errors::system(py, "list the interfaces", &error))?;
    let named = all.into_iter().map(|one: interface::Interface| {
        let addresses = one.addresses.iter().map(ToString::to_string).collect();
        (one.name.to_string(), addresses)
    });
    Ok(named.collect())
}
