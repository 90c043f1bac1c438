//! What a process runs: the script behind an interpreter's name, and program files that were
//! deleted or replaced while they ran.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use netprocmon::IpVersion::V4;
use netprocmon::{Pid, ProgramFile, Snapshot};

use super::{args, at, datagrams_to};
use crate::generate::{Account, Wire};
use crate::net::End;
use crate::report::Check;
use crate::scenario::{Scenario, Skip};
use crate::stage::Stage;
use crate::tool;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("a script of python's", |stage| {
        script(stage, &["python3", "-u"], "train.py", PYTHON)
    }),
    Scenario::new("a script of perl's", |stage| {
        script(stage, &["perl", "-w"], "report.pl", PERL)
    }),
    Scenario::new("a script of the shell's", |stage| {
        script(stage, &["sh", "-u"], "deploy.sh", SHELL)
    }),
    Scenario::new("program files deleted and replaced", files),
];

/// Each sends [`COUNT`] datagrams of [`SIZE`] bytes and waits for its standard input to end. The
/// shell can open no socket: its standard output is one.
const PYTHON: &str = "\
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(50):
    s.sendto(b'x' * 400, (sys.argv[1], int(sys.argv[2])))
sys.stdin.read()
";
const PERL: &str = "\
use Socket;
socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;
my $to = sockaddr_in($ARGV[1], inet_aton($ARGV[0]));
for (1..50) { send($s, 'x' x 400, 0, $to) or die; }
<STDIN>;
";
const SHELL: &str = "\
n=0
while [ $n -lt 50 ]; do
    printf '%400s' x
    n=$((n + 1))
done
read -r end
";
const COUNT: u64 = 50;
const SIZE: u64 = 400;
const HEADERS: u64 = 20 + 8;

/// A process that ends with its standard input. Killed when dropped.
struct Script(Child);

impl Drop for Script {
    fn drop(&mut self) {
        // Both fail only when it has ended, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn script(stage: &mut Stage, interpreter: &[&str], name: &str, text: &str) -> Result<()> {
    let program = interpreter[0];
    if !tool::exists(program) {
        bail!(Skip(format!("{program} is not installed")));
    }
    let path = stage.write(name, text)?;
    stage.count()?;
    let sink = args(["udp-sink", "--count", &COUNT.to_string()]);
    let mut sink = stage.start(End::Right, "udp-sink", &sink)?;
    let to = SocketAddr::new(End::Right.address(V4), sink.port()?);
    let socket = datagrams_to(stage, to)?;
    // `ip` becomes the interpreter, in the same process.
    let child = Command::new("ip")
        .args(["netns", "exec", stage.namespace(End::Left).name()])
        .args(interpreter)
        .arg(&path)
        .args([to.ip().to_string(), to.port().to_string()])
        .stdin(Stdio::piped())
        .stdout(std::os::fd::OwnedFd::from(socket))
        .spawn()
        .with_context(|| format!("start {program}"))?;
    let mut script = Script(child);
    let pid = script.0.id();
    stage.finish(sink, 1)?;
    // It has sent all, and waits.
    let read = |file: &str| format!("/proc/{pid}/{file}");
    let comm = fs::read_to_string(read("comm"))?;
    let exe = fs::read_link(read("exe"))?;
    let exe = exe.file_name().context("a program has a name")?;
    let title = format!("{name} ({})", exe.display());
    stage.take(Account {
        pid,
        name: comm.trim_end().to_owned(),
        sent: COUNT * SIZE,
        recv: 0,
        wire: Some(Wire {
            bytes_sent: COUNT * (SIZE + HEADERS),
            packets_sent: COUNT,
            ..Wire::default()
        }),
    });
    check(stage, "while it runs", pid, name, &title)?;
    drop(script.0.stdin.take());
    script.0.wait()?;
    check(stage, "when it has ended", pid, name, &title)
}

fn check(stage: &mut Stage, when: &str, pid: u32, name: &str, title: &str) -> Result<()> {
    let Some(snapshot) = stage.snapshot()? else {
        return Ok(());
    };
    let process = snapshot.process(Pid(pid)).map(|usage| &usage.process);
    let script = process.and_then(|process| process.script.as_deref());
    let ours = process.map(|process| process.title());
    let what = |what: &str| format!("{when}: {what}");
    stage.check(Check::same(what("script"), Some(name), script));
    stage.check(Check::same(what("title"), Some(title), ours.as_deref()));
    Ok(())
}

/// Before they move anything, the file of one is deleted, that of another is upgraded; that of the
/// third when everything of it was shown already.
fn files(stage: &mut Stage) -> Result<()> {
    stage.count()?;
    let listen = End::Right.address(V4).to_string();
    let server = args(["udp-server", "--listen", &listen, "--count", "60"]);
    let mut server = stage.start(End::Right, "udp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let client = args([
        "udp-client",
        "--wait",
        "--count",
        "20",
        "--size",
        "300",
        "--to",
        &to,
    ]);
    let mut started = Vec::new();
    for (name, fate) in [
        ("kept", None),
        ("deleted", Some(ProgramFile::Deleted)),
        ("replaced", Some(ProgramFile::Replaced)),
    ] {
        let copy = stage.copy_of_program(name)?;
        let mut running = stage.start(End::Left, name, &client)?;
        running.ready()?;
        match fate {
            Some(ProgramFile::Deleted) => fs::remove_file(&copy)?,
            Some(ProgramFile::Replaced) => fs::rename(stage.copy_of_program("newer")?, &copy)?,
            None => {}
        }
        running.go()?;
        started.push((running.pid(), name, copy, fate));
        stage.finish(running, 1)?;
    }
    stage.finish(server, 1)?;
    let Some(snapshot) = stage.snapshot()? else {
        return Ok(());
    };
    let fate_of = |snapshot: &Snapshot, pid| {
        let process = snapshot.process(Pid(pid)).map(|usage| &usage.process);
        process.and_then(|process| process.exe_file)
    };
    for (pid, name, copy, fate) in &started {
        let process = snapshot.process(Pid(*pid)).map(|usage| &usage.process);
        let ours = fate_of(&snapshot, *pid);
        let exe = process.and_then(|process| process.exe.as_deref());
        stage.check(Check::same(format!("{name}: the file"), fate, ours));
        let what = format!("{name}: the path");
        stage.check(Check::same(what, Some(&**copy), exe.map(Path::new)));
    }
    let (pid, _, copy, _) = started.first().context("one was started")?;
    fs::rename(stage.copy_of_program("newest")?, copy)?;
    let mut ours = None;
    // A few of all processes are looked at each time.
    for _ in 0..LOOKS {
        let snapshot = stage.snapshot()?.context("there was a monitor before")?;
        ours = fate_of(&snapshot, *pid);
        if ours.is_some() {
            break;
        }
    }
    let what = "kept: the file, upgraded after all was shown";
    stage.check(Check::same(what, Some(ProgramFile::Replaced), ours));
    Ok(())
}

const LOOKS: usize = 50;
