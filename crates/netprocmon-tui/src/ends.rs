//! What the two ends of a connection are called, the same in every table and in the live view.
//!
//! Not escaped: names come from outside, and whoever makes cells of them escapes once.

use std::net::SocketAddr;

use netprocmon::host::services;
use netprocmon::units::Ends;
use netprocmon::{Connection, Direction, Origin, Process};

/// Which way it was opened.
#[must_use]
pub const fn arrow(direction: Option<Direction>) -> &'static str {
    match direction {
        Some(Direction::In) => "←",
        Some(Direction::Out) => "→",
        None => "–",
    }
}

/// This end and the other; `None` where there is no one remote.
#[must_use]
pub fn both(connection: &Connection, ends: Ends) -> (String, Option<String>) {
    match ends {
        Ends::Named => named(connection),
        Ends::Numeric => (
            connection.local.to_string(),
            connection.remote.map(|remote| remote.to_string()),
        ),
    }
}

/// Both ends, with the names that are known of them.
fn named(connection: &Connection) -> (String, Option<String>) {
    let service = connection.service.as_deref();
    let (local, remote) = if is_of_the_remote(connection) {
        (None, service)
    } else {
        (service, None)
    };
    let name = connection.remote_name.as_deref();
    (
        end(connection.local, None, local),
        connection.remote.map(|address| end(address, name, remote)),
    )
}

/// Whether the service is the remote's: it is that of the end that was connected to, and where that
/// is not known of the remote before our own.
fn is_of_the_remote(connection: &Connection) -> bool {
    match (connection.direction, connection.remote) {
        (Some(Direction::Out), _) => true,
        (Some(Direction::In), _) | (None, None) => false,
        (None, Some(remote)) => {
            services::name(remote.port(), connection.protocol) == connection.service
        }
    }
}

/// `example.org:https`, `[2001:db8::1]:443`.
fn end(address: SocketAddr, name: Option<&str>, service: Option<&str>) -> String {
    let host = match (name, address) {
        (Some(name), _) => name.to_owned(),
        (None, SocketAddr::V4(v4)) => v4.ip().to_string(),
        (None, SocketAddr::V6(v6)) => format!("[{}]", v6.ip()),
    };
    match service {
        Some(service) => format!("{host}:{service}"),
        None => format!("{host}:{}", address.port()),
    }
}

/// `curl ⇄ nginx (587)`: the client before the server, where that is known; the pid is the peer's.
#[must_use]
pub fn pair(owner: &Process, connection: &Connection) -> Option<String> {
    let peer = connection.peer.as_ref()?;
    let other = format!("{} ({})", peer.name, peer.process.pid);
    Some(match connection.direction {
        Some(Direction::In) => format!("{other} ⇄ {}", owner.name),
        Some(Direction::Out) | None => format!("{} ⇄ {other}", owner.name),
    })
}

/// `[US AS64496 Example Networks]`.
#[must_use]
pub fn origin(origin: &Origin) -> Option<String> {
    let parts = [
        origin.country.as_deref().map(ToOwned::to_owned),
        origin.asn.map(|number| format!("AS{number}")),
        origin.organization.as_deref().map(ToOwned::to_owned),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("[{}]", parts.join(" ")))
}
