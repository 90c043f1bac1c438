//! Short lives: processes that are gone before anybody could look them up, and a monitor that is
//! killed in the middle.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use netprocmon::IpVersion::V4;

use super::{args, at};
use crate::net::End;
use crate::report::{Check, Tolerance};
use crate::scenario::{Scenario, Skip, Unowned};
use crate::stage::Stage;
use crate::{tool, wait};

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("1,000 short-lived processes, tcp", tcp).unowned(Unowned::TimeWaits(1000)),
    Scenario::new("1,000 short-lived processes, udp", |stage| {
        let listen = End::Right.address(V4).to_string();
        let server = ["udp-server", "--listen", &listen, "--count", "1000"];
        swarm(stage, &args(server), "udp")
    }),
    Scenario::new("SIGKILL of the monitor in the middle", killed),
];

pub(super) fn tcp(stage: &mut Stage) -> Result<()> {
    let listen = End::Right.address(V4).to_string();
    let server = [
        "tcp-server",
        "--listen",
        &listen,
        "--connections",
        "1000",
        "--close",
    ];
    swarm(stage, &args(server), "tcp")
}

fn swarm(stage: &mut Stage, server: &[String], protocol: &str) -> Result<()> {
    stage.count()?;
    let mut server = stage.start(End::Right, "swarm-server", server)?;
    let to = at(End::Right, V4, server.port()?);
    let swarm = args([
        "swarm",
        "--to",
        &to,
        "--count",
        "1000",
        "--protocol",
        protocol,
    ]);
    let swarm = stage.start(End::Left, "swarm", &swarm)?;
    stage.finish(swarm, 1000 + 1)?;
    stage.finish(server, 1)
}

/// The real program, killed while traffic flows: the kernel must be left as it was, and the traffic
/// must not notice.
fn killed(stage: &mut Stage) -> Result<()> {
    if !stage.with_monitor() {
        bail!(Skip(
            "it is about the monitor, and there is none".to_owned()
        ));
    }
    if !tool::exists("bpftool") {
        bail!(Skip("bpftool is not installed".to_owned()));
    }
    let mut watch = Watch::start()?;
    let objects = Object::held_by(watch.0.id())?;
    for kind in Object::KINDS {
        let held = objects.iter().filter(|o| o.kind == kind).count() as u64;
        let what = format!("while it runs, {kind}s in the kernel");
        stage.check(Check::at_least(what, 1, Some(held)));
    }

    let mut server = {
        let listen = End::Right.address(V4).to_string();
        let server = args(["udp-server", "--listen", &listen, "--count", "20000"]);
        stage.start(End::Right, "udp-server", &server)?
    };
    let to = at(End::Right, V4, server.port()?);
    let client = [
        "udp-client",
        "--to",
        &to,
        "--count",
        "20000",
        "--size",
        "100",
        "--wait",
    ];
    let mut client = stage.start(End::Left, "udp-client", &args(client))?;
    client.ready()?;
    let before = stage.read()?;
    client.go()?;
    let flowing = wait::until(LIMIT, || Ok((stage.read()? != before).then_some(())))?;
    flowing.context("no traffic to kill the monitor in the middle of")?;
    watch.kill()?;

    // The kernel frees programs and maps after a grace period.
    let mut left = objects.len();
    wait::until(LIMIT, || {
        left = objects.iter().filter(|object| object.exists()).count();
        Ok((left == 0).then_some(()))
    })?;
    let what = "after SIGKILL, programs, maps and links left";
    stage.check(Check::number(what, 0, Some(left as u64), Tolerance::Exact));
    for (mut end, what) in [(client, "client"), (server, "server")] {
        let account = end.accounts(1)?.remove(0);
        let wire = account.wire.unwrap_or_default();
        let what = format!("datagrams that the {what} sent and got, all the same");
        let moved = wire.packets_sent + wire.packets_recv;
        stage.check(Check::number(what, 40_000, Some(moved), Tolerance::Exact));
        end.release()?;
    }
    Ok(())
}

const LIMIT: Duration = Duration::from_secs(10);

/// `netprocmon watch --json`. Killed when dropped.
struct Watch(Child);

impl Watch {
    /// Starts the program that was built beside the lab and waits for its first line.
    fn start() -> Result<Self> {
        let own = std::env::current_exe().context("find the lab's own program")?;
        let program = own.with_file_name("netprocmon");
        if !program.is_file() {
            let path = program.display();
            bail!(Skip(format!(
                "{path} is not there: build the command first"
            )));
        }
        let mut watch = Self(
            Command::new(&program)
                .args(["watch", "--json", "--delay", "0.1"])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .with_context(|| format!("start {}", program.display()))?,
        );
        let stdout = watch.0.stdout.take().context("it has no standard output")?;
        let mut said = BufReader::new(stdout);
        let mut line = String::new();
        said.read_line(&mut line).context("read its first line")?;
        let json: serde_json::Value =
            serde_json::from_str(&line).with_context(|| format!("its first line: {line:?}"))?;
        anyhow::ensure!(json["type"] == "snapshot", "its first line: {line:?}");
        // It goes on printing, and must not be stopped by a full or closed pipe.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Ok(watch)
    }

    fn kill(&mut self) -> Result<()> {
        self.0.kill().context("kill the monitor")?;
        self.0.wait().context("wait for the monitor")?;
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill(); // fails when it has ended
        let _ = self.0.wait();
    }
}

/// A BPF object by the id that the kernel gave it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    kind: &'static str,
    id: u32,
}

impl Object {
    const KINDS: [&str; 3] = ["prog", "map", "link"];

    /// Those that a process has open, as /proc/PID/fdinfo tells (proc(5)).
    fn held_by(pid: u32) -> Result<BTreeSet<Self>> {
        let mut held = BTreeSet::new();
        for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
            let Ok(info) = fs::read_to_string(entry?.path()) else {
                continue; // closed since
            };
            held.extend(info.lines().filter_map(Self::parse));
        }
        Ok(held)
    }

    fn parse(line: &str) -> Option<Self> {
        let (key, value) = line.split_once(':')?;
        let kind = Self::KINDS
            .into_iter()
            .find(|kind| key.strip_suffix("_id") == Some(kind))?;
        let id = value.trim().parse().ok()?;
        Some(Self { kind, id })
    }

    /// Whether the kernel still has it.
    fn exists(&self) -> bool {
        tool::run("bpftool", &[self.kind, "show", "id", &self.id.to_string()]).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bpf_objects_are_found_in_fdinfo() {
        let prog = Object::parse("prog_id:\t417").unwrap();
        assert_eq!((prog.kind, prog.id), ("prog", 417));
        assert_eq!(Object::parse("map_id:\t3").unwrap().kind, "map");
        assert!(Object::parse("map_type:\t3").is_none());
        assert!(Object::parse("link_id:\tx").is_none());
    }
}
