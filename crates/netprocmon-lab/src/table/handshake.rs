//! The packets that make a connection. A listener is shown them, which is often a master's, whose
//! workers serve: the handshake is its, and what comes with it is theirs.

use std::num::NonZero;
use std::thread;

use anyhow::{Result, bail};
use netprocmon::IpVersion::{self, V4, V6};
use netprocmon::{Counters, Monitor, Pid, Snapshot};

use super::{args, at};
use crate::generate::stream::FAST_OPEN;
use crate::net::End;
use crate::report::{Check, Tolerance};
use crate::scenario::{Scenario, Skip};
use crate::stage::Stage;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new(
        "2,100 connections made by two processors at once, IPv4",
        |stage| two_processors(stage, V4),
    ),
    Scenario::new(
        "2,100 connections made by two processors at once, IPv6",
        |stage| two_processors(stage, V6),
    ),
    Scenario::new(
        "connections made by their request, workers, IPv4",
        |stage| deferred(stage, V4),
    ),
    Scenario::new(
        "connections made by their request, workers, IPv6",
        |stage| deferred(stage, V6),
    ),
    Scenario::new("connections made by a SYN with the request, workers", fast),
];

const WORKERS: usize = 3;

/// What is done, and how long the headers are that carry it.
struct Case {
    version: IpVersion,
    connections: usize,
    server: &'static [&'static str],
    client: &'static [&'static str],
    /// Whether the SYN carries the request.
    fast: bool,
}

/// What comes in at the left is taken by processor 0: so that one acknowledges the server's SYN, while the
/// client sends its request on processor 1 as soon as it may.
fn two_processors(stage: &mut Stage, version: IpVersion) -> Result<()> {
    if thread::available_parallelism().map_or(1, NonZero::get) < 2 {
        bail!(Skip("there is one processor".to_owned()));
    }
    let steer = "echo 1 > /sys/class/net/left0/queues/rx-0/rps_cpus";
    let steered = stage.namespace(End::Left).run("sh", &["-c", steer]);
    steered.map_err(|error| Skip(format!("the kernel steers no packets: {error:#}")))?;
    let case = Case {
        version,
        connections: 2100,
        server: &[],
        client: &["--processor", "1"],
        fast: false,
    };
    play(stage, &case)
}

fn deferred(stage: &mut Stage, version: IpVersion) -> Result<()> {
    let case = Case {
        version,
        connections: 300,
        server: &["--defer"],
        client: &[],
        fast: false,
    };
    play(stage, &case)
}

fn fast(stage: &mut Stage) -> Result<()> {
    for end in [End::Left, End::Right] {
        let namespace = stage.namespace(end);
        namespace.sysctl("net/ipv4/tcp_fastopen", FAST_OPEN)?;
    }
    let case = Case {
        version: V4,
        connections: 300,
        server: &["--fast-open"],
        client: &["--fast-open"],
        fast: true,
    };
    play(stage, &case)
}

fn play(stage: &mut Stage, case: &Case) -> Result<()> {
    stage.count_with(Monitor::builder().connections(true))?;
    let with = |words: Vec<String>, more: &[&str]| {
        [words, more.iter().map(ToString::to_string).collect()].concat()
    };
    let (count, workers) = (case.connections.to_string(), WORKERS.to_string());
    let listen = End::Right.address(case.version).to_string();
    let words = args([
        "small-server",
        "--listen",
        &listen,
        "--count",
        &count,
        "--workers",
        &workers,
    ]);
    let mut server = stage.start(End::Right, "master", &with(words, case.server))?;
    let to = at(End::Right, case.version, server.port()?);
    let words = args([
        "small-client",
        "--to",
        &to,
        "--count",
        &count,
        "--reset",
        "--rest",
    ]);
    let client = stage.start(End::Left, "small-client", &with(words, case.client))?;
    let master = server.pid();
    stage.finish(client, 1)?;
    stage.finish(server, 1 + WORKERS)?;
    let (_, snapshot) = stage.compare()?;
    if let Some(snapshot) = snapshot {
        let checks = charged(&snapshot, case, Pid(master));
        stage.check_all(checks);
    }
    Ok(())
}

/// Header and timestamps of a segment (RFC 9293, RFC 7323), and what a SYN has more (its length, and
/// leave to acknowledge selectively and to scale the window).
fn headers(version: IpVersion) -> (u64, u64) {
    let ip = if version == V4 { 20 } else { 40 };
    (ip + 32, 8)
}

/// The master's packets carry nothing. Those of a worker, and those of a connection, carry what was
/// read, with a header each.
fn charged(snapshot: &Snapshot, case: &Case, master: Pid) -> Vec<Check> {
    let (header, syn) = headers(case.version);
    let count = case.connections as u64;
    let carrying = |ours: Counters, syns: u64| {
        let (packets, payload) = (ours.packets_recv?, ours.payload_recv?);
        Some(payload + packets * header + syns * syn)
    };
    let mut checks = Vec::new();
    let (mut servers, mut rows) = (0, (0, 0));
    for usage in &snapshot.processes {
        let is_master = usage.process.pid == master;
        let is_worker = usage.process.ppid == Some(master);
        if is_master || is_worker {
            servers += 1;
            let syns = match (is_master, case.fast) {
                (true, false) => count,
                (true, true) | (false, false) => 0,
                (false, true) => count / WORKERS as u64,
            };
            let ours = usage.counters;
            let truth = carrying(ours, syns).unwrap_or_default();
            let what = format!("bytes recv of {}, by its packets", usage.process.pid);
            checks.push(Check::number(
                what,
                truth,
                ours.bytes_recv,
                Tolerance::Exact,
            ));
        }
        if is_worker {
            for row in usage.connections.iter().flatten() {
                let syns = u64::from(case.fast);
                rows.0 += 1;
                rows.1 += u64::from(row.counters.bytes_recv == carrying(row.counters, syns));
            }
        }
    }
    let what = "master and workers";
    let all = 1 + WORKERS as u64;
    checks.push(Check::number(what, all, Some(servers), Tolerance::Exact));
    let what = "connections of the workers";
    checks.push(Check::number(what, count, Some(rows.0), Tolerance::Exact));
    let what = "connections, by their packets";
    checks.push(Check::number(what, count, Some(rows.1), Tolerance::Exact));
    checks
}
