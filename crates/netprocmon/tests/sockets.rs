//! Who holds which socket, and who is at its other end.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used)] // as in tests

use std::collections::HashMap;

use netprocmon::host::socket::Socket;
use netprocmon::sockets::{Inventory, Viewer, usage};
use netprocmon::{ConnectionState, Counters, NetnsId, Pid, Protocol};

use made::{inventory, process, service, socket};

mod made;

#[test]
fn sockets_stand_under_every_holder_and_once_in_the_totals() {
    let inventory = inventory();
    let pids: Vec<_> = inventory.holders.iter().map(|h| h.process.pid.0).collect();
    assert_eq!(pids, [7, 8, 9]);
    assert_eq!(inventory.holders[1].sockets.len(), 2);
    assert_eq!(inventory.totals.payload_sent, Some(2000));
    assert_eq!(inventory.totals.payload_recv, Some(500));
    assert_eq!(inventory.totals.bytes_sent, None);
}

#[test]
fn what_is_not_counted_is_unknown_and_not_zero() {
    let inventory = inventory();
    assert_eq!(inventory.holders[0].counters(), Counters::UNKNOWN);
    assert_eq!(inventory.holders[2].counters(), Counters::UNKNOWN);
}

#[test]
fn a_hidden_owner_is_said() {
    let inventory = inventory();
    assert_eq!(inventory.hidden.len(), 1);
    assert_eq!(inventory.degradations[0].code, "owners_hidden");
    assert!(inventory.degradations[0].remedy.is_some());
    assert_eq!(inventory.unheld.len(), 1);
    let look = |sockets, viewer| {
        Inventory::of(sockets, &HashMap::new(), process, service, viewer).degradations
    };
    assert!(look(Vec::new(), Viewer::OfItsOwn).is_empty());
    let listener = socket(Protocol::TCP, ConnectionState::Listen, "0.0.0.0:80", 1);
    assert_eq!(look(vec![listener], Viewer::OfAll)[0].remedy, None);
}

#[test]
fn our_own_socket_is_found() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let inventory = Inventory::take();
    let me = Pid(std::process::id());
    let holder = inventory.holders.iter().find(|h| h.process.pid == me);
    let mut bound = holder.unwrap().bound();
    assert!(bound.any(|socket| socket.local.port() == port));
}

#[test]
fn a_filter_leaves_what_it_takes() {
    let pids = |text: &str| {
        let mut inventory = inventory();
        inventory.filter(&text.parse().unwrap());
        let holders = inventory.holders.iter();
        let pids: Vec<_> = holders.map(|holder| holder.process.pid.0).collect();
        (pids, inventory.totals.payload_sent)
    };
    assert_eq!(pids("user=ana").0, [7, 8, 9]);
    assert_eq!(pids("state=listen"), (vec![7, 8], None));
    assert_eq!(pids("remote=198.51.100.0/24"), (vec![8], Some(2000)));
    assert_eq!(pids("protocol=udp").0, [9]);
    assert_eq!(pids("lport=domain").0, [9]);
    assert_eq!(pids("pid=8 not state=listen"), (vec![8], Some(2000)));
    assert_eq!(pids("nobody").0, [0; 0]);
}

#[test]
fn both_ends_on_this_host_name_each_other() {
    let end = |local: &str, remote: &str, inode, netns| Socket {
        remote: Some(remote.parse().unwrap()),
        netns: NetnsId::new(netns),
        ..socket(Protocol::TCP, ConnectionState::Established, local, inode)
    };
    let (client, server) = ("10.0.0.2:40000", "10.0.0.1:80");
    let sockets = vec![
        end("127.0.0.1:40000", "127.0.0.1:80", 1, 1),
        end("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:40000", 2, 1),
        end("127.0.0.1:40001", "127.0.0.1:80", 3, 1),
        end("127.0.0.1:80", "127.0.0.1:40001", 4, 2),
        end(client, server, 5, 1),
        end(server, client, 6, 2),
        end("10.0.0.2:40001", server, 7, 1),
        end("10.0.0.2:40001", server, 8, 3),
        end(server, "10.0.0.2:40001", 9, 2),
        end("127.0.0.1:9", "127.0.0.1:9", 10, 1),
    ];
    let owners = (1..=10).map(|inode| (inode, vec![Pid(u32::try_from(inode).unwrap())]));
    let inventory = Inventory::of(
        sockets,
        &owners.collect(),
        process,
        service,
        Viewer::OfItsOwn,
    );
    let peers = inventory.holders.iter().map(|holder| {
        let usage = usage(&holder.sockets[0], &inventory.remotes);
        usage.connection.peer.map_or(0, |peer| peer.process.pid.0)
    });
    // 3 and 4 are loopback of two namespaces; 7 or 8 may be at the other end of 9.
    assert_eq!(peers.collect::<Vec<_>>(), [2, 1, 0, 0, 6, 5, 0, 0, 0, 0]);
}
