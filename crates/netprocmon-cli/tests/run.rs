//! `run` and `watch` on real processes. They need the privilege to count, so a plain
//! `cargo test` shows them as ignored.

#![allow(clippy::unwrap_used, clippy::panic)] // a test's helpers may, as its tests do

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn netprocmon() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("netprocmon"))
}

fn run(arguments: &[&str]) -> Output {
    netprocmon().arg("run").args(arguments).output().unwrap()
}

/// As from a terminal: a job in the background of a script has its interrupts ignored, as its
/// children have, and these tests may be part of one.
fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new("env");
    command
        .arg("--default-signal=INT,QUIT")
        .arg(assert_cmd::cargo::cargo_bin!("netprocmon"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn kill(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Sends `bytes` to whoever connects, and is done.
fn serve(bytes: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(&vec![b'x'; bytes]);
        }
    });
    port
}

/// bash's own way to read a connection to its end; no program is needed for it.
fn fetch(port: u16) -> String {
    format!("exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3 >/dev/null")
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn the_exit_status_is_the_childs() {
    let status = |arguments: &[&str]| run(arguments).status.code();
    assert_eq!(status(&["-q", "--", "sh", "-c", "exit 7"]), Some(7));
    assert_eq!(
        status(&["-q", "--", "sh", "-c", "kill -KILL $$"]),
        Some(137)
    );
    assert_eq!(status(&["--", "/nonexistent/program"]), Some(127));
    assert_eq!(status(&["--", "/etc/passwd"]), Some(126));
    assert_eq!(status(&["--interface", "nonexistent0", "true"]), Some(1));
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn the_childs_streams_are_untouched() {
    let output = run(&["-q", "--", "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!(output.stdout, b"out\n");
    assert_eq!(output.stderr, b"err\n");
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn the_json_has_the_tree_and_its_payload() {
    let port = serve(100_000);
    let output = run(&["--json", "--connections", "--", "bash", "-c", &fetch(port)]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["type"], "run");
    assert_eq!(line["exit_status"], 0);
    assert_eq!(line["totals"]["payload_recv"], 100_000);
    let names: Vec<_> = line["processes"].as_array().unwrap().iter().collect();
    assert!(
        names.iter().any(|process| process["name"] == "bash"),
        "{text}"
    );
    assert!(line["totals"]["bytes_recv"].as_u64() > Some(100_000));
    let mine = u64::from(std::process::id());
    assert!(names.iter().all(|process| process["pid"] != mine), "{text}");
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_budget_that_is_exceeded_is_10() {
    let port = serve(100_000);
    let script = fetch(port);
    let status = |size| {
        run(&["-q", "--max-recv", size, "--", "bash", "-c", &script])
            .status
            .code()
    };
    assert_eq!(status("50k"), Some(10));
    assert_eq!(status("1M"), Some(0));
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn an_exceeded_budget_kills_what_ignores_the_polite_signal() {
    let port = serve(100_000);
    // Nobody accepts and nobody answers: reading from it waits, longer than any kill may take.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let idle = listener.local_addr().unwrap().port();
    let script = format!(
        "trap '' TERM; {}; exec 4<>/dev/tcp/127.0.0.1/{idle}; read -t 20 x <&4",
        fetch(port)
    );
    let arguments = [
        "--json",
        "--max-recv",
        "50k",
        "--kill",
        "--",
        "bash",
        "-c",
        &script,
    ];
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(10));
    let line: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(line["signal"], 9);
    assert_eq!(line["budget"]["exceeded"][0], "max_recv");
    assert_eq!(line["budget"]["killed"], true);
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_signal_sent_to_us_alone_reaches_the_child_once() {
    for (signal, name) in [
        (Signal::INT, "INT"),
        (Signal::USR1, "USR1"),
        (Signal::TERM, "TERM"),
    ] {
        let script =
            format!("trap 'echo got; exit 3' {name}; echo ready; while :; do sleep 0.02; done");
        let mut child = start(&["run", "-q", "--", "sh", "-c", &script]);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        kill(&child, signal);
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "got\n", "{name}");
        assert_eq!(child.wait().unwrap().code(), Some(3), "{name}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_daemon_is_waited_for_and_the_waiting_can_be_ended() {
    // The daemon has left its parent and its session, and holds none of our pipes.
    let script = "setsid sleep 60 </dev/null >/dev/null 2>&1 & exit 5";
    let mut child = start(&["run", "--", "sh", "-c", script]);
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("sleep") && line.contains("Ctrl-C"), "{line}");
    kill(&child, Signal::INT);
    let mut report = String::new();
    said.read_to_string(&mut report).unwrap();
    assert!(report.contains("still runs"), "{report}");
    assert_eq!(child.wait().unwrap().code(), Some(5));
    // Clean up: the daemon's pid is in what was said.
    let pid = line
        .split("(pid ")
        .nth(1)
        .and_then(|rest| rest.split(')').next());
    let pid = Pid::from_raw(pid.unwrap().parse().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_watch_ends_with_its_pid_and_on_a_signal() {
    let mut target = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = target.id().to_string();
    let mut watch = start(&["watch", &pid, "-d", "0.1", "--json"]);
    let mut out = BufReader::new(watch.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let sample: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(sample["type"], "snapshot");
    drop(target.stdin.take());
    target.wait().unwrap();
    assert_eq!(watch.wait().unwrap().code(), Some(0));

    let mut watch = start(&["watch", "-d", "0.1", "--json"]);
    let mut out = BufReader::new(watch.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    kill(&watch, Signal::INT);
    assert_eq!(watch.wait().unwrap().code(), Some(0));
    // `-c` gives exactly so many lines.
    let output = netprocmon()
        .args(["watch", "-d", "0.1", "-c", "3", "--json"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 3);
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn without_a_terminal_and_a_command_it_watches() {
    let arguments = ["-d", "0.1", "-c", "2", "--json"];
    let output = netprocmon().args(arguments).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let types = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["type"].clone()
    });
    assert_eq!(types.collect::<Vec<_>>(), ["snapshot", "snapshot"]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_missing_interface_is_1() {
    let output = netprocmon()
        .args(["watch", "-i", "nonexistent0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("nonexistent0"), "{text}");
}
