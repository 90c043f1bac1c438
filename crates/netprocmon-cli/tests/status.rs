//! Exit statuses that need no privilege: usage errors, and what is not there.
#![allow(clippy::unwrap_used)] // a test's helpers may, as its tests do

use std::net::TcpListener;

use assert_cmd::Command;
use serde_json::Value;

fn netprocmon(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("netprocmon").unwrap();
    command.args(arguments);
    command
}

fn status(arguments: &[&str]) -> i32 {
    let output = netprocmon(arguments).output().unwrap();
    output.status.code().unwrap()
}

/// What a command that fails says, and its status.
fn complaint(arguments: &[&str]) -> (i32, String) {
    let output = netprocmon(arguments).output().unwrap();
    assert!(output.stdout.is_empty(), "{arguments:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn usage_is_2() {
    for arguments in [
        &["run"][..],
        &["run", "--"],
        &["run", "--max-bytes", "5X", "true"],
        &["run", "--kill", "true"],
        &["run", "--quiet", "--json", "true"],
        &["run", "--grace", "-1", "true"],
        &["watch", "--delay", "0"],
        &["watch", "--sort", "colour"],
        &["ports", "--port", "65536"],
        &["ports", "1", "--pid", "1"],
        &["completions", "cmd.exe"],
        &["sing"],
    ] {
        assert_eq!(status(arguments), 2, "{arguments:?}");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_said_before_anything_runs() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark");
    let mark = mark.to_str().unwrap();
    let report = directory.path().join("none/report");
    let report = report.to_str().unwrap();
    let (status, text) = complaint(&["run", "-o", report, "--", "touch", mark]);
    assert_eq!(status, 2, "{text}");
    assert!(text.contains(report), "{text}");
    assert!(!std::path::Path::new(mark).exists());
}

#[test]
fn nothing_on_a_port_is_1() {
    // tcpmux: nobody's port.
    let (status, text) = complaint(&["ports", "--port", "1"]);
    assert_eq!(status, 1);
    assert!(text.contains("port 1"), "{text}");
    assert_eq!(complaint(&["ports", "4294967295"]).0, 1);
}

#[test]
fn a_pid_that_is_not_there_is_1() {
    let (status, text) = complaint(&["watch", "4194305"]); // above the kernel's PID_MAX_LIMIT
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("4194305"), "{text}");
}

#[test]
fn an_unknown_page_is_1() {
    assert_eq!(complaint(&["man", "sing"]).0, 1);
}

#[test]
fn ps_is_one_object_with_the_contracts_fields() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let output = netprocmon(&["ps", "--json"]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1);
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["schema"], 1);
    assert_eq!(line["type"], "ps");
    let processes = line["processes"].as_array().unwrap();
    let me = processes
        .iter()
        .find(|process| process["pid"] == std::process::id());
    let me = me.unwrap();
    let ports = me["ports"].as_array().unwrap();
    assert!(ports.iter().any(|one| one["port"] == port));
    // What sock_diag cannot know is null, not 0.
    assert_eq!(me["bytes_sent"], Value::Null);
}

#[test]
fn a_port_has_its_owner() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let output = netprocmon(&["ports", "--port", &port, "--json"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["type"], "ports");
    assert_eq!(line["ports"][0]["pid"], std::process::id());
    assert_eq!(line["ports"][0]["protocol"], "tcp");
    assert_eq!(line["ports"][0]["listening"], true);
    let text = netprocmon(&["ports", &port]).output().unwrap();
    assert!(
        String::from_utf8(text.stdout)
            .unwrap()
            .contains("127.0.0.1")
    );
}

#[test]
fn a_filter_that_cannot_be_meant_is_2_and_points_at_the_place() {
    for command in ["watch", "ps"] {
        let (status, error) = complaint(&[command, "--filter", "name>5"]);
        assert_eq!(status, 2);
        assert!(error.contains("name cannot be compared with >"), "{error}");
        assert!(error.contains("\n  name>5\n      ^\n"), "{error}");
    }
}

#[test]
fn a_filter_that_nothing_matches_is_1() {
    assert_eq!(status(&["ps", "--filter", "pid=0"]), 1);
}
