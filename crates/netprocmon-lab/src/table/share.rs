//! One socket, several processes. Whoever calls pays, to the byte; whoever only opened it, does not.

use std::net::SocketAddr;

use anyhow::Result;
use netprocmon::IpVersion::{self, V4, V6};

use super::{args, at};
use crate::net::End;
use crate::scenario::Scenario;
use crate::stage::Stage;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("tcp, inherited, the opener moved nothing, IPv4", |stage| {
        client(stage, V4, "", "--how inherit --count 300")
    }),
    Scenario::new("tcp, inherited, the opener moved nothing, IPv6", |stage| {
        client(stage, V6, "", "--how inherit --count 300")
    }),
    Scenario::new("tcp, inherited, the opener moved bytes before", |stage| {
        client(stage, V4, "", "--how inherit --before 100 --count 200")
    }),
    Scenario::new(
        "tcp, passed with SCM_RIGHTS, the opener moved nothing",
        |stage| client(stage, V4, "", "--how pass --count 300"),
    ),
    Scenario::new(
        "tcp, passed with SCM_RIGHTS, the opener moved bytes before",
        |stage| client(stage, V6, "", "--how pass --before 100 --count 200"),
    ),
    Scenario::new("tcp, two writers in turns", |stage| {
        client(stage, V4, "", "--how inherit --turns 150 --count 150")
    }),
    Scenario::new(
        "tcp, the opener reads the head, the other the rest",
        |stage| {
            let greeting = "--greeting 60000";
            client(stage, V4, greeting, "--how pass --head 6000 --count 300")
        },
    ),
    Scenario::new(
        "tcp, the opener reads for a long time, the other the rest",
        |stage| {
            let ways = "--how pass --before 100 --head 6000 --count 200";
            client(stage, V6, "--greeting 60000", ways)
        },
    ),
    Scenario::new(
        "udp connected, inherited, the opener moved nothing",
        |stage| client(stage, V4, "--udp", "--udp --how inherit --count 300"),
    ),
    Scenario::new(
        "udp connected, inherited, the opener moved bytes before",
        |stage| {
            let ways = "--udp --how inherit --before 100 --count 200";
            client(stage, V6, "--udp", ways)
        },
    ),
    Scenario::new("udp connected, passed with SCM_RIGHTS", |stage| {
        client(
            stage,
            V4,
            "--udp",
            "--udp --how pass --before 100 --count 200",
        )
    }),
    Scenario::new("udp, two writers in turns", |stage| {
        client(
            stage,
            V4,
            "--udp",
            "--udp --how inherit --turns 150 --count 150",
        )
    }),
    Scenario::new(
        "udp, the opener moves nothing for a long time, then in turns",
        opener_comes_late,
    ),
    Scenario::new(
        "udp, the opener reads for a long time and ends, two read what waits",
        |stage| {
            let ways = "--udp --how bequeath --before 100 --unread 50 --count 150";
            play(stage, V4, 1000, ("--udp", 1), ways, 3)
        },
    ),
    Scenario::new(
        "udp, the opener reads for a long time and ends, another goes on",
        |stage| {
            let ways = "--udp --how bequeath --before 100 --count 200";
            play(stage, V6, 1000, ("--udp", 1), ways, 3)
        },
    ),
    Scenario::new(
        "udp, the opener reads once and ends, two read what waits",
        |stage| {
            let ways = "--udp --how bequeath --before 1 --unread 60 --count 239";
            play(stage, V6, 1000, ("--udp", 1), ways, 3)
        },
    ),
    Scenario::new(
        "udp, empty datagrams through an inherited socket",
        |stage| {
            play(
                stage,
                V4,
                0,
                ("--udp", 1),
                "--udp --how inherit --before 100 --count 200",
                2,
            )
        },
    ),
    Scenario::new(
        "tcp, accepted by one process and served by another",
        |stage| {
            play(
                stage,
                V4,
                1000,
                ("--workers 1", 2),
                "--how inherit --count 300",
                2,
            )
        },
    ),
    Scenario::new("udp, three workers read one socket, IPv4", |stage| {
        prefork(stage, V4)
    }),
    Scenario::new("udp, three workers read one socket, IPv6", |stage| {
        prefork(stage, V6)
    }),
    Scenario::new(
        "udp, three workers read one socket, on two interfaces",
        interfaces,
    )
    .over_loopback(),
    Scenario::new("udp, three workers race for batches on one socket", race),
];

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn client(stage: &mut Stage, version: IpVersion, server: &str, client: &str) -> Result<()> {
    play(stage, version, 1000, (server, 1), client, 2)
}

