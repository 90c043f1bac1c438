//! Pairs: where both ends of a connection are on this host, each names the process at the other.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use netprocmon::IpVersion::{V4, V6};
use netprocmon::{ConnectionUsage, Monitor, Pid, Snapshot};

use super::args;
use crate::net::End;
use crate::report::Check;
use crate::scenario::Scenario;
use crate::stage::Stage;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("both ends of a connection, over loopback", |stage| {
        let (v4, v6) = ([127, 0, 0, 1].into(), Ipv6Addr::LOCALHOST.into());
        pairs(stage, End::Left, &[(TCP, v4), (TCP, v6), (UDP, v4)])
    })
    .over_loopback(),
    Scenario::new("both ends of a connection, between namespaces", |stage| {
        let (v4, v6) = (End::Right.address(V4), End::Right.address(V6));
        pairs(stage, End::Right, &[(TCP, v4), (UDP, v4), (UDP, v6)])
    }),
];

/// A server and a client.
type Pair = [&'static [&'static str]; 2];

const TCP: Pair = [
    &["tcp-server"],
    &["tcp-client", "--up", "200000", "--down", "100000"],
];
const UDP: Pair = [
    &["udp-server", "--connected", "--count", "50"],
    &[
        "udp-client",
        "--connected",
        "--count",
        "50",
        "--size",
        "300",
    ],
];

fn pairs(stage: &mut Stage, servers: End, pairs: &[(Pair, IpAddr)]) -> Result<()> {
    stage.count_with(Monitor::builder().connections(true))?;
    let mut open = Vec::new();
    for (n, (pair, address)) in pairs.iter().enumerate() {
        let words = |of: &[&str]| of.iter().map(ToString::to_string).collect::<Vec<_>>();
        let listen = args(["--listen", &address.to_string()]);
        let server = [words(pair[0]), listen].concat();
        let mut server = stage.start(servers, format!("server-{n}"), &server)?;
        let to = SocketAddr::new(*address, server.port()?);
        let client = [words(pair[1]), args(["--to", &to.to_string()])].concat();
        let client = stage.start(End::Left, format!("client-{n}"), &client)?;
        open.push((to, server, client));
    }
    let mut pids = Vec::new();
    for (to, server, client) in open {
        pids.push((to, server.pid(), client.pid()));
        stage.finish(client, 1)?;
        stage.finish(server, 1)?;
    }
    let Some(snapshot) = stage.snapshot()? else {
        return Ok(());
    };
    for (n, (to, server, client)) in pids.into_iter().enumerate() {
        for (of, pid, there, other) in [
            ("client", client, "server", server),
            ("server", server, "client", client),
        ] {
            let what = format!("at the other end of {of}-{n}");
            let truth = Some((other, format!("{there}-{n}")));
            stage.check(Check::same(what, truth, peer(&snapshot, pid, to)));
        }
    }
    Ok(())
}

/// The pid and the name at the other end of a process's connection with this end among its two.
fn peer(snapshot: &Snapshot, pid: u32, end: SocketAddr) -> Option<(u32, String)> {
    let usage = snapshot.process(Pid(pid))?;
    let with_both = |one: &&Arc<ConnectionUsage>| {
        let one = &one.connection;
        one.remote.is_some() && (one.local == end || one.remote == Some(end))
    };
    let one = usage.connections.as_ref()?.iter().find(with_both)?;
    let peer = one.connection.peer.as_ref()?;
    Some((peer.process.pid.0, peer.name.to_string()))
}
