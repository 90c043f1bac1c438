//! Every way of using one TCP connection: the calls that open it, send, receive and end it. What
//! the calls returned is what must be reported, byte for byte, and what the devices counted.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use netprocmon::IpVersion::{self, V4, V6};

use super::args;
use crate::generate::stream;
use crate::net::{End, Link, Offload};
use crate::scenario::{Scenario, Skip};
use crate::stage::Stage;

/// What differs between the rows, as the generators' arguments.
#[derive(Clone, Copy)]
struct Case {
    version: IpVersion,
    /// Both over loopback of the left end.
    loopback: bool,
    both: &'static str,
    server: &'static str,
    client: &'static str,
}

const MUCH: &str = "--up 3000017 --down 2000003 ";

const fn over(version: IpVersion, both: &'static str) -> Case {
    Case {
        version,
        loopback: false,
        both,
        server: "",
        client: "",
    }
}

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("tcp, IPv4-mapped IPv6 at both ends", |stage| {
        play(stage, over(V4, "--opening mapped"))
    }),
    Scenario::new("tcp, accept with an address buffer, IPv4", |stage| {
        let server = "--accept named";
        play(
            stage,
            Case {
                server,
                ..over(V4, "")
            },
        )
    }),
    Scenario::new("tcp, accept with an address buffer, IPv6", |stage| {
        let server = "--accept named";
        play(
            stage,
            Case {
                server,
                ..over(V6, "")
            },
        )
    }),
    Scenario::new("tcp, accept without an address buffer, IPv6", |stage| {
        play(stage, over(V6, ""))
    }),
    Scenario::new("tcp, readv and writev", |stage| {
        play(stage, over(V4, "--send vector --receive vector"))
    }),
    Scenario::new("tcp, MSG_MORE", |stage| {
        play(stage, over(V4, "--send more"))
    }),
    Scenario::new("tcp, partial and refused sends and receives", |stage| {
        play(stage, over(V6, "--send partial --receive impatient"))
    }),
    Scenario::new("tcp, MSG_PEEK", |stage| {
        play(stage, over(V4, "--receive peek"))
    }),
    Scenario::new("tcp, MSG_TRUNC", |stage| {
        play(stage, over(V6, "--receive discard"))
    }),
    Scenario::new("tcp, sendfile, IPv4", |stage| {
        play(stage, over(V4, "--send file"))
    }),
    Scenario::new("tcp, sendfile, IPv6, offload on", |stage| {
        play(stage, over(V6, "--send file"))
    })
    .offload(Offload::On),
    Scenario::new("tcp, splice both ways, IPv4", |stage| {
        play(stage, over(V4, "--send splice --receive splice"))
    }),
    Scenario::new("tcp, splice both ways, IPv6", |stage| {
        play(stage, over(V6, "--send splice --receive splice"))
    }),
    Scenario::new("tcp, MSG_ZEROCOPY, IPv4", |stage| {
        play(stage, over(V4, "--send zero-copy"))
    }),
    Scenario::new("tcp, MSG_ZEROCOPY, IPv6, offload on", |stage| {
        play(stage, over(V6, "--send zero-copy"))
    })
    .offload(Offload::On),
    Scenario::new("tcp, TCP_ZEROCOPY_RECEIVE over loopback", |stage| {
        let loopback = true;
        play(
            stage,
            Case {
                loopback,
                ..over(V4, "--send file --receive zero-copy")
            },
        )
    })
    .over_loopback(),
    Scenario::new("tcp, io_uring", |stage| {
        ring(stage, false, "--send ring --receive ring")
    }),
    Scenario::new("tcp, io_uring, zero-copy send", |stage| {
        ring(stage, false, "--send zero-copy-ring --receive ring")
    }),
    Scenario::new("tcp, io_uring with a polling kernel thread", |stage| {
        ring(stage, true, "--send polled-ring --receive polled-ring")
    }),
    Scenario::new("tcp fast open, both ends, IPv4", |stage| fast(stage, V4)),
    Scenario::new("tcp fast open, both ends, IPv6", |stage| fast(stage, V6)),
    Scenario::new("kernel TLS", |stage| special(stage, V4, "tls")),
    Scenario::new("sctp, sockets of one connection", |stage| {
        special(stage, V4, "sctp")
    }),
    Scenario::new("multipath tcp, IPv4", |stage| {
        special(stage, V4, "multipath")
    }),
    Scenario::new("multipath tcp, IPv6", |stage| {
        special(stage, V6, "multipath")
    }),
    Scenario::new("multipath tcp, two subflows", subflows),
    Scenario::new("tcp, half-closed, then a long transfer", |stage| {
        let client = "--half-close";
        play(
            stage,
            Case {
                client,
                ..over(V4, "")
            },
        )
    }),
    Scenario::new("tcp, closed by a reset", |stage| {
        let client = "--reset";
        play(
            stage,
            Case {
                client,
                ..over(V4, "")
            },
        )
    }),
    Scenario::new("tcp, closed with unread data", |stage| {
        stage.count()?;
        let case = Case {
            client: "--leave-unread",
            ..over(V4, "")
        };
        run(stage, case, "--up 1000003 --down 30011 ")
    }),
];

