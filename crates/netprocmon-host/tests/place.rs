//! Real processes in real cgroups, named as each runtime names them.
//!
//! The cgroups are this test's own, below a slice of its own, and gone at its end. No runtime is
//! needed: what is tested is that a living process's path, place and script are what its `/proc`
//! and its cgroup say.

#![allow(clippy::expect_used, clippy::unwrap_used)] // a test: failing is how it speaks

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use netprocmon_host::place::{Places, Runtimes};
use netprocmon_host::{cgroup, process};
use netprocmon_model::{Pid, Process};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A cgroup and those above it, up to the hierarchy's root.
struct Cgroups {
    point: PathBuf,
    made: Vec<PathBuf>,
}

impl Cgroups {
    fn new() -> Self {
        let point = cgroup::mount_point().expect("cgroup v2 is mounted");
        assert!(cgroup::is_real_root(&point), "not in a cgroup namespace");
        Self {
            point,
            made: Vec::new(),
        }
    }

    /// Makes a cgroup of this path; what is there already is not touched at the end either.
    fn make(&mut self, path: &str) -> PathBuf {
        let mut directory = self.point.clone();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            directory.push(part);
            if !directory.exists() {
                fs::create_dir(&directory).unwrap();
                self.made.push(directory.clone());
            }
        }
        directory
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for directory in self.made.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// A process that has said that it runs, and ends with its standard input.
struct Running(Child);

impl Running {
    /// `sh` moves itself before it becomes the program, so that the program never ran elsewhere.
    fn start(cgroup: &Path, program: &[&str]) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", "echo $$ > \"$0\"/cgroup.procs && exec \"$@\""])
            .arg(cgroup)
            .args(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n", "{program:?}");
        Self(child)
    }

    fn facts(&self) -> Process {
        process::read(Pid(self.0.id())).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A script of a name and a text, in a directory that goes away.
fn script(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn processes_in_the_cgroups_of_each_runtime() {
    let files = tempfile::tempdir().unwrap();
    let shell = script(files.path(), "deploy.sh", "echo ready\nread x\n");
    let pod = "kubepods.slice/kubepods-podaa_bb.slice";
    let table = [
        // Path below the test's slice, unit, runtime, container, pod.
        ("web.service".to_owned(), "web.service", "", ""),
        (format!("docker-{ID}.scope"), "", "docker", ID),
        (format!("libpod-{ID}.scope/container"), "", "podman", ID),
        (format!("libpod-conmon-{ID}.scope"), "", "", ""),
        (
            format!("{pod}/cri-containerd-{ID}.scope"),
            "",
            "containerd",
            ID,
        ),
        (format!("{pod}/crio-{ID}.scope"), "", "cri-o", ID),
        ("lxc.payload.box".to_owned(), "", "lxc", "box"),
        (
            r"machine-my\x2dbox.scope".to_owned(),
            "",
            "nspawn",
            "my-box",
        ),
        (
            "app-flatpak-org.x.Y-7.scope".to_owned(),
            "",
            "flatpak",
            "org.x.Y",
        ),
        ("snap.tool.tool.service".to_owned(), "", "snap", "tool"),
    ];
    let mut cgroups = Cgroups::new();
    let mut places = Places::new(Runtimes::below(files.path()));
    for (below, unit, runtime, id) in table {
        let slice = format!("netprocmontest{}.slice", std::process::id());
        let directory = cgroups.make(&format!("{slice}/{below}"));
        let running = Running::start(&directory, &["sh", &shell]);
        let facts = running.facts();
        let path = facts.cgroup.clone().unwrap();
        assert_eq!(*path, *format!("/{slice}/{below}"));
        let place = places.at(&path);
        assert_eq!(
            place, facts.place,
            "{below}: no files, so the path says all"
        );
        let found = place.container.as_ref();
        assert_eq!(
            found.map_or("", |found| &*found.runtime),
            runtime,
            "{below}"
        );
        assert_eq!(found.map_or("", |found| &*found.id), id, "{below}");
        if !unit.is_empty() {
            assert_eq!(place.unit.as_deref(), Some(unit));
            assert_eq!(place.slice.as_deref(), Some(&*slice));
        }
        let in_pod = place.pod.as_ref().map(|pod| &*pod.uid);
        assert_eq!(in_pod, below.starts_with(pod).then_some("aa-bb"), "{below}");
        assert_eq!(facts.script.as_deref(), Some("deploy.sh"));
    }
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn a_script_of_python_s_in_a_container_with_a_name() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no python3 here");
        return;
    }
    let files = tempfile::tempdir().unwrap();
    let text = "import sys\nprint('ready', flush=True)\nsys.stdin.read()\n";
    let python = script(files.path(), "train.py", text);
    let of_docker = files.path().join("var/lib/docker/containers").join(ID);
    fs::create_dir_all(&of_docker).unwrap();
    let config = r#"{"Name":"/trainer","Config":{"Image":"python:3"}}"#;
    fs::write(of_docker.join("config.v2.json"), config).unwrap();

    let slice = format!("netprocmontest{}p.slice", std::process::id());
    let mut cgroups = Cgroups::new();
    let directory = cgroups.make(&format!("{slice}/docker-{ID}.scope"));
    let running = Running::start(&directory, &["env", "python3", "-u", &python, "--fast"]);
    let facts = running.facts();
    assert_eq!(facts.script.as_deref(), Some("train.py"));
    assert!(
        facts.title().starts_with("train.py (python"),
        "{}",
        facts.title()
    );
    let place = Places::new(Runtimes::below(files.path())).at(&facts.cgroup.unwrap());
    let container = place.container.as_ref().unwrap();
    assert_eq!(container.label(), "trainer");
    assert_eq!(container.image.as_deref(), Some("python:3"));
}
