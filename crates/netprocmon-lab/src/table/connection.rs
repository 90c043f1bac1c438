//! Connections: what each moved adds up to what its process did, while it lives and when it has
//! ended.

use std::net::SocketAddr;

use anyhow::Result;
use netprocmon::IpVersion::{self, V4, V6};
use netprocmon::{Monitor, Pid};

use super::{args, at};
use crate::net::{End, Offload};
use crate::report::{Check, Tolerance};
use crate::scenario::{Scenario, Unowned};
use crate::stage::Stage;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("each connection, tcp, IPv4", |stage| tcp(stage, V4)),
    Scenario::new("each connection, tcp, IPv6", |stage| tcp(stage, V6)),
    Scenario::new("each connection, segmentation offload on", |stage| {
        tcp(stage, V4)
    })
    .offload(Offload::On),
    Scenario::new("each connection, 200 that end at once", ended).unowned(Unowned::TimeWaits(200)),
    Scenario::new("each connection, udp connected", |stage| udp(stage, true)),
    Scenario::new("each remote of an unconnected udp socket", |stage| {
        udp(stage, false)
    }),
];

fn count(stage: &mut Stage) -> Result<()> {
    stage.count_with(Monitor::builder().connections(true))
}

fn tcp(stage: &mut Stage, version: IpVersion) -> Result<()> {
    count(stage)?;
    let listen = End::Right.address(version).to_string();
    let server = args(["tcp-server", "--listen", &listen, "--connections", "5"]);
    let mut server = stage.start(End::Right, "tcp-server", &server)?;
    let to = at(End::Right, version, server.port()?);
    for n in 1..=5_u64 {
        let (up, down) = ((1_000_000 * n).to_string(), (300_000 * n).to_string());
        let client = args(["tcp-client", "--to", &to, "--up", &up, "--down", &down]);
        let client = stage.start(End::Left, format!("client-{n}"), &client)?;
        stage.finish(client, 1)?;
    }
    stage.finish(server, 1)
}

fn ended(stage: &mut Stage) -> Result<()> {
    count(stage)?;
    let listen = End::Right.address(V4).to_string();
    let server = args([
        "tcp-server",
        "--listen",
        &listen,
        "--connections",
        "200",
        "--close",
    ]);
    let mut server = stage.start(End::Right, "tcp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let swarm = args(["swarm", "--to", &to, "--count", "200", "--protocol", "tcp"]);
    let swarm = stage.start(End::Left, "swarm", &swarm)?;
    stage.finish(swarm, 200 + 1)?;
    stage.finish(server, 1)
}

/// Three clients of one server; without a connected socket the server still tells them apart.
fn udp(stage: &mut Stage, connected: bool) -> Result<()> {
    count(stage)?;
    let listen = End::Right.address(V4).to_string();
    let mut remotes = Vec::new();
    let servers = if connected { 3 } else { 1 };
    for n in 0..servers {
        let count = (if connected { 500 } else { 1500 }).to_string();
        let mut server = args(["udp-server", "--listen", &listen, "--count", &count]);
        server.extend(connected.then(|| "--connected".to_owned()));
        let mut server = stage.start(End::Right, format!("server-{n}"), &server)?;
        let to = at(End::Right, V4, server.port()?);
        for m in 0..3 / servers {
            let size = (100 * (n + m + 1)).to_string();
            let mut client = args(["udp-client", "--to", &to, "--count", "500", "--size", &size]);
            client.extend(connected.then(|| "--connected".to_owned()));
            let mut client = stage.start(End::Left, format!("client-{n}-{m}"), &client)?;
            let pid = client.pid();
            let account = client.accounts(1)?.remove(0);
            stage.take(account.clone());
            stage.finish(client, 0)?;
            remotes.push((server.pid(), pid, account));
        }
        stage.finish(server, 1)?;
    }
    let Some(snapshot) = stage.snapshot()? else {
        return Ok(());
    };
    // What the server has under a remote is what that remote has under itself, mirrored.
    for (server, client, account) in remotes {
        let connections = |pid| {
            let usage = snapshot.process(Pid(pid));
            usage
                .and_then(|usage| usage.connections.clone())
                .unwrap_or_default()
        };
        let local = connections(client).first().map(|one| one.connection.local);
        let row = connections(server).into_iter().find(|one| {
            let port = one
                .connection
                .remote
                .map(|remote: SocketAddr| remote.port());
            port == local.map(|local| local.port())
        });
        let ours = row.map(|row| row.counters);
        let wire = account.wire.unwrap_or_default();
        for (what, truth, ours) in [
            (
                "bytes sent",
                wire.bytes_recv,
                ours.and_then(|c| c.bytes_sent),
            ),
            (
                "bytes recv",
                wire.bytes_sent,
                ours.and_then(|c| c.bytes_recv),
            ),
            (
                "packets sent",
                wire.packets_recv,
                ours.and_then(|c| c.packets_sent),
            ),
            (
                "packets recv",
                wire.packets_sent,
                ours.and_then(|c| c.packets_recv),
            ),
            (
                "payload sent",
                account.recv,
                ours.and_then(|c| c.payload_sent),
            ),
            (
                "payload recv",
                account.sent,
                ours.and_then(|c| c.payload_recv),
            ),
        ] {
            let what = format!("the server's row for {}: {what}", account.name);
            stage.check(Check::number(what, truth, ours, Tolerance::Exact));
        }
    }
    Ok(())
}
