//! UDP between two namespaces, connected and not. Every datagram is one packet, so each process's
//! wire bytes are known too.

use anyhow::Result;
use netprocmon::IpVersion::{self, V4, V6};

use super::{args, at};
use crate::net::{End, Offload};
use crate::scenario::Scenario;
use crate::stage::Stage;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("udp connected, IPv4", |stage| udp(stage, V4, true, 400)),
    Scenario::new("udp connected, IPv6", |stage| udp(stage, V6, true, 400)),
    Scenario::new("udp unconnected, IPv4", |stage| udp(stage, V4, false, 400)),
    Scenario::new("udp unconnected, IPv6", |stage| udp(stage, V6, false, 400)),
    Scenario::new("udp, empty and tiny datagrams", |stage| {
        udp(stage, V4, false, 0)
    }),
    Scenario::new("udp, segmentation offload on", |stage| {
        udp(stage, V4, true, 1400)
    })
    .offload(Offload::On),
    Scenario::new("udp, received by NAPI", |stage| udp(stage, V4, true, 1400))
        .offload(Offload::Merge),
    Scenario::new("sockets older than the monitor, udp", older),
];

const COUNT: &str = "5000";

fn server(version: IpVersion, connected: bool) -> Vec<String> {
    let listen = End::Right.address(version).to_string();
    let mut all = args(["udp-server", "--listen", &listen, "--count", COUNT]);
    all.extend(connected.then(|| "--connected".to_owned()));
    all
}

fn client(version: IpVersion, port: u16, connected: bool, size: usize) -> Vec<String> {
    let (to, size) = (at(End::Right, version, port), size.to_string());
    let mut all = args(["udp-client", "--to", &to, "--count", COUNT, "--size", &size]);
    all.extend(connected.then(|| "--connected".to_owned()));
    all
}

pub(super) fn udp(
    stage: &mut Stage,
    version: IpVersion,
    connected: bool,
    size: usize,
) -> Result<()> {
    stage.count()?;
    let mut server = stage.start(End::Right, "udp-server", &server(version, connected))?;
    let client = client(version, server.port()?, connected, size);
    let client = stage.start(End::Left, "udp-client", &client)?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)
}

fn older(stage: &mut Stage) -> Result<()> {
    let before = args(["--before", "100"]);
    let mut server = server(V4, true);
    server.extend(before.clone());
    let mut server = stage.start(End::Right, "old-server", &server)?;
    let mut client = client(V4, server.port()?, true, 300);
    client.extend(before);
    client.push("--wait".to_owned());
    let mut client = stage.start(End::Left, "old-client", &client)?;
    client.ready()?;
    stage.count()?;
    client.go()?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)
}
