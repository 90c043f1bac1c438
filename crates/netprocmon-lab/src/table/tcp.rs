//! TCP between two namespaces: both directions, both IP versions, offloads, and forked workers.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use netprocmon::IpVersion::{self, V4, V6};
use netprocmon::{Monitor, Pid};

use super::{args, at};
use crate::net::{End, Offload};
use crate::report::Check;
use crate::scenario::{Scenario, Seat, Shape};
use crate::stage::Stage;
use crate::wait;

const MUCH: u64 = 20_000_123;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("tcp up, IPv4", |stage| tcp(stage, V4, MUCH, 0)),
    Scenario::new("tcp up, IPv6", |stage| tcp(stage, V6, MUCH, 0)),
    Scenario::new("tcp down, IPv4", |stage| tcp(stage, V4, 0, MUCH)),
    Scenario::new("tcp down, IPv6", |stage| tcp(stage, V6, 0, MUCH)),
    Scenario::new("tcp both ways at once, IPv4", |stage| {
        tcp(stage, V4, MUCH, MUCH / 2)
    }),
    Scenario::new("tcp both ways at once, IPv6", |stage| {
        tcp(stage, V6, MUCH / 2, MUCH)
    }),
    Scenario::new("tcp, segmentation offload on, IPv4", |stage| {
        tcp(stage, V4, MUCH, MUCH)
    })
    .offload(Offload::On),
    Scenario::new("tcp, segmentation offload on, IPv6", |stage| {
        tcp(stage, V6, MUCH, MUCH)
    })
    .offload(Offload::On),
    Scenario::new("tcp up, buffers cut behind a bridge, IPv4", |stage| {
        tcp(stage, V4, MUCH, 0)
    })
    .shape(Shape::Bridged)
    .offload(Offload::On),
    Scenario::new("tcp up, buffers cut behind a bridge, IPv6", |stage| {
        tcp(stage, V6, MUCH, 0)
    })
    .shape(Shape::Bridged)
    .offload(Offload::On),
    Scenario::new("tcp, packets merged on receipt, IPv4", |stage| {
        tcp(stage, V4, MUCH, MUCH / 2)
    })
    .offload(Offload::Merge),
    Scenario::new("tcp, both processes in other namespaces", |stage| {
        tcp(stage, V4, MUCH, MUCH / 2)
    })
    .seat(Seat::Outside),
    Scenario::new("forked workers on one listener", workers),
    Scenario::new("sockets older than the monitor, tcp", older),
    Scenario::new(
        "a stream in full flow while the monitor starts",
        in_full_flow,
    )
    .own_comparison(),
    Scenario::new("a hostile process name", hostile_name),
];

fn server(version: IpVersion, more: &[&str]) -> Vec<String> {
    let listen = End::Right.address(version).to_string();
    let mut all = args(["tcp-server", "--listen", &listen]);
    all.extend(more.iter().map(ToString::to_string));
    all
}

fn client(version: IpVersion, port: u16, up: u64, down: u64) -> Vec<String> {
    let to = at(End::Right, version, port);
    let (up, down) = (up.to_string(), down.to_string());
    args(["tcp-client", "--to", &to, "--up", &up, "--down", &down])
}

pub(super) fn tcp(stage: &mut Stage, version: IpVersion, up: u64, down: u64) -> Result<()> {
    stage.count()?;
    let mut server = stage.start(End::Right, "tcp-server", &server(version, &[]))?;
    let client = client(version, server.port()?, up, down);
    let client = stage.start(End::Left, "tcp-client", &client)?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)
}

/// Three workers, two connections each, of different sizes. What counts is who serves, not who
/// listens.
pub(super) fn workers(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    let server = server(V4, &["--workers", "3", "--connections", "6"]);
    let mut server = stage.start(End::Right, "prefork", &server)?;
    let port = server.port()?;
    for n in 1..=6 {
        let client = client(V4, port, 100_000 * n, 10_000 * n);
        let client = stage.start(End::Left, format!("visitor-{n}"), &client)?;
        stage.finish(client, 1)?;
    }
    stage.finish(server, 1 + 3)
}

/// Connected, and used, before the monitor starts: owner known from the first byte, nothing of the
/// past counted.
pub(super) fn older(stage: &mut Stage) -> Result<()> {
    let mut server = stage.start(End::Right, "old-server", &server(V4, &[]))?;
    let mut client = client(V4, server.port()?, MUCH, MUCH / 3);
    client.extend(args(["--before", "100000", "--wait"]));
    let mut client = stage.start(End::Left, "old-client", &client)?;
    client.ready()?;
    stage.count()?;
    client.go()?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)
}

/// Calls move bytes of it between the moment that the first program stands and the moment that open
/// sockets are gone through. What was read before the start is not ours.
fn in_full_flow(stage: &mut Stage) -> Result<()> {
    if !stage.with_monitor() {
        return Ok(());
    }
    let listener = stage
        .namespace(End::Right)
        .inside(|| TcpListener::bind((End::Right.address(V4), 0)))??;
    let to = listener.local_addr()?;
    let mut sender = stage
        .namespace(End::Left)
        .inside(|| TcpStream::connect(to))??;
    let (mut receiver, _) = listener.accept()?;
    let (read, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (called, started, mut monitor) = thread::scope(|scope| -> Result<_> {
        let sending = scope.spawn(|| -> Result<()> {
            while !stop.load(Relaxed) {
                sender.write_all(&[0x5a; 16_384])?;
            }
            Ok(sender.shutdown(Shutdown::Write)?)
        });
        let receiving = scope.spawn(|| -> Result<()> {
            let mut buffer = [0; 4096];
            loop {
                match receiver.read(&mut buffer)? {
                    0 => return Ok(()),
                    n => read.fetch_add(n as u64, Relaxed),
                };
            }
        });
        let moved = |much: u64| {
            let from = read.load(Relaxed);
            wait::until(LIMIT, || {
                Ok((read.load(Relaxed) > from + much).then_some(()))
            })
        };
        let start = moved(MUCH_BEFORE).and_then(|_| {
            let called = read.load(Relaxed);
            // Not the stage's, which waits for the link to come to rest.
            let monitor = Monitor::builder().start()?;
            let started = read.load(Relaxed);
            moved(MUCH_BEFORE / 10)?;
            Ok((called, started, monitor))
        });
        stop.store(true, Relaxed);
        for thread in [sending, receiving] {
            thread.join().map_err(|_| anyhow!("a thread panicked"))??;
        }
        start
    })?;
    let snapshot = monitor.snapshot()?;
    let usage = snapshot.process(Pid(std::process::id()));
    let ours = usage.and_then(|usage| usage.counters.payload_recv);
    let all = read.load(Relaxed);
    let (least, most) = (all - started, all - called);
    let fits = ours.is_some_and(|ours| (least..=most).contains(&ours));
    let what = format!("payload received is {ours:?}, from {least} to {most}");
    stage.check(Check::same(what, true, fits));
    Ok(())
}

const MUCH_BEFORE: u64 = 100_000_000;
const LIMIT: Duration = Duration::from_secs(20);

/// A process may call itself anything.
fn hostile_name(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    let mut server = stage.start(End::Right, "tcp-server", &server(V4, &[]))?;
    let client = client(V4, server.port()?, 1000, 1000);
    let name = OsStr::from_bytes(b"a\n\"\x1b[2J\xff,{}'");
    let client = stage.start(End::Left, name, &client)?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)
}