/// 300 messages in all.
fn play(
    stage: &mut Stage,
    version: IpVersion,
    size: usize,
    (server, servers): (&str, usize),
    client: &str,
    clients: usize,
) -> Result<()> {
    stage.count()?;
    let size = size.to_string();
    let listen = SocketAddr::new(End::Right.address(version), 0).to_string();
    let listen = args([
        "share-server",
        "--listen",
        &listen,
        "--size",
        &size,
        "--count",
        "300",
    ]);
    let server = [listen, words(server)].concat();
    let mut server = stage.start(End::Right, "echo", &server)?;
    let to = at(End::Right, version, server.port()?);
    let connect = args(["sharer", "--to", &to, "--size", &size]);
    let client = stage.start(End::Left, "sharer", &[connect, words(client)].concat())?;
    stage.finish(client, clients)?;
    stage.finish(server, servers)
}

/// For so long that the socket has become the other's own, and is shared once more.
fn opener_comes_late(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    let what = "--udp --size 1000";
    let listen = at(End::Right, V4, 4000);
    let server = format!("share-server {what} --listen {listen} --count 3150");
    let mut server = stage.start(End::Right, "echo", &words(&server))?;
    let to = at(End::Right, V4, server.port()?);
    let client = format!("sharer {what} --to {to} --how inherit --count 3000 --turns 150");
    let client = stage.start(End::Left, "sharer", &words(&client))?;
    stage.finish(client, 2)?;
    stage.finish(server, 1)
}

/// Three workers, one datagram at a time.
fn prefork(stage: &mut Stage, version: IpVersion) -> Result<()> {
    let server = ("--udp --workers 3", 4);
    play(
        stage,
        version,
        500,
        server,
        "--udp --how inherit --before 150 --count 150",
        2,
    )
}

/// The same, of clients on this host and on another, at once.
fn interfaces(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    let what = "--udp --size 500";
    let server = format!("share-server {what} --listen 0.0.0.0:0 --workers 3 --count 60000");
    let mut server = stage.start(End::Right, "worker", &words(&server))?;
    let port = server.port()?;
    let [far, near] = [at(End::Right, V4, port), format!("127.0.0.1:{port}")];
    let sharer = |to: &str, count| {
        let count = format!("--before {count} --count {count}");
        words(&format!("sharer {what} --to {to} --how inherit {count}"))
    };
    let far = stage.start(End::Left, "far", &sharer(&far, 15_000))?;
    let near = stage.start(End::Right, "near", &sharer(&near, 15_000))?;
    stage.finish(far, 2)?;
    stage.finish(near, 2)?;
    stage.finish(server, 4)
}

/// The same, with eight datagrams on their way at once.
fn race(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    let address = |end: End, port| SocketAddr::new(end.address(V4), port).to_string();
    let server = args([
        "share-server",
        "--udp",
        "--workers",
        "3",
        "--size",
        "1000",
        "--count",
        "2400",
        "--listen",
        &address(End::Right, 4000),
    ]);
    let mut server = stage.start(End::Right, "worker", &server)?;
    server.port()?;
    let client = args([
        "datagram-client",
        "--count",
        "300",
        "--size",
        "1000",
        "--send",
        "many",
        "--from",
        &address(End::Left, 4000),
        "--to",
        &address(End::Right, 4000),
    ]);
    let client = stage.start(End::Left, "dgram-client", &client)?;
    stage.finish(client, 1)?;
    stage.finish(server, 4)
}