/// Both ends in the left namespace, with these arguments.
pub(super) fn over_loopback(stage: &mut Stage, both: &'static str) -> Result<()> {
    let loopback = true;
    play(
        stage,
        Case {
            loopback,
            ..over(V4, both)
        },
    )
}

fn play(stage: &mut Stage, case: Case) -> Result<()> {
    stage.count()?;
    run(stage, case, MUCH)
}

fn run(stage: &mut Stage, case: Case, amounts: &str) -> Result<()> {
    let (end, address) = if case.loopback {
        (End::Left, SocketAddr::from(([127, 0, 0, 1], 0)))
    } else {
        let address = End::Right.address(case.version);
        (End::Right, SocketAddr::new(address, 0))
    };
    let words = |more: &str| {
        let all = [amounts, case.both, " ", more].concat();
        all.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let listen = args(["stream-server", "--listen", &address.to_string()]);
    let server = [listen, words(case.server)].concat();
    let mut server = stage.start(end, "stream-server", &server)?;
    let to = SocketAddr::new(address.ip(), server.port()?);
    let connect = args(["stream-client", "--to", &to.to_string()]);
    let client = [connect, words(case.client)].concat();
    let client = stage.start(End::Left, "stream-client", &client)?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)
}

fn ring(stage: &mut Stage, polled: bool, both: &'static str) -> Result<()> {
    if let Some(reason) = stream::no_ring(polled) {
        bail!(Skip(reason));
    }
    play(stage, over(V4, both))
}

fn fast(stage: &mut Stage, version: IpVersion) -> Result<()> {
    for end in [End::Left, End::Right] {
        let namespace = stage.namespace(end);
        namespace.sysctl("net/ipv4/tcp_fastopen", stream::FAST_OPEN)?;
    }
    play(stage, over(version, "--opening fast"))
}

/// Connections that not every kernel knows.
fn special(stage: &mut Stage, version: IpVersion, opening: &'static str) -> Result<()> {
    if let Some(reason) = stream::obstacle(opening) {
        bail!(Skip(reason));
    }
    let both = match opening {
        "tls" => "--opening tls",
        "sctp" => "--opening sctp",
        _ => "--opening multipath",
    };
    play(stage, over(version, both))
}

/// The client has a second address, and its kernel opens a second subflow from there.
fn subflows(stage: &mut Stage) -> Result<()> {
    const SECOND: &str = "192.0.2.11";
    if let Some(reason) = stream::obstacle("multipath") {
        bail!(Skip(reason));
    }
    let (left, right) = (stage.namespace(End::Left), stage.namespace(End::Right));
    let device = stage.link().device(End::Left).name;
    left.ip(&["addr", "add", &format!("{SECOND}/24"), "dev", device])?;
    left.ip(&["mptcp", "endpoint", "add", SECOND, "dev", device, "subflow"])?;
    for namespace in [left, right] {
        namespace.ip(&["mptcp", "limits", "set", "subflow", "2"])?;
    }
    let there = stage.link().device(End::Right).name;
    let mac = Link::mac(End::Left);
    right.ip(&[
        "neigh",
        "replace",
        SECOND,
        "lladdr",
        mac,
        "dev",
        there,
        "nud",
        "permanent",
    ])?;
    play(stage, over(V4, "--opening multipath"))
}
