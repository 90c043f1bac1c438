//! Containers in a cgroup path: which runtime, and the id or name that it gave. Pure.
//!
//! Sources: runc and crun make `PREFIX-ID.scope` of `slice:PREFIX:ID`; docker's daemon says
//! `docker`, podman `libpod` (`getOCICgroupPath`), containerd's CRI plugin `cri-containerd`,
//! nerdctl `nerdctl`, cri-o `crio`. With cgroupfs they make `PARENT/ID`, podman and cri-o
//! `PARENT/PREFIX-ID`. lxc.container.conf(5) has `lxc.payload.NAME`; systemd-machined
//! `machine-NAME.scope`; flatpak `app-flatpak-APP-PID.scope`; snapd `snap.NAME.APP-UUID.scope`.
//!
//! The monitors that runtimes run beside their containers (conmon, LXC's, nspawn's supervisor)
//! are not in them and are told apart.

use netprocmon_model::Container;

use super::unit::plain;

/// An id that docker, podman, containerd's CRI plugin, nerdctl and cri-o make: a SHA-256 in hex.
const ID_LENGTH: usize = 64;

/// The innermost container that the path names.
pub(super) fn find(parts: &[&str]) -> Option<Container> {
    (0..parts.len()).rev().find_map(|at| {
        let (above, rest) = parts.split_at(at);
        let (part, below) = rest.split_first()?;
        prefixed(part)
            .or_else(|| bare(part, above))
            .or_else(|| lxc(part, above, below))
            .or_else(|| machine(part, below))
            .or_else(|| flatpak(part))
            .or_else(|| snap(part))
    })
}

/// Whether a text is such an id, and with it safe as part of a path.
pub(super) fn is_id(text: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == ID_LENGTH && text.bytes().all(hex)
}

/// `PREFIX-ID.scope`, `PREFIX-ID`, and `SLICE:PREFIX:ID` where a path for systemd reached cgroupfs.
fn prefixed(part: &str) -> Option<Container> {
    let stem = part.strip_suffix(".scope").unwrap_or(part);
    let (prefix, id) = match stem.rsplit_once(':') {
        Some((slice, id)) => (slice.rsplit_once(':')?.1, id),
        None => stem.rsplit_once('-')?,
    };
    let runtime = match prefix {
        "docker" => "docker",
        "libpod" | "libpod-payload" => "podman",
        "cri-containerd" | "nerdctl" => "containerd",
        "crio" => "cri-o",
        _ => return None,
    };
    is_id(id).then(|| of(runtime, id))
}

/// `PARENT/ID`. The id is the same for all, so the parent must tell: containerd's own is its
/// namespace, at the top; a pod's containers are containerd's (or, in old clusters, docker's);
/// docker's may lie anywhere, `--cgroup-parent` decides.
fn bare(part: &str, above: &[&str]) -> Option<Container> {
    is_id(part).then_some(())?;
    let runtime = match above {
        [.., "docker"] => "docker",
        [_] => "containerd",
        _ if super::pod::find(above).is_some() => "containerd",
        _ => "docker",
    };
    Some(of(runtime, part))
}

/// `lxc.payload.NAME`; before LXC 4.0 `lxc.payload/NAME`, `lxc/NAME`; Proxmox: `lxc/NAME/ns`.
fn lxc(part: &str, above: &[&str], below: &[&str]) -> Option<Container> {
    let name = match (part.strip_prefix("lxc.payload."), above.last()) {
        (Some(name), _) => name,
        (None, Some(&("lxc" | "lxc.payload"))) if below.first() != Some(&"monitor") => part,
        _ => return None,
    };
    named("lxc", name)
}

/// Machines of systemd-machined: nspawn's, and LXC containers of libvirt. Its virtual machines
/// (`machine-qemu…`) are no containers.
fn machine(part: &str, below: &[&str]) -> Option<Container> {
    if below.first() == Some(&"supervisor") {
        return None;
    }
    let service = part.strip_prefix("systemd-nspawn@");
    if let Some(name) = service.and_then(|rest| rest.strip_suffix(".service")) {
        return named("nspawn", &plain(name));
    }
    let name = part.strip_prefix("machine-")?.strip_suffix(".scope")?;
    let name = plain(name);
    let libvirt = |driver: &str| name.strip_prefix(driver)?.split_once('-');
    let numbered = |number: &str| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    match (libvirt("lxc-"), libvirt("qemu-")) {
        (Some((number, name)), _) if numbered(number) => named("lxc", name),
        (_, Some((number, _))) if numbered(number) => None,
        _ => named("nspawn", &name),
    }
}

/// `app-flatpak-APP-NUMBER.scope`; before 1.5 without `app-`.
fn flatpak(part: &str) -> Option<Container> {
    let stem = part.strip_prefix("app-").unwrap_or(part);
    let stem = stem.strip_prefix("flatpak-")?.strip_suffix(".scope")?;
    let (app, number) = stem.rsplit_once('-')?;
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    numbered.then(|| named("flatpak", &plain(app)))?
}

/// `snap.NAME.APP.service`, `snap.NAME.APP-UUID.scope`, once `snap.NAME.APP.UUID.scope`.
fn snap(part: &str) -> Option<Container> {
    let stem = part
        .strip_suffix(".service")
        .or_else(|| part.strip_suffix(".scope"))?;
    let (name, app) = stem.strip_prefix("snap.")?.split_once('.')?;
    let name = plain(name);
    // A component's hooks run as `snap.NAME+COMPONENT.hook…`.
    let name = name.split('+').next().unwrap_or_default();
    (!app.is_empty()).then(|| named("snap", name))?
}

fn of(runtime: &str, id: &str) -> Container {
    Container {
        runtime: runtime.into(),
        id: id.into(),
        name: None,
        image: None,
    }
}

/// A container of a runtime where the name is the id.
fn named(runtime: &str, name: &str) -> Option<Container> {
    (!name.is_empty()).then(|| Container {
        name: Some(name.into()),
        ..of(runtime, name)
    })
}
