//! Names: a connection's remote is called what its own process asked for, and nothing else.
//!
//! The answers are those of a name server of the lab's own at the right end. What is true is what
//! `dig`, another's program, was told and has printed.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, bail};
use netprocmon::IpVersion::{self, V4, V6};
use netprocmon::{Monitor, Pid, Snapshot};

use super::args;
use crate::generate::Running;
use crate::net::End;
use crate::report::{Check, Tolerance};
use crate::scenario::{Scenario, Skip, Unowned};
use crate::stage::Stage;
use crate::tool;

pub(super) const ROWS: &[Scenario] = &[
    row("a name behind two aliases, IPv4", |stage| chain(stage, V4)),
    row("a name behind two aliases, IPv6", |stage| chain(stage, V6)),
    row("a name of 200 addresses, tcp", large),
    row("a name of three addresses", addresses),
    row("an address of two names, one after the other", turns),
    row("an address of two names, one process asks for both", both),
    row("an address of two names, two processes", apart),
    row("an answer that nobody asked for", forged),
];

/// What asks over TCP closes its connection, or the kernel does at its end.
const fn row(name: &'static str, act: fn(&mut Stage) -> Result<()>) -> Scenario {
    Scenario::new(name, act).unowned(Unowned::TimeWaits(10))
}

fn count(stage: &mut Stage) -> Result<()> {
    stage.count_with(Monitor::builder().connections(true))
}

/// What `dig` at the left end is told of a name: the addresses, in the order of the answer.
fn dig(stage: &Stage, name: &str, version: IpVersion, tcp: bool) -> Result<Vec<IpAddr>> {
    let at = format!("@{}", End::Right.address(version));
    let kind = if version == V4 { "A" } else { "AAAA" };
    let mut words = vec!["+short", &at, name, kind];
    words.extend(tcp.then_some("+tcp"));
    let said = stage.namespace(End::Left).run("dig", &words)?;
    // Aliases are printed too.
    Ok(said.lines().filter_map(|line| line.parse().ok()).collect())
}

fn need_dig() -> Result<()> {
    if !tool::exists("dig") {
        bail!(Skip("dig is not installed".to_owned()));
    }
    Ok(())
}

/// A server at all addresses of the right end.
fn server(stage: &mut Stage, version: IpVersion, connections: usize) -> Result<(Running, u16)> {
    let any = if version == V4 { "0.0.0.0" } else { "::" };
    let connections = connections.to_string();
    let server = args(["tcp-server", "--listen", any, "--connections", &connections]);
    let mut server = stage.start(End::Right, "tcp-server", &server)?;
    let port = server.port()?;
    Ok((server, port))
}

fn client(stage: &mut Stage, name: &str, to: IpAddr, port: u16) -> Result<Running> {
    let to = SocketAddr::new(to, port).to_string();
    let client = args([
        "tcp-client",
        "--to",
        &to,
        "--up",
        "50000",
        "--down",
        "20000",
    ]);
    stage.start(End::Left, name, &client)
}

/// A process that asks for these names and connects to what it is told, each when it is let
/// ([`step`]).
fn asker(stage: &mut Stage, called: &str, names: &[&str], port: u16) -> Result<Running> {
    let server = SocketAddr::new(End::Right.address(V4), 53).to_string();
    let port = port.to_string();
    let mut asker = args(["asker", "--wait", "--server", &server, "--port", &port]);
    for name in names {
        asker.extend(args(["--name", name]));
    }
    stage.start(End::Left, called, &asker)
}

/// Lets it ask, or connect, once it has done what it was let do before.
fn step(asker: &mut Running) -> Result<()> {
    asker.ready()?;
    asker.go()
}

/// What a process's connections to this address and port are called, in the order in which they
/// were opened.
fn called(snapshot: &Snapshot, pid: u32, to: IpAddr, port: u16) -> Vec<Option<String>> {
    let usage = snapshot.process(Pid(pid));
    let connections = usage.and_then(|usage| usage.connections.as_ref());
    let all = connections.into_iter().flatten();
    let mut those: Vec<_> = all
        .filter(|one| one.connection.remote == Some(SocketAddr::new(to, port)))
        .collect();
    those.sort_by_key(|one| one.id);
    those
        .iter()
        .map(|one| one.connection.remote_name.as_deref().map(ToOwned::to_owned))
        .collect()
}

