//! Devices above devices: each byte is charged on the interface that the socket used, once, and the
//! device below is not charged for what it carries.
//!
//! What a tunnel in the kernel adds has no socket that a hook sees: the device below counts it, and
//! we charge it to nobody. It is told apart, and the rows show that it is the tunnel's header on
//! each packet that was charged above, and nothing else.

use anyhow::Result;
use netprocmon::Counters;
use netprocmon::IpVersion::{self, V4, V6};

use super::args;
use crate::net::{End, Offload, Overlay};
use crate::report::{Check, Tolerance};
use crate::scenario::Scenario;
use crate::stage::{Reading, Role, Stage};
use crate::verify;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("bridge above the link, tcp", |stage| {
        tcp(stage, Overlay::Bridge, Role::Port)
    }),
    Scenario::new("bridge above the link, segmentation offload on", |stage| {
        tcp(stage, Overlay::Bridge, Role::Port)
    })
    .offload(Offload::On),
    Scenario::new("bridge above the link, udp, IPv6", |stage| {
        udp(stage, Overlay::Bridge, Role::Port, V6)
    }),
    Scenario::new("macvlan above the link, tcp", |stage| {
        tcp(stage, Overlay::Macvlan, Role::Port)
    }),
    Scenario::new("macvlan above the link, segmentation offload on", |stage| {
        tcp(stage, Overlay::Macvlan, Role::Port)
    })
    .offload(Offload::On),
    Scenario::new("vlan above the link, tcp", |stage| {
        tcp(stage, Overlay::Vlan, Role::Port)
    }),
    Scenario::new("vxlan over the link, tcp", |stage| {
        tcp(stage, Overlay::Vxlan, Role::Carrier)
    }),
    Scenario::new("vxlan over the link, segmentation offload on", |stage| {
        tcp(stage, Overlay::Vxlan, Role::Carrier)
    })
    .offload(Offload::On),
    Scenario::new("vxlan over the link, udp, IPv6", |stage| {
        udp(stage, Overlay::Vxlan, Role::Carrier, V6)
    }),
    Scenario::new("vxlan, and the link beside it", beside).own_comparison(),
    Scenario::new("tunnel in user space, IPv4", |stage| tunnel(stage, V4)),
    Scenario::new("tunnel in user space, IPv6", |stage| tunnel(stage, V6)),
];

/// What VXLAN adds to an IP packet: Ethernet, its own header, UDP and IPv4 (RFC 7348).
const VXLAN: u64 = 14 + 8 + 8 + 20;

fn put(stage: &mut Stage, overlay: Overlay) -> Result<()> {
    overlay.put_on(stage.link())?;
    for end in [End::Left, End::Right] {
        stage.put_above(end, overlay.device(), overlay.header(), overlay.cuts());
    }
    Ok(())
}

fn put_over(stage: &mut Stage, overlay: Overlay, below: Role) -> Result<()> {
    put(stage, overlay)?;
    stage.is_below(End::Left, below);
    stage.is_below(End::Right, below);
    Ok(())
}

fn tcp(stage: &mut Stage, overlay: Overlay, below: Role) -> Result<()> {
    put_over(stage, overlay, below)?;
    stage.count()?;
    for version in [V4, V6] {
        let listen = overlay.address(End::Right, version);
        let server = args(["tcp-server", "--listen", &listen.to_string()]);
        let mut server = stage.start(End::Right, "tcp-server", &server)?;
        let to = std::net::SocketAddr::new(listen, server.port()?).to_string();
        let client = args([
            "tcp-client",
            "--to",
            &to,
            "--up",
            "5000123",
            "--down",
            "2000321",
        ]);
        let client = stage.start(End::Left, "tcp-client", &client)?;
        stage.finish(client, 1)?;
        stage.finish(server, 1)?;
    }
    on_the_port(stage, overlay)?;
    outer_packets(stage, overlay)
}

fn udp(stage: &mut Stage, overlay: Overlay, below: Role, version: IpVersion) -> Result<()> {
    put_over(stage, overlay, below)?;
    stage.count()?;
    echo(stage, overlay, version)?;
    outer_packets(stage, overlay)
}

fn echo(stage: &mut Stage, overlay: Overlay, version: IpVersion) -> Result<()> {
    let listen = overlay.address(End::Right, version);
    let count = ["--count", "3000"];
    let mut server = args(["udp-server", "--listen", &listen.to_string()]);
    server.extend(args(count));
    let mut server = stage.start(End::Right, "udp-server", &server)?;
    let to = std::net::SocketAddr::new(listen, server.port()?).to_string();
    let mut client = args(["udp-client", "--to", &to, "--size", "900"]);
    client.extend(args(count));
    let client = stage.start(End::Left, "udp-client", &client)?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)
}

/// The device below counts, without segmentation offload, each packet that the owners above were
/// charged.
fn on_the_port(stage: &mut Stage, overlay: Overlay) -> Result<()> {
    let (moved, snapshot) = stage.compare()?;
    let Some(snapshot) = snapshot.filter(|_| stage.scenario().offload == Offload::Off) else {
        return Ok(());
    };
    for port in moved.devices.iter().filter(|d| d.role == Role::Port) {
        let above = |device: &&Reading| device.end == port.end && device.name == overlay.device();
        let Some(above) = moved.devices.iter().find(above) else {
            continue;
        };
        let owners = snapshot
            .processes
            .iter()
            .flat_map(|usage| &usage.interfaces);
        let owners = owners.filter(|usage| usage.id == above.id);
        let ours: Counters = owners.map(|usage| usage.counters).sum();
        for (what, truth, ours) in [
            ("bytes sent", port.moved.bytes_sent, ours.bytes_sent),
            ("packets sent", port.moved.packets_sent, ours.packets_sent),
        ] {
            let what = format!("{} {what}, from the owners above", port.name);
            stage.check(Check::number(what, truth, ours, Tolerance::Exact));
        }
    }
    Ok(())
}

