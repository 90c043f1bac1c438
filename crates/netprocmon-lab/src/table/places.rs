//! Places: the unit, container and pod of each process, by the name of its cgroup, which is what
//! systemd and each runtime call theirs. The cgroups are the lab's own; no runtime is needed.
//!
//! What runtimes' own files tell of a container, its name and image, is not here: the monitor reads
//! them where the runtimes keep them, and the lab writes nothing there.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use netprocmon::IpVersion::V4;
use netprocmon::{Pid, Snapshot};

use super::{args, at};
use crate::net::End;
use crate::report::Check;
use crate::scenario::Scenario;
use crate::stage::Stage;

pub(super) const ROWS: &[Scenario] = &[
    Scenario::new("units, containers and pods", places),
    Scenario::new("cgroups that are gone before the snapshot", brief),
];

/// As docker, podman, containerd and cri-o make them.
const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const POD: &str = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b_2c3d.slice";
const USER: &str = "user-1000.slice/user@1000.service";
const DATAGRAMS: &str = "20";

/// What a place is called; empty is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Expected<'a> {
    unit: &'a str,
    user_unit: &'a str,
    /// The innermost slice, when that is not the lab's own.
    slice: &'a str,
    runtime: &'a str,
    container: &'a str,
    pod: &'a str,
}

const NOWHERE: Expected<'_> = Expected {
    unit: "",
    user_unit: "",
    slice: "",
    runtime: "",
    container: "",
    pod: "",
};

/// A container in a scope of systemd's.
const fn scope<'a>(unit: &'a str, runtime: &'a str, container: &'a str) -> Expected<'a> {
    Expected {
        unit,
        runtime,
        container,
        ..NOWHERE
    }
}

/// A container of a pod.
const fn in_pod<'a>(unit: &'a str, runtime: &'a str) -> Expected<'a> {
    Expected {
        slice: "kubepods-burstable-pod0a1b_2c3d.slice",
        pod: "0a1b-2c3d",
        ..scope(unit, runtime, ID)
    }
}

/// What a user's own manager has started.
const fn of_user<'a>(user_unit: &'a str, runtime: &'a str, container: &'a str) -> Expected<'a> {
    Expected {
        user_unit,
        slice: "user-1000.slice",
        ..scope("user@1000.service", runtime, container)
    }
}