fn check(
    stage: &mut Stage,
    of: &str,
    pid: u32,
    to: SocketAddr,
    names: &[Option<&str>],
) -> Result<()> {
    let Some(snapshot) = stage.snapshot()? else {
        return Ok(());
    };
    let ours = called(&snapshot, pid, to.ip(), to.port());
    let ours: Vec<_> = ours.iter().map(Option::as_deref).collect();
    let what = format!("names of {of}'s connections to {}", to.ip());
    stage.check(Check::same(what, names, &*ours));
    Ok(())
}

/// www and ftp are aliases of cdn, which is one of edge: the connections are theirs. One is asked
/// for over UDP, the other over TCP.
fn chain(stage: &mut Stage, version: IpVersion) -> Result<()> {
    need_dig()?;
    stage.serve_names(&args([
        "--cname=www.example,cdn.example",
        "--cname=ftp.example,cdn.example",
        "--cname=cdn.example,edge.example",
        "--host-record=edge.example,198.51.100.7,2001:db8:1::7",
    ]))?;
    count(stage)?;
    let (server, port) = server(stage, version, 2)?;
    for (name, tcp, called) in [
        ("www.example", false, "asked-by-udp"),
        ("ftp.example", true, "asked-by-tcp"),
    ] {
        let told = dig(stage, name, version, tcp)?;
        let to = *told.first().context("dig was told no address")?;
        let client = client(stage, called, to, port)?;
        let pid = client.pid();
        stage.finish(client, 1)?;
        check(stage, called, pid, SocketAddr::new(to, port), &[Some(name)])?;
    }
    stage.finish(server, 1)
}

/// An answer of more than three kilobytes, so in several packets.
fn large(stage: &mut Stage) -> Result<()> {
    need_dig()?;
    let records = (1..=200).map(|n| format!("--host-record=large.example,198.51.100.{n}"));
    stage.serve_names(&records.collect::<Vec<_>>())?;
    count(stage)?;
    let told = dig(stage, "large.example", V4, true)?;
    let number = Some(told.len() as u64);
    stage.check(Check::number(
        "addresses in the answer",
        200,
        number,
        Tolerance::Exact,
    ));
    let (server, port) = server(stage, V4, 3)?;
    let mut clients = Vec::new();
    for (n, at) in [0, 99, 199].into_iter().enumerate() {
        let to = *told.get(at).context("dig was told too few addresses")?;
        let name = format!("client-{n}");
        let client = client(stage, &name, to, port)?;
        clients.push((name, client.pid(), to));
        stage.finish(client, 1)?;
    }
    stage.finish(server, 1)?;
    for (name, pid, to) in clients {
        let to = SocketAddr::new(to, port);
        check(stage, &name, pid, to, &[Some("large.example")])?;
    }
    Ok(())
}

/// Each of them is called so, and an address that was in no answer is not.
fn addresses(stage: &mut Stage) -> Result<()> {
    need_dig()?;
    let records = (11..=13).map(|n| format!("--host-record=many.example,198.51.100.{n}"));
    stage.serve_names(&records.collect::<Vec<_>>())?;
    count(stage)?;
    let told = dig(stage, "many.example", V4, false)?;
    stage.check(Check::number(
        "addresses",
        3,
        Some(told.len() as u64),
        Tolerance::Exact,
    ));
    let other = IpAddr::from([198, 51, 100, 14]);
    let (server, port) = server(stage, V4, told.len() + 1)?;
    let mut clients = Vec::new();
    for (n, to) in told.iter().chain([&other]).enumerate() {
        let name = format!("client-{n}");
        let client = client(stage, &name, *to, port)?;
        clients.push((name, client.pid(), *to));
        stage.finish(client, 1)?;
    }
    stage.finish(server, 1)?;
    for (name, pid, to) in clients {
        let expected = (to != other).then_some("many.example");
        check(stage, &name, pid, SocketAddr::new(to, port), &[expected])?;
    }
    Ok(())
}

