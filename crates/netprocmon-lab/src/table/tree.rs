//! Trees: what a process and all below it have moved, with those that have ended; and who is above
//! a process, with those that have ended.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use netprocmon::IpVersion::V4;
use netprocmon::{Children, Counters, GroupBy, GroupKey, Monitor, MonitorBuilder, Pid};

use super::{args, at, datagrams_to};
use crate::generate::{Account, Wire};
use crate::net::End;
use crate::report::{Check, Tolerance};
use crate::scenario::Scenario;
use crate::stage::Stage;
use crate::{verify, wait};

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("a tree whose children have ended", |stage| {
        tree(stage, |builder, _| builder)
    })
    .own_comparison(),
    Scenario::new("a tree that is followed", |stage| {
        tree(stage, |builder, root| builder.pid(root, Children::Follow))
    })
    .own_comparison(),
    Scenario::new("parents that use no network and have ended", parents),
];

const CHILDREN: usize = 50;

/// A process whose children each send a datagram and end, before it sends one of its own.
fn tree(stage: &mut Stage, ask: fn(MonitorBuilder, Pid) -> MonitorBuilder) -> Result<()> {
    let (children, all) = (CHILDREN.to_string(), (CHILDREN + 1).to_string());
    let listen = End::Right.address(V4).to_string();
    let server = args(["udp-server", "--listen", &listen, "--count", &all]);
    let mut server = stage.start(End::Right, "udp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let parent = args([
        "swarm",
        "--wait",
        "--itself",
        "--protocol",
        "udp",
        "--to",
        &to,
    ]);
    let parent = [parent, args(["--count", &children])].concat();
    let mut parent = stage.start(End::Left, "parent", &parent)?;
    let root = Pid(parent.pid());
    stage.count_with(ask(Monitor::builder(), root))?;
    parent.go()?;
    let accounts = parent.accounts(CHILDREN + 1)?;
    for account in &accounts {
        stage.moved_by(account, root.0);
    }
    stage.finish(parent, 0)?;
    stage.finish(server, 1)?;
    let wires = accounts.iter().map(|account| account.wire);
    let wires: Option<Vec<_>> = wires.collect();
    let wires = wires.context("datagrams are known on the wire")?;
    let sum = |part: fn(&Wire) -> u64| wires.iter().map(part).sum::<u64>();
    let (moved, snapshot) = stage.compare()?;
    let device = Some(moved.devices[0].moved.bytes_sent);
    stage.check(Check::number(
        "left0 bytes sent, as the calls have it",
        sum(|w| w.bytes_sent),
        device,
        Tolerance::Exact,
    ));
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    let checks = verify::processes(&snapshot, &accounts);
    stage.check_all(checks);
    stage.sum_up(verify::sums_of_calls(&snapshot, &accounts));
    let groups = snapshot.group_by(&[GroupBy::Tree]);
    let group = groups
        .iter()
        .find(|group| group.key == GroupKey::Tree(root));
    // One that is not followed belongs to a tree that begins somewhere above the lab.
    let filtered = snapshot.filter(&format!("tree={root}").parse()?).totals;
    let ours = Some(group.map_or(filtered, |group| group.counters));
    for (what, truth, ours) in [
        (
            "bytes sent",
            sum(|w| w.bytes_sent),
            ours.and_then(|c| c.bytes_sent),
        ),
        (
            "bytes recv",
            sum(|w| w.bytes_recv),
            ours.and_then(|c| c.bytes_recv),
        ),
        (
            "packets sent",
            sum(|w| w.packets_sent),
            ours.and_then(|c| c.packets_sent),
        ),
        (
            "packets recv",
            sum(|w| w.packets_recv),
            ours.and_then(|c| c.packets_recv),
        ),
    ] {
        let what = format!("the whole tree: {what}");
        stage.check(Check::number(what, truth, ours, Tolerance::Exact));
    }
    let whole: Counters = groups.iter().map(|group| group.counters).sum();
    let unattributed = snapshot.unattributed.iter().map(|one| one.counters);
    let total: Counters = unattributed.chain([snapshot.totals]).sum();
    let what = "all groups together, as the total";
    let total = total.bytes_total().unwrap_or_default();
    stage.check(Check::number(
        what,
        total,
        whole.bytes_total(),
        Tolerance::Exact,
    ));
    Ok(())
}

