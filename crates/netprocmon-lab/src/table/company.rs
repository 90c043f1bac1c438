//! More than one monitor: each counts the same, and one that is itself watched changes nothing.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use netprocmon::IpVersion::V4;
use netprocmon::{Monitor, Pid, Retention};
use serde_json::Value;

use super::{args, at};
use crate::generate::Account;
use crate::net::End;
use crate::report::{Check, Sums, Tolerance};
use crate::scenario::{Scenario, Skip};
use crate::stage::Stage;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("two monitors at once", two),
    Scenario::new("a monitor's run inside a monitored tree", nested),
];

fn two(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    let mut other = if stage.with_monitor() {
        Some(Monitor::builder().retention(Retention::Keep).start()?)
    } else {
        None
    };
    let listen = End::Right.address(V4).to_string();
    let server = args(["tcp-server", "--listen", &listen]);
    let mut server = stage.start(End::Right, "tcp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let client = args([
        "tcp-client",
        "--to",
        &to,
        "--up",
        "3000001",
        "--down",
        "2000003",
    ]);
    let client = stage.start(End::Left, "tcp-client", &client)?;
    stage.finish(client, 1)?;
    stage.finish(server, 1)?;
    let (_, first) = stage.compare()?;
    let (Some(first), Some(other)) = (first, &mut other) else {
        return Ok(());
    };
    let second = other.snapshot()?;
    for account in stage.accounts().to_vec() {
        let [first, second] = [&first, &second].map(|snapshot| {
            let usage = snapshot.process(Pid(account.pid));
            usage.map(|usage| usage.counters)
        });
        let what = format!("{}: the second counts what the first does", account.name);
        stage.check(Check::same(what, first, second));
    }
    Ok(())
}

/// `netprocmon run` reports its child's tree; the monitor above it has it in its own tree, with the
/// same numbers, and `run` itself moves nothing.
fn nested(stage: &mut Stage) -> Result<()> {
    if !stage.with_monitor() {
        bail!(Skip(
            "it is about the monitor, and there is none".to_owned()
        ));
    }
    let own = std::env::current_exe().context("find the lab's own program")?;
    let program = own.with_file_name("netprocmon");
    if !program.is_file() {
        let path = program.display();
        bail!(Skip(format!(
            "{path} is not there: build the command first"
        )));
    }
    stage.count()?;
    let listen = End::Right.address(V4).to_string();
    let server = args(["udp-server", "--listen", &listen, "--count", "700"]);
    let mut server = stage.start(End::Right, "udp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let report = stage.program("report")?.with_extension("json");
    let generator = stage.program("inner")?;
    let mut outer = Monitor::builder().retention(Retention::Keep).start()?;
    let mut command = Command::new("ip");
    command.args(["netns", "exec", stage.namespace(End::Left).name()]);
    command
        .arg(program)
        .args(["run", "--json", "--output"])
        .arg(&report)
        .arg("--");
    command.arg(generator);
    command.args([
        "generate",
        "udp-client",
        "--to",
        &to,
        "--count",
        "700",
        "--size",
        "321",
    ]);
    let mut child = outer
        .spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))
        .context("start run")?;
    let root = Pid(child.id());
    let status = child.wait().context("wait for run")?;
    anyhow::ensure!(status.success(), "run ended with {status}");
    let said = std::io::read_to_string(child.stdout.take().context("no standard output")?)?;
    let event: Value = serde_json::from_str(said.trim()).context("what the generator said")?;
    let account: Account = serde_json::from_value(event.clone())?;
    stage.moved_by(&account, account.pid);
    stage.finish(server, 1)?;
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&report)?)?;
    let truth = |key: &str| event[key].as_u64().unwrap_or_default();
    let wire = |key: &str| event["wire"][key].as_u64().unwrap_or_default();
    let above = outer.snapshot()?;
    let inside = above
        .processes
        .iter()
        .filter(|usage| usage.process.tree == Some(root));
    let inside: netprocmon::Counters = inside.map(|usage| usage.counters).sum();
    stage.sum_up(Sums {
        wire: wire("bytes_sent") + wire("bytes_recv"),
        our_wire: inside.bytes_total(),
        payload: truth("sent") + truth("recv"),
        our_payload: inside
            .payload_sent
            .zip(inside.payload_recv)
            .map(|(s, r)| s + r),
    });
    for (key, truth, above) in [
        ("payload_sent", truth("sent"), inside.payload_sent),
        ("payload_recv", truth("recv"), inside.payload_recv),
        ("bytes_sent", wire("bytes_sent"), inside.bytes_sent),
        ("bytes_recv", wire("bytes_recv"), inside.bytes_recv),
    ] {
        let below = report["totals"][key].as_u64();
        stage.check(Check::number(
            format!("run: {key}"),
            truth,
            below,
            Tolerance::Exact,
        ));
        stage.check(Check::number(
            format!("the monitor above it: {key}"),
            truth,
            above,
            Tolerance::Exact,
        ));
    }
    Ok(())
}
