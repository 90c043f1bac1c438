//! ICMP: sockets that have no port. The other end answers with a raw socket of its own, or its
//! kernel does, and then nobody owns the answer.

use anyhow::Result;
use netprocmon::IpVersion::{self, V4, V6};

use super::args;
use crate::net::End;
use crate::scenario::{Scenario, Unowned};
use crate::stage::Stage;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("icmp, raw sockets at both ends, IPv4", |stage| {
        raw(stage, V4)
    }),
    Scenario::new("icmp, raw sockets at both ends, IPv6", |stage| {
        raw(stage, V6)
    }),
    Scenario::new("icmp, ping socket, the kernel answers", ping).unowned(Unowned::KernelAnswers),
];

const COUNT: &str = "500";

fn client(version: IpVersion) -> Vec<String> {
    let to = End::Right.address(version).to_string();
    args(["icmp-client", "--to", &to, "--count", COUNT, "--size", "56"])
}

fn raw(stage: &mut Stage, version: IpVersion) -> Result<()> {
    let right = stage.namespace(End::Right);
    right.sysctl("net/ipv4/icmp_echo_ignore_all", "1")?;
    right.sysctl("net/ipv6/icmp/echo_ignore_all", "1")?;
    stage.count()?;
    let listen = End::Right.address(version).to_string();
    let server = args(["icmp-server", "--listen", &listen, "--count", COUNT]);
    let mut server = stage.start(End::Right, "icmp-server", &server)?;
    server.port()?;
    let client = stage.start(End::Left, "icmp-client", &client(version))?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)
}

pub(super) fn ping(stage: &mut Stage) -> Result<()> {
    let left = stage.namespace(End::Left);
    left.sysctl("net/ipv4/ping_group_range", "0 0")?;
    stage.count()?;
    let mut client = client(V4);
    client.push("--datagram".to_owned());
    let client = stage.start(End::Left, "ping-socket", &client)?;
    stage.finish(client, 1)
}