/// Each says its pid and becomes nobody's parent as soon as it has started the next.
const OUTER: &str = "#!/bin/sh
echo $$ >&2
exec 3<&0
\"$2\" \"$@\" <&3 &
";
const MIDDLE: &str = "#!/bin/sh
echo $$ >&2
exec 3<&0
\"$3\" <&3 &
";
/// A shell can open no socket: its standard output is one.
const INNER: &str = "#!/bin/sh
echo $$ >&2
read -r go
n=0
while [ $n -lt 20 ]; do
    printf '%300s' x
    n=$((n + 1))
done
read -r end
";
const DATAGRAMS: u64 = 20;
const SIZE: u64 = 300;
const HEADERS: u64 = 20 + 8;

/// A shell that starts a shell that starts a shell; only the last uses the network, when the others
/// have long ended.
fn parents(stage: &mut Stage) -> Result<()> {
    let scripts = [
        ("outer.sh", OUTER),
        ("middle.sh", MIDDLE),
        ("inner.sh", INNER),
    ];
    let mut paths = Vec::new();
    for (name, text) in scripts {
        let path = stage.write(name, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        paths.push(path);
    }
    stage.count()?;
    let sink = args(["udp-sink", "--count", &DATAGRAMS.to_string()]);
    let mut sink = stage.start(End::Right, "udp-sink", &sink)?;
    let to = SocketAddr::new(End::Right.address(V4), sink.port()?);
    let socket = datagrams_to(stage, to)?;
    let mut outer = Command::new(&paths[0])
        .args(&paths)
        .stdin(Stdio::piped())
        .stdout(std::os::fd::OwnedFd::from(socket))
        .stderr(Stdio::piped())
        .spawn()
        .context("start a shell")?;
    let said = BufReader::new(outer.stderr.take().context("it was piped")?);
    let said = said.lines().take(scripts.len());
    let pids = said
        .map(|line| Ok(line?.trim().parse()?))
        .collect::<Result<Vec<u32>>>()?;
    let [outer_pid, middle, inner] = pids[..] else {
        bail!("not every shell has said its pid: {pids:?}");
    };
    let mut input = outer.stdin.take().context("it was piped")?;
    outer.wait()?;
    ended(middle)?;
    input.write_all(b"go\n")?;
    stage.finish(sink, 1)?;
    drop(input);
    ended(inner)?;
    stage.take(Account {
        pid: inner,
        name: "inner.sh".to_owned(),
        sent: DATAGRAMS * SIZE,
        recv: 0,
        wire: Some(Wire {
            bytes_sent: DATAGRAMS * (SIZE + HEADERS),
            packets_sent: DATAGRAMS,
            ..Wire::default()
        }),
    });
    let Some(snapshot) = stage.snapshot()? else {
        return Ok(());
    };
    let usage = snapshot.process(Pid(inner));
    let above = usage
        .map(|usage| &usage.process.parents[..])
        .unwrap_or_default();
    let ours: Vec<_> = above
        .iter()
        .map(|one| format!("{} {}", one.pid, one.name.as_deref().unwrap_or("-")))
        .collect();
    let own = fs::read_to_string("/proc/self/comm")?;
    let truth = [
        format!("{middle} middle.sh"),
        format!("{outer_pid} outer.sh"),
        format!("{} {}", std::process::id(), own.trim_end()),
    ];
    let found = ours.get(..truth.len()).unwrap_or(&ours);
    stage.check(Check::same(
        "who is above it",
        Some(&truth[..]),
        Some(found),
    ));
    let mut tree = snapshot.filter(&format!("tree={outer_pid}").parse()?);
    let only = tree.processes.pop().filter(|_| tree.processes.is_empty());
    let ours = only.map(|usage| usage.process.pid);
    stage.check(Check::same("a filter for the tree", Some(Pid(inner)), ours));
    Ok(())
}

/// Waits for the end of a process that is not our child. Whoever adopted it may leave a zombie.
fn ended(pid: u32) -> Result<()> {
    let file = format!("/proc/{pid}/exe");
    let gone = || Ok(fs::read_link(&file).is_err().then_some(()));
    wait::until(LIMIT, gone)?.with_context(|| format!("process {pid} does not end"))
}

const LIMIT: Duration = Duration::from_secs(10);