/// The device below a VXLAN carries what we charged above it, in so many bytes more a packet.
fn outer_packets(stage: &mut Stage, overlay: Overlay) -> Result<()> {
    if overlay != Overlay::Vxlan {
        return Ok(());
    }
    let (moved, snapshot) = stage.compare()?;
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    for end in [End::Left, End::Right] {
        let mut here = moved.devices.iter().filter(|device| device.end == end);
        let outer = here.clone().find(|device| device.role == Role::Carrier);
        let inner = here.find(|device| device.name == overlay.device());
        let (Some(outer), Some(inner)) = (outer, inner) else {
            continue;
        };
        let ours = snapshot.interfaces.iter().find(|one| one.id == inner.id);
        let ours = ours.map(|one| one.counted);
        let wrapped = ours.and_then(|ours| Some(ours.bytes_sent? + VXLAN * ours.packets_sent?));
        stage.check(Check::number(
            format!("{} sent, from what was charged on vx0", outer.name),
            outer.moved.bytes_sent,
            wrapped,
            Tolerance::Exact,
        ));
    }
    Ok(())
}

/// The device below is used by sockets of its own too: then it is listed, and the share that is
/// explained says that most of what it moved is not theirs.
fn beside(stage: &mut Stage) -> Result<()> {
    put_over(stage, Overlay::Vxlan, Role::Carrier)?;
    stage.count()?;
    let (before, _) = stage.compare()?;
    echo(stage, Overlay::Vxlan, V4)?;
    let listen = End::Right.address(V4).to_string();
    let server = args(["udp-server", "--listen", &listen, "--count", "500"]);
    let mut server = stage.start(End::Right, "direct-server", &server)?;
    let to = super::at(End::Right, V4, server.port()?);
    let client = ["--count", "500", "--size", "300"];
    let mut all = args(["udp-client", "--to", &to]);
    all.extend(args(client));
    let mut client = stage.start(End::Left, "direct-client", &all)?;
    let account = client.accounts(1)?.remove(0);
    stage.moved_by(&account, client.pid());
    let direct = account.wire.unwrap_or_default();
    stage.finish(client, 0)?;
    stage.finish(server, 1)?;
    let (moved, snapshot) = stage.compare()?;
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    let checks = verify::processes(&snapshot, stage.accounts());
    stage.check_all(checks);
    let (link, was) = (&moved.devices[0], &before.devices[0]);
    let ours = snapshot.interfaces.iter().find(|one| one.id == link.id);
    stage.check(Check::number(
        "left0 bytes sent by sockets",
        direct.bytes_sent,
        ours.and_then(|one| one.counted.bytes_sent),
        Tolerance::Exact,
    ));
    let all = link.moved.since(was.moved).bytes_sent;
    stage.check(share(
        "left0 explained sent",
        direct.bytes_sent,
        all,
        ours.and_then(|one| one.explained_sent),
    ));
    Ok(())
}

/// A share to four digits.
#[allow(clippy::cast_precision_loss)]
pub(super) fn share(what: &str, part: u64, whole: u64, ours: Option<f64>) -> Check {
    let truth = format!("{:.4}", part as f64 / whole as f64);
    let ours = ours.map_or("-".to_owned(), |ours| format!("{ours:.4}"));
    Check::same(what, truth, ours)
}

/// The program that carries the packets is a process like any other: on the TUN device the bytes
/// are the applications', on the link they are its own, a datagram's headers more.
fn tunnel(stage: &mut Stage, version: IpVersion) -> Result<()> {
    put(stage, Overlay::Tun)?;
    stage.count()?;
    let mut carriers = Vec::new();
    for end in [End::Left, End::Right] {
        let peer = match end {
            End::Left => End::Right,
            End::Right => End::Left,
        };
        let [listen, to] = [end, peer].map(|end| super::at(end, V4, 5555));
        let tunnel = args([
            "tunnel", "--device", "tun0", "--listen", &listen, "--to", &to,
        ]);
        let mut carrier = stage.start(end, "carrier", &tunnel)?;
        carrier.ready()?;
        carriers.push(carrier);
    }
    echo(stage, Overlay::Tun, version)?;
    for mut carrier in carriers {
        carrier.go()?;
        stage.finish(carrier, 1)?;
    }
    let (_, snapshot) = stage.compare()?;
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    let counted = |name: &str| {
        let named = snapshot
            .interfaces
            .iter()
            .filter(|one| one.name.as_deref() == Some(name));
        named.map(|one| one.counted).sum::<Counters>()
    };
    let (inner, outer) = (counted("tun0"), [counted("left0"), counted("right0")]);
    let [left, right] = outer.map(|one| one.bytes_sent.unwrap_or_default());
    stage.check(Check::number(
        "the tunnel's overhead: 28 bytes on each packet",
        inner.bytes_sent.unwrap_or_default() + 28 * inner.packets_sent.unwrap_or_default(),
        Some(left + right),
        Tolerance::Exact,
    ));
    Ok(())
}
