//! Nowhere to write to: standard output that is closed, full or a pipe that nobody reads, and a disk
//! without room for the report. It is said where it can be, the child's status is still its own, and
//! nothing panics.

#![allow(clippy::unwrap_used, clippy::panic)] // a test's helpers may, as its tests do

use std::process::{Command, Output};

/// Runs a line of bash in which `netprocmon` is ours; in a mount namespace of its own if it mounts.
fn bash(line: &str) -> Output {
    let ours = assert_cmd::cargo::cargo_bin!("netprocmon");
    let line = format!("netprocmon() {{ '{}' \"$@\"; }}\n{line}", ours.display());
    let mut command = Command::new("timeout");
    command.args(["60", "unshare", "--mount", "bash", "-c", &line]);
    command.output().unwrap()
}

fn status_and_complaint(line: &str) -> (i32, String) {
    let output = bash(line);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(!complaint.contains("panicked"), "{complaint}");
    (output.status.code().unwrap(), complaint)
}

const FULL: &str = "No space left on device";

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_listing_that_cannot_be_written_is_4_and_says_so() {
    let (status, complaint) = status_and_complaint("netprocmon ps > /dev/full");
    assert!(complaint.contains(FULL), "{complaint}");
    assert_eq!(status, 4);
    let (status, complaint) =
        status_and_complaint("netprocmon watch --json -d 0.1 -c 2 > /dev/full");
    assert!(complaint.contains(FULL), "{complaint}");
    assert_eq!(status, 4);
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn output_that_was_closed_beforehand_is_nobodys_loss() {
    for line in [
        "netprocmon ps >&-",
        "netprocmon watch --json -d 0.1 -c 2 >&-",
        "netprocmon watch -d 0.1 -c 2 >&- 2>&- <&-",
    ] {
        assert_eq!(status_and_complaint(line).0, 0, "{line}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_watch_ends_when_nobody_reads_it_any_more() {
    let line = "netprocmon watch --json -d 0.05 | head -n 2 | wc -l; exit ${PIPESTATUS[0]}";
    let output = bash(line);
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "2");
    assert_eq!(output.status.code(), Some(0));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(!complaint.contains("panicked"), "{complaint}");
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_report_for_which_there_is_no_room_leaves_the_childs_status_alone() {
    for (report, room) in [("--json", "4k"), ("", "4k")] {
        let line = format!(
            "mount -t tmpfs -o size={room} none /mnt && cat /dev/zero > /mnt/fill 2>/dev/null\n\
             netprocmon run {report} -o /mnt/report -- sh -c 'exit 7'"
        );
        let (status, complaint) = status_and_complaint(&line);
        assert!(complaint.contains(FULL), "{complaint}");
        assert_eq!(status, 7);
    }
    let (status, _) = status_and_complaint("netprocmon run -- sh -c 'exit 7' 2>&- >&-");
    assert_eq!(status, 7);
}
