//! Each gives up what a thread of its own has, which it does not get again.

use std::process::{Command, Stdio};
use std::thread;

use super::super::Capabilities;
use super::super::Capability::{Bpf, NetRaw, SysPtrace};
use super::*;

fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    thread::spawn(work).join().unwrap()
}

fn in_force() -> Vec<Capability> {
    let held = Capabilities::effective();
    let all = Capability::ALL.into_iter();
    all.filter(|one| held.has(*one)).collect()
}

#[test]
#[ignore = "needs root"]
fn what_is_given_up_does_not_come_back() {
    on_a_thread(|| {
        keep(&[NetRaw, SysPtrace]).unwrap();
        assert_eq!(in_force(), [NetRaw, SysPtrace]);
        assert_eq!(without_capabilities(in_force).unwrap(), []);
        keep(&[NetRaw, Bpf]).unwrap();
        assert_eq!(in_force(), [NetRaw]);
        keep(&[]).unwrap();
        keep(&[NetRaw]).unwrap();
        assert_eq!(in_force(), []);
        let refused = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::RAW,
            Some(rustix::net::ipproto::ICMP),
        );
        assert_eq!(refused.unwrap_err(), rustix::io::Errno::PERM);
    });
    // Of that thread alone.
    assert_eq!(in_force(), Capability::ALL);
}

#[test]
fn no_user_is_left_behind_by_other_threads() {
    let before = rustix::process::getuid();
    let identity = Identity {
        uid: 1,
        gid: 1,
        groups: vec![],
    };
    // The harness is one, this test is another.
    let error = become_user(&identity, &[]).unwrap_err();
    assert!(error.to_string().contains("threads"), "{error}");
    assert_eq!(rustix::process::getuid(), before);
}

#[test]
fn a_thread_that_only_reads_writes_and_executes_nothing_and_sees_no_process() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "before").unwrap();
    let mut outside = Command::new("sleep").arg("60").spawn().unwrap();
    let program = format!("/proc/{}/exe", outside.id());
    assert!(fs::read_link(&program).is_ok());
    let theirs = file.clone();
    on_a_thread(move || {
        if let Err(error) = only_read_files() {
            eprintln!("SKIPPED: no Landlock here: {error}");
            return;
        }
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "before");
        let denied = |error: io::Error| assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        denied(fs::write(&theirs, "after").unwrap_err());
        denied(fs::write(theirs.with_extension("new"), "new").unwrap_err());
        denied(fs::remove_file(&theirs).unwrap_err());
        denied(
            Command::new("/bin/true")
                .stdin(Stdio::null())
                .status()
                .unwrap_err(),
        );
        // Why the threads that look at processes are not restricted so.
        denied(fs::read_link(&program).unwrap_err());
    });
    outside.kill().unwrap();
    outside.wait().unwrap();
    fs::write(&file, "after").unwrap();
    // Of that thread alone.
    assert_eq!(fs::read_to_string(&file).unwrap(), "after");
}
