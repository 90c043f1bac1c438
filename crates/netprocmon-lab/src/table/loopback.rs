//! Loopback of one namespace: both ends are on this host, and both are charged.

use anyhow::Result;
use netprocmon::IpVersion::V4;

use super::{args, at};
use crate::net::End;
use crate::scenario::Scenario;
use crate::stage::Stage;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("loopback, tcp, IPv4", |stage| tcp(stage, "127.0.0.1")).over_loopback(),
    Scenario::new("loopback, tcp, IPv6", |stage| tcp(stage, "::1")).over_loopback(),
    Scenario::new("loopback, udp", udp).over_loopback(),
    Scenario::new("udp, one socket on two interfaces at once", two_interfaces).over_loopback(),
];

pub(super) fn tcp(stage: &mut Stage, address: &str) -> Result<()> {
    stage.count()?;
    let server = args(["tcp-server", "--listen", address]);
    let mut server = stage.start(End::Left, "lo-server", &server)?;
    let to = to(address, server.port()?)?;
    let client = args([
        "tcp-client",
        "--to",
        &to,
        "--up",
        "20000123",
        "--down",
        "5000001",
    ]);
    let client = stage.start(End::Left, "lo-client", &client)?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)
}

pub(super) fn udp(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    let address = "127.0.0.1";
    let server = args(["udp-server", "--listen", address, "--count", "5000"]);
    let mut server = stage.start(End::Left, "lo-server", &server)?;
    let to = to(address, server.port()?)?;
    let client = args([
        "udp-client",
        "--to",
        &to,
        "--count",
        "5000",
        "--size",
        "700",
    ]);
    let client = stage.start(End::Left, "lo-client", &client)?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)
}

/// Two processors count for one socket, on an interface each.
fn two_interfaces(stage: &mut Stage) -> Result<()> {
    const EACH: u64 = 200_000;
    stage.count()?;
    let (each, both) = (EACH.to_string(), (2 * EACH).to_string());
    let sink = args(["udp-sink", "--count", &both]);
    let mut sink = stage.start(End::Left, "sink", &sink)?;
    let port = sink.port()?;
    let spray = |to: &str, size| args(["udp-spray", "--to", to, "--count", &each, "--size", size]);
    let far = spray(&at(End::Left, V4, port), "100");
    let far = stage.start(End::Right, "far", &far)?;
    let near = spray(&to("127.0.0.1", port)?, "300");
    let near = stage.start(End::Left, "near", &near)?;
    stage.finish(far, 1)?;
    stage.finish(near, 1)?;
    stage.finish(sink, 1)
}

fn to(address: &str, port: u16) -> Result<String> {
    Ok(std::net::SocketAddr::new(address.parse()?, port).to_string())
}