fn places(stage: &mut Stage) -> Result<()> {
    let docker = format!("docker-{ID}.scope");
    let podman = format!("libpod-{ID}.scope");
    let containerd = format!("cri-containerd-{ID}.scope");
    let crio = format!("crio-{ID}.scope");
    let flatpak = "app-flatpak-org.x.Y-7.scope";
    let session = Expected {
        slice: "user-1000.slice",
        ..scope("session-3.scope", "", "")
    };
    let table = [
        ("web.service".to_owned(), scope("web.service", "", "")),
        ("plain/below".to_owned(), NOWHERE),
        (docker.clone(), scope(&docker, "docker", ID)),
        (format!("docker/{ID}"), scope("", "docker", ID)),
        (format!("{podman}/container"), scope(&podman, "podman", ID)),
        (
            format!("{POD}/{containerd}"),
            in_pod(&containerd, "containerd"),
        ),
        (format!("{POD}/{crio}"), in_pod(&crio, "cri-o")),
        ("lxc.payload.box".to_owned(), scope("", "lxc", "box")),
        (
            r"machine-my\x2dbox.scope".to_owned(),
            scope(r"machine-my\x2dbox.scope", "nspawn", "my-box"),
        ),
        (
            format!("{USER}/app.slice/editor.service"),
            of_user("editor.service", "", ""),
        ),
        ("user-1000.slice/session-3.scope".to_owned(), session),
        (
            format!("{USER}/app.slice/{flatpak}"),
            of_user(flatpak, "flatpak", "org.x.Y"),
        ),
        (
            "snap.tool.tool.service".to_owned(),
            scope("snap.tool.tool.service", "snap", "tool"),
        ),
    ];
    stage.cgroups()?;
    stage.count()?;
    let (count, each) = (table.len() * DATAGRAMS.parse::<usize>()?, DATAGRAMS);
    let listen = End::Right.address(V4).to_string();
    let server = args([
        "udp-server",
        "--listen",
        &listen,
        "--count",
        &count.to_string(),
    ]);
    let mut server = stage.start(End::Right, "udp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let mut started = Vec::new();
    for (n, (path, expected)) in table.iter().enumerate() {
        let cgroup = stage.cgroups()?.make(path)?;
        let client = args(["udp-client", "--to", &to, "--count", each, "--size", "200"]);
        let name = format!("place-{n}");
        let left = stage.namespace(End::Left);
        let client = stage.start_in(Some(&cgroup), left, &name, &client)?;
        started.push((client.pid(), path, expected));
        stage.finish(client, 1)?;
    }
    stage.finish(server, 1)?;
    let slice = stage.cgroups()?.slice().to_owned();
    let Some(snapshot) = stage.snapshot()? else {
        return Ok(());
    };
    for (pid, path, expected) in started {
        stage.check(check(&snapshot, &slice, pid, path, *expected));
    }
    Ok(())
}

/// Each process lives for a few milliseconds, and its cgroup is removed behind it. When the monitor
/// looks, as one does that is waited for and is told of a new cgroup, the process is gone; when a
/// snapshot is made, the cgroup is.
fn brief(stage: &mut Stage) -> Result<()> {
    const ALL: usize = 12;
    stage.cgroups()?;
    stage.count()?;
    let listen = End::Right.address(V4).to_string();
    let count = ALL.to_string();
    let server = args(["udp-server", "--listen", &listen, "--count", &count]);
    let mut server = stage.start(End::Right, "udp-server", &server)?;
    let to = at(End::Right, V4, server.port()?);
    let mut gone = Vec::new();
    for n in 0..ALL {
        let id = format!("{n:064x}");
        let (path, runtime) = match n % 2 {
            0 => (format!("brief-{n}.service"), ""),
            _ => (format!("docker-{id}.scope"), "docker"),
        };
        let cgroup = stage.cgroups()?.make(&path)?;
        // It forks the process that lives so briefly.
        let parent = args(["swarm", "--wait", "--protocol", "udp", "--count", "1"]);
        let parent = [parent, args(["--to", &to])].concat();
        let left = stage.namespace(End::Left);
        let mut parent = stage.start_in(Some(&cgroup), left, &format!("parent-{n}"), &parent)?;
        parent.go()?;
        let account = parent.accounts(2)?.remove(0);
        parent.release()?;
        stage.wait_for_sample(Duration::from_millis(20))?;
        cgroup.remove()?;
        let container = if runtime.is_empty() { "" } else { &*id };
        gone.push((account.pid, path, runtime, container.to_owned()));
        stage.take(account);
    }
    stage.finish(server, 1)?;
    let slice = stage.cgroups()?.slice().to_owned();
    let Some(snapshot) = stage.snapshot()? else {
        return Ok(());
    };
    for (pid, path, runtime, container) in &gone {
        let expected = scope(path, runtime, container);
        stage.check(check(&snapshot, &slice, *pid, path, expected));
    }
    Ok(())
}

fn check(snapshot: &Snapshot, slice: &str, pid: u32, path: &str, expected: Expected<'_>) -> Check {
    let truth = Expected {
        slice: if expected.slice.is_empty() {
            slice
        } else {
            expected.slice
        },
        ..expected
    };
    let cgroup = format!("/{slice}/{path}");
    let usage = snapshot.process(Pid(pid));
    let process = usage.map(|usage| &usage.process);
    let place = process.map(|process| &*process.place);
    let container = place.and_then(|place| place.container.as_ref());
    let text = |text: Option<&Arc<str>>| text.map_or_else(String::new, ToString::to_string);
    let ours = Expected {
        unit: &text(place.and_then(|place| place.unit.as_ref())),
        user_unit: &text(place.and_then(|place| place.user_unit.as_ref())),
        slice: &text(place.and_then(|place| place.slice.as_ref())),
        runtime: &text(container.map(|container| &container.runtime)),
        container: &text(container.map(|container| &container.id)),
        pod: &text(place.and_then(|place| place.pod.as_ref().map(|pod| &pod.uid))),
    };
    let path_of_ours = text(process.and_then(|process| process.cgroup.as_ref()));
    Check::same(
        format!("place of {path}"),
        (cgroup, truth),
        (path_of_ours, ours),
    )
}
