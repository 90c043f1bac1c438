//! What can happen to a process while its bytes are under way: another name, an heir to its pid, a
//! violent end; and to a namespace: an end before anybody looked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use netprocmon::IpVersion::V4;
use netprocmon::{Monitor, Pid};

use super::{args, at};
use crate::generate::Account;
use crate::net::End;
use crate::report::{Check, Tolerance};
use crate::scenario::{Scenario, Seat};
use crate::stage::Stage;
use crate::{verify, wait};

mod reborn;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("exec in the middle of a connection", renamed),
    Scenario::new("a pid used again", heirs).own_comparison(),
    Scenario::new("SIGKILL with data still queued", stuck),
    Scenario::new("namespaces that come and go between samples", |stage| {
        hermits(stage, 8, 8)
    })
    .seat(Seat::Outside)
    .own_comparison(),
    Scenario::new(
        "namespaces that come and go, one number for many",
        |stage| hermits(stage, 24, 4),
    )
    .seat(Seat::Outside)
    .own_comparison(),
    Scenario::new("a namespace with the number of one that is gone", |stage| {
        reborn::reborn(stage, 0)
    })
    .seat(Seat::Outside)
    .own_comparison(),
    Scenario::new(
        "a namespace whose number 256 others had in between",
        |stage| reborn::reborn(stage, 256),
    )
    .seat(Seat::Outside)
    .own_comparison(),
];

/// One process, one connection, two names: the last one is shown, with what was moved under both.
fn renamed(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    let listen = End::Right.address(V4).to_string();
    let server = args(["tcp-server", "--listen", &listen]);
    let mut server = stage.start(End::Right, "tcp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let into = stage.program("name-after")?;
    let into = into.to_str().context("a path that is text")?;
    let client = args(["renamed", "--to", &to, "--into", into]);
    let mut client = stage.start(End::Left, "name-before", &client)?;
    client.ready()?;
    let shown = |stage: &mut Stage, pid| -> Result<_> {
        let snapshot = stage.snapshot()?;
        Ok(snapshot.and_then(|snapshot| {
            let usage = snapshot.process(Pid(pid))?;
            Some(usage.process.name.to_string())
        }))
    };
    let before = shown(stage, client.pid())?;
    if stage.with_monitor() {
        let what = "the name before exec";
        stage.check(Check::same(what, Some("name-before"), before.as_deref()));
    }
    client.go()?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)
}

