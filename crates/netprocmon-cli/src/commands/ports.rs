//! `netprocmon ports`: who owns which port.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use netprocmon::host::{socket::Socket, user};
use netprocmon::sockets::{Inventory, is_bound, is_connection};
use netprocmon::{Degradation, NetnsId, Pid, Process, Protocol, SCHEMA_VERSION};
use serde::Serialize;

use crate::commands::{print, print_line, say_degradations};
use crate::exit::{Failure, Status};
use crate::flags::meaning::{Format, PortsPlan, Wanted};
use crate::render::{self, Terminal};
use crate::rights;

/// A port and who owns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PortOwner {
    pub(crate) protocol: Protocol,
    /// The local address that it is a port of.
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    /// Whether others can come to it: a listener, or a bound datagram socket.
    pub(crate) listening: bool,
    /// Connections with this local end.
    pub(crate) connections: usize,
    /// `None` where the owner may not be looked at.
    pub(crate) pid: Option<Pid>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) uid: Option<u32>,
    pub(crate) user: Option<Arc<str>>,
    pub(crate) netns: NetnsId,
}

#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    time: Timestamp,
    source: &'static str,
    ports: &'a [PortOwner],
    degradations: &'a [Degradation],
}

/// Looks, and shows what matches; nothing that matches is status 1.
pub(crate) fn ports(plan: PortsPlan) -> anyhow::Result<Status> {
    rights::assume(None)?;
    let inventory = Inventory::take();
    let owners = owners(&inventory, plan.wanted);
    match plan.format {
        Format::Json => {
            let line = Line {
                schema: SCHEMA_VERSION,
                kind: "ports",
                time: Timestamp::now(),
                source: "sockdiag",
                ports: &owners,
                degradations: &inventory.degradations,
            };
            print_line(&line)?;
        }
        Format::Text if owners.is_empty() => {}
        Format::Text => {
            let text = render::ports::table(&owners, Terminal::of_stdout());
            print(text.as_bytes())?;
        }
    }
    // What nobody could be asked about matters where it may be what was asked for.
    if owners.is_empty() || owners.iter().any(|owner| owner.pid.is_none()) {
        say_degradations(&inventory.degradations);
    }
    match (owners.is_empty(), nothing(plan.wanted)) {
        (true, Some(message)) => Err(Failure::new(Status::NotFound, message).into()),
        _ => Ok(Status::Success),
    }
}

/// The owners of the ports that are wanted, by port, protocol, address and pid.
pub(crate) fn owners(inventory: &Inventory, wanted: Wanted) -> Vec<PortOwner> {
    let held = inventory.holders.iter().flat_map(|holder| {
        let sockets = holder.sockets.iter();
        sockets.map(|socket| (socket, Some(&holder.process)))
    });
    let hidden = inventory.hidden.iter().map(|socket| (socket, None));
    let mut owners: BTreeMap<_, PortOwner> = BTreeMap::new();
    for (socket, process) in held.chain(hidden) {
        let port = socket.local.port();
        let pid = process.map(|process| process.pid);
        if port == 0 || !is_wanted(wanted, socket, pid) {
            continue;
        }
        let address = socket.local.ip();
        let key = (port, socket.protocol, address, pid, socket.netns);
        let owner = owners
            .entry(key)
            .or_insert_with(|| PortOwner::new(socket, process));
        owner.listening |= is_bound(socket);
        owner.connections += usize::from(is_connection(socket));
    }
    owners.into_values().collect()
}

impl PortOwner {
    fn new(socket: &Socket, process: Option<&Process>) -> Self {
        Self {
            protocol: socket.protocol,
            address: socket.local.ip(),
            port: socket.local.port(),
            listening: false,
            connections: 0,
            pid: process.map(|process| process.pid),
            name: process.map(|process| Arc::clone(&process.name)),
            uid: process.map_or(Some(socket.uid), |process| process.uid),
            user: process.map_or_else(|| user::name(socket.uid), |process| process.user.clone()),
            netns: socket.netns,
        }
    }
}

fn is_wanted(wanted: Wanted, socket: &Socket, pid: Option<Pid>) -> bool {
    let port = socket.local.port();
    match wanted {
        Wanted::Listening => is_bound(socket),
        Wanted::All => true,
        Wanted::Either(a_port, a_pid) => a_port == Some(port) || (a_pid.is_some() && a_pid == pid),
        Wanted::Both(a_port, a_pid) => a_port == port && Some(a_pid) == pid,
    }
}

/// What is said when nothing matched; `None` where nothing in particular was asked for.
fn nothing(wanted: Wanted) -> Option<String> {
    Some(match wanted {
        Wanted::Listening | Wanted::All | Wanted::Either(None, None) => return None,
        Wanted::Either(Some(port), Some(_)) => {
            format!("nothing uses port {port}, and process {port} has no port")
        }
        Wanted::Either(Some(port), None) => format!("nothing uses port {port}"),
        Wanted::Either(None, Some(pid)) => {
            format!("process {pid} has no port, or there is no such process")
        }
        Wanted::Both(port, pid) => format!("process {pid} does not use port {port}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::inventory;

    fn found(wanted: Wanted) -> Vec<(u16, Option<u32>, bool, usize)> {
        let owners = owners(&inventory(), wanted);
        let facts = owners.iter().map(|owner| {
            let pid = owner.pid.map(|pid| pid.0);
            (owner.port, pid, owner.listening, owner.connections)
        });
        facts.collect()
    }

    #[test]
    fn listeners_and_bound_datagram_sockets() {
        assert_eq!(
            found(Wanted::Listening),
            [
                (53, Some(9), true, 0),
                (80, Some(7), true, 0),
                (80, Some(8), true, 0),
                (631, None, true, 0)
            ]
        );
    }

    #[test]
    fn a_port_and_a_pid() {
        assert_eq!(
            found(Wanted::Either(Some(80), None)),
            [
                (80, Some(7), true, 0),
                (80, Some(8), true, 0),
                (80, Some(8), false, 1)
            ]
        );
        assert_eq!(found(Wanted::Both(80, Pid(7))), [(80, Some(7), true, 0)]);
        assert_eq!(found(Wanted::Either(Some(9), Some(Pid(9)))).len(), 1);
        assert!(found(Wanted::Either(None, Some(Pid(70_000)))).is_empty());
    }
}
