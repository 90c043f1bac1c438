//! What is left of the command's rights, and what its child has, as the kernel tells in `/proc`.
//!
//! The real sudo(8) in a mount namespace of its own, where a rule lets the user `nobody` call it:
//! the machine's own rules are not touched.
#![allow(clippy::unwrap_used, clippy::panic)] // a test's helpers may, as its tests do

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::ForAnybody;
use serde_json::Value;

/// `nobody` and `nogroup`, on every Debian.
const NOBODY: u32 = 65534;
/// Bits of capabilities(7).
const DAC_READ_SEARCH: u64 = 1 << 2;
const KILL: u64 = 1 << 5;
const NET_RAW: u64 = 1 << 13;
const SYS_PTRACE: u64 = 1 << 19;
const SYS_ADMIN: u64 = 1 << 21;
const BPF: u64 = 1 << 39;
const LOOKING: u64 = DAC_READ_SEARCH | SYS_PTRACE | SYS_ADMIN;

fn program() -> &'static Path {
    assert_cmd::cargo::cargo_bin!("netprocmon")
}

/// The uid, the permitted, effective and inheritable capabilities, and whether any can be gained.
type Rights = (u32, [u64; 3], bool);

/// The rights of a process's threads as soon as they are `wanted`, else what they are after a while:
/// a command is started before its starter gives up what it needed for that, and each thread gives
/// up its own.
fn threads_once(pid: u32, wanted: impl Fn(&[Rights]) -> bool) -> Vec<Rights> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let all = threads(pid);
        if wanted(&all) || Instant::now() > deadline {
            return all;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Of each thread, the one that looks names up last.
fn threads(pid: u32) -> Vec<Rights> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |status: &str, name: &str| {
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    let rights = tasks.map(|task| {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let set = |name| u64::from_str_radix(&of(&status, name), 16).unwrap();
        let rights = (
            of(&status, "Uid:").parse().unwrap(),
            [set("CapPrm:"), set("CapEff:"), set("CapInh:")],
            of(&status, "NoNewPrivs:") == "0",
        );
        (of(&status, "Name:") == "netprocmon-name", rights)
    });
    let mut rights: Vec<_> = rights.collect();
    rights.sort_unstable();
    rights.into_iter().map(|(_, rights)| rights).collect()
}

/// Starts a watch, which counts when this returns.
fn watch(command: &mut Command) -> Child {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let sample: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(sample["type"], "snapshot");
    child.stdout = Some(out.into_inner());
    child
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_watch_keeps_what_its_source_needs_and_no_more() {
    for (source, own, threads_at_least) in
        [("ebpf", BPF, 1), ("packet", NET_RAW, 2), ("sockdiag", 0, 1)]
    {
        let arguments = ["watch", "--json", "-d", "0.1", "--source", source];
        let mut child = watch(Command::new(program()).args(arguments));
        let kept = (0, [LOOKING | own, LOOKING | own, 0], false);
        let all = threads_once(child.id(), |all| all.iter().all(|one| *one == kept));
        assert!(all.len() >= threads_at_least, "{source}: {all:?}");
        for one in all {
            assert_eq!(one, kept, "{source}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// It is not only asked for little: it has nothing from its start on.
#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn the_thread_that_asks_name_servers_has_no_rights() {
    let arguments = ["watch", "--json", "-d", "0.1", "--connections", "--resolve"];
    let mut child = watch(Command::new(program()).args(arguments));
    let kept = LOOKING | BPF;
    let expected = [(0, [kept, kept, 0], false), (0, [0, 0, 0], false)];
    assert_eq!(threads_once(child.id(), |all| all == expected), expected);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Runs a line of shell as `nobody`, who may call sudo without a password.
fn as_nobody(script: &str) -> Output {
    let here = ForAnybody::new();
    let rules = here.directory().join("sudoers");
    fs::write(
        &rules,
        "Defaults secure_path=\"/usr/sbin:/usr/bin:/sbin:/bin\"\nALL ALL=(ALL) NOPASSWD: ALL\n",
    )
    .unwrap();
    fs::set_permissions(&rules, fs::Permissions::from_mode(0o440)).unwrap();
    let outside = "mount --bind \"$1\" /etc/sudoers && exec setpriv --reuid=65534 --regid=65534 \
                   --groups=65534,12 --inh-caps=-all env -i PATH=\"$PATH\" HOME=/nonexistent MARK=mine \
                   NETPROCMON=\"$2\" sh -c \"$3\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", outside, "sh"]);
    command.arg(&rules).arg(here.program()).arg(script);
    let output = command.current_dir("/").stdin(Stdio::null()).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {text}");
    output
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

const LOOK: &str = "id -u; id -g; id -G; echo $MARK $HOME ${SUDO_UID:-none}; \
                    grep -E \"^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)\" /proc/self/status; ls /proc/self/fd";
/// No rights, nothing forbidden, and of descriptors the three and the one that `ls` lists them by.
const NOTHING: &str = "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n\
                       CapEff:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\n0\n1\n2\n3\n";

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn under_sudo_the_command_runs_as_the_caller_in_the_callers_environment() {
    let output = as_nobody(&format!("sudo -n $NETPROCMON run -q -- sh -c '{LOOK}'"));
    let expected = format!("65534\n65534\n65534 12\nmine /nonexistent none\n{NOTHING}");
    assert_eq!(said(&output), expected);
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_set_user_id_program_acts_for_whoever_started_it() {
    let here = ForAnybody::new();
    // Not the link to the one that was built.
    let copy = here.directory().join("copy");
    common::copy(program(), &copy);
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o4755)).unwrap();
    let copy = copy.display();
    let look = "id -u; id -g; id -G; echo $MARK; grep CapPrm /proc/self/status";
    let script = format!("{copy} run -q --source ebpf -- sh -c '{look}'");
    let expected = "65534\n65534\n65534 12\nmine\nCapPrm:\t0000000000000000\n";
    assert_eq!(said(&as_nobody(&script)), expected);
    let other = format!("{copy} run -q -u root -- id -u; test $? = 3");
    assert_eq!(said(&as_nobody(&other)), "");
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn told_otherwise_it_runs_as_that_user() {
    let as_root = as_nobody("sudo -n $NETPROCMON run -q --user root -- sh -c 'id -u; echo $HOME'");
    assert_eq!(said(&as_root), "0\n/root\n");
    // What root's own script runs is root's.
    let script = as_nobody("sudo -n sh -c \"$NETPROCMON run -q -- id -u; :\"");
    assert_eq!(said(&script), "0\n");
    let as_daemon = as_nobody(&format!(
        "sudo -n $NETPROCMON run -q -u daemon -- sh -c '{LOOK}'"
    ));
    let expected = format!("1\n1\n1\n/usr/sbin none\n{NOTHING}");
    assert_eq!(said(&as_daemon), expected);
    let refused = "$NETPROCMON run -q -u root -- id -u; test $? = 3";
    assert_eq!(said(&as_nobody(refused)), "");
}

/// A root that has given nothing up (`run` as root) still passes signals on to other users.
#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_run_keeps_the_right_to_pass_signals_on() {
    let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.02; done";
    let setpriv = [
        "setpriv",
        "--reuid=65534",
        "--clear-groups",
        "sh",
        "-c",
        script,
    ];
    let mut command = Command::new(program());
    command.args(["run", "-q", "--"]).args(setpriv);
    let mut run = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(run.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let kept = LOOKING | BPF | KILL;
    let expected = [(0, [kept, kept, 0], false)];
    assert_eq!(threads_once(run.id(), |all| all == expected), expected);
    let pid = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(7));
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn under_sudo_files_are_the_callers_and_every_byte_is_counted_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let report = directory.path().join("report.json");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        listener
            .accept()
            .unwrap()
            .0
            .write_all(&vec![0; 50_000])
            .unwrap();
    });
    let script = format!(
        "sudo -n $NETPROCMON run --json -o {} -- bash -c 'cat </dev/tcp/127.0.0.1/{port} >/dev/null'",
        report.display()
    );
    as_nobody(&script);
    server.join().unwrap();
    let facts = fs::metadata(&report).unwrap();
    assert_eq!(facts.uid(), NOBODY);
    let line: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(line["source"], "ebpf");
    assert_eq!(line["totals"]["payload_recv"], 50_000);
}