/// Two processes, one pid: each with its own name and bytes.
fn heirs(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    let listen = End::Right.address(V4).to_string();
    let server = args(["udp-server", "--listen", &listen, "--count", "400"]);
    let mut server = stage.start(End::Right, "udp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let mut heirs = stage.start(End::Left, "heirs", &args(["heirs", "--to", &to]))?;
    let accounts = heirs.accounts(2)?;
    for account in &accounts {
        stage.moved_by(account, heirs.pid());
    }
    stage.finish(heirs, 0)?;
    stage.finish(server, 1)?;
    let same = accounts[0].pid == accounts[1].pid;
    stage.check(Check::same("both had the same pid", true, same));
    let (moved, snapshot) = stage.compare()?;
    let Some(snapshot) = snapshot else {
        return Ok(());
    };
    for device in &moved.devices[..2] {
        let checks = verify::device(&snapshot, device, verify::Moment::Open);
        stage.check_all(checks);
    }
    let with_pid = |account: &Account| {
        let all = snapshot.processes.iter();
        all.filter(|usage| usage.process.pid.0 == account.pid)
            .collect::<Vec<_>>()
    };
    let number = with_pid(&accounts[0]).len() as u64;
    stage.check(Check::number(
        "processes with that pid",
        2,
        Some(number),
        Tolerance::Exact,
    ));
    for account in &accounts {
        let named = with_pid(account)
            .into_iter()
            .find(|usage| *usage.process.name == account.name);
        let ours = named.map(|usage| usage.counters);
        for (what, truth, ours) in [
            (
                "payload sent",
                account.sent,
                ours.and_then(|c| c.payload_sent),
            ),
            (
                "payload recv",
                account.recv,
                ours.and_then(|c| c.payload_recv),
            ),
            (
                "bytes sent",
                account.wire.unwrap_or_default().bytes_sent,
                ours.and_then(|c| c.bytes_sent),
            ),
            (
                "bytes recv",
                account.wire.unwrap_or_default().bytes_recv,
                ours.and_then(|c| c.bytes_recv),
            ),
        ] {
            let what = format!("{}: {what}", account.name);
            stage.check(Check::number(what, truth, ours, Tolerance::Exact));
        }
    }
    Ok(())
}

/// The kernel goes on sending what a dead process left in its socket, and that is still the dead
/// one's.
fn stuck(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    let listen = End::Right.address(V4).to_string();
    let miser = args(["miser", "--listen", &listen]);
    let mut miser = stage.start(End::Right, "miser", &miser)?;
    let to = at(End::Right, V4, miser.port()?);
    let mut stuck = stage.start(End::Left, "stuck", &args(["stuck", "--to", &to]))?;
    let account = stuck.accounts(1)?.remove(0);
    let sent = account.sent;
    let over_before = stage.read()?.devices[0].moved.bytes_sent;
    stuck.kill()?;
    miser.go()?;
    stage.take(account);
    stage.finish(miser, 1)?;
    let over = stage.settle()?.devices[0].moved.bytes_sent;
    let after_death = over - over_before;
    stage.check(Check::at_least(
        "bytes sent after its death",
        sent / 4,
        Some(after_death),
    ));
    let got = stage.accounts()[1].recv;
    stage.check(Check::number(
        "the other end got everything",
        sent,
        Some(got),
        Tolerance::Exact,
    ));
    Ok(())
}

/// So many that a namespace lives for some tenths of a second, and ends before the next sample.
const DATAGRAMS: u64 = 10_000;
/// For a reader to have its turn.
const LIMIT: Duration = Duration::from_secs(10);

/// Sampled once a second; each namespace lives for a fraction of that. A monitor that is waited for
/// looks at a new namespace at once, so the interfaces have their names.
///
/// The kernel gives a namespace's number again as soon as it is gone, and an interface is known by
/// that number: of namespaces that do not live at the same time, the interfaces with one number can
/// have only one name between them, the last. How many that were is told.
fn hermits(stage: &mut Stage, all: usize, at_once: usize) -> Result<()> {
    let interval = Duration::from_secs(1);
    stage.count_with(Monitor::builder().interval(interval))?;
    let mut accounts = Vec::new();
    for batch in 0..all / at_once {
        let mut started = Vec::new();
        for n in batch * at_once..(batch + 1) * at_once {
            let (device, count) = (device(n), DATAGRAMS.to_string());
            let hermit = args(["hermit", "--device", &device, "--count", &count]);
            started.push(stage.start(End::Left, format!("hermit-{n}"), &hermit)?);
        }
        // They are heard by another thread while this one waits as a caller of the library does.
        // They stay until that has had a turn: on a busy machine it may be long in coming.
        let turns = Arc::new(AtomicU64::new(0));
        let taken = Arc::clone(&turns);
        let listener = thread::spawn(move || -> Result<Vec<Account>> {
            let mut heard = Vec::new();
            for hermit in &mut started {
                hermit.go()?;
            }
            for hermit in &mut started {
                heard.extend(hermit.accounts(1)?);
            }
            let before = taken.load(Relaxed);
            wait::until(LIMIT, || {
                Ok((taken.load(Relaxed) > before + 1).then_some(()))
            })?;
            for hermit in started {
                hermit.release()?;
            }
            Ok(heard)
        });
        while !listener.is_finished() {
            stage.wait_for_sample(Duration::from_millis(20))?;
            turns.fetch_add(1, Relaxed);
        }
        accounts.extend(
            listener
                .join()
                .map_err(|_| anyhow!("a listener panicked"))??,
        );
    }
    let Some(snapshot) = stage.snapshot()? else {
        return Ok(());
    };
    let checks = verify::processes(&snapshot, &accounts);
    stage.check_all(checks);
    stage.sum_up(verify::sums_of_calls(&snapshot, &accounts));
    let mut named = 0;
    let mut other = Vec::new();
    for (n, account) in accounts.iter().enumerate() {
        let usage = snapshot.process(Pid(account.pid));
        let interfaces = usage.into_iter().flat_map(|usage| &usage.interfaces);
        let shown: Vec<_> = interfaces
            .map(|one| one.name.as_deref().unwrap_or("-"))
            .collect();
        if shown == [device(n)] {
            named += 1;
        } else {
            other.push(shown.join("+"));
        }
    }
    if at_once < all {
        let what =
            format!("of {all} interfaces have their own name, the others a later one's or none");
        stage.check(Check::measured(what, named));
        other.retain(|name| name != "-" && !name.starts_with("brief"));
        let none = Vec::<String>::new();
        stage.check(Check::same(
            "with a name that no namespace here had",
            none,
            other,
        ));
        return Ok(());
    }
    let what = format!("interfaces with their name; else {other:?}");
    stage.check(Check::number(
        what,
        all as u64,
        Some(named),
        Tolerance::Exact,
    ));
    Ok(())
}

fn device(n: usize) -> String {
    format!("brief{n}")
}
