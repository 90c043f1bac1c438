//! Who and what is at the other end of each socket, as far as the look itself tells.
//!
//! Two sockets with each other's addresses are the ends of one connection: in one network
//! namespace, or in two where no third could be meant. Loopback stays within a namespace.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use netprocmon_host::socket::Socket;
use netprocmon_model::{NetnsId, Peer, Process, Protocol};

use super::{Holder, is_connection};

/// By the cookie of the socket.
#[derive(Debug, Default)]
pub struct Remotes {
    peers: HashMap<u64, Peer>,
    services: HashMap<u64, Arc<str>>,
}

/// Protocol, local and remote end.
type Ends = (Protocol, SocketAddr, SocketAddr);

impl Remotes {
    /// `service` names a port of a protocol.
    pub(super) fn of(
        holders: &[Holder],
        service: impl Fn(u16, Protocol) -> Option<Arc<str>>,
    ) -> Self {
        let mut remotes = Self::default();
        // Of several processes that hold a socket the one with the lowest pid.
        let mut seen: HashMap<u64, (&Socket, &Process)> = HashMap::new();
        for holder in holders {
            for socket in &holder.sockets {
                seen.entry(socket.cookie)
                    .or_insert((socket, &holder.process));
            }
        }
        let mut by_ends: HashMap<Ends, Vec<(NetnsId, &Process)>> = HashMap::new();
        for (socket, process) in seen.values() {
            if let Some(ends) = ends(socket) {
                let end = (socket.netns, *process);
                by_ends.entry(ends).or_default().push(end);
            }
        }
        for (cookie, (socket, _)) in &seen {
            let remote = socket.remote.filter(|_| is_connection(socket));
            let name = |port| service(port, socket.protocol);
            let name = remote
                .and_then(|remote| name(remote.port()))
                .or_else(|| name(socket.local.port()));
            remotes.services.extend(name.map(|name| (*cookie, name)));
            let peer = ends(socket).and_then(|ends| peer(ends, socket.netns, &by_ends));
            remotes.peers.extend(peer.map(|peer| (*cookie, peer)));
        }
        remotes
    }

    pub(super) fn peer(&self, socket: &Socket) -> Option<Peer> {
        self.peers.get(&socket.cookie).cloned()
    }

    pub(super) fn service(&self, socket: &Socket) -> Option<Arc<str>> {
        self.services.get(&socket.cookie).cloned()
    }
}

fn ends(socket: &Socket) -> Option<Ends> {
    let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
    let remote = socket.remote.filter(|_| is_connection(socket))?;
    Some((socket.protocol, canonical(socket.local), canonical(remote)))
}

fn peer(
    (protocol, local, remote): Ends,
    netns: NetnsId,
    by_ends: &HashMap<Ends, Vec<(NetnsId, &Process)>>,
) -> Option<Peer> {
    if local == remote {
        return None; // a socket that talks to itself
    }
    let others = by_ends.get(&(protocol, remote, local))?;
    let here = others.iter().find(|(other, _)| *other == netns);
    let stays = [local, remote]
        .map(|end| end.ip())
        .iter()
        .any(IpAddr::is_loopback);
    let is_the_only_one = others.len() == 1
        && by_ends
            .get(&(protocol, local, remote))
            .is_some_and(|same| same.len() == 1);
    let elsewhere = others.first().filter(|_| is_the_only_one && !stays);
    let (_, process) = here.or(elsewhere)?;
    Some(Peer {
        process: process.id,
        name: Arc::clone(&process.name),
    })
}
