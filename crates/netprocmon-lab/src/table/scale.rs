//! Many: small connections, bursts side by side, open sockets, and processes that nobody looks at.

use anyhow::Result;
use netprocmon::IpVersion::V4;
use netprocmon::Monitor;

use super::{args, at};
use crate::net::End;
use crate::report::{Check, Tolerance};
use crate::scenario::{Scenario, Unowned};
use crate::stage::Stage;
use crate::verify;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("3,000 small connections, ended by resets", |stage| {
        small(stage, &[], &["--reset"])
    }),
    Scenario::new("3,000 small connections, both ends speak first", |stage| {
        small(stage, &["--greet"], &["--reset"])
    }),
    Scenario::new("3,000 small connections, closed in order", |stage| {
        small(stage, &[], &[])
    })
    .unowned(Unowned::TimeWaits(SMALL)),
    Scenario::new("30 bursts side by side", bursts),
    Scenario::new("10,000 sockets open at start", |stage| {
        crowds(stage, 2, 5_000)
    }),
    Scenario::new("100,000 sockets open at start", |stage| {
        crowds(stage, 20, 5_000)
    }),
    Scenario::new("12,000 short-lived processes before anybody looks", unread).own_comparison(),
];

const SMALL: u64 = 3000;

fn small(stage: &mut Stage, server: &[&str], client: &[&str]) -> Result<()> {
    stage.count()?;
    let (listen, count) = (End::Right.address(V4).to_string(), SMALL.to_string());
    let with = |words: Vec<String>, more: &[&str]| {
        [words, more.iter().map(ToString::to_string).collect()].concat()
    };
    let words = args(["small-server", "--listen", &listen, "--count", &count]);
    let server = with(words, server);
    let mut server = stage.start(End::Right, "small-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let words = args(["small-client", "--to", &to, "--count", &count]);
    let client = with(words, client);
    let client = stage.start(End::Left, "small-client", &client)?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)
}

fn bursts(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    let listen = End::Right.address(V4).to_string();
    let server = args(["tcp-server", "--listen", &listen, "--connections", "30"]);
    let mut server = stage.start(End::Right, "tcp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let mut clients = Vec::new();
    for n in 0..30_u64 {
        let (up, down) = ((1_000_000 + n).to_string(), (500_000 + 2 * n).to_string());
        let client = args([
            "tcp-client",
            "--to",
            &to,
            "--up",
            &up,
            "--down",
            &down,
            "--wait",
        ]);
        let mut client = stage.start(End::Left, format!("burst-{n}"), &client)?;
        client.ready()?;
        clients.push(client);
    }
    for client in &mut clients {
        client.go()?;
    }
    for client in clients {
        stage.finish(client, 1)?;
    }
    stage.finish(server, 1)
}

/// So many sockets in each of some processes, open before the monitor; then traffic on every 50th.
fn crowds(stage: &mut Stage, processes: usize, sockets: usize) -> Result<()> {
    const EVERY: usize = 50;
    let used = (processes * sockets / EVERY).to_string();
    let listen = End::Right.address(V4).to_string();
    let server = args(["udp-server", "--listen", &listen, "--count", &used]);
    let mut server = stage.start(End::Right, "udp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let (count, every) = (sockets.to_string(), EVERY.to_string());
    let mut crowds = Vec::new();
    for n in 0..processes {
        // Ports of its own for each process.
        let from = format!("192.0.2.{}", 11 + n);
        let add = ["addr", "add", &from, "dev", "left0"];
        stage.namespace(End::Left).ip(&add)?;
        let mac = crate::net::Link::mac(End::Left);
        let add = [
            "neigh",
            "replace",
            &from,
            "lladdr",
            mac,
            "dev",
            "right0",
            "nud",
            "permanent",
        ];
        stage.namespace(End::Right).ip(&add)?;
        let crowd = args([
            "crowd", "--from", &from, "--to", &to, "--count", &count, "--every", &every,
        ]);
        let mut crowd = stage.start(End::Left, format!("crowd-{n}"), &crowd)?;
        crowd.ready()?;
        crowds.push(crowd);
    }
    stage.count()?;
    if let Some(took) = stage.start_took() {
        let what = format!("time to start with {} sockets open", processes * sockets);
        stage.check(Check::measured(what, format!("{} ms", took.as_millis())));
    }
    for mut crowd in crowds {
        crowd.go()?;
        stage.finish(crowd, 1)?;
    }
    stage.finish(server, 1)
}

/// More processes than the ring buffer has room for events of. Counters and names are in tables, and
/// events only say where to look: nothing may be missing, and what was lost must be said.
fn unread(stage: &mut Stage) -> Result<()> {
    const COUNT: usize = 12_000;
    stage.count_with(Monitor::builder())?;
    let (listen, count) = (End::Right.address(V4).to_string(), COUNT.to_string());
    let server = args(["udp-server", "--listen", &listen, "--count", &count]);
    let mut server = stage.start(End::Right, "swarm-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let swarm = args([
        "swarm",
        "--to",
        &to,
        "--count",
        &count,
        "--protocol",
        "udp",
        "--size",
        "50",
    ]);
    let swarm = stage.start(End::Left, "swarm", &swarm)?;
    stage.finish(swarm, COUNT + 1)?;
    stage.finish(server, 1)?;
    let (moved, snapshot) = stage.compare()?;
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    let checks = verify::processes(&snapshot, stage.accounts());
    stage.check_all(checks);
    for device in &moved.devices[..2] {
        let checks = verify::device(&snapshot, device, verify::Moment::Open);
        stage.check_all(checks);
    }
    let pids: std::collections::BTreeSet<u32> = stage.accounts().iter().map(|a| a.pid).collect();
    let ours = snapshot
        .processes
        .iter()
        .filter(|u| pids.contains(&u.process.pid.0));
    let ended = ours.filter(|usage| usage.process.exited.is_some()).count() as u64;
    stage.check(Check::number(
        "processes shown as ended",
        COUNT as u64,
        Some(ended),
        Tolerance::Exact,
    ));
    // Two events each, of 40 bytes with their header, in a buffer of 1 MiB.
    let least = (2 * COUNT as u64).saturating_sub((1 << 20) / 40);
    stage.check(Check::at_least(
        "lost events, said",
        least,
        Some(snapshot.lost_events),
    ));
    Ok(())
}
