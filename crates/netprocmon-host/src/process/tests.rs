//! Against the real `/proc`: this process, its children, and ids that are no process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use netprocmon_model::ProgramFile;

use super::*;

/// A child that lives until it is dropped.
struct Sleeper(Child);

impl Sleeper {
    fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    fn pid(&self) -> Pid {
        Pid(self.0.id())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn me() -> Pid {
    Pid(std::process::id())
}

#[test]
fn this_process() {
    let process = read(me()).unwrap();
    assert_eq!(process.pid, me());
    assert_eq!(process.ppid, Some(Pid(std::os::unix::process::parent_id())));
    assert_eq!(process.uid, Some(rustix::process::getuid().as_raw()));
    let exe = std::env::current_exe().unwrap();
    assert_eq!(process.exe.as_deref(), exe.to_str());
    let command: Vec<String> = std::env::args().collect();
    let shown = process.command.unwrap();
    assert_eq!(
        shown.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        command
    );
    assert_eq!(process.netns, netns(me()));
    assert!(process.netns.is_some());
    assert_eq!(id(me()), Some(process.id));
}

#[test]
fn the_start_is_between_before_and_after() {
    let clock = BootClock::new();
    let before = BootClock::now();
    let child = Sleeper::start(Command::new("sleep").arg("1000"));
    let after = BootClock::now();
    let process = read_with(child.pid(), &clock).unwrap();
    let start = process.id.start_boottime;
    assert!(ticks_from_ns(before) <= ticks_from_ns(start) && start <= after);
    assert_eq!(process.started, Some(clock.timestamp(start)));
    assert!(same_start(start, start + 1));
    assert!(!same_start(start, start + tick()));
}

#[test]
fn a_thread_is_no_process() {
    let thread = std::thread::spawn(|| {
        let tid = Pid(rustix::thread::gettid()
            .as_raw_nonzero()
            .get()
            .cast_unsigned());
        (
            tid,
            exists(tid),
            read(tid).is_some(),
            all().any(|pid| pid == tid),
        )
    });
    let (tid, exists, read, listed) = thread.join().unwrap();
    assert_ne!(tid, me());
    assert_eq!((exists, read, listed), (false, false, false));
}

#[test]
fn what_does_not_exist_is_none() {
    for pid in [Pid(0), Pid(u32::MAX), Pid(4_194_305)] {
        assert!(!exists(pid));
        assert_eq!(read(pid), None);
        assert_eq!(start_ticks(pid), None);
        assert!(descendants(pid).iter().all(|child| *child != pid));
    }
}

#[test]
fn an_ended_process_is_none_once_it_is_reaped() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = Pid(child.id());
    child.wait().unwrap();
    assert_eq!(read(pid), None);
    assert!(!exists(pid));
}

#[test]
fn children_and_grandchildren_but_not_the_root() {
    let script = "sh -c 'sleep 1000 & echo $!; wait' & echo $!; trap 'kill 0' EXIT; read x";
    let mut command = Command::new("setsid");
    command
        .args(["sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut root = command.spawn().unwrap();
    let mut lines = BufReader::new(root.stdout.take().unwrap()).lines();
    let mut pid = || Pid(lines.next().unwrap().unwrap().trim().parse().unwrap());
    let mut told = vec![pid(), pid()];
    told.sort_unstable();
    let mut found = descendants(Pid(root.id()));
    found.sort_unstable();
    assert_eq!(found, told);
    assert!(descendants(me()).contains(&Pid(root.id())));
    drop(root.stdin.take());
    root.wait().unwrap();
}

#[test]
fn a_hostile_name_is_read_whole() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("a) S 1\n(\x1b[31m");
    fs::copy("/bin/sleep", &program).unwrap();
    let child = Sleeper::start(Command::new(&program).arg("1000"));
    let process = read(child.pid()).unwrap();
    assert_eq!(process.name.as_ref(), "a) S 1\n(\x1b[31m");
    assert_eq!(process.ppid, Some(me()));
    fs::remove_file(&program).unwrap();
    assert_eq!(read(child.pid()).unwrap().exe.as_deref(), program.to_str());
}

#[test]
fn a_program_that_was_deleted_or_replaced_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("sleeper (deleted)");
    fs::copy("/bin/sleep", &program).unwrap();
    let child = Sleeper::start(Command::new(&program).arg("1000"));
    let file = || {
        let process = read(child.pid()).unwrap();
        assert_eq!(process.exe.as_deref(), program.to_str());
        process.exe_file
    };
    assert_eq!(file(), None, "it is called so");
    let aside = directory.path().join("aside");
    fs::hard_link(&program, &aside).unwrap();
    fs::copy("/bin/true", directory.path().join("new")).unwrap();
    fs::rename(directory.path().join("new"), &program).unwrap();
    assert_eq!(file(), Some(ProgramFile::Replaced));
    fs::remove_file(&program).unwrap();
    assert_eq!(file(), Some(ProgramFile::Deleted));
    // A way out of the process's root is not taken, and a circle not run in.
    std::os::unix::fs::symlink(&program, &program).unwrap();
    assert_eq!(file(), None);
}

#[test]
fn an_interpreter_says_what_it_runs() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("deploy.sh");
    fs::write(&script, "echo ready; read x").unwrap();
    let mut command = Command::new("sh");
    command.arg("-e").arg(&script);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Sleeper::start(&mut command);
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let process = read(child.pid()).unwrap();
    assert_eq!(process.script.as_deref(), Some("deploy.sh"));
    assert!(
        process.title().starts_with("deploy.sh ("),
        "{}",
        process.title()
    );
}
