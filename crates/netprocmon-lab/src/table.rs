//! The table: every scenario, a row each. To add one, write what is done in the file of its kind
//! and put a row into that file's list; what must be reported is the same for all.

use std::net::{SocketAddr, UdpSocket};

use anyhow::Result;
use netprocmon::IpVersion;

use crate::net::End;
use crate::scenario::Scenario;
use crate::stage::Stage;

mod blind;
mod change;
mod company;
mod connection;
mod datagram;
mod device;
mod fate;
mod full;
mod handshake;
mod icmp;
mod interpreters;
mod lifetime;
mod loopback;
mod loss;
mod names;
mod packet;
mod pairs;
mod places;
mod scale;
mod share;
mod sockdiag;
mod stream;
mod tcp;
mod tree;
mod udp;

/// Rows of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// What they are about.
    pub title: &'static str,
    /// The rows, in the order in which they run.
    pub rows: &'static [Scenario],
}

const fn room(title: &'static str, rows: &'static [Scenario]) -> Room {
    Room { title, rows }
}

/// Every row, in the order in which they run.
pub const ROOMS: [Room; 25] = [
    room("TCP", tcp::ROWS),
    room("UDP", udp::ROWS),
    room("ICMP", icmp::ROWS),
    room("Loopback", loopback::ROWS),
    room("Short lives", lifetime::ROWS),
    room("Devices above devices", device::ROWS),
    room("Interfaces that change", change::ROWS),
    room("Loss", loss::ROWS),
    room("What the kernel does not show", blind::ROWS),
    room("Many at once", scale::ROWS),
    room("Tables too small on purpose", full::ROWS),
    room("Fates of processes and namespaces", fate::ROWS),
    room("More than one monitor", company::ROWS),
    room("What makes a connection", handshake::ROWS),
    room("Each connection", connection::ROWS),
    room("Every way of using a stream", stream::ROWS),
    room(
        "Every way of using datagrams and raw sockets",
        datagram::ROWS,
    ),
    room("Sockets that are shared", share::ROWS),
    room("Names of remotes", names::ROWS),
    room("Both ends on one host", pairs::ROWS),
    room("Units, containers, pods", places::ROWS),
    room("Scripts and program files", interpreters::ROWS),
    room("Trees of processes", tree::ROWS),
    room("The packet source", packet::ROWS),
    room("The sockdiag source", sockdiag::ROWS),
];

/// The arguments of a generator.
fn args<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).into()
}

/// An address and a port as one writes them.
fn at(end: End, version: IpVersion, port: u16) -> String {
    SocketAddr::new(end.address(version), port).to_string()
}

/// A connected socket of the left namespace, for a program that cannot open one itself.
fn datagrams_to(stage: &Stage, to: SocketAddr) -> Result<UdpSocket> {
    stage.namespace(End::Left).inside(|| {
        let local = match to {
            SocketAddr::V4(_) => IpVersion::V4,
            SocketAddr::V6(_) => IpVersion::V6,
        };
        let socket = UdpSocket::bind((End::Left.address(local), 0))?;
        socket.connect(to)?;
        Ok(socket)
    })?
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let names: Vec<_> = ROOMS.iter().flat_map(|room| room.rows).collect();
        let different: BTreeSet<_> = names.iter().map(|row| row.name).collect();
        assert_eq!(different.len(), names.len());
    }
}