const TWO_NAMES: [&str; 2] = [
    "--host-record=first.example,198.51.100.20",
    "--host-record=second.example,198.51.100.20",
];
const OF_BOTH: [u8; 4] = [198, 51, 100, 20];

/// Others ask: a connection has the name that was last asked for when it was opened, for good.
fn turns(stage: &mut Stage) -> Result<()> {
    need_dig()?;
    stage.serve_names(&args(TWO_NAMES))?;
    count(stage)?;
    let (server, port) = server(stage, V4, 2)?;
    let mut clients = Vec::new();
    for name in ["first.example", "second.example"] {
        let told = dig(stage, name, V4, false)?;
        let to = *told.first().context("dig was told no address")?;
        let called = format!("client-{}", clients.len());
        let client = client(stage, &called, to, port)?;
        clients.push((called, client.pid(), SocketAddr::new(to, port), name));
        stage.finish(client, 1)?;
        for (of, pid, to, name) in &clients {
            check(stage, of, *pid, *to, &[Some(name)])?;
        }
    }
    stage.finish(server, 1)
}

/// Its first connection keeps its name when the process asks for another, and the monitor has not
/// looked in between.
fn both(stage: &mut Stage) -> Result<()> {
    stage.serve_names(&args(TWO_NAMES))?;
    count(stage)?;
    let (mut server, port) = server(stage, V4, 2)?;
    let to = SocketAddr::from((OF_BOTH, port));
    let names = ["first.example", "second.example"];
    let mut asker = asker(stage, "asker", &names, port)?;
    let pid = asker.pid();
    for _ in names {
        step(&mut asker)?;
        step(&mut asker)?;
        server.ready()?; // it has accepted
    }
    stage.finish(asker, 1)?;
    stage.finish(server, 1)?;
    check(stage, "asker", pid, to, &names.map(Some))
}

/// Both have asked before either connects, and the one that asked first connects last.
fn apart(stage: &mut Stage) -> Result<()> {
    stage.serve_names(&args(TWO_NAMES))?;
    count(stage)?;
    let (server, port) = server(stage, V4, 2)?;
    let mut first = asker(stage, "asks-first", &["first.example"], port)?;
    step(&mut first)?;
    first.ready()?; // it has its answer
    let mut second = asker(stage, "asks-second", &["second.example"], port)?;
    step(&mut second)?;
    second.ready()?;
    let to = SocketAddr::from((OF_BOTH, port));
    let mut asked = Vec::new();
    for (mut asker, of, name) in [
        (second, "asks-second", "second.example"),
        (first, "asks-first", "first.example"),
    ] {
        asker.go()?;
        asked.push((of, asker.pid(), name));
        stage.finish(asker, 1)?;
    }
    stage.finish(server, 1)?;
    for (of, pid, name) in asked {
        check(stage, of, pid, to, &[Some(name)])?;
    }
    Ok(())
}

/// A forged answer comes to the socket that has asked, from where it asked, under another number;
/// the next is honest.
fn forged(stage: &mut Stage) -> Result<()> {
    stage.link().add_networks()?;
    count(stage)?;
    let (server, port) = server(stage, V4, 2)?;
    let listen = End::Right.address(V4).to_string();
    let (forged, honest) = ([198, 51, 100, 30], [198, 51, 100, 31]);
    let mut liar = args(["name-server", "--listen", &listen, "--forged", "1"]);
    for address in [forged, honest] {
        let address = IpAddr::from(address).to_string();
        liar.extend(args(["--address", &address]));
    }
    let mut liar = stage.start(End::Right, "liar", &liar)?;
    liar.port()?;
    let names = ["forged.example", "honest.example"];
    let mut asker = asker(stage, "asker", &names, port)?;
    for _ in 0..2 * names.len() {
        step(&mut asker)?;
    }
    let pid = asker.pid();
    stage.finish(asker, 1)?;
    stage.finish(liar, 1)?;
    stage.finish(server, 1)?;
    let at = |address: [u8; 4]| SocketAddr::from((address, port));
    check(stage, "asker", pid, at(forged), &[None])?;
    check(stage, "asker", pid, at(honest), &[Some("honest.example")])
}
